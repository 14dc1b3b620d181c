import ArgumentParser
import Base
import Catalog
import Iceberg
import Maintenance
import Query

struct ManifestsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "manifests", abstract: "List and rewrite the manifests of a table's current snapshot.",
        subcommands: [List.self, Rewrite.self], defaultSubcommand: List.self)

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the manifests of the current snapshot.")
        @OptionGroup var location: WarehouseOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "namespace.table") var table: String

        func run() throws {
            let warehouse = try location.open()
            let metadata = try warehouse.loadTable(TableIdentifier(parsing: table)).metadata
            var printer = RowPrinter(
                columns: ["content", "spec-id", "bytes", "files", "deleted-files", "rows", "sequence-number", "path"],
                format: output.format)
            let manifests = try metadata.currentSnapshot.map {
                try Manifests.list(of: $0, store: warehouse.store)
            }
            for manifest in manifests ?? [] {
                func sum(_ a: Int64?, _ b: Int64?) -> Cell { a.flatMap { a in b.map { .integer(a + $0) } } ?? .null }
                let files = sum(manifest.addedFilesCount.map(Int64.init), manifest.existingFilesCount.map(Int64.init))
                try printer.print([
                    .text(manifest.content == .data ? "data" : "deletes"), .integer(Int64(manifest.specId)),
                    .integer(manifest.length), files,
                    manifest.deletedFilesCount.map { .integer(Int64($0)) } ?? .null,
                    sum(manifest.addedRowsCount, manifest.existingRowsCount), .integer(manifest.sequenceNumber),
                    .text(manifest.path),
                ])
            }
            try printer.finish()
        }
    }

    struct Rewrite: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sort what the manifests hold by partition, into few manifests.",
            discussion: """
                Makes planning of queries with a filter on partitions read less. No file of the table changes. The \
                server does it by itself where it is worth it; this command does whatever gains anything.
                """)
        @OptionGroup var location: WarehouseOptions
        @OptionGroup var output: OutputOptions
        @Argument(help: "namespace.table") var table: String
        @Flag(help: "Print what would be done, and do nothing.") var explain = false

        func run() throws {
            let warehouse = try location.open()
            let identifier = try TableIdentifier(parsing: table)
            if explain {
                let plans = try ManifestRewrite.plan(warehouse, table: identifier, isForced: true)
                if plans.isEmpty { Console.out("nothing to do\n") }
                for plan in plans {
                    let kind = plan.content == .data ? "data" : "delete"
                    Console.out(
                        "\(plan.manifests.count) \(kind) manifests of spec \(plan.specId), "
                            + "\(Human.bytes(Int(plan.bytes))): \(plan.reason)\n")
                }
                return
            }
            let report = try MaintenanceJobs(warehouse: warehouse).rewriteManifests(
                identifier, isForced: true, reason: "firn manifests rewrite", waitMs: 90_000,
                onProgress: ProgressBar().hooks.onProgress)
            guard output.format == .table else { return Console.out(json: report.json) }
            Console.out(
                """
                manifests  \(report.tableManifestsBefore) -> \(report.tableManifestsAfter)
                rewritten  \(report.manifestsBefore) into \(report.manifestsAfter), \(Human.count(report.entries)) \
                entries, \(report.durationMs) ms

                """)
        }
    }
}

import ArgumentParser
import Base
import Catalog
import Iceberg
import Maintenance

struct Expire: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Forget old snapshots and delete the files only they reach.",
        discussion: """
            Without options the table's history.expire.* properties and those of its branches and tags decide. Heads of \
            branches and tags always stay. Writers go on meanwhile; an expiry that is interrupted goes on with the next.

              firn expire web.clicks --dry-run
              firn expire web.clicks --older-than 7d --retain-last 10
              firn expire web.clicks --ref audit --older-than 1d
            """)
    @OptionGroup var location: WarehouseOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "namespace.table") var table: String
    @Option(help: "Expire snapshots older than this: 30m, 12h, 5d.") var olderThan: String?
    @Option(help: "Keep at least so many newest snapshots of each branch.") var retainLast: Int?
    @Option(help: "Only what this branch or tag reaches.") var ref: String?
    @Flag(help: "Show what would go, and do nothing.") var dryRun = false

    func run() throws {
        let warehouse = try location.open()
        let identifier = try TableIdentifier(parsing: table)
        let now = warehouse.environment.clock.nowMs()
        let request = TableCommitter.ExpiryRequest(
            olderThanMs: try olderThan.map { now - (try CleanUpText.age($0)) }, retainLast: retainLast, reference: ref)
        let bar = ProgressBar()
        if dryRun {
            return try show(
                SnapshotExpiry.preview(warehouse, table: identifier, request: request, hooks: bar.hooks))
        }
        let report = try MaintenanceJobs(warehouse: warehouse).expire(
            identifier, request: request, reason: "firn expire", waitMs: 90_000, onProgress: bar.hooks.onProgress)
        if output.format == .table {
            Console.out("expired \(report.snapshotsExpired) snapshots, deleted \(report.filesDeleted) files\n")
        } else {
            Console.out(json: report.json)
        }
        try CleanUpText.requireNone(failed: report.filesFailed)
    }

    private func show(_ preview: SnapshotExpiry.Preview) throws {
        guard output.format == .table else { return Console.out(json: preview.json) }
        for snapshot in preview.snapshots {
            let time = CivilTime.formatTimestamp(micros: snapshot.timestampMs * 1000, utc: true)
            Console.out("\(snapshot.snapshotId)  \(time)  \(snapshot.operation ?? "")\n")
        }
        for name in preview.references { Console.out("reference \(name)\n") }
        Console.out(
            """
            would expire \(preview.snapshots.count) snapshots and keep \(preview.snapshotsLeft), \
            delete \(Human.count(preview.files.count)) files of \(Human.bytes(Int(preview.bytes)))

            """)
    }
}

struct CollectGarbage: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc", abstract: "Delete files that no table needs any more.",
        discussion: """
            Knows them from the file ledger: expired files, and what crashed processes left. Safe at any time.

            With --orphans it lists the folders of tables as a check, for files that nothing knows, such as what other \
            engines' crashed writers left. They are only shown, with exit code 1 when there are any; --delete deletes \
            those that no writer can be at work on: older than --older-than.

              firn gc --dry-run
              firn gc --orphans web.clicks
              firn gc --orphans --older-than 7d --delete
            """)
    @OptionGroup var location: WarehouseOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "With --orphans: the tables to look at; all when none is given.") var tables: [String] = []
    @Flag(help: "List the files, and delete nothing.") var dryRun = false
    @Flag(help: "List the tables' folders for files that nothing knows.") var orphans = false
    @Option(help: "With --orphans: leave younger files alone: 12h, 3d. Default: 3d.") var olderThan: String?
    @Flag(help: "With --orphans: delete what is found.") var delete = false

    func validate() throws {
        guard orphans || (tables.isEmpty && olderThan == nil && !delete) else {
            throw ValidationError("tables, --older-than and --delete belong to --orphans")
        }
        guard !(dryRun && delete) else { throw ValidationError("--dry-run and --delete exclude each other") }
    }

    func run() throws {
        let warehouse = try location.open()
        if orphans { return try findOrphans(warehouse) }
        if dryRun {
            for entry in try warehouse.ledger.collectable() { Console.out("\(entry.path)\n") }
            return
        }
        try warehouse.recover()
        let report = try warehouse.collectGarbage()
        if output.format == .table {
            Console.out("deleted \(report.deleted) files\n")
        } else {
            Console.out(
                json: .object([
                    .init("files-deleted", .integer(Int64(report.deleted))),
                    .init("files-failed", .integer(Int64(report.failed))),
                ]))
        }
        try CleanUpText.requireNone(failed: report.failed)
    }

    private func findOrphans(_ warehouse: Warehouse) throws {
        var options = OrphanFiles.Options()
        options.deletes = delete
        if let olderThan { options.olderThanMs = try CleanUpText.age(olderThan) }
        let chosen =
            try tables.isEmpty
            ? warehouse.listTables().filter { try warehouse.attachment(of: $0) == nil }
            : tables.map { try TableIdentifier(parsing: $0) }
        let reports = try OrphanFiles.run(warehouse, tables: chosen, options: options, hooks: ProgressBar().hooks)
        for report in reports {
            if output.format == .table {
                Console.out(CleanUpText.orphans(report, deletes: delete))
            } else {
                Console.out(json: report.json)
            }
        }
        try CleanUpText.requireNone(failed: reports.reduce(0) { $0 + $1.failed })
        if reports.contains(where: { $0.orphans.count > $0.deleted }) { throw ExitCode(1) }
    }
}

struct Clean: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tidy up a table: dangling deletes, manifests, metadata files, garbage.",
        discussion: """
            Removes delete files that apply to no row, rewrites manifests that make planning slow, deletes metadata \
            files that fell off the table's log, collects garbage, and looks for orphans, which it only reports. No row \
            changes and no snapshot is lost.
            """)
    @OptionGroup var location: WarehouseOptions
    @OptionGroup var output: OutputOptions
    @Argument(help: "namespace.table") var table: String
    @Flag(inversion: .prefixedNo, help: "List the table's folders for orphans.") var orphans = true

    func run() throws {
        let warehouse = try location.open()
        let report = try MaintenanceJobs(warehouse: warehouse).clean(
            try TableIdentifier(parsing: table), checksOrphans: orphans, reason: "firn clean", waitMs: 90_000,
            onProgress: ProgressBar().hooks.onProgress)
        Console.out(output.format == .table ? Array(Self.text(report).utf8) : report.json.serialize() + [0x0a])
        try CleanUpText.requireNone(failed: report.garbageFailed + report.metadata.failed)
    }

    private static func text(_ report: TableCleanUp.Report) -> String {
        let (deletes, manifests, metadata) = (report.deletes, report.manifests, report.metadata)
        return """
            deletes    \(deletes.removed) of \(deletes.deletesBefore) applied to nothing and were removed
            manifests  \(manifests.tableManifestsBefore) -> \(manifests.tableManifestsAfter)
            metadata   deleted \(metadata.deleted) of \(metadata.found) files\(CleanUpText.note(metadata.kept))
            garbage    deleted \(report.garbageDeleted) files

            """ + (report.orphans.map { "orphans    " + CleanUpText.orphans($0, deletes: false) } ?? "")
    }
}

/// What the commands of clean-up have in common.
enum CleanUpText {
    /// Milliseconds of `12h` or `3d`; zero is written `0s`.
    static func age(_ text: String) throws -> Int64 { text == "0s" ? 0 : try DurationText.milliseconds(text) }

    static func requireNone(failed: Int) throws {
        guard failed == 0 else {
            throw FirnError(.io, "gc_incomplete", "\(failed) files could not be deleted; run firn gc again")
        }
    }

    static func orphans(_ report: OrphanFiles.Report, deletes: Bool) -> String {
        var text = report.orphans.map { $0 + "\n" }.joined()
        text += "\(report.table): \(report.orphans.count) orphans of \(Human.bytes(Int(report.bytes)))"
        text += " among \(Human.count(report.listed)) files"
        if report.young > 0 { text += ", \(report.young) more are too young to judge" }
        if deletes { text += ", \(report.deleted) deleted" }
        return text + note(report.kept) + "\n"
    }

    /// Why something was left alone.
    static func note(_ kept: String?) -> String {
        switch kept {
        case nil: ""
        case "disabled": "; write.metadata.delete-after-commit.enabled is not true"
        case "shared": "; nothing is deleted in a folder that another table shares"
        case "outside": "; nothing is deleted outside of the warehouse"
        case "link": "; folders behind links are left alone"
        case let other?: "; \(other)"
        }
    }
}

extension ProgressBar {
    var hooks: CleanUpHooks {
        CleanUpHooks(onProgress: { progress in
            self.show(
                done: progress.done, total: progress.total,
                "\(progress.step) \(Human.count(progress.done)) of \(Human.count(progress.total))")
        })
    }
}

extension Console {
    static func out(json: JSONValue) { out(json.serialize() + [UInt8(ascii: "\n")]) }
}

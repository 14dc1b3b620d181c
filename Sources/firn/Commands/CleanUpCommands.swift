import ArgumentParser
import Base
import Catalog
import Maintenance

struct Expire: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Forget old snapshots and delete the files only they reach.",
        discussion: "Without options the table's history.expire.* properties decide.")
    @OptionGroup var location: WarehouseOptions
    @Argument(help: "namespace.table") var table: String
    @Option(help: "Expire snapshots older than this: 30m, 12h, 5d.") var olderThan: String?
    @Option(help: "Keep at least so many newest snapshots.") var retainLast: Int?

    func run() throws {
        let warehouse = try location.open()
        let identifier = try TableIdentifier(parsing: table)
        let now = warehouse.environment.clock.nowMs()
        let request = TableCommitter.ExpiryRequest(
            olderThanMs: try olderThan.map { $0 == "0s" ? now : now - (try DurationText.milliseconds($0)) },
            retainLast: retainLast)
        let report = try MaintenanceJobs(warehouse: warehouse).expire(
            identifier, request: request, reason: "firn expire", waitMs: 90_000)
        Console.out("expired \(report.snapshotsExpired) snapshots, deleted \(report.filesDeleted) files\n")
    }
}

struct CollectGarbage: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc", abstract: "Delete files that no table needs any more.",
        discussion: "Knows them from the file ledger: expired files, and what crashed processes left. Safe at any time."
    )
    @OptionGroup var location: WarehouseOptions
    @Flag(help: "List the files, and delete nothing.") var dryRun = false

    func run() throws {
        let warehouse = try location.open()
        if dryRun {
            for entry in try warehouse.ledger.collectable() { Console.out("\(entry.path)\n") }
            return
        }
        try warehouse.recover()
        let report = try warehouse.collectGarbage()
        Console.out("deleted \(report.deleted) files\n")
        guard report.failed == 0 else {
            throw FirnError(.io, "gc_incomplete", "\(report.failed) files could not be deleted; run firn gc again")
        }
    }
}

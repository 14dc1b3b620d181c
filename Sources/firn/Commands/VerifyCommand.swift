import ArgumentParser
import Base
import Catalog
import Maintenance
import Query
import Storage

struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check that a table is whole: files, sizes, counts, bounds, the rules of its metadata.",
        discussion: """
            Looks at every retained snapshot. Exit code 0: nothing is wrong; 1: there are errors or warnings. Nothing \
            is changed. "firn doctor" explains and repairs.
            """)
    @OptionGroup var location: WarehouseOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var look: ExaminationFlags
    @Argument(help: "namespace.table, or the path of a metadata file.") var table: String

    func run() throws {
        var doctor = try look.doctor(table, location)
        doctor.options.scope = .retained
        let report = try doctor.examine()
        try FindingPrinter(format: output.format).print(report)
        if !report.isClean { throw ExitCode(1) }
    }
}

struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Find and explain the faults of a table, also of other writers, and repair them.",
        discussion: """
            Looks at the current snapshot and at the heads of branches and tags. With --repair it shows its plan and \
            commits one new snapshot; older snapshots stay as they are until they expire. A metadata file that is no \
            table of the warehouse is examined only.
            """)
    @OptionGroup var location: WarehouseOptions
    @OptionGroup var output: OutputOptions
    @OptionGroup var look: ExaminationFlags
    @Argument(help: "namespace.table, or the path of a metadata file.") var table: String?
    @Flag(help: "Look at every retained snapshot.") var allSnapshots = false
    @Flag(help: "Mend what can be mended, in one new snapshot.") var repair = false
    @Flag(help: "With --repair: show the plan, and do nothing.") var dryRun = false
    @Flag(help: "With --repair: drop the entries of missing files, and with them their rows.") var dropMissing = false
    @Flag(help: "List all codes with what they mean, and nothing else.") var listCodes = false

    func validate() throws {
        if listCodes { return }
        guard table != nil else { throw ValidationError("give a table or a metadata file") }
        guard repair || !dryRun && !dropMissing else {
            throw ValidationError("--dry-run and --drop-missing belong to --repair")
        }
    }

    func run() throws {
        if listCodes { return try FindingPrinter.printCodes(output.format) }
        var doctor = try look.doctor(table!, location)
        doctor.options.includesPeers = true
        doctor.options.scope = allSnapshots ? .retained : .heads
        guard repair else {
            let report = try doctor.examine()
            try FindingPrinter(format: output.format).print(report)
            if !report.isClean { throw ExitCode(1) }
            return
        }
        let printer = FindingPrinter(format: output.format)
        if dryRun {
            let (report, plan) = try doctor.plan(dropsMissing: dropMissing)
            try printer.print(plan, snapshotId: nil, isDone: false)
            if !report.isClean { throw ExitCode(1) }
            return
        }
        let outcome = try doctor.repair(dropsMissing: dropMissing) { plan in
            if output.format == .table { Console.out(FindingPrinter.text(plan)) }
            return true
        }
        try printer.print(outcome.plan, snapshotId: outcome.snapshotId, isDone: true)
        if !outcome.after.isClean { throw ExitCode(1) }
    }
}

/// How closely to look; the same for both commands.
struct ExaminationFlags: ParsableArguments {
    @Flag(help: "Read all rows: bounds, counts and partitions against values.") var data = false
    @Option(help: "With --data: read the rows of this share of the files, such as 0.1.") var sample: Double?
    @Flag(help: "Do not open data files; only look whether they exist with their sizes.") var metadataOnly = false
    @Flag(help: "List files in the table's folders that nothing names.") var orphans = false

    func validate() throws {
        guard !(data && metadataOnly) else { throw ValidationError("--data and --metadata-only exclude each other") }
        if let sample {
            guard data, sample > 0, sample <= 1 else {
                throw ValidationError("--sample is a share between 0 and 1, together with --data")
            }
        }
    }

    func doctor(_ subject: String, _ location: WarehouseOptions) throws -> TableDoctor {
        var doctor: TableDoctor
        if subject.hasSuffix(".json") {
            let path = subject.contains(":") ? subject : AbsolutePath.make(subject)
            doctor = try TableDoctor(
                metadataFile: path, warehouse: try? location.open(),
                store: LocalStore(files: Environment.live.files), clock: Environment.live.clock)
        } else {
            doctor = TableDoctor(table: try TableIdentifier(parsing: subject), warehouse: try location.open())
        }
        doctor.options.depth = data ? .rows : metadataOnly ? .metadata : .footers
        doctor.options.sample = sample ?? 1
        doctor.options.findsOrphans = orphans
        let bar = ProgressBar()
        doctor.onProgress = { progress in
            bar.show(
                done: progress.filesDone, total: progress.filesTotal,
                "\(Human.count(progress.filesDone)) files, \(Human.count(progress.findings)) findings")
        }
        return doctor
    }
}

import Base
import Catalog
import Iceberg
import Storage

/// Verifies, diagnoses and repairs one table: the warehouse's own, or any by its metadata file.
///
/// 1. An examination reads the table's current state. When files it names vanish because the table moved on meanwhile
///    and old snapshots expired, it begins again.
/// 2. A repair examines the heads, plans, and commits on exactly that state; when others commit first, it begins again.
///
/// Blocking. An examination throws only for a table or metadata file that does not exist; whatever is wrong with one
/// is a finding.
public struct TableDoctor {
    /// Times an examination or repair begins before its result stands.
    private static let triesMax = 3

    public let subject: String
    /// Nil for a table that no warehouse here has registered: it can be examined only.
    public let table: TableIdentifier?
    private let location: String?
    private let warehouse: Warehouse?
    private let store: any ObjectStore
    private let clock: any Clock
    public var options = ExaminationOptions()
    public var onProgress: (ExaminationProgress) -> Void = { _ in }

    /// A table of the warehouse.
    public init(table: TableIdentifier, warehouse: Warehouse) {
        subject = table.description
        self.table = table
        location = nil
        self.warehouse = warehouse
        store = warehouse.store
        clock = warehouse.environment.clock
    }

    /// The table of a metadata file; the warehouse's own when that is the current file of one of its tables.
    public init(
        metadataFile: String, warehouse: Warehouse?, store: any ObjectStore, clock: any Clock
    ) throws {
        let location = try ObjectLocation.normalized(metadataFile)
        let table = try warehouse?.table(at: location)
        subject = table?.description ?? location
        self.table = table
        self.location = location
        self.warehouse = table == nil ? nil : warehouse
        self.store = store
        self.clock = clock
    }

    public func examine() throws -> ExaminationReport { try run(options).report }

    /// What `repair` would do now, from an examination of the heads.
    public func plan(dropsMissing: Bool) throws -> (report: ExaminationReport, plan: RepairPlan) {
        var thorough = options
        thorough.scope = .heads
        thorough.findsOrphans = false
        thorough.findingsPerCodeMax = .max
        let (examination, report) = try run(thorough)
        var planner = RepairPlanner(examination, dropsMissing: dropsMissing)
        return (report, try planner.run())
    }

    /// What a repair did.
    public struct Repair: Sendable {
        public let before: ExaminationReport
        public let plan: RepairPlan
        /// Nil when nothing was to be done, or metadata alone changed.
        public let snapshotId: Int64?
        public let after: ExaminationReport
    }

    /// Examines, plans and commits. At most one snapshot is made.
    ///
    /// - Parameter confirm: sees the plan before it is carried out; false leaves the table alone.
    ///
    /// Throws `.unsupported` (`not_registered`) for a table that is not the warehouse's, `.conflict` (`table_changed`)
    /// when others keep committing, and the committer's errors.
    public func repair(dropsMissing: Bool, confirm: (RepairPlan) -> Bool = { _ in true }) throws -> Repair {
        guard let table, let warehouse else {
            throw FirnError(
                .unsupported, "not_registered",
                "only a table of the warehouse can be repaired; register the metadata file first",
                context: ["file": subject])
        }
        var attempt = 1
        while true {
            let (before, plan) = try plan(dropsMissing: dropsMissing)
            guard !plan.isEmpty, confirm(plan) else {
                return Repair(before: before, plan: plan, snapshotId: nil, after: before)
            }
            do {
                let snapshotId = try carryOut(plan, table, warehouse, dropsMissing: dropsMissing)
                return Repair(
                    before: before, plan: plan, snapshotId: snapshotId,
                    after: try self.plan(dropsMissing: dropsMissing).report)
            } catch let error as FirnError where error.kind == .conflict && attempt < Self.triesMax {
                attempt += 1
            }
        }
    }

    private func carryOut(
        _ plan: RepairPlan, _ table: TableIdentifier, _ warehouse: Warehouse, dropsMissing: Bool
    ) throws -> Int64? {
        guard !plan.isMetadataReadable else { return try RepairCommit.run(plan, table: table, warehouse: warehouse) }
        // First a table that can be loaded, then the rest of the plan on it.
        try RepairCommit.replaceMetadata(plan, table: table, warehouse: warehouse)
        let rest = try self.plan(dropsMissing: dropsMissing).plan
        return rest.isEmpty ? nil : try RepairCommit.run(rest, table: table, warehouse: warehouse)
    }

    // MARK: Examination

    private func run(_ options: ExaminationOptions) throws -> (examination: TableExamination, report: ExaminationReport)
    {
        let started = clock.monotonicNanos()
        var attempt = 1
        while true {
            let location = try currentLocation()
            let examination = TableExamination(
                subject: subject, location: location, store: store, warehouse: warehouse, options: options,
                onProgress: onProgress)
            var report = examination.run()
            report.durationMs = (clock.monotonicNanos() - started) / 1_000_000
            let hasVanishing = report.counts.keys.contains { Self.vanishing.contains($0) }
            guard hasVanishing, attempt < Self.triesMax, try currentLocation() != location else {
                return (examination, report)
            }
            attempt += 1
        }
    }

    /// What a table that moves on may look like for a moment.
    private static let vanishing: Set<FindingCode> = [
        .metadataUnreadable, .metadataLogFileMissing, .manifestListMissing, .manifestMissing, .dataFileMissing,
        .deleteFileMissing, .liveFileInLedger, .statisticsFileMissing,
    ]

    private func currentLocation() throws -> String {
        if let table, let warehouse { return try warehouse.metadataLocation(of: table) }
        guard let location, try store.size(location) != nil else {
            throw FirnError(
                .notFound, "metadata_not_found", "there is no such metadata file", context: ["file": subject])
        }
        return location
    }
}

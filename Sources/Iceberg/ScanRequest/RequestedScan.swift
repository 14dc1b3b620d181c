import Base
import Columnar
import Storage

/// A scan that a client asked for, on a table at one state: gives its files a page at a time.
///
/// 1. The manifests of the snapshot that the filter's partition values leave are put into groups, in their order, of
///    about as many files as a page has.
/// 2. The first group is read and planned: those are the tasks of the answer.
/// 3. Every other group becomes a plan task, and what the first has beyond a page too. There are few plan tasks, since
///    each repeats the filter: the last takes all that is left and is divided in its turn.
///
/// So a request reads no more manifests than its answer needs, however large the table is.
public struct RequestedScan: Sendable {
    /// Sizes of an answer.
    struct Bounds: Sendable {
        /// A task with its file is about a kilobyte.
        var tasksMax = 1000
        var planTasksMax = 64
        /// What of the request comes back with every task, over all tasks: filters, and statistics of the columns that
        /// it names. The same over all plan tasks.
        var echoBytesMax = 8 << 20

        func limited(_ count: Int, echoBytes: Int) -> Int { max(1, min(count, echoBytesMax / max(1, echoBytes))) }
    }

    /// Counts and bounds of a column in one task, as text.
    private static let statisticsBytes = 256

    let metadata: TableMetadata
    private let request: ScanRequest
    private let filter: RowFilter
    /// False for a filter that would cost too much for every file; then clients get it as it is.
    private let narrowsFilter: Bool
    private let statisticsIds: Set<Int>
    private let tasksMax: Int
    private let planTasksMax: Int
    /// Nil for an empty table.
    private let snapshot: Snapshot?

    /// Throws `.invalidInput`: `unknown_snapshot`, and as `RowFilterParser.parse`.
    public init(_ request: ScanRequest, of metadata: TableMetadata) throws(FirnError) {
        try self.init(request, of: metadata, bounds: Bounds())
    }

    init(_ request: ScanRequest, of metadata: TableMetadata, bounds: Bounds) throws(FirnError) {
        self.metadata = metadata
        var request = request
        switch request.range {
        case .current:
            snapshot = metadata.currentSnapshot
            if let snapshot { request.range = .snapshot(snapshot.snapshotId) }
        case .snapshot(let id): snapshot = try Self.find(id, in: metadata)
        case .appends(let after, let upTo):
            snapshot = try Self.find(upTo, in: metadata)
            if let after { _ = try Self.find(after, in: metadata) }
        }
        let ownSchema = request.usesSnapshotSchema ? snapshot.map { metadata.schema(of: $0) } : nil
        let names = ColumnNames(ownSchema ?? metadata.currentSchema, caseSensitive: request.isCaseSensitive)
        var parser = RowFilterParser(names)
        if let json = request.filter { filter = try parser.parse(json) } else { filter = .alwaysTrue }
        narrowsFilter = !parser.isLarge
        // Like the reference, which passes over names that the schema lacks.
        var ids: Set<Int> = []
        for name in request.statisticsFields {
            if let field = try names.field(name) { ids.insert(field.id) }
        }
        statisticsIds = ids
        let filterBytes = filter.json.serialize().count
        let namesBytes = request.statisticsFields.reduce(0) { $0 + $1.utf8.count + 3 }
        tasksMax = bounds.limited(
            bounds.tasksMax, echoBytes: filterBytes + statisticsIds.count * Self.statisticsBytes)
        planTasksMax = bounds.limited(bounds.planTasksMax, echoBytes: filterBytes + namesBytes)
        self.request = request
    }

    private static func find(_ id: Int64, in metadata: TableMetadata) throws(FirnError) -> Snapshot {
        if let snapshot = metadata.snapshot(id: id) { return snapshot }
        throw FirnError(.invalidInput, "unknown_snapshot", "the table has no snapshot \(id)")
    }

    /// Names a plan that the server does not keep: which snapshot, and a digest of what was asked.
    public var planId: String {
        let filter = XXHash64.hash(filter.json.serialize())
        return "\(snapshot?.snapshotId ?? 0)-\(Hex.encode(filter, width: 16))"
    }

    /// True for the id of a plan that this table may have had.
    public static func isPlanId(_ text: String, of metadata: TableMetadata) -> Bool {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].utf8.count == 16, parts[1].allSatisfy(\.isHexDigit),
            let id = Int64(parts[0]), String(id) == parts[0]
        else { return false }
        return id == 0 ? metadata.currentSnapshot == nil : metadata.snapshot(id: id) != nil
    }

    /// The first page. Throws as `ScanPlanner.plan` and `ChangePlanner.appends`.
    public func plan(store: any ObjectStore) throws -> ScanPage {
        guard let snapshot else { return ScanPage(items: [], planTasks: [], scan: self) }
        var page: ScanPage
        if case .appends = request.range {
            page = try appends(from: 0, store)
        } else {
            let manifests = try manifests(snapshot, store)
            page = try files(snapshot, manifests, in: manifests.indices, offset: 0, store)
        }
        if let rowsMin = request.rowsMin, rowsMin > 0 { page.cut(rowsMin) }
        return page
    }

    /// The page of a plan task. Throws `.notFound` (`plan_task_not_found`), and as `plan`.
    public static func page(of text: String, metadata: TableMetadata, store: any ObjectStore) throws -> ScanPage {
        try page(of: text, metadata: metadata, bounds: Bounds(), store: store)
    }

    static func page(
        of text: String, metadata: TableMetadata, bounds: Bounds, store: any ObjectStore
    ) throws -> ScanPage {
        let task = try PlanTask(text, table: metadata.tableUUID)
        let scan = try resume(task.request, metadata, bounds)
        guard let range = task.manifests, let snapshot = scan.snapshot else {
            return try scan.appends(from: task.offset, store)
        }
        let manifests = try scan.manifests(snapshot, store)
        guard range.upperBound <= manifests.count else { throw PlanTask.unknown }
        return try scan.files(snapshot, manifests, in: range, offset: task.offset, store)
    }

    /// The scan of a plan that was answered before. Snapshots expire and columns are renamed meanwhile.
    private static func resume(
        _ request: ScanRequest, _ metadata: TableMetadata, _ bounds: Bounds
    ) throws(FirnError) -> RequestedScan {
        do throws(FirnError) {
            return try RequestedScan(request, of: metadata, bounds: bounds)
        } catch {
            guard error.kind == .invalidInput else { throw error }
            throw FirnError(
                .notFound, "plan_task_not_found", "the plan is out of date: \(error.message); plan the scan again")
        }
    }

    private func manifests(_ snapshot: Snapshot, _ store: any ObjectStore) throws -> [ManifestFile] {
        try ScanPlanner.dataManifests(
            metadata: metadata, snapshot: snapshot, filter: filter.expression, store: store)
    }

    private func files(
        _ snapshot: Snapshot, _ manifests: [ManifestFile], in range: Range<Int>, offset: Int, _ store: any ObjectStore
    ) throws -> ScanPage {
        let groups = groups(manifests, range)
        guard let first = groups.first else { return ScanPage(items: [], planTasks: [], scan: self) }
        let tasks = items(
            try ScanPlanner.plan(
                metadata: metadata, snapshot: snapshot, filter: filter.expression, statisticsOf: statisticsIds,
                dataManifests: Set(manifests[first].map(\.path)), store: store
            ).tasks)
        var planTasks = groups.dropFirst().map { planTask($0, offset: 0) }
        if tasks.count - min(offset, tasks.count) > tasksMax {
            planTasks.insert(planTask(first, offset: offset + tasksMax), at: 0)
        }
        return ScanPage(items: Array(tasks.dropFirst(offset).prefix(tasksMax)), planTasks: planTasks, scan: self)
    }

    private func appends(from offset: Int, _ store: any ObjectStore) throws -> ScanPage {
        guard case .appends(let after, _) = request.range, let snapshot else { throw PlanTask.unknown }
        let tasks: [ScanPage.Item]
        do {
            tasks = items(
                try ChangePlanner.appends(
                    metadata: metadata, from: after.flatMap { metadata.snapshot(id: $0) }, to: snapshot,
                    filter: filter.expression, store: store))
        } catch let error as FirnError where error.kind == .conflict {
            // Nobody is in conflict: a snapshot between the two has expired.
            throw FirnError(.invalidInput, error.code, error.message, context: error.context)
        }
        let end = offset.addingReportingOverflow(tasksMax)
        let hasMore = !end.overflow && end.partialValue < tasks.count
        return ScanPage(
            items: Array(tasks.dropFirst(offset).prefix(tasksMax)),
            planTasks: hasMore ? [planTask(nil, offset: end.partialValue)] : [], scan: self)
    }

    /// Neighbours with about a page of files together; the last group takes what is left.
    private func groups(_ manifests: [ManifestFile], _ range: Range<Int>) -> [Range<Int>] {
        var groups: [Range<Int>] = []
        var start = range.lowerBound
        var files = 0
        for index in range {
            let count = manifests[index].addedFilesCount == nil ? tasksMax : manifests[index].liveFilesCount
            if index > start, files + count > tasksMax {
                groups.append(start..<index)
                start = index
                files = 0
                if groups.count >= planTasksMax { break }
            }
            files += count
        }
        if start < range.upperBound { groups.append(start..<range.upperBound) }
        return groups
    }

    private func planTask(_ manifests: Range<Int>?, offset: Int) -> String {
        PlanTask(table: metadata.tableUUID, request: request, manifests: manifests, offset: offset).text
    }

    /// The files with what is left of the filter for their rows, less those for which that is nothing: partition fields
    /// of untransformed columns tell their value.
    private func items(_ tasks: [FileScanTask]) -> [ScanPage.Item] {
        guard narrowsFilter else { return tasks.map { ScanPage.Item(task: $0, residual: filter) } }
        var residuals: [ScanPage.Partition: RowFilter] = [:]
        var items: [ScanPage.Item] = []
        for task in tasks {
            let partition = ScanPage.Partition(task)
            let residual = residuals[partition] ?? residual(task)
            residuals[partition] = residual
            if residual.mayMatch(task.dataFile) { items.append(ScanPage.Item(task: task, residual: residual)) }
        }
        return items
    }

    private func residual(_ task: FileScanTask) -> RowFilter {
        let known = Dictionary(
            zip(task.spec.fields, task.dataFile.partition).filter { $0.0.transform == .identity }
                .map { ($0.0.sourceId, $0.1) }, uniquingKeysWith: { first, _ in first })
        return known.isEmpty ? filter : filter.residual(of: known)
    }

    func shows(statisticsOf id: Int) -> Bool { statisticsIds.contains(id) }
}

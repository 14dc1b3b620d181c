import Base
import Columnar
import Iceberg
import Synchronization

/// Aggregates of a table.
///
/// 1. Files whose entries tell all that is asked are answered from the manifests (`FileAnswers`).
/// 2. The others, or their row groups where they have several, are read by a few threads, each with an aggregation of
///    its own; these are joined at the end.
extension IcebergRelation: AggregatingRelation {
    private static let threadsMax = 8

    func aggregate(_ request: AggregateRequest, guardian: QueryGuard) throws -> [Column] {
        let ids = Set(request.keys.map(\.id) + request.calls.compactMap { $0.field?.id })
        let record = record(.groups, request.filter)
        let plan = try plan(request.filter, statisticsOf: ids, record: record)
        let answers = FileAnswers(request, metadata)
        let total = Aggregation(request)
        var parts: [FilePart] = []
        for task in plan.tasks {
            if let answer = answers.answer(task) {
                try total.add(answer.calls, keys: answer.keys)
                statistics.add { $0.filesAnswered += 1 }
                record.add { $0.filesAnswered += 1 }
            } else {
                record.add(task)
                parts += FilePart.all(of: task)
            }
        }
        guard !parts.isEmpty, !plansOnly else { return try total.finish() }
        // With the filter's columns: one that a file lacks may have a default there.
        let projection = rowSchema.pruned(to: ids.union(request.filter.fieldIds))
        let work = Work(parts)
        let threads = min(ProcessorTime.count, Self.threadsMax, parts.count)
        let done = Semaphore()
        @Sendable func run(_ aggregation: Aggregation) {
            do {
                while let part = work.next() {
                    try read(part, projection, request.filter, guardian, record) { try aggregation.add($0) }
                }
            } catch {
                work.fail(error)
            }
        }
        let share = request.sharing(among: threads)
        let helpers = (1..<max(1, threads)).map { _ in HeldAggregation(share) }
        for helper in helpers {
            Thread.spawn(name: "aggregate") {
                run(helper.aggregation)
                done.signal()
            }
        }
        run(total)
        for _ in helpers { done.wait() }
        try work.check()
        for helper in helpers { try total.merge(helper.aggregation) }
        return try total.finish()
    }

    /// Handed to one thread, and back when that has ended.
    private final class HeldAggregation: @unchecked Sendable {
        let aggregation: Aggregation
        init(_ request: AggregateRequest) { aggregation = Aggregation(request) }
    }

    /// What is left to read, until something fails.
    private final class Work: Sendable {
        private struct State {
            var parts: ArraySlice<FilePart>
            var error: (any Error)?
        }
        private let state: Mutex<State>

        init(_ parts: [FilePart]) { state = Mutex(State(parts: parts[...])) }

        func next() -> FilePart? { state.withLock { $0.parts.popFirst() } }

        func fail(_ error: any Error) {
            state.withLock {
                $0.parts = []
                if $0.error == nil { $0.error = error }
            }
        }

        func check() throws { if let error = state.withLock({ $0.error }) { throw error } }
    }

    private func read(
        _ part: FilePart, _ projection: Schema, _ filter: Expression, _ guardian: QueryGuard, _ record: ScanRecord,
        _ body: (RecordBatch) throws -> Void
    ) throws {
        try guardian.check()
        let reader = try open(part.task, projection: projection, filter: filter)
        if part.number == 0 { statistics.add { $0.filesRead += 1 } }
        for group in try reader.matchingRowGroups() where group % part.count == part.number {
            statistics.add { $0.rowGroupsRead += 1 }
            record.add { $0.rowGroupsRead += 1 }
            let batches = try reader.batches(group)
            while let batch = try batches.next() {
                try guardian.check()
                statistics.add { $0.rowsRead += batch.rowCount }
                record.add { $0.rowsRead += batch.rowCount }
                try body(batch)
            }
        }
    }
}

/// What entries of manifests tell about all rows of their files.
struct FileAnswers {
    struct Answer {
        let keys: [Value]
        let calls: [KnownAggregate]
    }

    private let request: AggregateRequest
    private let filter: FileFilter
    private let countsRowsOnly: Bool

    init(_ request: AggregateRequest, _ metadata: TableMetadata) {
        self.request = request
        filter = FileFilter(request.filter, metadata)
        countsRowsOnly = request.calls.allSatisfy { $0.field == nil }
    }

    /// Nil for a file that has to be read.
    func answer(_ task: FileScanTask) -> Answer? {
        // A deletion vector tells how many rows it deletes, but not which.
        guard task.deletes.isEmpty || countsRowsOnly, let rows = task.liveRecordCount,
            request.filter == .alwaysTrue || filter.allMatch(task.dataFile)
        else { return nil }
        var keys: [Value] = []
        for key in request.keys {
            guard let value = Self.value(of: key, task) else { return nil }
            keys.append(value)
        }
        if rows == 0, !keys.isEmpty { return nil }
        var calls: [KnownAggregate] = []
        for call in request.calls {
            guard let known = Self.known(call, task.dataFile, rows: rows) else { return nil }
            calls.append(known)
        }
        return Answer(keys: keys, calls: calls)
    }

    /// A column that has one value in the whole file.
    private static func value(of key: Field, _ task: FileScanTask) -> Value? {
        if key.id == Iceberg.MetadataColumn.file.fieldId { return .string(task.dataFile.path) }
        guard key.type != .float, key.type != .double,
            let index = task.spec.fields.firstIndex(where: { $0.sourceId == key.id && $0.transform == .identity }),
            task.dataFile.partition.indices.contains(index)
        else { return nil }
        return task.dataFile.partition[index].fitting(key.type)
    }

    private static func known(_ call: AggregateCall, _ file: DataFile, rows: Int64) -> KnownAggregate? {
        guard let field = call.field else { return .count(rows) }
        switch (call.function, field.type) {
        case (.count, .float), (.count, .double): return nil
        case (.count, let type):
            guard type.isPrimitive, let nulls = file.nullValueCounts[field.id], file.valueCounts[field.id] == rows,
                (0...rows).contains(nulls)
            else { return nil }
            return .count(rows - nulls)
        // Bounds of texts may be cut, and those of floating-point numbers say nothing of NaN.
        case (.minimum, .boolean), (.maximum, .boolean), (.minimum, .int), (.maximum, .int), (.minimum, .long),
            (.maximum, .long), (.minimum, .date), (.maximum, .date), (.minimum, .time), (.maximum, .time),
            (.minimum, .timestamp), (.maximum, .timestamp), (.minimum, .timestamptz), (.maximum, .timestamptz),
            (.minimum, .timestampNs), (.maximum, .timestampNs), (.minimum, .timestamptzNs), (.maximum, .timestamptzNs),
            (.minimum, .decimal), (.maximum, .decimal):
            guard let statistics = file.statistics(field.id, field.type) else { return nil }
            if statistics.allNull { return .extreme(nil) }
            let value = call.function == .minimum ? statistics.lower : statistics.upper
            return value?.fitting(field.type).map { .extreme($0) }
        default: return nil
        }
    }
}

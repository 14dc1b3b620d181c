import Base
import Columnar
import Iceberg
import Storage

/// What happened to the rows of a table between two snapshots, one row a change: the table's columns and, unless only
/// appended rows are wanted, `_change_type` (`insert` or `delete`), `_change_ordinal` (which commit of the range, from
/// 0) and `_commit_snapshot_id`.
final class ChangesRelation: Relation {
    /// Ids and names are those of other engines' change logs.
    static let changeFields = [
        Field(id: 2_147_483_543, name: "_change_type", required: true, type: .string),
        Field(id: 2_147_483_542, name: "_change_ordinal", required: true, type: .int),
        Field(id: 2_147_483_541, name: "_commit_snapshot_id", required: true, type: .long),
    ]

    let schema: Schema
    private let metadata: TableMetadata
    private let from: Snapshot?
    private let to: Snapshot
    private let appendsOnly: Bool
    private let store: any ObjectStore
    private let statistics: QueryStatistics
    /// Numbers of the first rows of tasks, the same in every scan.
    private var firstRows: [String: Int64] = [:]
    private var nextRow: Int64 = 0

    init(
        metadata: TableMetadata, from: Snapshot?, to: Snapshot, schema: Schema, appendsOnly: Bool,
        store: any ObjectStore, statistics: QueryStatistics
    ) {
        self.metadata = metadata
        self.from = from
        self.to = to
        self.appendsOnly = appendsOnly
        self.store = store
        self.statistics = statistics
        self.schema = Schema(
            schemaId: schema.schemaId, fields: schema.fields + (appendsOnly ? [] : Self.changeFields))
    }

    var estimatedRows: Int { 100_000 }

    func scan(projection: Schema, filter: Expression) throws -> any RowScan {
        let ids = Set(Self.changeFields.map(\.id))
        // Files are pruned by the table's own columns.
        let rowFilter = filter.withoutLeaves(on: ids)
        var tasks: [ChangeTask]
        if appendsOnly {
            tasks = try ChangePlanner.appends(metadata: metadata, from: from, to: to, filter: rowFilter, store: store)
                .map { ChangeTask(kind: .insert, snapshot: to, ordinal: 0, task: $0, unchanged: nil) }
        } else {
            tasks = try ChangePlanner.changes(metadata: metadata, from: from, to: to, filter: rowFilter, store: store)
        }
        tasks = try tasks.filter { task in
            try filter.folding { Self.constant($0, task) } != .alwaysFalse
        }
        statistics.add { $0.filesTotal += tasks.count }
        return Scan(relation: self, tasks: tasks, projection: projection, filter: rowFilter)
    }

    private static func constant(_ id: Int, _ task: ChangeTask) -> (Value, DataType)? {
        switch id {
        case changeFields[0].id: (.string(task.kind.rawValue), .string)
        case changeFields[1].id: (.int(Int32(clamping: task.ordinal)), .int)
        case changeFields[2].id: (.long(task.snapshot.snapshotId), .long)
        default: nil
        }
    }

    private func firstRow(of task: ChangeTask) -> Int64 {
        let key = "\(task.ordinal) \(task.kind.rawValue) \(task.task.dataFile.path)"
        if let known = firstRows[key] { return known }
        defer { nextRow += task.task.dataFile.recordCount }
        firstRows[key] = nextRow
        return nextRow
    }

    private final class Scan: RowScan {
        private let relation: ChangesRelation
        private var tasks: ArraySlice<ChangeTask>
        private let projection: Schema
        /// The projection's columns of the table, and the position.
        private let stored: Schema
        private let filter: Expression
        private let loader: DeleteLoader
        private var open: (task: ChangeTask, reader: DataFileReader, unchanged: RowPositions?, firstRow: Int64)?

        init(relation: ChangesRelation, tasks: [ChangeTask], projection: Schema, filter: Expression) {
            self.relation = relation
            self.tasks = tasks[...]
            self.projection = projection
            self.filter = filter
            stored = Schema(
                schemaId: projection.schemaId,
                fields: projection.fields.filter { field in !changeFields.contains { $0.id == field.id } }
                    + [Iceberg.MetadataColumn.position.field])
            loader = DeleteLoader(store: relation.store, nameMapping: relation.metadata.nameMapping)
        }

        func next() throws -> NumberedBatch? {
            while true {
                if let open, let batch = try open.reader.next() {
                    if let numbered = changes(batch, open.task, open.unchanged, open.firstRow) { return numbered }
                    continue
                }
                open = nil
                guard let task = tasks.popFirst() else { return nil }
                let reader = try reader(task.task, stored, filter)
                relation.statistics.add { $0.filesRead += 1 }
                open = (task, reader, try task.unchanged.map(livePositions), relation.firstRow(of: task))
            }
        }

        private func reader(_ task: FileScanTask, _ schema: Schema, _ filter: Expression) throws -> DataFileReader {
            try DataFileReader(
                task, schema: schema, filter: filter, nameMapping: relation.metadata.nameMapping, loader: loader,
                store: relation.store)
        }

        private func livePositions(_ task: FileScanTask) throws -> RowPositions {
            var positions = RowPositions()
            let reader = try reader(task, Schema(fields: [Iceberg.MetadataColumn.position.field]), .alwaysTrue)
            while let batch = try reader.next() {
                let found = Self.positions(batch)
                for row in 0..<found.count { positions.insert(found[row]) }
            }
            return positions
        }

        private static func positions(_ batch: RecordBatch) -> Buffer<Int64> {
            guard case .int64(let values) = batch.columns[batch.columns.count - 1].storage else {
                preconditionFailure("positions are longs")
            }
            return values
        }

        /// The rows of a batch that are changes; nil for none.
        private func changes(
            _ batch: RecordBatch, _ task: ChangeTask, _ unchanged: RowPositions?, _ firstRow: Int64
        ) -> NumberedBatch? {
            relation.statistics.add { $0.rowsRead += batch.rowCount }
            var batch = batch
            if let unchanged {
                let positions = Self.positions(batch)
                let left = (0..<batch.rowCount).filter { !unchanged.contains(positions[$0]) }.map { Int32($0) }
                guard !left.isEmpty else { return nil }
                batch = batch.taking(left)
            }
            let positions = Self.positions(batch)
            let rows = (0..<positions.count).map { Int32(truncatingIfNeeded: positions[$0]) }
            var columns: [Column] = []
            var place = 0
            for field in projection.fields {
                if let (value, type) = ChangesRelation.constant(field.id, task) {
                    let builder = ColumnBuilder(type, rowCapacity: batch.rowCount)
                    for _ in 0..<batch.rowCount { builder.append(value) }
                    columns.append(builder.finish())
                } else {
                    columns.append(batch.columns[place])
                    place += 1
                }
            }
            return NumberedBatch(
                RecordBatch(schema: projection, columns: columns, rowCount: batch.rowCount), firstRow: firstRow,
                rows: rows)
        }
    }
}

extension Expression {
    /// The predicate with leaves on these fields taken as passed: every row that passes the predicate passes it.
    fileprivate func withoutLeaves(on ids: Set<Int>) -> Expression {
        switch self {
        case .alwaysTrue, .alwaysFalse: self
        case .and(let a, let b): .all([a.withoutLeaves(on: ids), b.withoutLeaves(on: ids)])
        case .or(let a, let b):
            fieldIds.isDisjoint(with: ids) ? self : .or(a.withoutLeaves(on: ids), b.withoutLeaves(on: ids))
        case .not: fieldIds.isDisjoint(with: ids) ? self : .alwaysTrue
        case .compare(let id, _, _), .isNull(let id), .notNull(let id), .isIn(let id, _), .startsWith(let id, _):
            ids.contains(id) ? .alwaysTrue : self
        }
    }
}

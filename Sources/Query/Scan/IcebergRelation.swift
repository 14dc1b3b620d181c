import Base
import Columnar
import Iceberg
import Storage

/// An Iceberg table at one snapshot. Where its rows are, and which, is offered in hidden columns.
final class IcebergRelation: Relation, @unchecked Sendable {
    let schema: Schema
    let hiddenFields = Iceberg.MetadataColumn.allCases.map(\.field)
    let offersMembers = true
    /// As statements have it.
    private let name: String
    let metadata: TableMetadata
    private let snapshot: Snapshot
    private let store: any ObjectStore
    let statistics: QueryStatistics
    private let numbers = RowNumbers()
    /// Plans scans and accounts for them, but reads no data file.
    var plansOnly = false
    /// Leaves out data files that it answers false for.
    var wants: ((FileScanTask) -> Bool)?
    /// Shared by all scans of a statement.
    private let loader: DeleteLoader

    /// Numbers rows by where they are, in the order in which places are first seen.
    private final class RowNumbers {
        struct Place: Hashable {
            let path: String
            /// Nil for the whole file.
            let rowGroup: Int?
        }
        private var first: [Place: Int64] = [:]
        private var next: Int64 = 0

        func firstRow(of place: Place, rowCount: Int) -> Int64 {
            if let known = first[place] { return known }
            defer { next += Int64(rowCount) }
            first[place] = next
            return next
        }
    }

    init(
        name: String, metadata: TableMetadata, snapshot: Snapshot, schema: Schema, store: any ObjectStore,
        statistics: QueryStatistics
    ) {
        self.name = name
        self.metadata = metadata
        self.snapshot = snapshot
        self.schema = schema
        self.store = store
        self.statistics = statistics
        loader = DeleteLoader(store: store, nameMapping: metadata.nameMapping)
    }

    /// The same rows under another schema of the table.
    func reading(as schema: Schema) -> IcebergRelation {
        IcebergRelation(
            name: name, metadata: metadata, snapshot: snapshot, schema: schema, store: store, statistics: statistics)
    }

    var estimatedRows: Int { snapshot.summary["total-records"].flatMap { Int($0) } ?? 1_000_000 }

    /// Opens the account of one scan.
    func record(_ use: ScanRecord.Use, _ filter: Expression) -> ScanRecord {
        let record = ScanRecord(
            table: name, snapshotId: snapshot.snapshotId, use: use, filter: filter.text(rowSchema))
        statistics.add(record)
        return record
    }

    /// The files to read, with counts and bounds of the filter's columns and of some more.
    func plan(_ filter: Expression, statisticsOf ids: Set<Int> = [], record: ScanRecord? = nil) throws -> ScanPlan {
        var plan = try ScanPlanner.plan(
            metadata: metadata, snapshot: snapshot, filter: filter, statisticsOf: ids, store: store)
        if let wants { plan.tasks = plan.tasks.filter(wants) }
        guard let record else { return plan }
        statistics.add {
            $0.manifestsTotal += plan.manifestsTotal
            $0.manifestsSkipped += plan.manifestsSkipped
            $0.filesTotal += plan.filesTotal
            $0.filesSkipped += plan.filesSkipped
        }
        record.add {
            $0.manifests = plan.manifestsTotal
            $0.manifestsSkipped = plan.manifestsSkipped
            $0.files = plan.filesTotal
            $0.filesSkipped = plan.filesSkipped
        }
        return plan
    }

    func open(_ task: FileScanTask, projection: Schema, filter: Expression) throws -> DataFileReader {
        try DataFileReader(
            task, schema: projection, filter: filter, nameMapping: metadata.nameMapping, loader: loader, store: store)
    }

    func scan(projection: Schema, filter: Expression) throws -> any RowScan {
        let record = record(.rows, filter)
        let tasks = try plan(filter, record: record).tasks
        if plansOnly {
            for task in tasks { record.add(task) }
            return MemoryRelation(schema: projection, batches: []).scan(projection: projection, filter: filter)
        }
        guard filter != .alwaysTrue, tasks.allSatisfy(FilteredScan.mayTake) else {
            return Scan(self, tasks: tasks, projection: projection, filter: filter, record)
        }
        return FilteredScan(self, tasks: tasks, projection: projection, filter: filter, record)
    }

    /// A scan whose rows are mostly left out: parts of files are read ahead by other threads.
    private final class FilteredScan: RowScan {
        private let parts: PartsAhead
        private let numbers: RowNumbers
        private var pending: [NumberedBatch] = []

        /// A part is read as a whole, so a large file has to say where to divide it.
        static func mayTake(_ task: FileScanTask) -> Bool {
            task.dataFile.splitOffsets != nil || task.dataFile.fileBytes < 16 << 20
        }

        init(
            _ relation: IcebergRelation, tasks: [FileScanTask], projection: Schema, filter: Expression,
            _ record: ScanRecord
        ) {
            numbers = relation.numbers
            parts = PartsAhead(tasks.flatMap(FilePart.all)) { part in
                let reader = try relation.open(part.task, projection: projection, filter: filter)
                if part.number == 0 {
                    relation.statistics.add { $0.filesRead += 1 }
                    record.add(part.task)
                }
                let groups = try reader.matchingRowGroups().filter { $0 % part.count == part.number }
                return PartRows(
                    rowGroups: try groups.map { try Self.read($0, of: reader, relation.statistics, record) })
            }
        }

        private static func read(
            _ rowGroup: Int, of reader: DataFileReader, _ statistics: QueryStatistics, _ record: ScanRecord
        ) throws -> PartRows.RowGroup {
            let batches = try reader.batches(rowGroup)
            var read: [(batch: RecordBatch, start: Int, rows: [Int32]?)] = []
            while let batch = try batches.nextNumbered() { read.append(batch) }
            let rows = read.reduce(0) { $0 + $1.batch.rowCount }
            statistics.add {
                $0.rowGroupsRead += 1
                $0.rowsRead += rows
            }
            record.add {
                $0.rowGroupsRead += 1
                $0.rowsRead += rows
            }
            return PartRows.RowGroup(number: rowGroup, rowCount: reader.rowCount(rowGroup: rowGroup), batches: read)
        }

        func next() throws -> NumberedBatch? {
            while pending.isEmpty {
                guard let (part, rows) = try parts.next() else { return nil }
                for group in rows.rowGroups {
                    let place = RowNumbers.Place(path: part.task.dataFile.path, rowGroup: group.number)
                    let first = numbers.firstRow(of: place, rowCount: group.rowCount)
                    pending += group.batches.map {
                        NumberedBatch($0.batch, firstRow: first + Int64($0.start), rows: $0.rows, isFiltered: true)
                    }
                }
                pending.reverse()
            }
            return pending.popLast()
        }
    }

    /// A data file being read.
    private struct OpenFile {
        let path: String
        let reader: DataFileReader
        var rowGroups: ArraySlice<Int>
    }

    /// Files come in the plan's order, row groups in the file's. The data file reader applies the filter.
    private final class Scan: RowScan {
        private var tasks: ArraySlice<FileScanTask>
        private let projection: Schema
        private let filter: Expression
        private let relation: IcebergRelation
        private let statistics: QueryStatistics
        private let record: ScanRecord
        private let numbers: RowNumbers
        private var file: OpenFile?
        /// A row group being read, and the number of its first row.
        private var open: (batches: DataFileBatches, firstRow: Int64)?

        init(
            _ relation: IcebergRelation, tasks: [FileScanTask], projection: Schema, filter: Expression,
            _ record: ScanRecord
        ) {
            self.record = record
            self.tasks = tasks[...]
            self.projection = projection
            self.filter = filter
            self.relation = relation
            statistics = relation.statistics
            numbers = relation.numbers
        }

        func next() throws -> NumberedBatch? {
            while true {
                if let batch = try nextOfRowGroup() { return batch }
                if let rowGroup = file?.rowGroups.popFirst(), let file {
                    try read(rowGroup, of: file)
                    continue
                }
                file = nil
                guard let task = tasks.popFirst() else { return nil }
                if projection.fields.isEmpty, filter == .alwaysTrue, let count = task.liveRecordCount {
                    // Only the number of rows matters, and the manifests have it.
                    statistics.add { $0.filesAnswered += 1 }
                    record.add { $0.filesAnswered += 1 }
                    let rowCount = Int(clamping: count)
                    let place = RowNumbers.Place(path: task.dataFile.path, rowGroup: nil)
                    return NumberedBatch(
                        RecordBatch(schema: projection, columns: [], rowCount: rowCount),
                        firstRow: numbers.firstRow(of: place, rowCount: rowCount))
                }
                file = try open(task)
            }
        }

        private func open(_ task: FileScanTask) throws -> OpenFile {
            let reader = try relation.open(task, projection: projection, filter: filter)
            statistics.add { $0.filesRead += 1 }
            record.add(task)
            return OpenFile(
                path: task.dataFile.path, reader: reader, rowGroups: try reader.matchingRowGroups()[...])
        }

        /// Some more rows of the row group that is being read.
        private func nextOfRowGroup() throws -> NumberedBatch? {
            guard let (batches, first) = open else { return nil }
            guard let (batch, start, rows) = try batches.nextNumbered() else {
                open = nil
                return nil
            }
            statistics.add { $0.rowsRead += batch.rowCount }
            record.add { $0.rowsRead += batch.rowCount }
            return NumberedBatch(batch, firstRow: first + Int64(start), rows: rows, isFiltered: true)
        }

        private func read(_ rowGroup: Int, of file: OpenFile) throws {
            let place = RowNumbers.Place(path: file.path, rowGroup: rowGroup)
            let first = numbers.firstRow(of: place, rowCount: file.reader.rowCount(rowGroup: rowGroup))
            statistics.add { $0.rowGroupsRead += 1 }
            record.add { $0.rowGroupsRead += 1 }
            open = (try file.reader.batches(rowGroup), first)
        }
    }
}

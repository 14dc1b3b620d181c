import Base
import Columnar
import Iceberg
import Storage

/// An Iceberg table at one snapshot. Where its rows are, and which, is offered in hidden columns.
final class IcebergRelation: Relation {
    let schema: Schema
    let hiddenFields = Iceberg.MetadataColumn.allCases.map(\.field)
    private let metadata: TableMetadata
    private let snapshot: Snapshot
    private let store: any ObjectStore
    private let statistics: QueryStatistics
    private let numbers = RowNumbers()
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
        metadata: TableMetadata, snapshot: Snapshot, schema: Schema, store: any ObjectStore,
        statistics: QueryStatistics
    ) {
        self.metadata = metadata
        self.snapshot = snapshot
        self.schema = schema
        self.store = store
        self.statistics = statistics
        loader = DeleteLoader(store: store, nameMapping: metadata.nameMapping)
    }

    var estimatedRows: Int { snapshot.summary["total-records"].flatMap { Int($0) } ?? 1_000_000 }

    func scan(projection: Schema, filter: Expression) throws -> any RowScan {
        let plan = try ScanPlanner.plan(metadata: metadata, snapshot: snapshot, filter: filter, store: store)
        statistics.add {
            $0.filesTotal += plan.filesTotal
            $0.filesSkipped += plan.filesSkipped
        }
        return Scan(
            tasks: wants.map { plan.tasks.filter($0) } ?? plan.tasks, projection: projection, filter: filter,
            nameMapping: metadata.nameMapping,
            loader: loader, store: store, statistics: statistics, numbers: numbers)
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
        private let nameMapping: NameMapping?
        private let loader: DeleteLoader
        private let store: any ObjectStore
        private let statistics: QueryStatistics
        private let numbers: RowNumbers
        private var file: OpenFile?
        /// A row group being read, and the number of its first row.
        private var open: (batches: DataFileBatches, firstRow: Int64)?

        init(
            tasks: [FileScanTask], projection: Schema, filter: Expression, nameMapping: NameMapping?,
            loader: DeleteLoader, store: any ObjectStore, statistics: QueryStatistics, numbers: RowNumbers
        ) {
            self.tasks = tasks[...]
            self.projection = projection
            self.filter = filter
            self.nameMapping = nameMapping
            self.store = store
            self.statistics = statistics
            self.numbers = numbers
            self.loader = loader
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
            let reader = try DataFileReader(
                task, schema: projection, filter: filter, nameMapping: nameMapping, loader: loader, store: store)
            statistics.add { $0.filesRead += 1 }
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
            return NumberedBatch(batch, firstRow: first + Int64(start), rows: rows, isFiltered: true)
        }

        private func read(_ rowGroup: Int, of file: OpenFile) throws {
            let place = RowNumbers.Place(path: file.path, rowGroup: rowGroup)
            let first = numbers.firstRow(of: place, rowCount: file.reader.rowCount(rowGroup: rowGroup))
            statistics.add { $0.rowGroupsRead += 1 }
            open = (try file.reader.batches(rowGroup), first)
        }
    }
}

import Base
import Columnar
import Iceberg
import Storage

/// An Iceberg table at one snapshot.
final class IcebergRelation: Relation {
    let schema: Schema
    private let metadata: TableMetadata
    private let snapshot: Snapshot
    private let store: any ObjectStore
    private let statistics: QueryStatistics

    init(
        metadata: TableMetadata, snapshot: Snapshot, schema: Schema, store: any ObjectStore,
        statistics: QueryStatistics
    ) {
        self.metadata = metadata
        self.snapshot = snapshot
        self.schema = schema
        self.store = store
        self.statistics = statistics
    }

    var estimatedRows: Int { snapshot.summary["total-records"].flatMap { Int($0) } ?? 1_000_000 }

    func scan(projection: Schema, filter: Expression) throws -> any RowScan {
        let plan = try ScanPlanner.plan(metadata: metadata, snapshot: snapshot, filter: filter, store: store)
        statistics.add {
            $0.filesTotal += plan.filesTotal
            $0.filesSkipped += plan.filesSkipped
        }
        return Scan(
            tasks: plan.tasks, projection: projection, filter: filter, nameMapping: metadata.nameMapping, store: store,
            statistics: statistics)
    }

    private final class Scan: RowScan {
        private var tasks: ArraySlice<FileScanTask>
        private let projection: Schema
        private let filter: Expression
        private let nameMapping: NameMapping?
        private let store: any ObjectStore
        private let statistics: QueryStatistics
        private var reader: DataFileReader?

        init(
            tasks: [FileScanTask], projection: Schema, filter: Expression, nameMapping: NameMapping?,
            store: any ObjectStore, statistics: QueryStatistics
        ) {
            self.tasks = tasks[...]
            self.projection = projection
            self.filter = filter
            self.nameMapping = nameMapping
            self.store = store
            self.statistics = statistics
        }

        func nextBatch() throws -> RecordBatch? {
            while true {
                if let batch = try reader?.next() {
                    statistics.add {
                        $0.rowGroupsRead += 1
                        $0.rowsRead += batch.rowCount
                    }
                    return batch
                }
                guard let task = tasks.popFirst() else { return nil }
                if projection.fields.isEmpty, filter == .alwaysTrue {
                    // Only the number of rows matters, and the manifest has it.
                    return RecordBatch(
                        schema: projection, columns: [], rowCount: Int(clamping: task.dataFile.recordCount))
                }
                reader = try DataFileReader(
                    task, schema: projection, filter: filter, nameMapping: nameMapping, store: store)
                statistics.add { $0.filesRead += 1 }
            }
        }
    }
}

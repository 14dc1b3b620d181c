import Base
import Columnar
import Storage

@testable import Iceberg

/// A table in memory whose data files exist only as entries.
final class TestTable {
    static let schema = Schema(fields: [
        Field(id: 1, name: "id", required: true, type: .long),
        Field(id: 2, name: "ts", required: false, type: .timestamptz),
        Field(id: 3, name: "price", required: false, type: .double),
        Field(id: 4, name: "name", required: false, type: .string),
    ])
    static let byDay = PartitionSpec(fields: [PartitionField(sourceId: 2, name: "ts_day", transform: .day)])

    let store = MemoryStore()
    private(set) var metadata: TableMetadata
    private(set) var location = ""
    private(set) var snapshots: [Snapshot] = []
    private var counter: UInt64 = 0

    init(spec: PartitionSpec = .unpartitioned, properties: [String: String] = [:]) throws {
        metadata = try TableMetadata.create(
            schema: Self.schema, spec: spec, location: "file:///w/t", properties: properties,
            uuid: UUID(high: 0, low: 1), nowMs: 1000)
        try put(MetadataCommit.prepare(metadata, base: nil, baseLocation: nil, context: context()))
    }

    func context(nowMs: Int64? = nil) -> CommitContext {
        counter += 1
        return CommitContext(
            snapshotId: Int64(100 + counter), commitUUID: UUID(high: 2, low: counter),
            metadataUUID: UUID(high: 3, low: counter), nowMs: nowMs ?? Int64(1000 + counter * 10), attempt: 1)
    }

    func put(_ commit: PreparedCommit) throws {
        try store.putAll(commit.objects)
        metadata = commit.metadata
        location = commit.metadataLocation
        if let snapshot = commit.snapshot { snapshots.append(snapshot) }
    }

    func file(
        _ name: String, records: Int64 = 10, partition: [Value] = [], bounds: [Int: (Value, Value)] = [:]
    ) -> DataFile {
        DataFile(
            path: "file:///w/t/data/\(name).parquet", partition: partition, recordCount: records,
            fileBytes: records * 100, valueCounts: [1: records], nullValueCounts: [1: 0],
            lowerBounds: bounds.mapValues { SingleValue.encode($0.0)! },
            upperBounds: bounds.mapValues { SingleValue.encode($0.1)! }, splitOffsets: [4])
    }

    @discardableResult func append(_ files: [DataFile]) throws -> PreparedCommit {
        let commit = try SnapshotProducer.append(
            base: metadata, baseLocation: location, files: files, context: context(), store: store)
        try put(commit)
        return commit
    }

    func replace(_ removed: [DataFile], by added: [DataFile], sequenceNumber: Int64? = nil) throws -> PreparedCommit {
        try SnapshotProducer.replace(
            base: metadata, baseLocation: location, removed: Set(removed.map(\.path)), added: added,
            dataSequenceNumber: sequenceNumber, context: context(), store: store)
    }

    func live(_ snapshot: Snapshot? = nil) throws -> [ManifestEntry] {
        try Manifests.liveEntries(of: snapshot ?? metadata.currentSnapshot!, metadata: metadata, store: store)
    }

    func names(_ snapshot: Snapshot? = nil) throws -> Set<String> {
        Set(try live(snapshot).map { String($0.dataFile.path.lastPathComponent.dropLast(8)) })
    }

    func manifests() throws -> [ManifestFile] {
        try Manifests.list(of: metadata.currentSnapshot!, store: store)
    }

    /// Adds a delete file to the current snapshot, as another engine would.
    func addDeletes(_ deletes: DataFile) throws {
        let spec = metadata.spec(id: deletes.specId)!
        var builder = try SnapshotBuilder(
            base: metadata, baseLocation: location, context: context(), store: store)
        var writer = builder.writer(spec, .deletes)
        try writer.append(
            ManifestEntry(
                status: .added, snapshotId: builder.context.snapshotId, sequenceNumber: nil, fileSequenceNumber: nil,
                dataFile: deletes))
        let manifest = try builder.finish(&writer)
        builder.summary.add(deletes, spec: spec)
        try put(try builder.commit(operation: "overwrite", manifests: [manifest] + builder.current))
    }
}

/// `Expression` is also a name of other modules.
typealias Predicate = Columnar.Expression

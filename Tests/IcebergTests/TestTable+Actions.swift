import Base
import Columnar
import Storage

@testable import Iceberg

/// Actions on the table in memory, each committed at once.
extension TestTable {
    /// A table of format version 3.
    static func version3(
        spec: PartitionSpec = .unpartitioned, properties: [String: String] = [:]
    ) throws -> TestTable {
        let table = try TestTable(spec: spec, properties: properties)
        try table.upgrade(3)
        return table
    }

    @discardableResult func run(
        _ prepare: (TableMetadata, String, CommitContext, MemoryStore) throws -> PreparedCommit
    ) throws -> PreparedCommit {
        let commit = try prepare(metadata, location, context(), store)
        try put(commit)
        return commit
    }

    /// An action that reads no file.
    @discardableResult func change(
        _ prepare: (TableMetadata, String, CommitContext) throws -> PreparedCommit
    ) throws -> PreparedCommit {
        try run { base, location, context, _ in try prepare(base, location, context) }
    }

    func upgrade(_ version: Int) throws {
        try change { try SnapshotProducer.upgrade(base: $0, baseLocation: $1, formatVersion: version, context: $2) }
    }

    @discardableResult func rowDelta(
        add: [DataFile] = [], deletes: [DataFile] = [], remove: [DataFile] = [], removeDeletes: [ManifestEntry] = [],
        referenced: [DataFile] = [], branch: String = TableMetadata.mainBranch, validation: CommitValidation? = nil
    ) throws -> PreparedCommit {
        try run {
            try SnapshotProducer.rowDelta(
                base: $0, baseLocation: $1, branch: branch, addedData: add, addedDeletes: deletes,
                removedData: Set(remove.map(\.path)), removedDeletes: removeDeletes,
                referencedData: Set(referenced.map(\.path)), validation: validation, context: $2, store: $3)
        }
    }

    func deletes(
        _ name: String, of target: DataFile? = nil, partition: [Value] = [], records: Int64 = 1
    ) -> DataFile {
        var file = file(name, records: records, partition: target?.partition ?? partition)
        file.content = .positionDeletes
        file.referencedDataFile = target?.path
        return file
    }

    func equalityDeletes(_ name: String, records: Int64 = 1) -> DataFile {
        var file = file(name, records: records)
        file.content = .equalityDeletes
        file.equalityIds = [1]
        return file
    }

    /// A deletion vector at an offset of a Puffin file.
    func vector(_ name: String, of target: DataFile, records: Int64 = 1, offset: Int64 = 4) -> DataFile {
        var file = DataFile(
            content: .positionDeletes, path: "file:///w/t/data/\(name).puffin", format: "PUFFIN",
            partition: target.partition, specId: target.specId, recordCount: records, fileBytes: 500)
        file.referencedDataFile = target.path
        file.contentOffset = offset
        file.contentBytes = 40
        return file
    }

    /// Live data entries by the name of their file.
    func data(_ branch: String = TableMetadata.mainBranch) throws -> [String: ManifestEntry] {
        guard let head = metadata.snapshot(ref: branch) else { return [:] }
        return Dictionary(
            uniqueKeysWithValues: try live(head).filter { $0.dataFile.content == .data }.map {
                (String($0.dataFile.path.lastPathComponent.dropLast(8)), $0)
            })
    }

    /// Names of live delete files.
    func deleteNames() throws -> [String] {
        try live().filter { $0.dataFile.content != .data }
            .map { String($0.dataFile.path.lastPathComponent.prefix { $0 != "." }) }.sorted()
    }

    var head: Int64 { metadata.currentSnapshotId! }
    var lastSummary: [String: String] { snapshots.last!.summary }
}

/// The code of the error that `body` throws, "" for none.
func code(_ body: () throws -> Void) -> String {
    do {
        try body()
        return ""
    } catch let error as FirnError {
        return error.code
    } catch { return "\(error)" }
}

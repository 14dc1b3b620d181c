import Base
import Columnar
import Storage

/// Writes the live entries of manifests anew, sorted by partition.
///
/// 1. Each entry is encoded as soon as it is read, as existing, with its own sequence numbers and row ids. That takes a
///    tenth of the memory of a decoded one; partition tuples are kept once.
/// 2. The entries are sorted by their tuples, as the fields of the spec have it: null first, NaN last. Entries of one
///    partition keep their order.
/// 3. They are written to manifests of the target size.
///
/// Nothing here depends on the state that the manifests will be committed on: they can be written before the commit.
///
/// Spec: https://iceberg.apache.org/docs/latest/maintenance/#rewrite-manifests
public struct ManifestRewriter {
    private struct Entry {
        let tuple: Int32
        let chunk: Int32
        let range: Range<Int>
        let recordCount: Int64
        let sequenceNumber: Int64
    }

    /// Bytes of one buffer of encoded entries.
    private static let chunkBytes = 1 << 20

    private let metadata: TableMetadata
    private let spec: PartitionSpec
    private let content: ManifestFile.Content
    private let snapshotId: Int64
    private let sync: UUID
    private var chunks: [ByteWriter] = []
    private var entries: [Entry] = []
    private var tuples: [[Value]] = []
    private var tupleIndex: [PartitionKey: Int32] = [:]
    private var encoder: ManifestWriter
    /// What the entries take in memory.
    public private(set) var byteCount = 0

    public var entryCount: Int { entries.count }

    /// - Parameters:
    ///   - snapshotId: of the commit, where it is known by now.
    ///   - sync: random bytes that mark the borders of blocks.
    ///
    /// Throws `.invalidInput` (`unknown_partition_spec`).
    public init(
        metadata: TableMetadata, specId: Int, content: ManifestFile.Content, snapshotId: Int64 = 0, sync: UUID
    ) throws(FirnError) {
        guard let spec = metadata.spec(id: specId) else {
            throw FirnError(.invalidInput, "unknown_partition_spec", "there is no partition spec \(specId)")
        }
        self.metadata = metadata
        self.spec = spec
        self.content = content
        self.snapshotId = snapshotId
        self.sync = sync
        encoder = ManifestWriter(
            metadata: metadata, spec: spec, content: content, snapshotId: snapshotId, sync: sync)
    }

    /// Adds the live entries of a manifest of this content and spec.
    public mutating func add(_ manifest: ManifestFile, store: any ObjectStore) throws {
        precondition(manifest.specId == spec.specId && manifest.content == content, "a manifest of another kind")
        try Manifests.read(manifest, metadata, .all, store) {
            if $0.isLive { try add($0, of: manifest) }
            return true
        }
    }

    private mutating func add(_ read: ManifestEntry, of manifest: ManifestFile) throws(FirnError) {
        guard read.dataFile.partition.count == spec.fields.count, let number = read.sequenceNumber else {
            throw FirnError(
                .corrupted, "bad_manifest", "an entry lacks its partition tuple", context: ["file": manifest.path])
        }
        var entry = read
        entry.status = .existing
        if chunks.isEmpty || chunks[chunks.count - 1].count >= Self.chunkBytes {
            chunks.append(ByteWriter(capacity: Self.chunkBytes + 4096))
        }
        let last = chunks.count - 1
        let start = chunks[last].count
        try encoder.encode(entry, to: &chunks[last])
        let range = start..<chunks[last].count
        entries.append(
            Entry(
                tuple: index(of: entry.dataFile), chunk: Int32(last), range: range,
                recordCount: entry.dataFile.recordCount, sequenceNumber: number))
        byteCount += range.count + MemoryLayout<Entry>.stride
    }

    private mutating func index(of file: DataFile) -> Int32 {
        let key = PartitionKey(file)
        if let known = tupleIndex[key] { return known }
        let index = Int32(tuples.count)
        tuples.append(file.partition)
        tupleIndex[key] = index
        byteCount += 256 + 64 * file.partition.count
        return index
    }

    /// Sorts and writes what was added, and forgets it. `write` gets the manifests one after the other: their bytes
    /// and, for a path of its choice, their rows of the manifest list with the sequence number `sequenceNumber`.
    public mutating func finish(
        sequenceNumber: Int64 = 0, path: () throws -> String, write: (String, [UInt8]) throws -> Void
    ) throws -> [ManifestFile] {
        let bytesTarget = metadata.tableProperties.manifestBytesTarget
        let order = tuples.indices.sorted { Self.precedes(tuples[$0], tuples[$1]) }
        var rank = [Int32](repeating: 0, count: tuples.count)
        for (place, index) in order.enumerated() { rank[index] = Int32(place) }
        let sorted = entries.indices.sorted {
            (rank[Int(entries[$0].tuple)], $0) < (rank[Int(entries[$1].tuple)], $1)
        }
        var manifests: [ManifestFile] = []
        var writer = makeWriter()
        func close() throws {
            let path = try path()
            let (manifest, bytes) = try writer.finish(path: path, sequenceNumber: sequenceNumber)
            try write(path, bytes)
            manifests.append(manifest)
        }
        for index in sorted {
            if writer.byteCount >= bytesTarget, writer.entryCount > 0 {
                try close()
                writer = makeWriter()
            }
            let entry = entries[index]
            try writer.append(
                encoded: chunks[Int(entry.chunk)].bytes[entry.range], recordCount: entry.recordCount,
                sequenceNumber: entry.sequenceNumber, partition: tuples[Int(entry.tuple)])
        }
        if writer.entryCount > 0 { try close() }
        forget()
        return manifests
    }

    private mutating func forget() {
        chunks = []
        entries = []
        tuples = []
        tupleIndex = [:]
        byteCount = 0
    }

    private func makeWriter() -> ManifestWriter {
        ManifestWriter(metadata: metadata, spec: spec, content: content, snapshotId: snapshotId, sync: sync)
    }

    /// A total order: null, then values, then NaN.
    static func precedes(_ a: [Value], _ b: [Value]) -> Bool {
        for (x, y) in zip(a, b) where x != y {
            let (low, high) = (place(x), place(y))
            if low != high { return low < high }
            switch ValueOrder.compare(x, y) {
            case .less: return true
            case .greater: return false
            default: continue
            }
        }
        return false
    }

    private static func place(_ value: Value) -> Int {
        if value == .null { return 0 }
        return ValueOrder.isNaN(value) ? 2 : 1
    }
}

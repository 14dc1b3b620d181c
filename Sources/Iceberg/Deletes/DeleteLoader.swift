import Base
import Columnar
import Parquet
import Storage
import Synchronization

/// Reads delete files for the data files of a scan, each as seldom as memory allows.
///
/// - A deletion vector, and a position delete file of one data file, are read when that data file is.
/// - A position delete file of a whole partition is read once and kept for the data files to come. When it takes more
///   than its share of memory, only the rows of the data file at hand are read from it, each time.
/// - Equality deletes over the same columns, of the same partition or global, become one `EqualityKeys`, to which the
///   delete files of every data file are added once. When it takes more than `keysBytesMax`, reading fails.
///
/// What is kept is dropped, the least recently used first, when it passes `cacheBytesMax`. May be shared by threads.
public final class DeleteLoader: Sendable {
    public static let cacheBytesDefault = 128 << 20
    public static let keysBytesMax = 1 << 30

    /// The deletes of one data file, ready to be applied.
    struct Loaded {
        var positions: RowPositions?
        var keys: [EqualityKeys] = []
    }

    /// Equality deletes that compare the same columns in the same place.
    private struct Scope: Hashable {
        let fieldIds: [Int]
        /// Nil for deletes of an unpartitioned spec.
        let partition: PartitionKey?
    }

    private enum Key: Hashable {
        case positions(String)
        case keys(Scope)
    }

    private enum Content {
        case positions([String: RowPositions])
        /// To be read anew for every data file.
        case tooLarge
        /// With the delete files that are in it.
        case keys(EqualityKeys, files: Set<String>)
    }

    private struct Cache {
        var entries: [Key: (content: Content, bytes: Int, lastUsed: Int)] = [:]
        var bytes = 0
        var clock = 0
    }

    private let store: any ObjectStore
    private let nameMapping: NameMapping?
    private let cacheBytesMax: Int
    private let cache = Mutex(Cache())

    public init(
        store: any ObjectStore, nameMapping: NameMapping? = nil, cacheBytesMax: Int = DeleteLoader.cacheBytesDefault
    ) {
        self.store = store
        self.nameMapping = nameMapping
        self.cacheBytesMax = cacheBytesMax
    }

    /// The positions in a data file that its deletion vector or position delete files delete; nil without any such.
    /// Equality deletes are not part of it.
    ///
    /// Throws `.corrupted` for damaged files and vectors that contradict their entry (`bad_deletion_vector`),
    /// `.unsupported` (`file_format`) for delete files in Avro or ORC.
    public func positions(for task: FileScanTask) throws -> RowPositions? {
        var all: RowPositions?
        for delete in task.deletes where delete.dataFile.content == .positionDeletes {
            guard let found = try positions(delete.dataFile, of: task.dataFile.path) else { continue }
            if all == nil { all = found } else { all?.formUnion(found) }
        }
        return all
    }

    /// All deletes of a data file. Throws as `positions`, and `.limitExceeded` (`equality_deletes_too_large`).
    func load(_ task: FileScanTask) throws -> Loaded {
        var loaded = Loaded(positions: try positions(for: task))
        var scopes: [Scope: [ManifestEntry]] = [:]
        for delete in task.deletes where delete.dataFile.content == .equalityDeletes {
            let isGlobal = delete.dataFile.partition.isEmpty
            let scope = Scope(
                fieldIds: Set(delete.dataFile.equalityIds ?? []).sorted(),
                partition: isGlobal ? nil : PartitionKey(delete.dataFile))
            scopes[scope, default: []].append(delete)
        }
        for (scope, deletes) in scopes {
            loaded.keys.append(try keys(scope, deletes, columns: task.comparedColumns))
        }
        return loaded
    }

    // MARK: Positions

    private func positions(_ delete: DataFile, of path: String) throws -> RowPositions? {
        if delete.isDeletionVector { return try vector(delete) }
        if delete.onlyDataFile != nil { return try PositionDeleteFile.read(delete, of: path, store: store) }
        switch take(.positions(delete.path), remove: false) {
        case .positions(let known)?: return known[path]
        case .tooLarge?: return try PositionDeleteFile.read(delete, of: path, store: store)
        case .keys?, nil: break
        }
        guard let found = try PositionDeleteFile.readAll(delete, bytesMax: cacheBytesMax / 4, store: store) else {
            keep(.positions(delete.path), .tooLarge, bytes: 0)
            return try PositionDeleteFile.read(delete, of: path, store: store)
        }
        let bytes = found.reduce(0) { $0 + $1.value.byteCount + $1.key.utf8.count + 64 }
        keep(.positions(delete.path), .positions(found), bytes: bytes)
        return found[path]
    }

    private func vector(_ delete: DataFile) throws -> RowPositions {
        guard let offset = delete.contentOffset.flatMap({ Int(exactly: $0) }),
            let count = delete.contentBytes.flatMap({ Int(exactly: $0) }), offset >= 0, count >= 0,
            count <= Limits.wholeFileBytesMax, offset <= Int.max - count
        else {
            throw FirnError(
                .corrupted, "bad_delete_file", "a deletion vector does not say where it lies",
                context: ["file": delete.path])
        }
        let bytes = try store.read(delete.path, range: offset..<offset + count)
        let positions = try DeletionVector.decode(bytes, source: delete.path)
        guard Int64(positions.count) == delete.recordCount else {
            throw FirnError(
                .corrupted, "bad_deletion_vector",
                "a deletion vector holds \(positions.count) positions, its entry says \(delete.recordCount)",
                context: ["file": delete.path])
        }
        return positions
    }

    // MARK: Keys

    private func keys(_ scope: Scope, _ deletes: [ManifestEntry], columns: [Field]) throws -> EqualityKeys {
        var keys = EqualityKeys(fieldIds: scope.fieldIds)
        var files: Set<String> = []
        // Taken out, so that adding to it does not copy it.
        if case .keys(let known, let loaded)? = take(.keys(scope), remove: true) { (keys, files) = (known, loaded) }
        defer { keep(.keys(scope), .keys(keys, files: files), bytes: keys.byteCount) }
        for delete in deletes where !files.contains(delete.dataFile.path) {
            try add(delete, columns, to: &keys)
            files.insert(delete.dataFile.path)
        }
        return keys
    }

    private func add(_ delete: ManifestEntry, _ columns: [Field], to keys: inout EqualityKeys) throws {
        let file = delete.dataFile
        let (reader, ids) = try ParquetSource.open(file, nameMapping: nameMapping, store: store)
        if let missing = keys.fieldIds.first(where: { !ids.contains($0) }) {
            throw FirnError(
                .corrupted, "bad_delete_file", "an equality delete file lacks column \(missing), which it compares",
                context: ["file": file.path])
        }
        var fields: [Field] = []
        for id in keys.fieldIds {
            guard let chain = Schema(fields: columns).chain(to: id) else {
                preconditionFailure("a task without a compared column")
            }
            FieldChain.merge(FieldChain.pruned(chain[...]), into: &fields)
        }
        for group in 0..<reader.rowGroupCount {
            let rows = try reader.rows(group, projection: Schema(fields: fields))
            while let batch = try rows.next() {
                keys.add(batch, sequenceNumber: delete.sequenceNumber ?? 0)
                guard keys.byteCount <= Self.keysBytesMax else {
                    throw FirnError(
                        .limitExceeded, "equality_deletes_too_large",
                        "the table's equality deletes take more memory than can be held; compact it with the engine "
                            + "that wrote them", context: ["file": file.path])
                }
            }
        }
    }

    // MARK: Cache

    private func take(_ key: Key, remove: Bool) -> Content? {
        cache.withLock { cache in
            guard let entry = cache.entries[key] else { return nil }
            if remove {
                cache.entries[key] = nil
                cache.bytes -= entry.bytes
            } else {
                cache.clock += 1
                cache.entries[key]?.lastUsed = cache.clock
            }
            return entry.content
        }
    }

    private func keep(_ key: Key, _ content: Content, bytes: Int) {
        cache.withLock { cache in
            if let old = cache.entries[key] { cache.bytes -= old.bytes }
            cache.clock += 1
            cache.entries[key] = (content, bytes, cache.clock)
            cache.bytes += bytes
            while cache.bytes > cacheBytesMax,
                let oldest = cache.entries.filter({ $0.value.bytes > 0 }).min(by: {
                    $0.value.lastUsed < $1.value.lastUsed
                })
            {
                cache.entries[oldest.key] = nil
                cache.bytes -= oldest.value.bytes
            }
        }
    }
}

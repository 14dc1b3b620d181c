import Base
import Columnar
import Storage

/// All live delete files of a snapshot, found by the data files they apply to.
///
/// 1. Deletes that name one data file are kept by its path; others by spec and partition, or as global.
/// 2. A data file gets its deletion vector, else the position deletes of its path and partition; and the equality
///    deletes of its partition and the global ones: as far as sequence numbers say so (see `DeleteFiles`).
/// 3. Of these, files whose bounds rule out that they hold one of the data file's rows are left out: bounds of the path
///    for position deletes, of the compared columns for equality deletes.
public struct DeleteIndex: Sendable {
    private let metadata: TableMetadata
    private var vectors: [String: ManifestEntry] = [:]
    private var byPath: [String: [ManifestEntry]] = [:]
    private var byPartition: [PartitionKey: [ManifestEntry]] = [:]
    private var equalityByPartition: [PartitionKey: [ManifestEntry]] = [:]
    private var equalityGlobal: [ManifestEntry] = []
    /// Types of the columns that equality deletes compare.
    private var equalityTypes: [Int: DataType] = [:]

    public private(set) var isEmpty = true

    public init(metadata: TableMetadata) { self.metadata = metadata }

    /// The deletes of these delete manifests. Throws what reading manifests throws, and as `add`.
    public init(metadata: TableMetadata, manifests: [ManifestFile], store: any ObjectStore) throws {
        self.init(metadata: metadata)
        for manifest in manifests { try add(manifest, store: store) }
    }

    mutating func add(_ manifest: ManifestFile, store: any ObjectStore) throws {
        try Manifests.read(manifest, metadata, .all, store) {
            if $0.isLive { try add($0) }
            return true
        }
    }

    /// Columns that equality deletes compare; a data file's bounds of these help to leave deletes out.
    public var equalityFieldIds: Set<Int> { Set(equalityTypes.keys) }

    /// Adds a live delete file.
    ///
    /// Throws `.corrupted` (`duplicate_deletion_vector`, `bad_delete_file`) for entries that no spec allows.
    public mutating func add(_ entry: ManifestEntry) throws(FirnError) {
        let file = entry.dataFile
        switch file.content {
        case .data: return
        case .positionDeletes:
            if file.isDeletionVector {
                try addVector(entry)
            } else if let path = file.onlyDataFile {
                byPath[path, default: []].append(entry)
            } else {
                byPartition[PartitionKey(file), default: []].append(entry)
            }
        case .equalityDeletes:
            guard let ids = file.equalityIds, !ids.isEmpty else {
                throw Self.bad("an equality delete file names no columns", file)
            }
            for id in ids where equalityTypes[id] == nil {
                guard let type = metadata.columnType(id: id), type.isPrimitive else {
                    throw Self.bad("an equality delete file compares the unknown column \(id)", file)
                }
                equalityTypes[id] = type
            }
            if DeleteFiles.isGlobal(file, metadata) {
                equalityGlobal.append(entry)
            } else {
                equalityByPartition[PartitionKey(file), default: []].append(entry)
            }
        }
        isEmpty = false
    }

    private mutating func addVector(_ entry: ManifestEntry) throws(FirnError) {
        let file = entry.dataFile
        guard let path = file.referencedDataFile, let offset = file.contentOffset, let bytes = file.contentBytes,
            offset >= 0, bytes >= 0
        else {
            throw Self.bad("a deletion vector does not say which file it is for, or where it lies", file)
        }
        if let other = vectors.updateValue(entry, forKey: path) {
            throw FirnError(
                .corrupted, "duplicate_deletion_vector", "a data file has two deletion vectors",
                context: ["file": path, "vectors": "\(other.dataFile.path), \(file.path)"])
        }
    }

    private static func bad(_ message: String, _ file: DataFile) -> FirnError {
        FirnError(.corrupted, "bad_delete_file", message, context: ["file": file.path])
    }

    /// The delete files that apply to a data file, position deletes first.
    public func deletes(for file: DataFile, sequenceNumber: Int64) -> [ManifestEntry] {
        if isEmpty { return [] }
        var found: [ManifestEntry] = []
        let key = byPartition.isEmpty && equalityByPartition.isEmpty ? nil : PartitionKey(file)
        if let vector = vectors[file.path], (vector.sequenceNumber ?? 0) >= sequenceNumber {
            found.append(vector)
        } else {
            found += (byPath[file.path] ?? []).filter { ($0.sequenceNumber ?? 0) >= sequenceNumber }
            for entry in key.flatMap({ byPartition[$0] }) ?? []
            where (entry.sequenceNumber ?? 0) >= sequenceNumber && entry.dataFile.mayNamePath(file.path) {
                found.append(entry)
            }
        }
        for entry in equalityGlobal + (key.flatMap { equalityByPartition[$0] } ?? [])
        where (entry.sequenceNumber ?? 0) > sequenceNumber && mayMatch(entry.dataFile, file) {
            found.append(entry)
        }
        return found
    }

    /// False when some compared column cannot have a value that both files hold.
    private func mayMatch(_ delete: DataFile, _ data: DataFile) -> Bool {
        (delete.equalityIds ?? []).allSatisfy { id in
            guard let type = equalityTypes[id], let a = delete.statistics(id, type), let b = data.statistics(id, type)
            else { return true }
            if a.mayHaveNull && b.mayHaveNull || a.mayHaveNaN && b.mayHaveNaN { return true }
            // A side of nulls only, or of NaNs, has nothing to share with the other's values.
            if a.allNull || b.allNull { return false }
            return !Self.isBelow(a.upper, b.lower) && !Self.isBelow(b.upper, a.lower)
        }
    }

    private static func isBelow(_ upper: Value?, _ lower: Value?) -> Bool {
        guard let upper, let lower else { return false }
        return ValueOrder.compare(upper, lower) == .less
    }

    /// The columns that these deletes compare, from the top down through structs, as the table has or had them.
    ///
    /// Throws `.corrupted` (`bad_delete_file`) for a column inside a list or map.
    func comparedColumns(_ deletes: [ManifestEntry]) throws(FirnError) -> [Field] {
        var fields: [Field] = []
        for delete in deletes where delete.dataFile.content == .equalityDeletes {
            for id in delete.dataFile.equalityIds ?? [] {
                guard let chain = metadata.columnChain(id: id) else {
                    throw Self.bad(
                        "an equality delete file compares column \(id) inside a list or map", delete.dataFile)
                }
                FieldChain.merge(FieldChain.pruned(chain[...]), into: &fields)
            }
        }
        return fields
    }
}

/// Fields from the top of a schema to one inside structs.
enum FieldChain {
    /// The top field with nothing beside the way down; all optional, since a file may lack any of them.
    static func pruned(_ chain: ArraySlice<Field>) -> Field {
        var field = chain.first!
        field.required = false
        if chain.count > 1 { field.type = .structure(StructType(fields: [pruned(chain.dropFirst())])) }
        return field
    }

    /// Adds a pruned field to others, one struct each.
    static func merge(_ field: Field, into fields: inout [Field]) {
        guard let place = fields.firstIndex(where: { $0.id == field.id }) else { return fields.append(field) }
        guard case .structure(var type) = fields[place].type, case .structure(let more) = field.type else { return }
        for child in more.fields { merge(child, into: &type.fields) }
        fields[place].type = .structure(type)
    }
}

extension TableMetadata {
    /// The fields from the top to a column of the current schema or, for a dropped one, of the newest that has it;
    /// nil for an unknown column and one inside a list or map.
    func columnChain(id: Int) -> [Field]? {
        currentSchema.chain(to: id) ?? schemas.reversed().lazy.compactMap { $0.chain(to: id) }.first
    }
}

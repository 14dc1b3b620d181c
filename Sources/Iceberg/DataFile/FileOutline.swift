import Base
import Columnar
import Parquet
import Storage

/// What another reader of Parquet has to know to read a data file as rows of a schema.
public struct FileOutline: Sendable {
    /// True when every top-level column can be found by its field id, or is missing, and everything below it can be
    /// found by its name.
    public let isDirect: Bool
    /// Values of top-level columns that the file lacks and its partition states, by field id.
    public let constants: [Int: Value]
    /// Ids of top-level columns that the file lacks, but for those of `constants`.
    public let missing: Set<Int>
    /// As its footer says.
    public let rowCount: Int64

    /// Reads the footer of a planned file. Throws as `DataFileReader.init`.
    public init(
        _ task: FileScanTask, schema: Schema, nameMapping: NameMapping?, store: any ObjectStore
    ) throws {
        // A file that states no ids gets them by name, which only our own reader does.
        let stating = try? ParquetSource.open(task.dataFile, nameMapping: nil, store: store)
        let (reader, ids) = try stating ?? ParquetSource.open(task.dataFile, nameMapping: nameMapping, store: store)
        let layout = try RowLayout(
            schema: schema, file: task.dataFile, spec: task.spec, sequenceNumber: task.sequenceNumber, fieldIds: ids,
            comparedColumns: [])
        let wanted = Set(schema.fields.map(\.id))
        constants = layout.constants.filter { wanted.contains($0.key) }.mapValues(\.value)
        missing = wanted.subtracting(ids).subtracting(constants.keys)
        rowCount = Int64(reader.footer.rowCount)
        let file = try reader.fileSchema()
        isDirect =
            stating != nil
            && schema.fields.allSatisfy { field in
                guard let stored = file.fields.first(where: { $0.id == field.id }) else { return true }
                return Self.matches(field.type, stored.type)
            }
    }

    /// True when members found by name are the ones that their ids mean.
    private static func matches(_ wanted: DataType, _ stored: DataType) -> Bool {
        switch (wanted, stored) {
        case (.structure(let wanted), .structure(let stored)):
            return wanted.fields.allSatisfy { field in
                guard let found = stored.field(named: field.name) else {
                    return stored.field(id: field.id) == nil && field.initialDefault == nil
                }
                return found.id == field.id && matches(field.type, found.type)
            }
        case (.list(let wanted), .list(let stored)): return matches(wanted.element, stored.element)
        case (.map(let wanted), .map(let stored)):
            return matches(wanted.key, stored.key) && matches(wanted.value, stored.value)
        case (.variant, .variant): return true
        case (.structure, _), (.list, _), (.map, _), (.variant, _): return false
        default: return stored.isPrimitive
        }
    }
}

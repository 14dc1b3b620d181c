import Base
import Columnar

/// Text of few distinct values as numbers, while its rows wait to be sorted and merged.
///
/// A number is moved more cheaply than text, which is copied from somewhere else in memory for every row, twice; and a
/// run of numbers is small. Which columns are worth it is found from the first batch: those whose values occur twice or
/// more on average. The dictionaries are bounded. When one is full, `encode` fails, and what comes goes on without it.
///
/// Coded columns are of type int; the others, and the key columns, stay as they are.
final class TextCoding {
    /// Of coded batches.
    let schema: Schema
    private let plain: Schema
    /// By column of text, counted depth first; nil for one that stays as it is.
    private let dictionaries: [TextDictionary?]
    private let dictionaryBytesMax: Int

    /// Batches of fewer rows say too little.
    private static let sampleRowsMin = 1024

    /// Nil when no column is worth it.
    ///
    /// - Parameters:
    ///   - except: ids of columns that stay as they are.
    ///   - bytesMax: of all dictionaries together.
    init?(sample: RecordBatch, except ids: Set<Int>, bytesMax: Int) {
        guard sample.rowCount >= Self.sampleRowsMin else { return nil }
        plain = sample.schema
        dictionaryBytesMax = bytesMax / 2
        var texts: [Int] = []
        for field in sample.schema.fields { Self.collect(field.type, field.id, &texts) }
        let trial = texts.map { ids.contains($0) ? nil : TextDictionary() }
        var position = 0
        for (field, column) in zip(sample.schema.fields, sample.columns) {
            guard Self.encode(column, field.type, trial, &position, bytesMax / 2) != nil else { return nil }
        }
        dictionaries = trial.map { $0.flatMap { $0.isWorthIt ? TextDictionary() : nil } }
        schema = Self.coded(plain, dictionaries)
        if dictionaries.allSatisfy({ $0 == nil }) { return nil }
    }

    private init(_ plain: Schema, _ dictionaries: [TextDictionary?], _ dictionaryBytesMax: Int) {
        self.plain = plain
        self.dictionaries = dictionaries
        self.dictionaryBytesMax = dictionaryBytesMax
        schema = Self.coded(plain, dictionaries)
    }

    /// A coding, with dictionaries of its own, without the columns whose dictionaries are largest; nil without any.
    func withoutFull() -> TextCoding? {
        let largest = dictionaries.reduce(0) { max($0, $1?.byteCount ?? 0) }
        let left = dictionaries.map { $0.flatMap { $0.byteCount > largest / 2 ? nil : TextDictionary() } }
        return left.contains { $0 != nil } ? TextCoding(plain, left, dictionaryBytesMax) : nil
    }

    /// Bytes of memory held by the dictionaries.
    var byteCount: Int { dictionaries.reduce(0) { $0 + ($1?.byteCount ?? 0) } }

    /// Nil when a dictionary is full.
    func encode(_ batch: RecordBatch) -> RecordBatch? {
        guard byteCount <= 2 * dictionaryBytesMax else { return nil }
        var position = 0
        var columns: [Column] = []
        for (field, column) in zip(plain.fields, batch.columns) {
            guard let coded = Self.encode(column, field.type, dictionaries, &position, dictionaryBytesMax) else {
                return nil
            }
            columns.append(coded)
        }
        return RecordBatch(schema: schema, columns: columns, rowCount: batch.rowCount)
    }

    func decode(_ batch: RecordBatch) -> RecordBatch {
        var position = 0
        let columns = zip(plain.fields, batch.columns).map { decode($1, $0.type, &position) }
        return RecordBatch(schema: plain, columns: columns, rowCount: batch.rowCount)
    }

    // MARK: Types

    /// The ids of columns of text, depth first.
    private static func collect(_ type: DataType, _ id: Int, _ texts: inout [Int]) {
        switch type {
        case .string, .binary: texts.append(id)
        case .structure(let type): for field in type.fields { collect(field.type, field.id, &texts) }
        case .list(let type): collect(type.element, type.elementId, &texts)
        case .map(let type):
            collect(type.key, type.keyId, &texts)
            collect(type.value, type.valueId, &texts)
        default: break
        }
    }

    private static func coded(_ schema: Schema, _ dictionaries: [TextDictionary?]) -> Schema {
        var position = 0
        return Schema(
            schemaId: schema.schemaId, fields: schema.fields.map { coded($0, dictionaries, &position) })
    }

    private static func coded(_ field: Field, _ dictionaries: [TextDictionary?], _ position: inout Int) -> Field {
        Field(
            id: field.id, name: field.name, required: field.required,
            type: coded(field.type, dictionaries, &position))
    }

    private static func coded(
        _ type: DataType, _ dictionaries: [TextDictionary?], _ position: inout Int
    ) -> DataType {
        switch type {
        case .string, .binary:
            position += 1
            return dictionaries[position - 1] == nil ? type : .int
        case .structure(let type):
            return .structure(StructType(fields: type.fields.map { coded($0, dictionaries, &position) }))
        case .list(var type):
            type.element = coded(type.element, dictionaries, &position)
            return .list(type)
        case .map(var type):
            type.key = coded(type.key, dictionaries, &position)
            type.value = coded(type.value, dictionaries, &position)
            return .map(type)
        default: return type
        }
    }

    // MARK: Columns

    private static func encode(
        _ column: Column, _ type: DataType, _ dictionaries: [TextDictionary?], _ position: inout Int, _ bytesMax: Int
    ) -> Column? {
        switch (type, column.storage) {
        case (.string, .bytes(let offsets, let bytes)), (.binary, .bytes(let offsets, let bytes)):
            position += 1
            guard let dictionary = dictionaries[position - 1] else { return column }
            guard let codes = dictionary.encode(offsets, bytes, rows: column.rowCount, bytesMax: bytesMax) else {
                return nil
            }
            return column.holding(.int32(codes), of: .int)
        case (.structure(let type), .structure(let children)):
            guard let coded = encode(children, type.fields.map(\.type), dictionaries, &position, bytesMax) else {
                return nil
            }
            return column.holding(.structure(coded), of: column.type)
        case (.list(let type), .list(let offsets, let children)):
            guard let coded = encode(children, [type.element], dictionaries, &position, bytesMax) else { return nil }
            return column.holding(.list(offsets: offsets, element: coded), of: column.type)
        case (.map(let type), .map(let offsets, let children)):
            guard let coded = encode(children, [type.key, type.value], dictionaries, &position, bytesMax) else {
                return nil
            }
            return column.holding(.map(offsets: offsets, entries: coded), of: column.type)
        default: return column
        }
    }

    private static func encode(
        _ columns: [Column], _ types: [DataType], _ dictionaries: [TextDictionary?], _ position: inout Int,
        _ bytesMax: Int
    ) -> [Column]? {
        var coded: [Column] = []
        for (column, type) in zip(columns, types) {
            guard let one = encode(column, type, dictionaries, &position, bytesMax) else { return nil }
            coded.append(one)
        }
        return coded
    }

    private func decode(_ column: Column, _ type: DataType, _ position: inout Int) -> Column {
        switch (type, column.storage) {
        case (.string, _), (.binary, _):
            position += 1
            guard let dictionary = dictionaries[position - 1], case .int32(let codes) = column.storage else {
                return column
            }
            return column.holding(dictionary.values(type).taking(codes.values).storage, of: type)
        case (.structure(let inner), .structure(let children)):
            let plain = zip(children, inner.fields).map { decode($0, $1.type, &position) }
            return column.holding(.structure(plain), of: type)
        case (.list(let inner), .list(let offsets, let children)):
            let plain = children.map { decode($0, inner.element, &position) }
            return column.holding(.list(offsets: offsets, element: plain), of: type)
        case (.map(let inner), .map(let offsets, let children)):
            let plain = zip(children, [inner.key, inner.value]).map { decode($0, $1, &position) }
            return column.holding(.map(offsets: offsets, entries: plain), of: type)
        default: return column
        }
    }
}

extension Column {
    /// The column's rows and nulls with other values.
    fileprivate func holding(_ storage: Storage, of type: DataType) -> Column {
        Column(type: type, rowCount: rowCount, validity: validity, nullCount: nullCount, storage: storage)
    }
}

import Base
import Columnar

/// Values of any type from a seed.
struct Generator {
    private var state: UInt64
    /// Chance in percent that an optional field is null.
    let nullPercent: Int
    /// True draws from few distinct values, so that dictionaries pay.
    let isRepetitive: Bool

    init(seed: UInt64, nullPercent: Int, isRepetitive: Bool) {
        state = seed
        self.nullPercent = nullPercent
        self.isRepetitive = isRepetitive
    }

    /// SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    mutating func below(_ limit: UInt64) -> Int { Int(next() % limit) }

    mutating func bits() -> UInt64 { isRepetitive ? next() % 5 &* 0x2545_f491_4f6c_dd1d : next() }

    mutating func value(_ field: Field) -> Value {
        if !field.required && below(100) < nullPercent { return .null }
        return value(field.type)
    }

    mutating func value(_ type: DataType) -> Value {
        switch type {
        case .boolean: return .boolean(next() & 1 == 1)
        case .int: return .int(Int32(truncatingIfNeeded: bits()))
        case .date: return .date(Int32(truncatingIfNeeded: bits()))
        case .long: return .long(Int64(bitPattern: bits()))
        case .time: return .time(Int64(bits() % 86_400_000_000))
        case .timestamp: return .timestamp(Int64(bitPattern: bits()))
        case .timestamptz: return .timestamptz(Int64(bitPattern: bits()))
        case .timestampNs: return .timestampNs(Int64(bitPattern: bits()))
        case .timestamptzNs: return .timestamptzNs(Int64(bitPattern: bits()))
        case .float: return .float(Float(Int16(truncatingIfNeeded: bits())) / 8)
        case .double: return .double(Double(Int32(truncatingIfNeeded: bits())) / 8)
        case .decimal(let precision, let scale):
            var limit: UInt128 = 1
            for _ in 0..<precision { limit *= 10 }
            let magnitude = Int128((UInt128(bits()) << 64 | UInt128(bits())) % limit)
            return .decimal(bits() & 1 == 0 ? magnitude : -magnitude, scale: scale)
        case .string: return .string(String(repeating: "é", count: below(4)) + String(bits() % 1_000_000))
        case .binary: return .binary((0..<below(20)).map { _ in UInt8(truncatingIfNeeded: bits()) })
        case .uuid: return .uuid(UUID(high: bits(), low: bits()))
        case .fixed(let width): return .binary((0..<width).map { _ in UInt8(truncatingIfNeeded: bits()) })
        case .structure(let type):
            var values: [Value] = []
            for field in type.fields { values.append(value(field)) }
            return .structure(values)
        case .list(let type):
            var values: [Value] = []
            for _ in 0..<below(4) { values.append(value(type.elementField)) }
            return .list(values)
        case .map(let type):
            var entries: [Value.MapEntry] = []
            for _ in 0..<below(4) { entries.append(.init(key: value(type.key), value: value(type.valueField))) }
            return .map(entries)
        case .variant:
            let item = VariantItem.array([.integer(Int64(bitPattern: bits())), .string(String(bits() % 1000))])
            let encoded = try! item.encoded()
            return .structure([.binary(encoded.metadata), .binary(encoded.value)])
        case .unknown: return .null
        }
    }

    mutating func rows(_ schema: Schema, count: Int) -> [[Value]] {
        var rows: [[Value]] = []
        for _ in 0..<count {
            var row: [Value] = []
            for field in schema.fields { row.append(value(field)) }
            rows.append(row)
        }
        return rows
    }
}

func batch(_ schema: Schema, _ rows: some Sequence<[Value]>) -> RecordBatch {
    let builder = BatchBuilder(schema)
    for row in rows {
        for (column, value) in zip(builder.columns, row) { column.append(value) }
    }
    return builder.finish()
}

func rows(_ batch: RecordBatch) -> [[Value]] {
    (0..<batch.rowCount).map { row in batch.columns.map { $0.value(at: row) } }
}

/// Every primitive type with the parameters that change its physical form.
let primitiveTypes: [DataType] = [
    .boolean, .int, .long, .float, .double, .decimal(precision: 9, scale: 2), .decimal(precision: 18, scale: 0),
    .decimal(precision: 19, scale: 4), .decimal(precision: 38, scale: 38), .date, .time, .timestamp, .timestamptz,
    .timestampNs, .timestamptzNs,
    .string, .uuid, .fixed(3), .fixed(40), .binary,
]

/// Puts a type into every position a schema has.
enum Shape: CaseIterable, Sendable {
    case optional, required, structure, requiredStructure, list, requiredList, map, listOfStructure, mapOfList
    case listOfList, structureOfListOfMap

    func schema(_ type: DataType) -> Schema {
        Schema(fields: [
            Field(id: 1, name: "first", required: true, type: .long),
            Field(
                id: 2, name: "it", required: self == .required || self == .requiredStructure || self == .requiredList,
                type: nested(type)),
            Field(id: 3, name: "last", required: false, type: .string),
        ])
    }

    private func nested(_ type: DataType) -> DataType {
        func structure(_ id: Int, _ a: DataType, _ b: DataType) -> DataType {
            .structure(
                StructType(fields: [
                    Field(id: id, name: "a", required: false, type: a),
                    Field(id: id + 1, name: "b", required: true, type: b),
                ]))
        }
        func list(_ id: Int, _ type: DataType, required: Bool = false) -> DataType {
            .list(ListType(elementId: id, element: type, elementRequired: required))
        }
        func map(_ id: Int, _ type: DataType) -> DataType {
            .map(MapType(keyId: id, key: .string, valueId: id + 1, value: type, valueRequired: false))
        }
        switch self {
        case .optional, .required: return type
        case .structure, .requiredStructure: return structure(10, type, type)
        case .list: return list(10, type)
        case .requiredList: return list(10, type, required: true)
        case .map: return map(10, type)
        case .listOfStructure: return list(10, structure(11, type, type))
        case .mapOfList: return map(10, list(12, type))
        case .listOfList: return list(10, list(11, type))
        case .structureOfListOfMap: return structure(10, list(12, map(13, type)), type)
        }
    }
}

import Base
import Columnar
import Testing

@testable import Parquet

/// Filtered reads against the evaluation of every row.
@Suite struct FilteredReadTests {
    private static let types: [DataType] = [
        .int, .long, .double, .float, .boolean, .string, .binary, .date, .timestamptz, .timestampNs, .uuid, .fixed(5),
        .decimal(precision: 7, scale: 2), .decimal(precision: 15, scale: 2), .decimal(precision: 25, scale: 2),
    ]

    /// A schema of flat columns, a struct of structs, and lists between them.
    private static func schema(_ generator: inout Generator) -> Schema {
        var id = 0
        func next() -> Int {
            id += 1
            return id
        }
        var fields: [Field] = []
        func leaf(_ name: String) -> Field {
            Field(
                id: next(), name: name, required: generator.below(3) == 0,
                type: types[generator.below(UInt64(types.count))])
        }
        func structure(_ name: String, _ inner: [Field]) -> Field {
            Field(
                id: next(), name: name, required: generator.below(2) == 0,
                type: .structure(StructType(fields: inner)))
        }
        func list(_ name: String, _ element: DataType) -> Field {
            Field(
                id: next(), name: name, required: generator.below(2) == 0,
                type: .list(ListType(elementId: next(), element: element, elementRequired: generator.below(2) == 0)))
        }
        fields.append(leaf("a"))
        fields.append(list("l", leaf("x").type))
        fields.append(structure("s", [leaf("b"), structure("t", [leaf("c"), list("m", .string)])]))
        fields.append(leaf("d"))
        fields.append(list("n", structure("u", [leaf("e"), list("o", .long)]).type))
        return Schema(fields: fields)
    }

    /// Of a small domain, so that equality hits and pages share values.
    private static func value(_ type: DataType, _ generator: inout Generator) -> Value {
        let small = generator.below(60)
        switch type {
        case .int: return .int(Int32(small) - 30)
        case .long: return .long(Int64(small) << 33)
        case .double:
            return .double(small == 0 ? .nan : small == 1 ? -0.0 : small == 2 ? 0 : Double(small) / 4 - 5)
        case .float: return .float(small == 0 ? .nan : Float(small) / 4 - 5)
        case .boolean: return .boolean(small > 50)
        case .string: return .string(small == 0 ? "" : String(repeating: "ab\u{e9}", count: small / 6) + "\(small)")
        case .binary: return .binary([UInt8](repeating: UInt8(small * 4), count: small % 3))
        case .date: return .date(Int32(small))
        case .timestamptz: return .timestamptz(Int64(small) * 1_000_003)
        case .timestampNs: return .timestampNs(Int64(small) * 1_000_003)
        case .uuid: return .uuid(UUID(high: UInt64(small) << 58, low: 7))
        case .fixed(let width): return .binary([UInt8](repeating: UInt8(small * 4), count: width))
        case .decimal(_, let scale): return .decimal(Int128(small) - 30, scale: scale)
        case .structure(let type): return .structure(type.fields.map { value($0, &generator) })
        case .list(let type):
            return .list((0..<generator.below(4)).map { _ in value(type.elementField, &generator) })
        default: preconditionFailure("not in the list of types")
        }
    }

    private static func value(_ field: Field, _ generator: inout Generator) -> Value {
        !field.required && generator.below(5) == 0 ? .null : value(field.type, &generator)
    }

    private static func predicate(_ fields: [Field], _ depth: Int, _ generator: inout Generator) -> Predicate {
        switch generator.below(depth > 0 ? 9 : 5) {
        case 5, 6: return .and(predicate(fields, depth - 1, &generator), predicate(fields, depth - 1, &generator))
        case 7: return .or(predicate(fields, depth - 1, &generator), predicate(fields, depth - 1, &generator))
        case 8: return .not(predicate(fields, depth - 1, &generator))
        default: break
        }
        let field = fields[generator.below(UInt64(fields.count))]
        switch generator.below(8) {
        case 0: return .isNull(fieldId: field.id)
        case 1: return .notNull(fieldId: field.id)
        case 2: return .isIn(fieldId: field.id, (0..<generator.below(4)).map { _ in value(field.type, &generator) })
        case 3 where field.type == .string:
            return .startsWith(fieldId: field.id, ["", "1", "ab", "ab\u{e9}"][generator.below(4)])
        default:
            let comparisons: [Predicate.Comparison] = [
                .equal, .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual,
            ]
            return .compare(
                fieldId: field.id, comparisons[generator.below(7)], value(field.type, &generator))
        }
    }

    /// The leaves outside lists.
    private static func flat(_ fields: [Field]) -> [Field] {
        fields.flatMap { field -> [Field] in
            if case .structure(let type) = field.type { return flat(type.fields) }
            return field.type.isPrimitive ? [field] : []
        }
    }

    /// NaN unlike itself would hide a row that is right.
    private static func text(_ rows: [[Value]]) -> [String] { rows.map { "\($0)" } }

    private func check(
        _ bytes: [UInt8], _ schema: Schema, _ rows: [[Value]], _ groupRows: Int, _ generator: inout Generator
    ) throws {
        let flat = Self.flat(schema.fields)
        let reader = try open(bytes)
        let predicate = Self.predicate(flat, 3, &generator)
        let projection = Schema(fields: schema.fields.filter { _ in generator.below(2) == 0 })
        let places = projection.fields.map { field in schema.fields.firstIndex { $0.id == field.id }! }
        for group in 0..<reader.rowGroupCount {
            let first = group * groupRows
            let expected = (0..<reader.rowCount(rowGroup: group)).filter { row in
                holds(predicate) { id in
                    let chain = schema.chain(to: id)!
                    let top = schema.fields.firstIndex { $0.id == chain[0].id }!
                    return find(chain, rows[first + row][top])
                } == true
            }
            let found = try reader.readRows(group, projection: projection, filter: predicate)
            let numbers = found.rows ?? (0..<Int32(reader.rowCount(rowGroup: group))).map { $0 }
            #expect(numbers.map { Int($0) } == expected, "\(predicate)")
            let values = valuesOf(found.batch)
            #expect(
                Self.text(values) == Self.text(expected.map { row in places.map { rows[first + row][$0] } }),
                "\(predicate)")
            if try !reader.mayMatch(rowGroup: group, filter: predicate) { #expect(expected.isEmpty, "\(predicate)") }
        }
    }

    @Test(arguments: [0, 1, 2, 3])
    func selectsWhatEveryRowSays(_ seed: UInt64) throws {
        for round in 0..<6 {
            var generator = Generator(seed: seed * 1000 + UInt64(round), nullPercent: 20, isRepetitive: false)
            let schema = Self.schema(&generator)
            let count = 60 + generator.below(120)
            var rows = (0..<count).map { _ in schema.fields.map { Self.value($0, &generator) } }
            if round % 3 > 0 { rows.sort { "\($0[0])" < "\($1[0])" } }
            var options = ParquetWriteOptions()
            options.codec = round % 2 == 0 ? .uncompressed : .zstd
            options.pageRowsMax = 1 + generator.below(30)
            options.rowGroupRowsMax = 40 + generator.below(80)
            options.dictionaryBytesMax = round % 4 == 0 ? 0 : 1 << 20
            let bytes = try write(schema, rows, options).bytes
            let variants = [
                bytes,
                try changing(bytes, schema, FooterChanges(dropsPageIndex: true)),
                try changing(bytes, schema, FooterChanges(addsBloomFilters: true)),
                try changing(
                    bytes, schema,
                    FooterChanges(dropsPageIndex: true, addsBloomFilters: true, dropsStatistics: true)),
            ]
            for _ in 0..<6 {
                for bytes in variants { try check(bytes, schema, rows, options.rowGroupRowsMax, &generator) }
            }
        }
    }
}

private func valuesOf(_ batch: RecordBatch) -> [[Value]] { rows(batch) }

import Base
import Columnar
import Testing

@Suite struct XXHash64Tests {
    /// Length, seed and hash of the bytes `(7 i + 3) mod 256`, from libxxhash 0.8.1.
    @Test(
        arguments: [
            (0, 0, 0xef46db3751d8e999),
            (0, 2654435761, 0xac75fda2929b17ef),
            (1, 0, 0x1f25c8d0bc1f4bb6),
            (1, 2654435761, 0x79cf94f5ace37fe1),
            (3, 0, 0x31d2363f52e564c9),
            (3, 2654435761, 0x96d2a5e583ddd738),
            (4, 0, 0x9bb64b7d66ee9fda),
            (4, 2654435761, 0x4a862fbb4b73776e),
            (7, 0, 0x9a7b149959ce60d8),
            (7, 2654435761, 0xddc5cf71d37a6368),
            (8, 0, 0xdab99d95c6f90092),
            (8, 2654435761, 0xc6e75e2cbd8e07ee),
            (12, 0, 0xd52e407833af5133),
            (12, 2654435761, 0x79b0b158fab0e5d6),
            (31, 0, 0xa2aa5f33cc4a6119),
            (31, 2654435761, 0x381822f33376d6b6),
            (32, 0, 0x23c3c17ef790fd97),
            (32, 2654435761, 0x9abd315470ac276a),
            (33, 0, 0x50a7cfc7ba588784),
            (33, 2654435761, 0x72cdd3262f467933),
            (63, 0, 0x5e3e54b431c7493c),
            (63, 2654435761, 0x634da7d265979e61),
            (100, 0, 0xa61f8d4c170fe531),
            (100, 2654435761, 0x86f549ede5ac87e2),
            (1000, 0, 0x5f235fa033f1a3fb),
            (1000, 2654435761, 0x83080310ee83cc20),
        ] as [(Int, UInt64, UInt64)])
    func agreesWithTheReference(_ vector: (count: Int, seed: UInt64, hash: UInt64)) {
        let bytes = (0..<vector.count).map { UInt8(($0 * 7 + 3) % 256) }
        #expect(XXHash64.hash(bytes, seed: vector.seed) == vector.hash)
    }
}

@Suite struct RowHashTests {
    private static let schema = Schema(fields: [
        Field(id: 1, name: "id", required: true, type: .long),
        Field(id: 2, name: "name", required: false, type: .string),
        Field(id: 3, name: "price", required: false, type: .decimal(precision: 20, scale: 2)),
        Field(id: 4, name: "ratio", required: false, type: .double),
        Field(
            id: 5, name: "device", required: false,
            type: .structure(
                StructType(fields: [
                    Field(id: 6, name: "os", required: false, type: .string),
                    Field(id: 7, name: "version", required: false, type: .int),
                ]))),
        Field(
            id: 8, name: "tags", required: false,
            type: .list(ListType(elementId: 9, element: .string, elementRequired: false))),
        Field(
            id: 10, name: "counts", required: false,
            type: .map(MapType(keyId: 11, key: .string, valueId: 12, value: .long, valueRequired: false))),
        Field(id: 13, name: "token", required: false, type: .uuid),
        Field(id: 14, name: "ok", required: false, type: .boolean),
    ])

    private static func row(_ n: Int) -> [Value] {
        [
            .long(Int64(n)),
            n % 5 == 0 ? .null : .string("name-\(n % 17)"),
            n % 7 == 0 ? .null : .decimal(Int128(n) * 100_000_000_000_000 - 5, scale: 2),
            n % 3 == 0 ? .null : .double(Double(n) / 8),
            n % 4 == 0 ? .null : .structure([n % 8 == 1 ? .null : .string("linux"), .int(Int32(n % 3))]),
            n % 6 == 0 ? .null : .list((0..<n % 4).map { $0 == 2 ? .null : .string("t\($0 + n)") }),
            n % 9 == 0
                ? .null
                : .map((0..<n % 3).map { .init(key: .string("k\($0)"), value: $0 == 1 ? .null : .long(Int64(n))) }),
            .uuid(UUID(high: UInt64(n), low: 7)),
            n % 2 == 0 ? .null : .boolean(n % 4 == 1),
        ]
    }

    private static func batch(_ rows: [[Value]], schema: Schema = RowHashTests.schema) -> RecordBatch {
        let builder = BatchBuilder(schema)
        for row in rows {
            for (column, value) in zip(builder.columns, row) { column.append(value) }
        }
        return builder.finish()
    }

    private static func hash(_ rows: [[Value]]) -> RowHash { RowHash(batch(rows)) }

    private static func hash(_ type: DataType, _ values: [Value]) -> RowHash {
        let schema = Schema(fields: [Field(id: 1, name: "v", required: false, type: type)])
        return RowHash(batch(values.map { [$0] }, schema: schema))
    }

    @Test func orderAndBatchBordersDoNotMatter() {
        let rows = (0..<3000).map(Self.row)
        let whole = Self.hash(rows)
        #expect(whole.rowCount == 3000)
        #expect(Self.hash(rows.reversed()) == whole)
        var shuffled = rows
        for index in shuffled.indices { shuffled.swapAt(index, (index * 7919 + 13) % shuffled.count) }
        for size in [1, 7, 1000, 1024, 1025, 2999] {
            var parts = RowHash()
            for start in stride(from: 0, to: rows.count, by: size) {
                parts.add(Self.batch(Array(shuffled[start..<min(start + size, rows.count)])))
            }
            #expect(parts == whole, "batches of \(size) rows")
        }
        #expect(Self.hash(Array(rows[..<100])) + Self.hash(Array(rows[100...])) == whole)
    }

    @Test func everyChangeOfOneValueShows() {
        let rows = (0..<64).map(Self.row)
        let whole = Self.hash(rows)
        var seen: Set<RowHash> = [whole]
        for column in Self.schema.fields.indices {
            for row in [1, 10, 35, 63] {
                var changed = rows
                let other = Self.row(row + 1001)[column]
                changed[row][column] = other == rows[row][column] ? Self.row(row + 1000)[column] : other
                if changed[row][column] == rows[row][column] { changed[row][column] = .null }
                guard changed[row] != rows[row] else { continue }
                #expect(seen.insert(Self.hash(changed)).inserted, "column \(column), row \(row)")
            }
        }
        #expect(seen.count > 30)
    }

    @Test func droppedDoubledAndSwappedValuesShow() {
        let rows = (0..<50).map(Self.row)
        let whole = Self.hash(rows)
        #expect(Self.hash(Array(rows.dropLast())) != whole)
        #expect(Self.hash(rows + [rows[3]]) != whole)
        // One row replaced by a copy of another: the count stays.
        var doubled = rows
        doubled[9] = rows[3]
        #expect(Self.hash(doubled) != whole)
        // Values that change places between rows: every column keeps its own multiset.
        var crossed = rows
        crossed[1][1] = rows[2][1]
        crossed[2][1] = rows[1][1]
        #expect(Self.hash(crossed) != whole)
    }

    @Test func nullIsNoValue() {
        let pairs: [(DataType, Value)] = [
            (.int, .int(0)), (.long, .long(0)), (.boolean, .boolean(false)), (.string, .string("")),
            (.double, .double(0)), (.float, .float(0)), (.decimal(precision: 9, scale: 0), .decimal(0, scale: 0)),
            (.binary, .binary([])), (.uuid, .uuid(UUID(high: 0, low: 0))), (.fixed(3), .binary([0, 0, 0])),
            (.date, .date(0)), (.list(ListType(elementId: 2, element: .int, elementRequired: false)), .list([])),
            (
                .map(MapType(keyId: 2, key: .int, valueId: 3, value: .int, valueRequired: false)), .map([])
            ),
            (
                .structure(StructType(fields: [Field(id: 2, name: "a", required: false, type: .int)])),
                .structure([.null])
            ),
        ]
        for (type, value) in pairs {
            #expect(Self.hash(type, [value]) != Self.hash(type, [.null]), "\(type)")
        }
        let list = DataType.list(ListType(elementId: 2, element: .int, elementRequired: false))
        #expect(Self.hash(list, [.list([])]) != Self.hash(list, [.list([.null])]))
        #expect(Self.hash(list, [.list([.int(1)]), .list([])]) != Self.hash(list, [.list([]), .list([.int(2)])]))
        #expect(Self.hash(list, [.list([.int(1), .int(2)])]) != Self.hash(list, [.list([.int(2), .int(1)])]))
        #expect(
            Self.hash(list, [.list([.int(1), .int(2)]), .list([.int(3)])])
                != Self.hash(list, [.list([.int(1)]), .list([.int(2), .int(3)])]))
    }

    @Test func valuesAreIcebergValues() {
        let signalling = Double(bitPattern: 0xFFF0_0000_0000_0001)
        #expect(Self.hash(.double, [.double(signalling)]) == Self.hash(.double, [.double(.nan)]))
        #expect(Self.hash(.float, [.float(-.nan)]) == Self.hash(.double, [.double(.nan)]))
        #expect(Self.hash(.double, [.double(-0.0)]) != Self.hash(.double, [.double(0)]))
        #expect(Self.hash(.int, [.int(-7)]) == Self.hash(.long, [.long(-7)]))
        #expect(Self.hash(.float, [.float(0.1)]) == Self.hash(.double, [.double(Double(Float(0.1)))]))
        let map = DataType.map(MapType(keyId: 2, key: .string, valueId: 3, value: .int, valueRequired: false))
        let a = Value.MapEntry(key: .string("a"), value: .int(1))
        let b = Value.MapEntry(key: .string("b"), value: .int(2))
        #expect(Self.hash(map, [.map([a, b])]) != Self.hash(map, [.map([b, a])]))
        let crossed = Value.MapEntry(key: .string("a"), value: .int(2))
        let other = Value.MapEntry(key: .string("b"), value: .int(1))
        #expect(Self.hash(map, [.map([a, b])]) != Self.hash(map, [.map([crossed, other])]))
        let wide = DataType.decimal(precision: 38, scale: 0)
        #expect(
            Self.hash(wide, [.decimal(Int128(1) << 64, scale: 0)]) != Self.hash(wide, [.decimal(1, scale: 0)]))
    }

    /// A column that the schema got later is null in older files, and takes nothing and adds nothing there.
    @Test func columnsAddedLaterAndTheirOrderDoNotCount() {
        let rows = (0..<40).map(Self.row)
        var wider = Self.schema
        wider.fields.insert(Field(id: 20, name: "more", required: false, type: .string), at: 3)
        let nulls = rows.map { row in Array(row[..<3]) + [.null] + Array(row[3...]) }
        #expect(RowHash(Self.batch(nulls, schema: wider)) == Self.hash(rows))
        var turned = Self.schema
        turned.fields.reverse()
        #expect(RowHash(Self.batch(rows.map { $0.reversed() }, schema: turned)) == Self.hash(rows))
        // The same values in another column are other rows.
        var renumbered = Self.schema
        renumbered.fields[1].id = 21
        #expect(RowHash(Self.batch(rows, schema: renumbered)) != Self.hash(rows))
    }

    @Test func theTextComesBack() {
        let hash = Self.hash((0..<9).map(Self.row))
        #expect(RowHash(hash.description, rowCount: 9) == hash)
        #expect(RowHash(hash.description, rowCount: 8) != hash)
        for text in ["", "00", hash.description + "0", hash.description.uppercased() + "g"] {
            #expect(RowHash(text, rowCount: 9) == nil)
        }
    }

    /// What lies in the slot of a null is not part of the row.
    @Test func slotsOfNullsDoNotCount() {
        func column(_ slot: Int64) -> RecordBatch {
            let column = Column(
                type: .long, rowCount: 2, validity: Buffer([1, 0]), nullCount: 1,
                storage: .int64(Buffer([5, slot])))
            let schema = Schema(fields: [Field(id: 1, name: "v", required: false, type: .long)])
            return RecordBatch(schema: schema, columns: [column], rowCount: 2)
        }
        #expect(RowHash(column(0)) == RowHash(column(99)))
    }
}

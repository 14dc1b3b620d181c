import Base
import Columnar
import TestSupport
import Testing

/// The Variant encoding against vectors worked out from the specification, and against bytes that are none.
@Suite struct VariantTests {
    private static func text(_ metadata: [UInt8], _ value: [UInt8]) throws -> String {
        var out: [UInt8] = []
        try metadata.withUnsafeBufferPointer { metadata in
            try value.withUnsafeBufferPointer { try VariantText.append(metadata: metadata, value: $0, into: &out) }
        }
        return String(decoding: out, as: UTF8.self)
    }

    @Test func primitivesAreTheBytesOfTheSpecification() throws {
        let vectors: [(VariantItem, [UInt8])] = [
            (.null, [0x00]), (.boolean(true), [0x04]), (.boolean(false), [0x08]), (.integer(-2), [0x0c, 0xfe]),
            (.integer(0x1234), [0x10, 0x34, 0x12]), (.integer(-70_000), [0x14, 0x90, 0xee, 0xfe, 0xff]),
            (.integer(1 << 40), [0x18, 0, 0, 0, 0, 0, 1, 0, 0]), (.double(1.5), [0x1c, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f]),
            (.decimal(1234, scale: 2), [0x20, 2, 0xd2, 4, 0, 0]),
            (.decimal(-1, scale: 18), [0x24, 18] + [UInt8](repeating: 0xff, count: 8)),
            (.decimal(1 << 64, scale: 0), [0x28, 0] + [UInt8](repeating: 0, count: 8) + [1, 0, 0, 0, 0, 0, 0, 0]),
            (.date(1), [0x2c, 1, 0, 0, 0]), (.timestamptz(1), [0x30, 1, 0, 0, 0, 0, 0, 0, 0]),
            (.timestamp(1), [0x34, 1, 0, 0, 0, 0, 0, 0, 0]), (.float(1), [0x38, 0, 0, 0x80, 0x3f]),
            (.binary([7]), [0x3c, 1, 0, 0, 0, 7]), (.string("ab"), [0x09, 0x61, 0x62]),
            (.string(String(repeating: "x", count: 64)), [0x40, 64, 0, 0, 0] + [UInt8](repeating: 0x78, count: 64)),
            (.time(1), [0x44, 1, 0, 0, 0, 0, 0, 0, 0]), (.timestamptzNs(1), [0x48, 1, 0, 0, 0, 0, 0, 0, 0]),
            (.timestampNs(1), [0x4c, 1, 0, 0, 0, 0, 0, 0, 0]),
            (
                .uuid(UUID("00112233-4455-6677-8899-aabbccddeeff")!),
                [0x50, 0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff]
            ),
        ]
        for (item, bytes) in vectors {
            let encoded = try item.encoded()
            #expect(encoded.metadata == [0x11, 0, 0] && encoded.value == bytes, "\(item)")
            #expect(try VariantItem(metadata: encoded.metadata, value: bytes) == item)
        }
    }

    @Test func objectsAndArrays() throws {
        let item = VariantItem.object([
            .init("b", .array([.integer(1), .null])), .init("a", .string("x")),
            .init("c", .object([.init("a", .null)])),
        ])
        let encoded = try item.encoded()
        #expect(encoded.metadata == [0x11, 3, 0, 1, 2, 3, 0x61, 0x62, 0x63])
        #expect(
            encoded.value == [
                0x02, 3, 0, 1, 2, 0, 2, 10, 16, 0x05, 0x78, 0x03, 2, 0, 2, 3, 0x0c, 1, 0x00, 0x02, 1, 0, 0, 1, 0x00,
            ])
        #expect(try Self.text(encoded.metadata, encoded.value) == #"{"a":"x","b":[1,null],"c":{"a":null}}"#)
    }

    @Test func manyAndLongPartsTakeWiderNumbers() throws {
        let members = (0..<300).map { VariantItem.Member("key \($0)", .string(String(repeating: "v", count: $0))) }
        let item = VariantItem.array([.object(members), .array((0..<300).map { .integer(Int64($0)) })])
        let encoded = try item.encoded()
        let back = try VariantItem(metadata: encoded.metadata, value: encoded.value)
        guard case .array(let parts) = back, case .object(let found) = parts[0] else {
            Issue.record("no array of an object")
            return
        }
        #expect(Set(found) == Set(members) && parts[1] == .array((0..<300).map { .integer(Int64($0)) }))
    }

    @Test func whatJSONLacksIsText() throws {
        for (item, text) in [
            (VariantItem.double(.nan), #""NaN""#), (.float(-.infinity), #""-Infinity""#), (.double(1e300), "1e+300"),
            (.decimal(-5, scale: 3), "-0.005"), (.binary([1, 2, 3, 4]), #""AQIDBA==""#),
            (.timestamptzNs(-1), #""1969-12-31T23:59:59.999999999Z""#), (.time(0), #""00:00:00""#),
            (.string("\u{1}\"é"), #""\u0001\"é""#),
        ] {
            let encoded = try item.encoded()
            #expect(try Self.text(encoded.metadata, encoded.value) == text)
        }
    }

    @Test func malformedBytesAreRefused() {
        let empty: [UInt8] = [0x11, 0, 0]
        let one: [UInt8] = [0x11, 1, 0, 1, 0x61]
        let bad: [([UInt8], [UInt8])] = [
            ([], [0]), ([0x12, 0, 0], [0]), ([0x11], [0]), ([0x11, 200, 0], [0]), (empty, []), (empty, [0x54]),
            (empty, [0x0c]), (empty, [0x09, 0x61]), (empty, [0x05, 0xff]), (empty, [0x20, 39, 0, 0, 0, 0]),
            (empty, [0x02, 1, 0, 0, 1, 0]), (one, [0x02, 1, 1, 0, 1, 0]), (one, [0x02, 1, 0, 9, 1, 0]),
            (empty, [0x03, 255, 0]), (empty, [0x44] + [UInt8](repeating: 0xff, count: 8)),
            ([0x11, 1, 0, 1, 0xff], [0x02, 1, 0, 0, 1, 0]), ([0x11, 1, 2, 1, 0x61], [0x02, 1, 0, 0, 1, 0]),
        ]
        for (metadata, value) in bad {
            #expect(throws: FirnError.self, "\(metadata) \(value)") {
                try VariantItem(metadata: metadata, value: value)
            }
        }
    }

    /// Elements that share their bytes could unfold a few hundred bytes into more values than there are atoms.
    @Test func overlappingElementsAreBounded() {
        var value: [UInt8] = [0]
        for _ in 0..<100 {
            value = [0x03 | 1 << 2, 2, 0, 0, 0, 0, UInt8(value.count & 0xff), UInt8(value.count >> 8)] + value
        }
        #expect(throws: FirnError.self) { try VariantItem(metadata: [0x11, 0, 0], value: value) }
        var deep: [UInt8] = [0]
        for _ in 0..<200 { deep = [0x03 | 1 << 2, 1, 0, 0, UInt8(deep.count & 0xff), UInt8(deep.count >> 8)] + deep }
        #expect(throws: FirnError.self) { try VariantItem(metadata: [0x11, 0, 0], value: deep) }
    }

    /// Whatever one byte becomes, reading ends, in a value or an error.
    @Test func changedBytesNeverHurt() throws {
        let item = VariantItem.object([
            .init("a", .array([.integer(1), .string("text"), .decimal(12345, scale: 2)])),
            .init("bc", .object([.init("a", .uuid(UUID(high: 1, low: 2))), .init("d", .timestamp(5))])),
        ])
        let encoded = try item.encoded()
        let random = SeededRandom(seed: 7)
        var refused = 0
        for _ in 0..<20_000 {
            var (metadata, value) = (encoded.metadata, encoded.value)
            let place = Int(random.next() % UInt64(metadata.count + value.count))
            let byte = UInt8(truncatingIfNeeded: random.next())
            if place < metadata.count { metadata[place] = byte } else { value[place - metadata.count] = byte }
            if (try? VariantItem(metadata: metadata, value: value)) == nil { refused += 1 }
        }
        #expect(refused > 1000 && refused < 20_000)
    }

    @Test func columnsOfVariantsBehaveAsOthers() throws {
        let items: [VariantItem?] = [.integer(1), nil, .object([.init("k", .string("v"))]), .null]
        let builder = ColumnBuilder(.variant)
        for item in items { if let item { builder.append(try item.encoded()) } else { builder.appendNull() } }
        let column = builder.finish()
        let texts = ["1", "null", #"{"k":"v"}"#, "null"]
        func text(_ column: Column, _ row: Int) -> String {
            var out: [UInt8] = []
            column.appendJSON(row: row, into: &out)
            return String(decoding: out, as: UTF8.self)
        }
        for row in 0..<4 { #expect(text(column, row) == texts[row]) }
        let taken = column.taking([2, 0, 1])
        #expect((0..<3).map { text(taken, $0) } == [texts[2], texts[0], texts[1]] && taken.nullCount == 1)
        let joined = Column.joining([column, taken])
        #expect(joined.rowCount == 7 && text(joined, 4) == texts[2] && joined.isNull(6))
        let schema = Schema(fields: [Field(id: 1, name: "v", required: false, type: .variant)])
        let a = RowHash(RecordBatch(schema: schema, columns: [column], rowCount: 4))
        let b = RowHash(RecordBatch(schema: schema, columns: [column.taking([3, 2, 1, 0])], rowCount: 4))
        let c = RowHash(RecordBatch(schema: schema, columns: [column.taking([3, 2, 1, 1])], rowCount: 4))
        #expect(a == b && a != c)
    }
}

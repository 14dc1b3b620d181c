import Base
import Columnar
import Testing

@testable import Arrow

@Suite struct ReaderTests {
    private func rows(_ body: [UInt8], columns: [Int]? = nil) throws -> [String] {
        try body.withUnsafeBytes { bytes in
            var reader = try ArrowReader(bytes, bytesMax: 1 << 24)
            let columns = columns ?? Array(reader.schema.fields.indices)
            var rows: [String] = []
            while let batch = try reader.next(columns: columns) {
                for row in 0..<batch.rowCount {
                    var text: [UInt8] = []
                    batch.appendJSON(row: row, into: &text)
                    rows.append(String(decoding: text, as: UTF8.self))
                }
            }
            return rows
        }
    }

    private static let first = #"""
        {"b":true,"i8":1,"u8":1,"i16":1,"u16":1,"i32":1,"u32":1,"i64":1,"u64":"1","f16":1.5,"f32":0.1,"f64":0.1,\#
        "s":"é","ls":"é","sv":"é","bin":"0001","lb":"0001","bv":"0001","fx":"616263","dec":"1.23","d32":"1.23",\#
        "d":"2024-02-29","d64":"2024-02-29","ts":"1970-01-01T00:00:01","tms":"1970-01-01T00:00:00.001000",\#
        "tus":"1970-01-01T00:00:00.000001Z","tns":"1970-01-01T00:00:00.000001000Z","t32s":"00:00:01",\#
        "t32":"00:00:00.001000","t64":"00:00:00.000001","t64n":"00:00:00.000001","l":[1,null,3],"ll":["a"],\#
        "fl":[1,2],"st":{"x":1,"y":{"z":"q"}},"m":{"a":1,"b":null},"dict":"x","nul":null,"lst":[{"a":1,"b":["x"]}]}
        """#

    private static let last = #"""
        {"b":false,"i8":-128,"u8":255,"i16":-32768,"u16":65535,"i32":-2147483648,"u32":4294967295,\#
        "i64":-9223372036854775808,"u64":"18446744073709551615","f16":"Infinity","f32":"NaN","f64":1e+300,"s":"",\#
        "ls":"","sv":"a long string beyond twelve","bin":"","lb":"",\#
        "bv":"787878787878787878787878787878787878787878787878787878787878","fx":"646566","dec":"-99999.99",\#
        "d32":"-9.99","d":"1900-01-01","d64":"1900-01-01","ts":"1970-01-01T00:00:03",\#
        "tms":"1970-01-01T00:00:00.003000","tus":"1969-12-31T23:59:59.999997Z",\#
        "tns":"1970-01-01T00:00:00.000003000Z","t32s":"00:00:03","t32":"00:00:00.003000","t64":"00:00:00.000003",\#
        "t64n":"00:00:00.000003","l":[],"ll":["b","c"],"fl":[3,4],"st":{"x":null,"y":null},"m":{},"dict":"y",\#
        "nul":null,"lst":[{"a":null,"b":null},null]}
        """#

    @Test func readsEveryType() throws {
        let rows = try rows(ArrowBodies.everyType)
        #expect(rows.count == 5)
        #expect(rows[0] == Self.first)
        #expect(rows[2] == Self.last)
        let names = try ArrowBodies.everyType.withUnsafeBytes { try ArrowReader($0, bytesMax: 1 << 24).schema.fields }
        #expect(rows[1] == "{" + names.map { "\"\($0.name)\":null" }.joined(separator: ",") + "}")
        #expect(Array(rows[3...]) == [rows[1], rows[2]])
    }

    @Test func namesTypesAndNulls() throws {
        try ArrowBodies.everyType.withUnsafeBytes { bytes in
            let reader = try ArrowReader(bytes, bytesMax: 1 << 24)
            let types = Dictionary(uniqueKeysWithValues: reader.schema.fields.map { ($0.name, $0.type) })
            #expect(types["u32"] == .long && types["u64"] == .decimal(precision: 20, scale: 0))
            #expect(types["tns"] == .timestamptzNs && types["ts"] == .timestamp && types["d64"] == .date)
            #expect(types["fx"] == .fixed(3) && types["dict"] == .string && types["f16"] == .float)
            #expect(reader.nullFieldIds == [reader.schema.field(named: "nul")!.id])
            #expect(Set(reader.schema.allFields.map(\.field.id)).count == reader.schema.allFields.count)
        }
    }

    @Test(arguments: [true, false])
    func unpacks(isLZ4: Bool) throws {
        let rows = try rows(isLZ4 ? ArrowBodies.lz4 : ArrowBodies.zstd)
        #expect(rows[0] == #"{"i64":1,"s":"é","l":[1,null,3],"dict":"x"}"#)
        #expect(rows[2] == #"{"i64":-9223372036854775808,"s":"","l":[],"dict":"y"}"#)
        #expect(rows.count == 5)
    }

    @Test func readsFilesAndSomeColumns() throws {
        #expect(try rows(ArrowBodies.file, columns: [3]) == [#"{"dict":"x"}"#, #"{"dict":null}"#, #"{"dict":"y"}"#])
        let last = try rows(ArrowBodies.everyType, columns: [38, 2])
        #expect(last[0] == #"{"lst":[{"a":1,"b":["x"]}],"u8":1}"#)
    }

    @Test func growsAndReplacesDictionaries() throws {
        let values = ["\"a\"", "\"b\"", "\"c\"", "null", "\"a\"", "\"z\"", "\"y\""]
        #expect(try rows(ArrowBodies.deltas) == values.map { "{\"d\":\($0)}" })
    }

    /// What Arrow leaves open beneath a null is nothing in a column.
    @Test func clearsWhatIsBeneathNulls() throws {
        try ArrowBodies.beneathNulls.withUnsafeBytes { bytes in
            var reader = try ArrowReader(bytes, bytesMax: 1 << 20)
            let batch = try #require(try reader.next(columns: [0, 1, 2, 3]))
            var text: [UInt8] = []
            batch.appendJSON(row: 2, into: &text)
            #expect(String(decoding: text, as: UTF8.self) == #"{"i":9,"s":"z","l":[4],"o":{"a":3}}"#)
            guard case .int32(let slots) = batch.columns[0].storage,
                case .bytes(let ends, let bytes) = batch.columns[1].storage,
                case .list(let items, let element) = batch.columns[2].storage,
                case .structure(let members) = batch.columns[3].storage
            else { return #expect(Bool(false), "other storage") }
            #expect(slots.array == [7, 0, 9])
            #expect(ends.array == [0, 1, 1, 2] && bytes.array == Array("xz".utf8))
            #expect(items.array == [0, 1, 1, 2] && element[0].rowCount == 2)
            #expect(members[0].isNull(1))
        }
    }

    @Test func refusesWhatItIsNot() throws {
        for bytes in [[], [1, 2, 3], Array("ARROW1\0\0".utf8), Array(repeating: 0xff, count: 64)] as [[UInt8]] {
            let error = #expect(throws: FirnError.self) { try rows(bytes) }
            #expect(error?.code == "malformed_arrow")
        }
    }

    /// A batch must not unfold past its bound.
    @Test func boundsMemory() throws {
        try ArrowBodies.beneathNulls.withUnsafeBytes { bytes in
            var reader = try ArrowReader(bytes, bytesMax: 40)
            let error = #expect(throws: FirnError.self) { _ = try reader.next(columns: [0, 1, 2, 3]) }
            #expect(error?.code == "batch_too_large")
        }
    }
}

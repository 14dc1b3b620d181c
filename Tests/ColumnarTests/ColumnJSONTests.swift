import Base
import Columnar
import Testing

@Suite struct ColumnJSONTests {
    private func json(_ type: DataType, _ value: Value) -> String {
        let builder = ColumnBuilder(type)
        builder.append(value)
        var out: [UInt8] = []
        builder.finish().appendJSON(row: 0, into: &out)
        return String(decoding: out, as: UTF8.self)
    }

    @Test func primitivesHaveTheirForm() {
        #expect(json(.boolean, .boolean(true)) == "true")
        #expect(json(.int, .int(-5)) == "-5")
        #expect(json(.long, .long(.max)) == "9223372036854775807")
        #expect(json(.double, .double(0.1)) == "0.1")
        #expect(json(.float, .float(0.1)) == "0.1")
        #expect(json(.double, .double(1e300)) == "1e+300")
        #expect(json(.double, .double(.nan)) == "\"NaN\"")
        #expect(json(.float, .float(-.infinity)) == "\"-Infinity\"")
        #expect(json(.decimal(precision: 9, scale: 2), .decimal(-5, scale: 2)) == "\"-0.05\"")
        #expect(json(.decimal(precision: 9, scale: 0), .decimal(120, scale: 0)) == "\"120\"")
        #expect(
            json(.decimal(precision: 38, scale: 38), .decimal(1, scale: 38))
                == "\"0.\(String(repeating: "0", count: 37))1\"")
        #expect(json(.date, .date(15706)) == "\"2013-01-01\"")
        #expect(json(.time, .time(3_600_000_001)) == "\"01:00:00.000001\"")
        #expect(json(.timestamp, .timestamp(-1)) == "\"1969-12-31T23:59:59.999999\"")
        #expect(json(.timestamptz, .timestamptz(1_357_034_400_000_000)) == "\"2013-01-01T10:00:00Z\"")
        #expect(json(.timestampNs, .timestampNs(-1)) == "\"1969-12-31T23:59:59.999999999\"")
        #expect(json(.timestamptzNs, .timestamptzNs(1_357_034_400_000_000_000)) == "\"2013-01-01T10:00:00Z\"")
        #expect(json(.string, .string("a\"\\\n\u{1}ö")) == #""a\"\\\n\u0001ö""#)
        #expect(json(.binary, .binary([0, 255])) == "\"00ff\"")
        #expect(json(.fixed(2), .binary([16, 1])) == "\"1001\"")
        #expect(json(.uuid, .uuid(UUID(high: 0, low: 1))) == "\"00000000-0000-0000-0000-000000000001\"")
        #expect(json(.string, .null) == "null")
    }

    @Test func nestedValuesAreObjectsAndArrays() {
        let list = DataType.list(ListType(elementId: 1, element: .int, elementRequired: false))
        #expect(json(list, .list([.int(1), .null])) == "[1,null]")
        #expect(json(list, .list([])) == "[]")
        let record = DataType.structure(
            StructType(fields: [
                Field(id: 1, name: "a b", required: false, type: .int),
                Field(id: 2, name: "l", required: false, type: list),
            ]))
        #expect(json(record, .structure([.null, .list([.int(2)])])) == #"{"a b":null,"l":[2]}"#)
        func map(_ key: DataType) -> DataType {
            .map(MapType(keyId: 1, key: key, valueId: 2, value: .boolean, valueRequired: false))
        }
        #expect(
            json(map(.string), .map([.init(key: .string("k"), value: .boolean(true))])) == #"{"k":true}"#)
        #expect(
            json(map(.int), .map([.init(key: .int(7), value: .null)])) == #"[{"key":7,"value":null}]"#)
    }

    @Test func aRowIsAnObject() {
        let builder = BatchBuilder(
            Schema(fields: [
                Field(id: 1, name: "x", required: false, type: .long),
                Field(id: 2, name: "y", required: false, type: .string),
            ]))
        for (x, y) in [(Value.long(1), Value.null), (.null, .string("b"))] {
            builder.columns[0].append(x)
            builder.columns[1].append(y)
        }
        let batch = builder.finish()
        var out: [UInt8] = []
        batch.appendJSON(row: 1, into: &out)
        #expect(String(decoding: out, as: UTF8.self) == #"{"x":null,"y":"b"}"#)
    }
}

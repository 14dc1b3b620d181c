import Base
import Columnar
import Testing

/// Default values in schema JSON: https://iceberg.apache.org/spec/#json-single-value-serialization
@Suite struct DefaultValueTests {
    /// Type, default as JSON, value. The texts are those of the specification's table.
    private static let vectors: [(String, String, Value)] = [
        ("boolean", "true", .boolean(true)), ("int", "34", .int(34)), ("long", "-34", .long(-34)),
        ("float", "1.5", .float(1.5)), ("double", "0.1", .double(0.1)),
        ("decimal(4, 2)", #""14.20""#, .decimal(1420, scale: 2)),
        ("decimal(9, 0)", #""-420""#, .decimal(-420, scale: 0)),
        ("date", #""2017-11-16""#, .date(17486)), ("time", #""22:31:08.123456""#, .time(81_068_123_456)),
        ("timestamp", #""2017-11-16T22:31:08.123456""#, .timestamp(1_510_871_468_123_456)),
        ("timestamptz", #""2017-11-16T22:31:08.123456+00:00""#, .timestamptz(1_510_871_468_123_456)),
        ("timestamp_ns", #""2017-11-16T22:31:08.123456789""#, .timestampNs(1_510_871_468_123_456_789)),
        ("timestamptz_ns", #""2017-11-16T22:31:08.123456789+00:00""#, .timestamptzNs(1_510_871_468_123_456_789)),
        ("string", #""iceberg""#, .string("iceberg")),
        (
            "uuid", #""f79c3e09-677c-4bbd-a479-3f349cb785e7""#,
            .uuid(UUID("f79c3e09-677c-4bbd-a479-3f349cb785e7")!)
        ),
        ("fixed[4]", #""000102ff""#, .binary([0, 1, 2, 255])), ("binary", #""000102ff""#, .binary([0, 1, 2, 255])),
    ]

    private static func schema(_ type: String, _ initial: String, _ write: String = "null") throws -> Schema {
        let text = """
            {"type":"struct","schema-id":0,"fields":[{"id":1,"name":"v","required":false,"type":\(type),\
            "initial-default":\(initial),"write-default":\(write)}]}
            """
        return try Schema(json: JSONValue(parsing: text, source: "test"), source: "test")
    }

    @Test func primitiveDefaultsGoBothWays() throws {
        for (type, json, value) in Self.vectors {
            let schema = try Self.schema("\"\(type)\"", json, json)
            #expect(schema.fields[0].initialDefault == value && schema.fields[0].writeDefault == value, "\(type)")
            let back = try #require(schema.json["fields"]?.arrayValue?[0])
            #expect(back["initial-default"] == (try JSONValue(parsing: json, source: "")), "\(type)")
            #expect(back["write-default"] == (try JSONValue(parsing: json, source: "")), "\(type)")
            #expect(try Schema(json: schema.json, source: "back") == schema)
        }
    }

    @Test func aMissingDefaultIsNotWritten() throws {
        let schema = try Self.schema("\"int\"", "null")
        #expect(schema.fields[0].initialDefault == nil && schema.fields[0].writeDefault == nil)
        #expect(!schema.json.text.contains("default"))
    }

    @Test func nestedDefaults() throws {
        let list = #"{"type":"list","element-id":2,"element":"int","element-required":true}"#
        #expect(try Self.schema(list, "[1,2,3]").fields[0].initialDefault == .list([.int(1), .int(2), .int(3)]))
        let map = """
            {"type":"map","key-id":2,"key":"string","value-id":3,"value":"int","value-required":false}
            """
        let entries: [Value.MapEntry] = [
            .init(key: .string("a"), value: .int(1)), .init(key: .string("b"), value: .null),
        ]
        let schema = try Self.schema(map, #"{"keys":["a","b"],"values":[1,null]}"#)
        #expect(schema.fields[0].initialDefault == .map(entries))
        #expect(try Schema(json: schema.json, source: "back") == schema)
        let structure = """
            {"type":"struct","fields":[{"id":2,"name":"a","required":false,"type":"int","initial-default":7},\
            {"id":3,"name":"b","required":false,"type":"string"}]}
            """
        let nested = try Self.schema(structure, "{}")
        #expect(nested.fields[0].initialDefault == .structure([]))
        #expect(try Schema(json: nested.json, source: "back") == nested)
        // Filled in, the fields have their own defaults.
        let builder = ColumnBuilder(nested.fields[0].type)
        builder.append(.structure([]))
        #expect(builder.finish().value(at: 0) == .structure([.int(7), .null]))
    }

    @Test func valuesOfAnotherTypeAreRefused() {
        let bad: [(String, String)] = [
            ("int", "2147483648"), ("int", "1.5"), ("int", #""1""#), ("boolean", "1"), ("float", "1e300"),
            ("decimal(4, 2)", "14.2"), ("decimal(4, 2)", #""14.2""#), ("decimal(4, 2)", #""114.20""#),
            ("date", #""2017-11-31""#), ("timestamp", #""2017-11-16T22:31:08+00:00""#),
            ("timestamp", #""2017-11-16T22:31:08.1234567""#), ("uuid", #""f79c3e09""#), ("fixed[4]", #""0001""#),
            ("binary", #""0g""#), ("variant", "1"), ("unknown", "1"), ("string", "1"),
            ("string", "\"" + String(repeating: "x", count: Limits.defaultBytesMax) + "\""),
        ]
        for (type, json) in bad {
            #expect(throws: FirnError.self, "\(type) \(json.prefix(40))") { try Self.schema("\"\(type)\"", json) }
        }
        let structure = #"{"type":"struct","fields":[{"id":2,"name":"a","required":false,"type":"int"}]}"#
        #expect(throws: FirnError.self) { try Self.schema(structure, #"{"2":1}"#) }
    }

    @Test func promotionTakesTheDefaultAlong() {
        var field = Field(
            id: 1, name: "v", required: false, type: .int, initialDefault: .int(5), writeDefault: .int(6))
        field.type = .long
        #expect(field.initialDefault == .long(5) && field.writeDefault == .long(6))
        var day = Field(id: 1, name: "v", required: false, type: .date, initialDefault: .date(1))
        day.type = .timestampNs
        #expect(day.initialDefault == .timestampNs(86_400_000_000_000))
    }

    @Test func theShortFormTakesDefaults() throws {
        let schema = try ShortSchema.parse(
            """
            a int default 0, b string default 'x' required, c decimal(6,2) not null default -12.5 doc 'price',
            d double default 1.5e+3, e timestamptz_ns default '2026-01-01T00:00:00.000000001Z', f variant,
            g unknown, h struct<i int default 7> default {}, j boolean default true, k int default null
            """)
        func value(_ name: String) -> Value? { schema.field(named: name)?.writeDefault }
        #expect(value("a") == .int(0) && value("b") == .string("x") && value("c") == .decimal(-1250, scale: 2))
        #expect(value("d") == .double(1500) && value("e") == .timestamptzNs(1_767_225_600_000_000_001))
        #expect(value("h") == .structure([]) && value("j") == .boolean(true) && value("k") == nil)
        #expect(schema.field(named: "b")?.required == true && schema.field(named: "c")?.required == true)
        #expect(schema.field(named: "c")?.doc == "price" && schema.field(named: "f")?.type == .variant)
        #expect(schema.field(named: "a")?.initialDefault == .int(0))
        for bad in [
            "a int default x", "a int default 1.5", "a string default x", "a int default", "a double default nan",
            "a variant default 1", "a int default {}", "a int default 1 default 2",
        ] {
            #expect(throws: FirnError.self, "\(bad)") { try ShortSchema.parse(bad) }
        }
    }
}

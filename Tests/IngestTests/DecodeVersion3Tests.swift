import Base
import Columnar
import Parquet
import Testing

@testable import Ingest

/// Records into the types of format version 3, and into columns with defaults.
@Suite struct DecodeVersion3Tests {
    @Test func nanoseconds() throws {
        func value(_ literal: String, _ type: String = "timestamptz_ns") throws -> Value? {
            try Decode.value(type, literal).value
        }
        func code(_ literal: String, _ type: String = "timestamptz_ns") throws -> String? {
            try Decode.value(type, literal).code
        }
        #expect(try value(#""2026-01-01T00:00:00.123456789Z""#) == .timestamptzNs(1_767_225_600_123_456_789))
        #expect(try value(#""2026-01-01 01:00:00.1+01:00""#) == .timestamptzNs(1_767_225_600_100_000_000))
        #expect(try value(#""2026-01-01T00:00:00.123456789000Z""#) == .timestamptzNs(1_767_225_600_123_456_789))
        #expect(try value(#""1969-12-31T23:59:59.999999999""#, "timestamp_ns") == .timestampNs(-1))
        #expect(try value(#""2262-04-11T23:47:16.854775807""#, "timestamp_ns") == .timestampNs(.max))
        #expect(try code(#""2262-04-11T23:47:16.854775808""#, "timestamp_ns") == RejectionCode.outOfRange)
        #expect(try code(#""1600-01-01T00:00:00""#, "timestamp_ns") == RejectionCode.outOfRange)
        for bad in [
            #""2026-01-01T00:00:00.1234567891Z""#, #""2026-01-01T00:00:00""#, #""2026-01-01T00:00:00.Z""#, #""x""#,
        ] {
            #expect(try code(bad) == RejectionCode.invalidTimestamp, "\(bad)")
        }
        #expect(try code("1767225600") == RejectionCode.wrongType)
        #expect(try code(#""2026-01-01T00:00:00Z""#, "timestamp_ns") == RejectionCode.invalidTimestamp)
    }

    @Test func nanosecondsFromNumbers() throws {
        let schema = try ShortSchema.parse("v timestamptz_ns")
        for (unit, literal, nanos) in [
            ("s", "1.000000001", 1_000_000_001), ("ms", "1.5", 1_500_000), ("us", "7", 7000), ("ns", "7", 7),
        ] as [(String, String, Int64)] {
            let settings = DecodeSettings(properties: ["firn.column.v.epoch-unit": unit], schema: schema)
            let body = Array("{\"v\":\(literal)}".utf8)
            let rows = try decode(body, format: .ndjson, schema: schema, settings: settings)
            #expect(rows.batch.columns[0].value(at: 0) == .timestamptzNs(nanos), "\(unit)")
            #expect(try DecodeSettings(json: settings.json) == settings)
        }
        #expect(throws: FirnError.self) {
            try DecodeSettings.check(
                properties: ["firn.column.v.epoch-unit": "ns"], schema: try ShortSchema.parse("v timestamptz"))
        }
    }

    @Test func anyJSONIsAVariant() throws {
        let texts = [
            "1", "-129", "40000", "9223372036854775807", "9223372036854775808", "1.50", "-0.001", "1e3", "true",
            "false", #""text \"é\"""#, "[]", "{}", #"[1,[2,{"a":null}],"b"]"#, #"{"b":1,"a":{"c":[true]}}"#,
            "12345678901234567890.123456789",
        ]
        let expected = [
            "1", "-129", "40000", "9223372036854775807", "9223372036854775808", "1.50", "-0.001", "1000.0", "true",
            "false", #""text \"é\"""#, "[]", "{}", #"[1,[2,{"a":null}],"b"]"#, #"{"a":{"c":[true]},"b":1}"#,
            "12345678901234567890.123456789",
        ]
        let body = texts.map { "{\"v\":\($0)}" }.joined(separator: "\n")
        let rows = try Decode.lines("v variant", body)
        #expect(rows.rejections == [])
        #expect(rows.rows == expected.map { "{\"v\":\($0)}" })
        func item(_ row: Int) throws -> VariantItem { try VariantItem(rows.batch.columns[0], row: row) }
        #expect(try item(0) == .integer(1, bytes: 1) && item(1) == .integer(-129, bytes: 2))
        #expect(try item(2) == .integer(40000, bytes: 4) && item(3) == .integer(.max, bytes: 8))
        #expect(try item(4) == .decimal(9_223_372_036_854_775_808, scale: 0, bytes: 16))
        #expect(try item(5) == .decimal(150, scale: 2, bytes: 4) && item(7) == .double(1000))
    }

    @Test func nullsAndFaultsOfVariants() throws {
        let rows = try Decode.lines("id int, v variant", #"{"id":1,"v":null}"# + "\n" + #"{"id":2}"#)
        #expect(rows.batch.columns[1].nullCount == 2)
        for (literal, code) in [
            (#"{"a":1,"a":2}"#, RejectionCode.duplicateKey), ("[1,]", RejectionCode.malformedJSON),
            ("1e999", RejectionCode.outOfRange), ("tru", RejectionCode.malformedJSON),
            (String(repeating: "[", count: 200) + String(repeating: "]", count: 200), RejectionCode.nestingTooDeep),
        ] {
            let result = try Decode.lines("id int, v variant", "{\"id\":1,\"v\":\(literal)}\n{\"id\":2,\"v\":[2]}")
            #expect(result.rejections.map(\.code) == [code], "\(literal)")
            #expect(result.rows == [#"{"id":2,"v":[2]}"#])
        }
        #expect(try Decode.value("variant required", "null").code == RejectionCode.missingRequired)
        let nested = try Decode.lines("l list<variant>, m map<string, variant>", #"{"l":[1,null,"x"],"m":{"k":[1]}}"#)
        #expect(nested.rows == [#"{"l":[1,null,"x"],"m":{"k":[1]}}"#])
    }

    @Test func unknownTakesNullAlone() throws {
        let rows = try Decode.lines(
            "id int, x unknown", "{\"id\":1,\"x\":null}\n{\"id\":2}\n{\"id\":3,\"x\":1}\n{\"id\":4,\"x\":\"y\"}")
        #expect(rows.batch.rowCount == 2 && rows.batch.columns[1].nullCount == 2)
        #expect(rows.rejections.map(\.code) == [RejectionCode.wrongType, RejectionCode.wrongType])
    }

    @Test func absentFieldsHaveTheirDefault() throws {
        let schema = """
            id int, qty int default 0 required, name string default 'x', u uuid default '00112233-4455-6677-8899-aabbccddeeff',
            p decimal(6,2) default '1.50', s struct<a int default 7, b string> default {}, t struct<c int default 3>
            """
        let body = """
            {"id":1}
            {"id":2,"qty":5,"name":null,"s":{"b":"y"},"t":{}}
            {"id":3,"qty":null}
            """
        let rows = try Decode.lines(schema, body)
        let uuid = #""00112233-4455-6677-8899-aabbccddeeff""#
        #expect(
            rows.rows == [
                #"{"id":1,"qty":0,"name":"x","u":\#(uuid),"p":"1.50","s":{"a":7,"b":null},"t":null}"#,
                #"{"id":2,"qty":5,"name":null,"u":\#(uuid),"p":"1.50","s":{"a":7,"b":"y"},"t":{"c":3}}"#,
            ])
        #expect(rows.rejections.map(\.code) == [RejectionCode.missingRequired])
    }

    @Test func csvHasDefaultsAndVariants() throws {
        let schema = try ShortSchema.parse("id int, v variant, t timestamp_ns, qty int default 4 required")
        let body = "id,v,t\n1,\"{\"\"a\"\":[1,2]}\",2026-01-01T00:00:00.000000001\n2,plain words,\n3,,\n4,12,\n"
        let rows = try decode(Array(body.utf8), format: .csv, schema: schema)
        #expect(rows.rejections == [])
        #expect(
            rows.rows == [
                #"{"id":1,"v":{"a":[1,2]},"t":"2026-01-01T00:00:00.000000001","qty":4}"#,
                #"{"id":2,"v":"plain words","t":null,"qty":4}"#, #"{"id":3,"v":null,"t":null,"qty":4}"#,
                #"{"id":4,"v":12,"t":null,"qty":4}"#,
            ])
    }

    @Test func columnsOfABodyBecomeTheTables() throws {
        let source = try ShortSchema.parse("id int, v struct<a int, b list<string>>, t timestamp, w string")
        var bytes: [UInt8] = []
        let writer = ParquetFileWriter(schema: source) { bytes += $0 }
        let builder = BatchBuilder(source)
        for (column, value) in zip(
            builder.columns,
            [
                .int(1), .structure([.int(2), .list([.string("x")])]), .timestamp(1_000_001), .string("s"),
            ] as [Value])
        { column.append(value) }
        try writer.write(builder.finish())
        _ = try writer.close()
        let table = try ShortSchema.parse("id int, v variant, t timestamp_ns, w variant, n string default 'd' required")
        let rows = try decode(bytes, format: .parquet, schema: table)
        #expect(rows.rejections == [])
        #expect(
            rows.rows == [
                #"{"id":1,"v":{"a":2,"b":["x"]},"t":"1970-01-01T00:00:01.000001000","w":"s","n":"d"}"#
            ])
        let nothing = try decode(
            bytes, format: .parquet, schema: try ShortSchema.parse("id unknown, v variant, t timestamp, w string"))
        #expect(nothing.rejections.map(\.code) == [RejectionCode.wrongType])
    }
}

import Base
import Columnar
import Testing

@testable import Ingest

@Suite struct DecodeEpochTests {
    private let schema = try! ShortSchema.parse(
        "s timestamptz, ms timestamp, us timestamptz, o struct<at timestamp>, n int")
    private let properties = [
        "firn.column.s.epoch-unit": "s", "firn.column.ms.epoch-unit": "ms", "firn.column.us.epoch-unit": "us",
        "firn.column.o.at.epoch-unit": "s",
    ]

    private func decodeLine(_ line: String, _ format: RecordFormat = .ndjson) throws -> DecodedBatch {
        try decode(
            Array(line.utf8), format: format, schema: schema,
            settings: DecodeSettings(properties: properties, schema: schema))
    }

    @Test func numbersOfEveryUnit() throws {
        let line = #"{"s":1700000000.123456,"ms":-1.5,"us":1700000000123456,"o":{"at":1e9}}"#
        let rows = try decodeLine(line).rows
        #expect(
            rows == [
                #"""
                {"s":"2023-11-14T22:13:20.123456Z","ms":"1969-12-31T23:59:59.998500",\#
                "us":"2023-11-14T22:13:20.123456Z","o":{"at":"2001-09-09T01:46:40"},"n":null}
                """#
            ])
        let text = #"{"s":"2023-11-14T22:13:20.123456Z","ms":"1969-12-31T23:59:59.9985"}"#
        #expect(try decodeLine(text).rejections == [])
        let csv = "s,ms,us,o\n1700000000.123456,-1.5,1700000000123456,\"{\"\"at\"\":1e9}\"\n"
        #expect(try decodeLine(csv, .csv).rows == rows)
        let mixed = try decodeLine("s,n\n2023-11-14T22:13:20.123456Z,1\n2024-01-01,2", .csv)
        #expect(mixed.batch.rowCount == 1 && mixed.rejections.map(\.code) == ["invalid_timestamp"])
    }

    @Test(arguments: [
        (#"{"s":1.0000001}"#, "invalid_timestamp"), (#"{"us":1.5}"#, "invalid_timestamp"),
        (#"{"s":1700000000000}"#, "out_of_range"), (#"{"s":99999999999999999999}"#, "out_of_range"),
        (#"{"us":-62135596800000001}"#, "out_of_range"), (#"{"s":true}"#, "wrong_type"),
        (#"{"s":"1700000000"}"#, "invalid_timestamp"),
    ])
    func refusesWhatDoesNotFit(_ line: String, _ code: String) throws {
        #expect(try decodeLine(line).rejections.map(\.code) == [code])
    }

    /// Without the property numbers stay ambiguous.
    @Test func needsTheProperty() throws {
        let result = try decode(Array(#"{"s":1700000000}"#.utf8), format: .ndjson, schema: schema)
        #expect(result.rejections.map(\.code) == ["wrong_type"])
        #expect(result.rejections[0].message.contains("ambiguous"))
    }

    @Test func settingsSurviveTheLog() throws {
        var settings = DecodeSettings(properties: properties, schema: schema)
        settings.unknownColumns = .ignore
        #expect(settings.epochUnits.count == 4)
        #expect(try DecodeSettings(json: settings.json) == settings)
        #expect(try DecodeSettings(json: DecodeSettings.standard.json) == .standard)
        #expect(throws: FirnError.self) { try DecodeSettings(json: ["epoch-units": ["1": "h"]]) }
    }

    @Test func checksProperties() throws {
        try DecodeSettings.check(properties: properties, schema: schema)
        try DecodeSettings.check(properties: ["other": "x", "firn.ingest.unknown-columns": "ignore"], schema: schema)
        for (key, value) in [
            ("firn.column.s.epoch-unit", "h"), ("firn.column.n.epoch-unit", "s"), ("firn.column.x.epoch-unit", "s"),
            ("firn.ingest.unknown-columns", "drop"),
        ] {
            let error = #expect(throws: FirnError.self) {
                try DecodeSettings.check(properties: [key: value], schema: schema)
            }
            #expect(error?.code == "bad_property" && error?.kind == .invalidInput)
        }
    }

    @Test func keepsRejectedRecords() throws {
        var options = DecoderOptions(rejectionsReportedMax: 1)
        options.keepsRejected = true
        let body = Array("{\"n\":1}\n{\"n\":\"x\"}\r\n  {broken\n\n{\"n\":2.5}".utf8)
        let result = try decode(body, format: .ndjson, schema: schema, options: options)
        #expect(result.rejections.count == 1 && result.rejectedCount == 3)
        #expect(result.rejected.map(\.rejection.line) == [2, 3, 5])
        let payloads = result.rejected.map { String(decoding: $0.payload, as: UTF8.self) }
        #expect(payloads == [#"{"n":"x"}"#, "  {broken", #"{"n":2.5}"#])
        let array = Array("[{\"n\":1} , {\"n\" : \"x\"},{\"n\":3}]".utf8)
        let elements = try decode(array, format: .json, schema: schema, options: options)
        #expect(elements.rejected.map { String(decoding: $0.payload, as: UTF8.self) } == [#"{"n" : "x"}"#])
        options.batchBytesMax = 700
        let error = #expect(throws: FirnError.self) {
            try decode(body, format: .ndjson, schema: schema, options: options)
        }
        #expect(error?.code == "batch_too_large")
    }
}

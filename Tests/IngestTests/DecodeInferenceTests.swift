import Base
import Columnar
import Testing

@testable import Ingest

@Suite struct DecodeInferenceTests {
    private func infer(_ body: String, _ format: RecordFormat = .ndjson) throws -> Schema {
        try SchemaInference.infer(Array(body.utf8), format: format)
    }

    @Test func findsTypesAndMergesRecords() throws {
        let body = #"""
            {"id":1,"x":1,"ok":true,"at":"2026-01-01T00:00:00Z","day":"2026-01-01",\#
            "local":"2026-01-01 00:00:00","s":"2026-01-01","n":null,"tags":[],"deep":{"a":1},"e":{}}

            {"x":1.5,"s":"hello","big":99999999999999999999,"tags":["a"],"deep":{"b":[{"c":null},{"c":2}]},\#
            "l":[],"new":"x"}
            """#
        let expected = try ShortSchema.parse(
            """
            id long, x double, ok boolean, at timestamptz, day date, local timestamp, s string, n string,
            tags list<string>, deep struct<a long, b list<struct<c long>>>, e map<string, string>, big double,
            l list<string>, new string
            """)
        #expect(try infer(body) == expected)
        let array = "[" + body.split(separator: "\n").joined(separator: ",\n") + "]"
        #expect(try infer(array, .json) == expected)
        #expect(try infer("{\"a\":\n1}", .json) == ShortSchema.parse("a long"))
        // What was inferred decodes the body it came from.
        #expect(try RecordDecoder(schema: expected).decode(Array(body.utf8), format: .ndjson).rejections == [])
    }

    @Test(arguments: [
        (#"{"a":1}"# + "\n" + #"{"a":"x"}"#, "a"), (#"{"a":{"b":1}}"# + "\n" + #"{"a":{"b":[]}}"#, "a.b"),
        (#"{"a":[1,"x"]}"#, "a.element"), (#"{"a":true}"# + "\n" + #"{"a":1}"#, "a"),
        (#"{"a":{}}"# + "\n" + #"{"a":1}"#, "a"), (#"{"a":1}"# + "\n" + #"{"a":{}}"#, "a"),
        (#"{"a":1}"# + "\n" + #"{"a":[]}"#, "a"),
    ])
    func namesConflicts(_ body: String, path: String) throws {
        let error = #expect(throws: FirnError.self) { try infer(body) }
        #expect(error?.code == "conflicting_types")
        #expect(error?.context["column"] == path)
    }

    @Test(arguments: [
        ("", "nothing_to_infer"), ("{}", "nothing_to_infer"), ("{\"a\":1", "malformed_json"), ("[1]", "wrong_type"),
        ("{\"\":1}", "bad_name"), ("{\"a\":\"\u{1}\"}", "malformed_json"),
    ])
    func refuses(_ body: String, code: String) throws {
        let error = #expect(throws: FirnError.self) { try infer(body) }
        #expect(error?.code == code)
    }

    @Test func looksAtAThousandRecords() throws {
        let body = String(repeating: "{\"a\":1}\n", count: 1000) + "{\"b\":1}\n"
        #expect(try infer(body) == ShortSchema.parse("a long"))
        #expect(try infer("[" + body.dropLast().replacing("\n", with: ",") + "]", .json) == ShortSchema.parse("a long"))
        // Cut off within a record.
        let wide = String(repeating: "{\"a\":\"\(String(repeating: "x", count: 10_000))\"}\n", count: 500)
        #expect(try infer(wide) == ShortSchema.parse("a string"))
        #expect(
            try infer("[" + wide.dropLast().replacing("\n", with: ",") + "]", .json) == ShortSchema.parse("a string"))
    }

    @Test(.enabled(if: Corpora.root != nil, "public test data is not here: set FIRN_CORPORA"))
    func realShipPositions() throws {
        let body = try Zstd.decompress(Corpora.file("ais/ais_2022-01-03.ndjson.zst"), limit: 64 << 20)
        let schema = try SchemaInference.infer(body, format: .ndjson)
        #expect(
            schema
                == (try ShortSchema.parse(
                    """
                    MMSI long, BaseDateTime timestamp, LAT double, LON double, SOG double, COG double, Heading long,
                    VesselName string, IMO string, CallSign string, VesselType long, Status long, Length long,
                    Width long,
                    Draft double, Cargo long, TransceiverClass string
                    """)))
        let result = try RecordDecoder(schema: schema).decode(body, format: .ndjson)
        #expect(result.rejectedCount == 0 && result.batch.rowCount == 99_999)
        // Nulls, sums and text bytes by Python's json; doubles as h = h * 31 + bits.
        let nulls = [0, 0, 0, 0, 0, 0, 0, 0, 0, 26, 33, 23805, 5881, 15801, 61174, 23785, 0]
        #expect(result.batch.columns.map(\.nullCount) == nulls)
        let sums: [Int: Int64] = [
            0: 36_868_986_237_291, 6: 35_607_746, 10: 4_541_071, 11: 312_337, 12: 5_286_589, 13: 1_009_514,
            15: 3_944_005,
        ]
        let texts = [7: 1_070_648, 8: 552_544, 9: 578_944, 16: 99_999]
        let bits: [Int: UInt64] = [
            2: 0xd2b7_4304_1651_451c, 3: 0x5543_9c6d_fc4f_2d68, 4: 0x2b28_4c59_5626_b5eb, 5: 0x3dfb_1f45_e183_ae05,
            14: 0x4d9b_88bc_48d0_f2e8,
        ]
        for (index, column) in result.batch.columns.enumerated() {
            switch column.storage {
            case .int64(let b) where sums[index] != nil: #expect(b.values.reduce(0, +) == sums[index])
            case .bytes(_, let bytes): #expect(bytes.count == texts[index])
            case .double(let b):
                var hash: UInt64 = 0
                for row in 0..<b.count where !column.isNull(row) { hash = hash &* 31 &+ b[row].bitPattern }
                #expect(hash == bits[index])
            default: break
            }
        }
    }
}

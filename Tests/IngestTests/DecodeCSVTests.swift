import Base
import Columnar
import Testing

@testable import Ingest

@Suite struct DecodeCSVTests {
    private func csv(
        _ schema: String, _ body: String, _ settings: DecodeSettings = .standard, keeps: Bool = false
    ) throws -> DecodedBatch {
        var options = DecoderOptions()
        options.keepsRejected = keeps
        return try decode(
            Array(body.utf8), format: .csv, schema: try ShortSchema.parse(schema), settings: settings, options: options)
    }

    private func rejection(_ schema: String, _ field: String) throws -> Rejection? {
        try csv("v \(schema), k int", "v,k\n\(field),1\n").rejections.first
    }

    @Test func readsEveryType() throws {
        let body = """
            b,i,l,f,d,dec,day,t,ts,tz,s,u,bin,fx,o,li,m\r
            true,-1,9223372036854775807,1.5,1e3,12.30,2024-02-29,01:02:03.5,2024-01-01 00:00:00,\
            2024-01-01T01:00:00+01:00,text,f79c3e09-677c-4bbd-a479-3f349cb785e7,AAEC,AAE=,"{""a"": 1}","[1, 2]",\
            "{""k"":""v""}"\r
            FALSE,1.0,-0,nan,-inf,-0.5,0001-01-01,00:00:00,9999-12-31T23:59:59.999999,1970-01-01T00:00:00Z,,\
            "f79c3e09-677c-4bbd-a479-3f349cb785e7",,,,[],{}\r

            """
        let schema = """
            b boolean, i int, l long, f float, d double, dec decimal(5,2), day date, t time, ts timestamp,
            tz timestamptz, s string, u uuid, bin binary, fx fixed[2], o struct<a int>, li list<int>,
            m map<string, string>
            """
        let result = try csv(schema, body)
        #expect(result.rejections == [])
        #expect(
            result.rows == [
                #"""
                {"b":true,"i":-1,"l":9223372036854775807,"f":1.5,"d":1000.0,"dec":"12.30","day":"2024-02-29",\#
                "t":"01:02:03.500000","ts":"2024-01-01T00:00:00","tz":"2024-01-01T00:00:00Z","s":"text",\#
                "u":"f79c3e09-677c-4bbd-a479-3f349cb785e7","bin":"000102","fx":"0001","o":{"a":1},"li":[1,2],\#
                "m":{"k":"v"}}
                """#,
                #"""
                {"b":false,"i":1,"l":0,"f":"NaN","d":"-Infinity","dec":"-0.50","day":"0001-01-01","t":"00:00:00",\#
                "ts":"9999-12-31T23:59:59.999999","tz":"1970-01-01T00:00:00Z","s":null,\#
                "u":"f79c3e09-677c-4bbd-a479-3f349cb785e7","bin":null,"fx":null,"o":null,"li":[],"m":{}}
                """#,
            ])
    }

    @Test func followsTheGrammar() throws {
        let body = "\u{feff}s,t\n\"a,b\",\"say \"\"hi\"\"\"\n\"\",\n\n\"two\r\nlines\",é日😀"
        let result = try csv("s string, t string", body)
        #expect(
            result.rows == [
                #"{"s":"a,b","t":"say \"hi\""}"#, #"{"s":"","t":null}"#, #"{"s":"two\r\nlines","t":"é日😀"}"#,
            ])
    }

    /// Fields of every length from every offset, so that no wide load leaves the field.
    @Test func fieldsOfEveryLength() throws {
        let words = (0..<80).map { String(repeating: "x", count: $0 % 23) + String(repeating: "é", count: $0 % 3) }
        let body = "s,n\n" + words.enumerated().map { "\"\($1)\",\($0)" }.joined(separator: "\n")
        let result = try csv("s string, n long", body)
        #expect(result.rows == words.enumerated().map { "{\"s\":\"\($1)\",\"n\":\($0)}" })
        let plain = try csv("s string", "s\n" + words.map { $0 + "z" }.joined(separator: "\r\n"))
        #expect(plain.rows == words.map { "{\"s\":\"\($0)z\"}" })
    }

    @Test func rejectsRecordsByLine() throws {
        let body = "a,b\n1,x\nz,x\n\"2\",\"multi\nline\"\n3\n4,x,y\n5,a\"b\n,last\n2147483648,x\n"
        let result = try csv("a int required, b string", body, keeps: true)
        #expect(result.rows == [#"{"a":1,"b":"x"}"#, #"{"a":2,"b":"multi\nline"}"#])
        let found = result.rejected.map { "\($0.rejection.line) \($0.rejection.column ?? "-") \($0.rejection.code)" }
        #expect(
            found == [
                "3 a wrong_type", "6 - malformed_csv", "7 - malformed_csv", "8 - malformed_csv",
                "9 a missing_required", "10 a out_of_range",
            ])
        #expect(
            result.rejected.map { String(decoding: $0.payload, as: UTF8.self) } == [
                #"{"a":"z","b":"x"}"#, #"{"a":3}"#, #"{"a":4,"b":"x","field_3":"y"}"#, #"{"csv":"5,a\"b"}"#,
                #"{"a":null,"b":"last"}"#, #"{"a":2147483648,"b":"x"}"#,
            ])
        #expect(result.rejections.map(\.message)[1] == "the record has 1 fields, the header 2")
    }

    @Test(arguments: [
        ("int", "1.5", "wrong_type"), ("int", "+1", "wrong_type"), ("int", " 1", "wrong_type"),
        ("boolean", "1", "wrong_type"), ("date", "2024-02-30", "out_of_range"), ("date", "1.1.2024", "invalid_date"),
        ("timestamptz", "2024-01-01T00:00:00", "invalid_timestamp"), ("timestamp", "1700000000", "invalid_timestamp"),
        ("uuid", "x", "invalid_uuid"), ("binary", "AAE", "invalid_base64"), ("fixed[3]", "AAE=", "wrong_length"),
        ("decimal(3,1)", "1.25", "decimal_scale"), ("double", "1e999", "out_of_range"),
        ("list<int>", "\"[1,\"", "malformed_json"), ("list<int>", "\"[1] x\"", "malformed_json"),
        ("struct<a int>", "\"{\"\"a\"\":\"\"x\"\"}\"", "wrong_type"), ("long", "\"1\"\"\"", "wrong_type"),
    ])
    func namesTheFault(_ type: String, _ field: String, _ code: String) throws {
        let found = try #require(try rejection(type, field))
        #expect(found.code == code)
        #expect(found.column?.hasPrefix("v") == true && found.line == 2)
    }

    @Test func refusesInvalidText() throws {
        let body = Array("s,n\n".utf8) + [0x61, 0xc3, 0x2c, 0x31, 0x0a] + Array("ok,2\n".utf8) + [0xff]
        let schema = try ShortSchema.parse("s string, n int")
        let result = try decode(body + Array(",3".utf8), format: .csv, schema: schema)
        #expect(result.rejections.map(\.code) == ["invalid_utf8", "invalid_utf8"])
        #expect(result.rejections.map(\.column) == ["s", "s"])
        #expect(result.rows == [#"{"s":"ok","n":2}"#])
    }

    @Test func headersNameColumns() throws {
        #expect(try csv("a int, b int, c int", "c,a\n1,2").rows == [#"{"a":2,"b":null,"c":1}"#])
        let ignoring = DecodeSettings(unknownColumns: .ignore)
        #expect(try csv("a int", "x,a\n\"q,\",1", ignoring).rows == [#"{"a":1}"#])
        for (body, code) in [
            ("a,x\n1,2", "unknown_column"), ("x\n1", "unknown_column"), ("a,a\n1,1", "duplicate_key"),
            ("", "missing_header"), ("a\"b\n1", "malformed_csv"), ("a\n\"1\n2", "malformed_csv"),
            ("\"a", "malformed_csv"),
        ] {
            let error = #expect(throws: FirnError.self, "\(body)") { try csv("a int", body) }
            #expect(error?.code == code && error?.kind == .invalidInput)
        }
        let missing = #expect(throws: FirnError.self) { try csv("a int, b int required", "a\n1") }
        #expect(missing?.code == "missing_required" && missing?.context["column"] == "b")
    }

    @Test func boundsRecordsAndBatches() throws {
        let schema = try ShortSchema.parse("a int, s string")
        let body = Array(("a,s\n1," + String(repeating: "x", count: 100) + "\n2,y\n").utf8)
        let result = try decode(body, format: .csv, schema: schema, options: DecoderOptions(recordBytesMax: 50))
        #expect(result.rejections.map(\.code) == ["record_too_large"])
        #expect(result.rows == [#"{"a":2,"s":"y"}"#])
        let error = #expect(throws: FirnError.self) {
            try decode(body, format: .csv, schema: schema, options: DecoderOptions(batchBytesMax: 12))
        }
        #expect(error?.code == "batch_too_large")
    }

    @Test func infersTypes() throws {
        let body = """
            l,d,b,day,ts,tz,s,zip,n,mix,q
            1,1.5,true,2024-01-01,2024-01-01 00:00:00,2024-01-01T00:00:00Z,x,01234,,1,"7"
            ,nan,False,,,,,,,x,8
            """
        let expected = try ShortSchema.parse(
            """
            l long, d double, b boolean, day date, ts timestamp, tz timestamptz, s string, zip string, n string,
            mix string, q long
            """)
        #expect(try SchemaInference.infer(Array(body.utf8), format: .csv) == expected)
        let error = #expect(throws: FirnError.self) { try SchemaInference.infer([], format: .csv) }
        #expect(error?.code == "malformed_csv")
    }

    /// Damage must neither crash nor reach past the record, unless quotes are left open.
    @Test func survivesDamage() throws {
        let schema = try ShortSchema.parse("a int, s string, o struct<x list<int>>, t timestamptz, d double")
        let seed = Array("a,s,o,t,d\n1,\"q,\"\"x\"\"\",\"{\"\"x\"\":[1]}\",2024-01-01T00:00:00Z,1.5\r\n2,é,,,\n".utf8)
        var state: UInt64 = 3
        func random(_ below: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % below
        }
        let spice = Array("\",\n\r{}[]0-.é\u{0}".utf8)
        for _ in 0..<5000 {
            var body = seed
            for _ in 0...random(4) { body[random(body.count)] = spice[random(spice.count)] }
            body.removeLast(random(10))
            do {
                let result = try decode(body, format: .csv, schema: schema)
                #expect(result.batch.rowCount + result.rejectedCount <= body.count)
            } catch { #expect(error.kind == .invalidInput, "\(error)") }
        }
    }
}

import Base
import Columnar
import Testing

@testable import Ingest

/// Whole bodies: line ends, arrays, bounds, determinism.
@Suite struct DecodeBodyTests {
    @Test func lineEndsAndBlankLines() throws {
        let body = "\n{\"a\":1}\r\n\r\n   \n{\"a\":2}\n\t\n {\"a\":3} \r\n{\"a\":4}"
        let result = try Decode.lines("a long", body)
        #expect(result.rows == [1, 2, 3, 4].map { "{\"a\":\($0)}" })
        let bad = try Decode.lines("a long", "\r\n{\"a\":1}\r\n\n{\"a\":x}\r\n{\"a\":2}\r\n{}x")
        #expect(bad.rejections.map(\.line) == [4, 6])
        #expect(bad.batch.rowCount == 2)
    }

    @Test func aRecordMayNotSpanLines() throws {
        let result = try Decode.lines("a long", "{\"a\":\n1}\n{\"a\":2}\n")
        #expect(result.rejections.map(\.line) == [1, 2])
        #expect(result.rejections[0].message.contains("ends before"))
        #expect(result.batch.rowCount == 1)
    }

    @Test func emptyBodies() throws {
        for body in ["", "\n", "\r\n\r\n", "   "] {
            let result = try Decode.lines("a long required", body)
            #expect(result.batch.rowCount == 0 && result.rejectedCount == 0)
            let error = #expect(throws: FirnError.self) { try Decode.json("a long", body) }
            #expect(error?.code == RejectionCode.malformedJSON)
        }
        #expect(try Decode.json("a long", " [ ] ").batch.rowCount == 0)
    }

    @Test func objectsAndArrays() throws {
        #expect(try Decode.json("a long", " {\"a\" :\n 1} \n").rows == [#"{"a":1}"#])
        let result = try Decode.json("a long", "[{\"a\":1},\n{\"a\":\"x\"}, 7, null, [], {\"a\":2}]")
        #expect(result.rows == [#"{"a":1}"#, #"{"a":2}"#])
        #expect(result.rejections.map(\.line) == [2, 3, 4, 5])
        #expect(result.rejections.map(\.code) == Array(repeating: "wrong_type", count: 4))
    }

    @Test(arguments: [
        "[{\"a\":1},]", "[{\"a\":1}", "[{\"a\":1}]]", "[{\"a\":1} {\"a\":2}]", "[{\"a\":1},{\"a\":tru}]", "[", "x", "]",
        "[{\"a\":\"x\",}]", "{\"a\":1}{\"a\":2}", "{\"a\":1}\n{\"a\":2}", "[{\"a\":1}]\u{0}", "\u{feff}[]", "[,]",
    ])
    func brokenArraysAreRefusedWhole(_ body: String) throws {
        let error = #expect(throws: FirnError.self) { try Decode.json("a long", body) }
        #expect(error?.code == RejectionCode.malformedJSON)
        #expect(error?.kind == .invalidInput)
    }

    @Test func theDecoderIsFineAfterARefusal() throws {
        let decoder = try Decode.decoder("a long, s string")
        let body = Array(#"[{"a":1,"s":"x"},{"a":2}]"#.utf8)
        let before = try decoder.decode(body, format: .json).rows
        #expect(throws: FirnError.self) { try decoder.decode(body.dropLast(3) + [], format: .json) }
        #expect(try decoder.decode(body, format: .json).rows == before)
    }

    @Test func boundsARecord() throws {
        let options = DecoderOptions(recordBytesMax: 100)
        let long = "{\"s\":\"" + String(repeating: "x", count: 92) + "\"}"
        #expect(long.utf8.count == 100)
        for body in ["\(long)\n", "{\"s\":\"a\"}\n\(long)x\n{\"s\":\"b\"}\n" + String(repeating: "\n", count: 200)] {
            let result = try Decode.lines("s string", body, options: options)
            #expect(result.rejectedCount == (body.utf8.count > 101 ? 1 : 0))
            #expect(result.rejections.allSatisfy { $0.code == RejectionCode.recordTooLarge && $0.line == 2 })
        }
        let inArray = try Decode.decoder("s string", options: options)
            .decode(Array("[{\"s\":\"a\"},{\"s\":\"x\(long.dropFirst(6)),{\"s\":\"b\"}]".utf8), format: .json)
        #expect(inArray.rows == [#"{"s":"a"}"#, #"{"s":"b"}"#])
        #expect(inArray.rejections.map(\.code) == [RejectionCode.recordTooLarge])
    }

    @Test func aLineOfAHundredMegabytes() throws {
        var body = Array("{\"s\":\"a\"}\n{\"s\":\"".utf8)
        body += [UInt8](repeating: UInt8(ascii: "x"), count: 100 << 20)
        body += Array("\"}\n{\"s\":\"b\"}\n".utf8)
        let result = try Decode.decoder("s string").decode(body, format: .ndjson)
        #expect(result.rows == [#"{"s":"a"}"#, #"{"s":"b"}"#])
        #expect(result.rejections.map(\.code) == [RejectionCode.recordTooLarge])
        #expect(result.rejections.map(\.line) == [2])
        #expect(result.batch.byteCount < 1 << 20)
    }

    @Test func boundsTheBatch() throws {
        let columns = (0..<1000).map { "c\($0) long" }.joined(separator: ",")
        let body = Array(String(repeating: "{}\n", count: 1000).utf8)
        let small = DecoderOptions(batchBytesMax: 1 << 20)
        let error = #expect(throws: FirnError.self) {
            try Decode.decoder(columns, options: small).decode(body, format: .ndjson)
        }
        #expect(error?.code == "batch_too_large" && error?.kind == .limitExceeded)
        #expect(try Decode.decoder(columns).decode(body, format: .ndjson).batch.rowCount == 1000)
        // A rejected record costs nothing.
        let bad = Array(String(repeating: "{x\n", count: 10_000).utf8)
        #expect(try Decode.decoder(columns, options: small).decode(bad, format: .ndjson).rejectedCount == 10_000)
        let lists = try Decode.decoder("l list<struct<\(columns)>>", options: small)
        let nested = Array("[{\"l\":[\(Array(repeating: "{}", count: 500).joined(separator: ","))]}]".utf8)
        #expect(throws: FirnError.self) { try lists.decode(nested, format: .json) }
    }

    @Test func countsRejectionsBeyondTheReported() throws {
        let result = try Decode.lines("a long", String(repeating: "{\n", count: 2500))
        #expect(result.rejectedCount == 2500)
        #expect(result.rejections.count == Limits.rejectionsReportedMax)
        #expect(result.rejections.last?.line == Limits.rejectionsReportedMax)
    }

    @Test func sameBytesSameResult() throws {
        // Records of many shapes; the decoder's memory of shapes must not show in the result.
        var body = ""
        for index in 0..<500 {
            switch index % 5 {
            case 0: body += "{\"a\":\(index),\"s\":\"v\(index)\",\"l\":[\(index)]}\n"
            case 1: body += "{\"l\":[],\"s\":\"\\u00e9\",\"a\":\(-index)}\n"
            case 2: body += "{\"s\":null}\n"
            case 3: body += "{\"a\":\(index),\"zz\":1}\n"
            default: body += "{\"a\":\"\(index)\"\n"
            }
        }
        let bytes = Array(body.utf8)
        let used = try Decode.decoder("a long, s string, l list<long>")
        let first = try used.decode(bytes, format: .ndjson)
        #expect(first.rejectedCount == 200)
        _ = try used.decode(Array(#"{"l":[1],"a":2}"#.utf8), format: .ndjson)
        for decoder in [used, try Decode.decoder("a long, s string, l list<long>")] {
            let again = try decoder.decode(bytes, format: .ndjson)
            #expect(again.rows == first.rows)
            #expect(again.rejections == first.rejections)
        }
        // Whatever stands behind a line, in place or in the padded copy, it decodes the same.
        for padding in 0..<130 {
            let longer = try used.decode(bytes + [UInt8](repeating: 0x0a, count: padding), format: .ndjson)
            #expect(longer.rows.count == first.rows.count && longer.rejections == first.rejections)
        }
    }

    @Test func messagesSayWhatAndWhere() throws {
        func message(_ schema: String, _ line: String) throws -> String {
            try Decode.lines(schema, line).rejections[0].message
        }
        #expect(try message("a long", #"{"a":"abc"}"#) == #"'a' is long; got "abc""#)
        #expect(try message("a long", #"{"a":1.5}"#) == "'a' is long; got 1.5, which is not a whole number")
        #expect(try message("a long", #"{"b":1}"#) == "the table has no column 'b'")
        #expect(try message("a long", #"{"a":1"#) == "the text ends before the record is complete")
        #expect(try message("a long", #"{"a":1]"#) == "unexpected ']' at byte 7")
        #expect(try message("a long required", "{}") == "required column 'a' is missing")
        #expect(try message("a string", #"{"a":"x"#) == "the text ends within a string")
        #expect(
            try message("a date", #"{"a":"2023-02-30"}"#) == #"'a' is date; got "2023-02-30", which is out of range"#)
        #expect(try message("a long", "\u{feff}{}") == "byte order mark at byte 1; send UTF-8 without one")
        #expect(try message("a long", "[1]") == "a record must be a JSON object, not [1")
    }

    @Test func aTableWithoutColumns() throws {
        let result = try Decode.lines("", "{}\n{\"a\":1}\n{}")
        #expect(result.batch.rowCount == 2 && result.rejections.map(\.code) == ["unknown_column"])
        // A struct without fields must not take the next column's name for its own.
        let empty = Field(id: 1, name: "s", required: false, type: .structure(StructType(fields: [])))
        let list = Field(
            id: 2, name: "l", required: false,
            type: .structure(StructType(fields: [Field(id: 3, name: "a", required: false, type: .long)])))
        let nested = try RecordDecoder(schema: Schema(fields: [empty, list]))
            .decode(Array("{\"s\":{\"a\":1}}\n{\"s\":{},\"l\":{\"a\":1}}".utf8), format: .ndjson)
        #expect(nested.rejections.map(\.column) == ["s.a"])
        #expect(nested.rows == [#"{"s":{},"l":{"a":1}}"#])
    }
}

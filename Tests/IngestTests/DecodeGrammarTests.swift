import Base
import Columnar
import Testing

@testable import Ingest

/// The JSON grammar itself.
@Suite struct DecodeGrammarTests {
    @Test(.enabled(if: Corpora.root != nil, "public test data is not here: set FIRN_CORPORA"))
    func acceptsAndRefusesWhatJSONTestSuiteSays() throws {
        let folder = "jsontestsuite/test_parsing"
        let root = try #require(Corpora.root)
        var counts: [Character: Int] = [:]
        for entry in try PosixFileSystem().list(root + "/" + folder) {
            let kind = try #require(entry.name.first)
            let fault = JSONScan.validate(try Corpora.file(folder + "/" + entry.name))
            counts[kind, default: 0] += 1
            if kind == "y" { #expect(fault == nil, "\(entry.name) is valid") }
            if kind == "n" { #expect(fault != nil, "\(entry.name) is invalid") }
        }
        #expect(counts["y", default: 0] >= 90 && counts["n", default: 0] >= 180 && counts["i", default: 0] >= 30)
    }

    /// The same files through the decoder itself, whose scanning of keys and values is not the validator's.
    @Test(.enabled(if: Corpora.root != nil, "public test data is not here: set FIRN_CORPORA"))
    func decoderAgreesWithTheSuite() throws {
        let folder = "jsontestsuite/test_parsing"
        let decoder = try Decode.decoder("a string, v list<double>, s list<string>")
        for entry in try PosixFileSystem().list(try #require(Corpora.root) + "/" + folder) {
            let bytes = try Corpora.file(folder + "/" + entry.name)
            for wrapped in [bytes, Array("{\"v\":".utf8) + bytes + Array("}".utf8)] {
                let accepted: Bool
                do {
                    let result = try decoder.decode(wrapped, format: .json)
                    accepted = !result.rejections.contains { $0.code == RejectionCode.malformedJSON }
                } catch {
                    accepted = false
                }
                if entry.name.hasPrefix("n_") { #expect(!accepted, "\(entry.name) is invalid") }
            }
            guard entry.name.hasPrefix("y_"), let first = bytes.first(where: { $0 > 0x20 }) else { continue }
            if first == UInt8(ascii: "{") || first == UInt8(ascii: "[") {
                #expect(throws: Never.self, "\(entry.name) is valid") { try decoder.decode(bytes, format: .json) }
            }
        }
    }

    @Test(arguments: [
        #"{"a":1,}"#, #"{"a":01}"#, #"{"a":+1}"#, #"{"a":.5}"#, #"{"a":1.}"#, #"{"a":1e}"#, #"{"a":1e+}"#, #"{"a":-}"#,
        #"{"a" 1}"#, #"{"a":1 "b":2}"#, #"{a:1}"#, #"{'a':1}"#, #"{"a":1}}"#, #"{"a":1}{"a":2}"#, #"{"a":1},"#,
        #"{"a":tru}"#, #"{"a":nul}"#, #"{"a":True}"#, #"{"a":NaN}"#, #"{"a":0x1F}"#, #"{"a":[1}"#, #"{"a":1"#,
        #"{"a":"#,
        #"{"a"#, #"{"#, #"{,"a":1}"#, "{\"a\":1}\u{0}", "\u{feff}{\"a\":1}", #"{"a":-01}"#, #"{"a":1/**/}"#,
        #"{"a":1;}"#, #"{"s":"a"b"}"#, "{\"s\":\"a\tb\"}", #"{"s":"\x41"}"#, #"{"s":"\u12"}"#, #"{"s":"\u00g0"}"#,
        #"{"s":"\ud800"}"#, #"{"s":"\ud800x"}"#, #"{"s":"\ud800\u0041"}"#, #"{"s":"\udc00"}"#, #"{"s":"abc"#,
        #"{"s":"abc\"#, #"{"s":"abc\"}"#, #"{"\ud800":1}"#, "{\"s\":\"\u{0}\"}", #"{"a":1}x"#, #"{"a":1e5.5}"#,
    ])
    func refusesTheLine(_ bad: String) throws {
        // The neighbours stand, wherever the bad line lies: scanned in place, or in the padded tail.
        for tail in ["", String(repeating: " ", count: 200) + "\n"] {
            let body = "{\"a\":1}\n\(bad)\n{\"a\":2}\n\(tail)"
            let result = try Decode.lines("a long, s string, b long", body)
            #expect(result.batch.rowCount == 2)
            #expect(result.rejections.map(\.line) == [2])
            #expect(result.rejections.map(\.code) == [RejectionCode.malformedJSON])
            #expect(result.rejections.first?.message.isEmpty == false)
        }
    }

    @Test func unescapesStrings() throws {
        // json.loads(r'"\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00\u0000 \u2028"')
        let body = #"{"s":"\"\\\/\b\f\n\r\t\u0041\u00e9\u20AC\ud83d\uDE00\u0000 \u2028"}"#
        let value = try Decode.lines("s string", body).batch.columns[0].value(at: 0)
        #expect(value == .string("\"\\/\u{8}\u{c}\n\r\tA\u{e9}\u{20ac}\u{1f600}\u{0} \u{2028}"))
    }

    @Test func keepsTextOfEveryLength() throws {
        // Every offset of the special byte within the vector, with and without a multi-byte character or an escape.
        for length in 0..<70 {
            let plain = String(repeating: "x", count: length)
            for (written, meant) in [("", ""), ("é", "é"), ("\\n", "\n"), ("日本😀", "日本😀"), ("\\u00e9z", "éz")] {
                let result = try Decode.lines("s string", "{\"s\":\"\(plain)\(written)\(plain)\"}")
                #expect(result.batch.columns[0].value(at: 0) == .string(plain + meant + plain))
            }
        }
    }

    @Test(
        arguments: [
            [0xff], [0xc0, 0x80], [0xc1, 0xbf], [0xe0, 0x80, 0x80], [0xed, 0xa0, 0x80], [0xed, 0xbf, 0xbf],
            [0xf0, 0x80, 0x80, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xe2, 0x82], [0x80], [0xc3],
            [0xf0, 0x9f, 0x98],
        ] as [[UInt8]])
    func refusesInvalidUTF8(_ bytes: [UInt8]) throws {
        let decoder = try Decode.decoder("s string", options: DecoderOptions(unknownColumns: .ignore))
        for (head, tail) in [("{\"s\":\"", "\"}"), ("{\"", "\":1}"), ("{\"q\":\"", "\"}")] {
            let body = Array(head.utf8) + bytes + Array(tail.utf8) + Array("\n{\"s\":\"ok\"}\n".utf8)
            let result = try decoder.decode(body, format: .ndjson)
            #expect(result.rows == [#"{"s":"ok"}"#])
            #expect(result.rejections.map(\.code) == [RejectionCode.invalidUTF8])
        }
    }

    @Test func matchesKeysByMeaning() throws {
        let result = try Decode.lines(
            "id long, `a\"b` long, `é` long",
            #"{"\u0069d":1,"a\"b":2,"\u00e9":3}"# + "\n" + #"{"id":4,"é":5,"a\u0022b":6}"#)
        #expect(result.rejections.isEmpty)
        #expect(result.rows == [#"{"id":1,"a\"b":2,"é":3}"#, #"{"id":4,"a\"b":6,"é":5}"#])
        // The composed and the decomposed form are different names.
        #expect(try Decode.lines("`é` long", "{\"e\u{301}\":1}").rejections.map(\.code) == ["unknown_column"])
        // A raw quote must not end up inside a name.
        #expect(try Decode.lines("`a\"b` long", "{\"a\"b\":1}").rejections.map(\.code) == ["malformed_json"])
    }

    @Test func boundsNesting() throws {
        let deep = { (count: Int) in
            String(repeating: "[", count: count) + String(repeating: "]", count: count)
        }
        let ignore = DecoderOptions(unknownColumns: .ignore)
        #expect(try Decode.lines("a long", "{\"x\":\(deep(127))}", options: ignore).rejectedCount == 0)
        for body in ["{\"x\":\(deep(128))}", "{\"x\":\(deep(100_000))}", "{\"a\":\(deep(200))}", deep(300)] {
            let result = try Decode.lines("a long", body + "\n{\"a\":1}", options: ignore)
            #expect(result.rejections.map(\.code) == [RejectionCode.nestingTooDeep])
            #expect(result.batch.rowCount == 1)
        }
        #expect(JSONScan.validate(Array(deep(128).utf8)) == nil)
        #expect(JSONScan.validate(Array(deep(129).utf8)) == .depth)
    }

    @Test func boundsNumbers() throws {
        let digits = String(repeating: "1", count: 1024)
        #expect(try Decode.value("double", "0." + digits).code == RejectionCode.numberTooLong)
        #expect(try Decode.value("double", "1" + digits).code == RejectionCode.numberTooLong)
        #expect(try Decode.value("double", "0." + digits.dropLast(3)).value == .double(0.1111111111111111))
        #expect(try Decode.value("long", digits).code == RejectionCode.outOfRange)
    }
}

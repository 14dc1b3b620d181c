import Base
import Columnar
import TestSupport
import Testing

@testable import Ingest

/// Damaged records: the scanner must agree with the other JSON parser of the code base about what is JSON, and the
/// decoder must neither crash nor let a bad line touch its neighbours.
@Suite struct DecodeMutationTests {
    private static let seeds = [
        #"{"id":1,"s":"a\u00e9\n\ud83d\ude00é日","d":-1.5e10,"b":true,"l":["x",null],"m":{"k":1},"#
            + #""t":"2026-01-01T00:00:00.5Z"}"#,
        #"{"u":"f79c3e09-677c-4bbd-a479-3f349cb785e7","x":"AAEC","p":12.34,"o":{"a":{"q":[]},"b":""},"#
            + #""day":"2024-02-29"}"#,
        #"{ "id" : 9223372036854775807 , "f" : 0.1 , "i" : -0 , "l" : [ ] , "m" : { } , "b" : false }"#,
    ]
    private static let spice = Array("{}[]\",:\\u0019eE+-. \t\r\u{0}\u{1}ntf/".utf8) + [0x80, 0xc3, 0xed, 0xf0, 0xff]

    private static let schema = """
        id long, s string, d double, b boolean, l list<string>, m map<string, int>, t timestamptz, u uuid, x binary,
        p decimal(9,2), o struct<a struct<q list<int>>, b string>, day date, f float, i int
        """

    private static func mutated(_ seed: String, _ random: inout SeededRandom) -> [UInt8] {
        var bytes = Array(seed.utf8)
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let at = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes[at] = spice.randomElement(using: &random)!
            case 1: bytes.insert(spice.randomElement(using: &random)!, at: at)
            case 2: bytes.remove(at: at)
            default:
                let end = min(bytes.count, at + Int.random(in: 1...8, using: &random))
                bytes.insert(contentsOf: bytes[at..<end], at: Int.random(in: 0...bytes.count, using: &random))
            }
            if bytes.isEmpty { bytes = [0x7b] }
        }
        return bytes
    }

    @Test func agreesWithTheOtherParser() throws {
        var random = SeededRandom(seed: 7)
        var counts = [true: 0, false: 0]
        for round in 0..<20_000 {
            let bytes = Self.mutated(Self.seeds[round % Self.seeds.count], &random)
            var other = true
            do {
                _ = try JSONValue(parsing: bytes, source: "mutated")
            } catch {
                // 1e999 is JSON, but no `JSONValue`; what follows it was not looked at.
                if error.message.hasSuffix("number out of range") { continue }
                other = false
            }
            let fault = JSONScan.validate(bytes)
            counts[other, default: 0] += 1
            #expect((fault == nil) == other, "\(String(decoding: bytes, as: UTF8.self)): \(String(describing: fault))")
        }
        #expect(counts[true]! > 1000 && counts[false]! > 1000)
    }

    @Test func neighboursStand() throws {
        var random = SeededRandom(seed: 8)
        let decoder = try Decode.decoder(Self.schema)
        let good = Self.seeds.map { Array($0.utf8) + [Byte.newline] }
        let expected = try decoder.decode(good.flatMap { $0 }, format: .ndjson)
        #expect(expected.rejectedCount == 0)
        var taken = 0
        for round in 0..<5_000 {
            let damaged = Self.mutated(Self.seeds[round % Self.seeds.count], &random)
            let body = good[0] + damaged + [Byte.newline] + good[1] + good[2]
            let result = try decoder.decode(body, format: .ndjson)
            let rows = result.rows
            let isOne = result.rejectedCount == 0
            if isOne {
                taken += 1
                #expect(JSONScan.validate(damaged) == nil)
            }
            // A carriage return or blank can make the line blank, so it may be neither a row nor a rejection.
            #expect(rows.count == 3 + (isOne && rows.count == 4 ? 1 : 0))
            #expect(rows.first == expected.rows[0] && Array(rows.suffix(2)) == Array(expected.rows.suffix(2)))
            #expect(result.rejections.allSatisfy { RejectionCode.all.contains($0.code) && $0.line == 2 })
            if let code = result.rejections.first?.code, code == RejectionCode.malformedJSON {
                #expect(JSONScan.validate(damaged) != nil)
            }
        }
        #expect(taken > 100)
    }
}

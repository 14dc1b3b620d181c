import Base
import Columnar
import Testing

@testable import Ingest

/// Structs, lists, maps, nulls, and what a bad record leaves behind: nothing.
@Suite struct DecodeNestedTests {
    private static let schema = """
        id long required, device struct<os string required, version string, screen struct<w int, h int>>,
        tags list<string required>, points list<struct<x double, y double required>>, attrs map<string, long>,
        codes map<int, string required>, matrix list<list<int>>
        """

    @Test func fillsEveryShape() throws {
        let body = #"""
            {"id":1,"device":{"os":"linux","version":"6.1","screen":{"w":10,"h":20}},"tags":["a","b"],\#
            "points":[{"x":1.5,"y":2},{"y":3}],"attrs":{"k":1,"l":null},"codes":{"7":"seven","-1":"minus"},\#
            "matrix":[[1,2],[],null,[null,3]]}
            {"id":2}
            {"id":3,"device":null,"tags":[],"points":null,"attrs":{},"codes":null,"matrix":[]}
            { "device" : { "screen" : null , "os" : "mac" } , "id" : 4 }
            """#
        let result = try Decode.lines(Self.schema, body)
        #expect(result.rejections == [])
        // json.dumps of the same records with the missing members as null; int keys as a list of entries.
        #expect(
            result.rows == [
                #"{"id":1,"device":{"os":"linux","version":"6.1","screen":{"w":10,"h":20}},"tags":["a","b"],"#
                    + #""points":[{"x":1.5,"y":2.0},{"x":null,"y":3.0}],"attrs":{"k":1,"l":null},"codes":[{"key":7,"#
                    + #""value":"seven"},{"key":-1,"value":"minus"}],"matrix":[[1,2],[],null,[null,3]]}"#,
                #"{"id":2,"device":null,"tags":null,"points":null,"attrs":null,"codes":null,"matrix":null}"#,
                #"{"id":3,"device":null,"tags":[],"points":null,"attrs":{},"codes":null,"matrix":[]}"#,
                #"{"id":4,"device":{"os":"mac","version":null,"screen":null},"tags":null,"points":null,"#
                    + #""attrs":null,"codes":null,"matrix":null}"#,
            ])
        #expect(result.batch.columns[1].nullCount == 2)
        #expect(result.batch.columns[0].validity == nil)
    }

    @Test(arguments: [
        (#"{"device":{"os":"x"}}"#, "missing_required", "id"), (#"{"id":null}"#, "missing_required", "id"),
        (#"{"id":1,"device":{}}"#, "missing_required", "device.os"),
        (#"{"id":1,"device":{"os":null}}"#, "missing_required", "device.os"),
        (#"{"id":1,"tags":["a",null]}"#, "missing_required", "tags.element"),
        (#"{"id":1,"points":[{"y":1},{"x":1}]}"#, "missing_required", "points.element.y"),
        (#"{"id":1,"codes":{"1":null}}"#, "missing_required", "codes.value"),
        (#"{"id":1,"nope":1}"#, "unknown_column", "nope"),
        (#"{"id":1,"device":{"os":"x","ram":1}}"#, "unknown_column", "device.ram"),
        (#"{"id":1,"points":[{"y":1,"z":2}]}"#, "unknown_column", "points.element.z"),
        (#"{"id":1,"id":1}"#, "duplicate_key", "id"), (#"{"id":1,"\u0069d":1}"#, "duplicate_key", "id"),
        (#"{"id":1,"device":{"os":"a","os":"a"}}"#, "duplicate_key", "device.os"),
        (#"{"id":1,"attrs":{"a":1,"b":2,"a":3}}"#, "duplicate_key", "attrs.key"),
        (#"{"id":1,"codes":{"1":"a","1.0":"b"}}"#, "duplicate_key", "codes.key"),
        (#"{"id":1,"codes":{"x":"a"}}"#, "wrong_type", "codes.key"),
        (#"{"id":1,"codes":{"99999999999":"a"}}"#, "out_of_range", "codes.key"),
        (#"{"id":1,"tags":"a"}"#, "wrong_type", "tags"), (#"{"id":1,"tags":{"a":1}}"#, "wrong_type", "tags"),
        (#"{"id":1,"device":[]}"#, "wrong_type", "device"), (#"{"id":1,"attrs":[]}"#, "wrong_type", "attrs"),
        (#"{"id":1,"attrs":{"a":"b"}}"#, "wrong_type", "attrs.value"),
        (#"{"id":1,"matrix":[[1],["a"]]}"#, "wrong_type", "matrix.element.element"),
        (#"{"id":1,"device":{"os":"x","screen":{"w":3000000000}}}"#, "out_of_range", "device.screen.w"),
    ])
    func rejectsWithPath(_ line: String, code: String, column: String) throws {
        let good =
            #"{"id":9,"device":{"os":"x","version":"1","screen":{"w":1,"h":2}},"tags":["t"],"points":[{"x":1,"#
            + #""y":2}],"attrs":{"a":1},"codes":{"1":"x"},"matrix":[[1]]}"#
        let decoder = try Decode.decoder(Self.schema)
        let alone = try decoder.decode(Array("\(good)\n\(good)\n".utf8), format: .ndjson)
        let mixed = try decoder.decode(Array("\(good)\n\(line)\n\(good)\n".utf8), format: .ndjson)
        #expect(mixed.rejections.map(\.code) == [code])
        #expect(mixed.rejections.map(\.column) == [column])
        #expect(mixed.rejections.map(\.line) == [2])
        #expect(mixed.rows == alone.rows)
        // The same record in an array is rejected the same way.
        let array = try decoder.decode(Array("[\(good),\(line),\(good)]".utf8), format: .json)
        #expect(array.rejections.map(\.code) == [code] && array.rejections.map(\.line) == [2])
        #expect(array.rows == alone.rows)
    }

    @Test func undoKeepsNullCountsAndOffsets() throws {
        // Every prefix of a record, as a bad line between good ones, must leave no trace in any buffer.
        let full =
            #"{"id":1,"device":{"os":"a","version":null,"screen":{"w":1}},"tags":["a","b"],"points":[{"y":2},"#
            + #"null],"attrs":{"k":1},"codes":{"7":"s"},"matrix":[[1,null],null]}"#
        let decoder = try Decode.decoder(Self.schema)
        let expected = try decoder.decode(Array("\(full)\n\(full)\n{\"id\":2}\n".utf8), format: .ndjson)
        var body = full + "\n"
        for length in 1..<full.utf8.count { body += full.prefix(length) + "\n" }
        body += full + "\n{\"id\":2}\n"
        let result = try decoder.decode(Array(body.utf8), format: .ndjson)
        #expect(result.rejectedCount == full.utf8.count - 1)
        #expect(result.rows == expected.rows)
        for (a, b) in zip(result.batch.columns, expected.batch.columns) { expectSame(a, b) }
    }

    private func expectSame(_ a: Column, _ b: Column) {
        #expect(a.rowCount == b.rowCount && a.nullCount == b.nullCount)
        #expect(a.validity?.array == b.validity?.array)
        switch (a.storage, b.storage) {
        case (.structure(let x), .structure(let y)):
            for (p, q) in zip(x, y) { expectSame(p, q) }
        case (.list(let s, let x), .list(let t, let y)), (.map(let s, let x), .map(let t, let y)):
            #expect(s.array == t.array)
            for (p, q) in zip(x, y) { expectSame(p, q) }
        case (.bytes(let s, let x), .bytes(let t, let y)): #expect(s.array == t.array && x.array == y.array)
        case (.int32(let x), .int32(let y)): #expect(x.array == y.array)
        case (.int64(let x), .int64(let y)): #expect(x.array == y.array)
        case (.double(let x), .double(let y)): #expect(x.array == y.array)
        default: Issue.record("columns of different storage")
        }
    }

    @Test func mapsWithManyKeys() throws {
        let members = (0..<500).map { "\"k\($0 * 7919 % 500)\":\($0)" }
        let good = try Decode.lines("m map<string, int>", "{\"m\":{\(members.joined(separator: ","))}}")
        #expect(good.batch.rowCount == 1)
        let twice = members + ["\"k250\":1"]
        let bad = try Decode.lines("m map<string, int>", "{\"m\":{\(twice.joined(separator: ","))}}")
        #expect(bad.rejections.map(\.code) == ["duplicate_key"])
    }

    @Test func mapKeysOfOtherTypes() throws {
        let body = #"{"a":{"2024-02-29":1},"b":{"true":1,"false":2},"c":{"1.50":1},"d":{"-2.5":1}}"#
        let result = try Decode.lines(
            "a map<date, int>, b map<boolean, int>, c map<decimal(5,2), int>, d map<double, int>", body)
        #expect(
            result.rows == [
                #"{"a":[{"key":"2024-02-29","value":1}],"b":[{"key":true,"value":1},{"key":false,"value":2}],"#
                    + #""c":[{"key":"1.50","value":1}],"d":[{"key":-2.5,"value":1}]}"#
            ])
        let bad = try Decode.lines("m map<list<int>, int>", #"{"m":{"[1]":1}}"#)
        #expect(bad.rejections.map(\.code) == ["wrong_type"])
    }

    @Test func ignoresUnknownColumnsWhenTold() throws {
        let options = DecoderOptions(unknownColumns: .ignore)
        let body = #"""
            {"x":{"a":[1,2,{"b":"\u00e9"}]},"id":1,"y":null}
            {"id":2,"x":[1,}
            {"id":3,"s":{"q":1,"a":2}}
            """#
        let result = try Decode.lines("id long, s struct<a long>", body, options: options)
        #expect(result.rows == [#"{"id":1,"s":null}"#, #"{"id":3,"s":{"a":2}}"#])
        #expect(result.rejections.map(\.code) == ["malformed_json"])
    }
}

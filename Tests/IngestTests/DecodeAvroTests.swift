import Avro
import Base
import Columnar
import Testing

@testable import Ingest

@Suite struct DecodeAvroTests {
    private func file(_ schema: String, _ records: [AvroValue]) throws -> [UInt8] {
        let parsed = try AvroSchema(parsing: Array(schema.utf8), source: "test")
        var writer = AvroFileWriter(
            schemaText: Array(schema.utf8), metadata: [], sync: UUID("f79c3e09-677c-4bbd-a479-3f349cb785e7")!)
        for record in records {
            try writer.append { output throws(FirnError) in try output.avroValue(record, parsed.root, in: parsed) }
        }
        return try writer.finish()
    }

    private func record(_ fields: String) -> String { #"{"type":"record","name":"r","fields":[\#(fields)]}"# }

    private func decodeFile(_ bytes: [UInt8], _ schema: String, ignoring: Bool = false) throws -> DecodedBatch {
        let settings = DecodeSettings(unknownColumns: ignoring ? .ignore : .reject)
        return try decode(bytes, format: .avro, schema: try ShortSchema.parse(schema), settings: settings)
    }

    @Test func readsAndSkips() throws {
        let schema = record(
            #"""
            {"name":"skipped","type":{"type":"map","values":{"type":"array","items":["null","string"]}}},
            {"name":"id","type":"int"},
            {"name":"e","type":{"type":"enum","name":"en","symbols":["A","B"]}},
            {"name":"o","type":["null",{"type":"record","name":"in","fields":[{"name":"x","type":"en"}]}]},
            {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
            {"name":"local","type":{"type":"long","logicalType":"timestamp-micros","adjust-to-utc":false}},
            {"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
            {"name":"nothing","type":"null"}
            """#)
        let skipped = AvroValue.map([.init("k", .array([.null, .string("x")]))])
        let rows = (0..<3).map { row in
            AvroValue.record([
                .init("skipped", skipped), .init("id", .int(Int32(row))), .init("e", .enumeration("B")),
                .init("o", row == 1 ? .null : .record([.init("x", .enumeration("A"))])), .init("at", .long(1500)),
                .init("local", .long(1)), .init("d", .bytes([0xff, 0x83])), .init("nothing", .null),
            ])
        }
        let bytes = try file(schema, rows)
        let result = try decodeFile(
            bytes, "id long, e string, o struct<x string>, at timestamp, local timestamp, d decimal(9,2), nothing int",
            ignoring: true)
        #expect(
            result.rows[1] == #"""
                {"id":1,"e":"B","o":null,"at":"1970-01-01T00:00:01.500000","local":"1970-01-01T00:00:00.000001",\#
                "d":"-1.25","nothing":null}
                """#)
        #expect(result.rows[2].contains(#""o":{"x":"A"}"#))
        let expected = try ShortSchema.parse(
            """
            skipped map<string, list<string>>, id int, e string, o struct<x string>, at timestamptz, local timestamp,
            d decimal(9,2), nothing string
            """)
        #expect(try SchemaInference.infer(bytes, format: .avro) == expected)
    }

    @Test(arguments: [
        #"{"name":"v","type":["int","string"]}"#,
        #"{"name":"v","type":["null",{"type":"record","name":"n","fields":[{"name":"next","type":["null","n"]}]}]}"#,
    ])
    func refusesTypes(_ field: String) throws {
        let error = #expect(throws: FirnError.self) { try decodeFile(try file(record(field), []), "v int") }
        #expect(error?.kind == .unsupported && error?.code == "unsupported_avro_type")
    }

    /// Items and records without bytes of their own must not cost memory without bound.
    @Test func boundsWhatTakesNoBytes() throws {
        let nulls = try file(
            record(#"{"name":"v","type":{"type":"array","items":"null"}}"#),
            [.record([.init("v", .array([AvroValue](repeating: .null, count: 1)))])])
        let schema = try ShortSchema.parse("v list<int>")
        #expect(try decode(nulls, format: .avro, schema: schema).rows == [#"{"v":[null]}"#])
        // A block that claims a million records of no bytes.
        var body = ByteWriter()
        let text = record(#"{"name":"v","type":"null"}"#)
        body.raw(Array("Obj".utf8) + [1])
        body.zigzag(1)
        body.avroString("avro.schema")
        body.avroString(text)
        body.zigzag(0)
        let sync = [UInt8](repeating: 7, count: 16)
        body.raw(sync)
        for count in [Int64(1), 1_000_000] {
            body.zigzag(count)
            body.zigzag(0)
            body.raw(sync)
        }
        let error = #expect(throws: FirnError.self) { try decodeFile(body.bytes, "v int") }
        #expect(error?.code == "malformed_body")
    }

    @Test func survivesDamage() throws {
        let schema = record(
            #"""
            {"name":"a","type":{"type":"array","items":["null","long"]}},{"name":"s","type":"string"},
            {"name":"m","type":{"type":"map","values":"double"}},
            {"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":30,"scale":2}}
            """#)
        let rows = (0..<5).map { row in
            AvroValue.record([
                .init("a", .array([.null, .long(Int64(row))])), .init("s", .string("é")),
                .init("m", .map([.init("k", .double(1))])), .init("d", .bytes([UInt8](repeating: 1, count: 12))),
            ])
        }
        let whole = try file(schema, rows)
        var state: UInt64 = 5
        func random(_ below: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % below
        }
        let target = try ShortSchema.parse("a list<int>, s string, m map<string, float>, d decimal(38,4)")
        #expect(try decode(whole, format: .avro, schema: target).batch.rowCount == 5)
        for round in 0..<4000 {
            var body = whole
            for _ in 0...random(3) { body[random(body.count)] = UInt8(random(256)) }
            if round % 5 == 0 { body.removeLast(random(body.count)) }
            do { _ = try decode(body, format: .avro, schema: target) } catch {
                #expect([.invalidInput, .unsupported, .limitExceeded].contains(error.kind), "\(error)")
            }
        }
    }
}

import Base
import Testing

@testable import Avro

/// Encodings as the examples of the Avro specification give them.
@Suite struct DatumTests {
    private func schema(_ text: String) throws -> AvroSchema {
        try AvroSchema(parsing: Array(text.utf8), source: "test")
    }

    private func encode(_ value: AvroValue, _ text: String) throws -> [UInt8] {
        let schema = try schema(text)
        var writer = ByteWriter()
        try writer.avroValue(value, schema.root, in: schema)
        return writer.bytes
    }

    @Test(
        arguments: [
            (0, [0x00]), (-1, [0x01]), (1, [0x02]), (-2, [0x03]), (2, [0x04]), (-64, [0x7f]), (64, [0x80, 0x01]),
        ] as [(Int64, [UInt8])])
    func longsAreZigzag(value: Int64, bytes: [UInt8]) throws {
        #expect(try encode(.long(value), #""long""#) == bytes)
        var reader = ByteReader(bytes, source: "test")
        #expect(try reader.avroLong() == value)
    }

    @Test func specificationExamples() throws {
        let record =
            #"{"type":"record","name":"test","fields":[{"name":"a","type":"long"},{"name":"b","type":"string"}]}"#
        let value = AvroValue.record([.init("a", .long(27)), .init("b", .string("foo"))])
        #expect(try encode(value, record) == [0x36, 0x06, 0x66, 0x6f, 0x6f])
        let array = #"{"type":"array","items":"long"}"#
        #expect(try encode(.array([.long(3), .long(27)]), array) == [0x04, 0x06, 0x36, 0x00])
        #expect(try encode(.null, #"["null","string"]"#) == [0x00])
        #expect(try encode(.string("a"), #"["null","string"]"#) == [0x02, 0x02, 0x61])
        let enumeration = #"{"type":"enum","name":"Foo","symbols":["A","B","C","D"]}"#
        #expect(try encode(.enumeration("D"), enumeration) == [0x06])
    }

    @Test func everyTypeSurvives() throws {
        let text = """
            {"type":"record","name":"all","fields":[
             {"name":"flag","type":"boolean"},{"name":"i","type":"int"},{"name":"l","type":"long"},
             {"name":"f","type":"float"},{"name":"d","type":"double"},{"name":"b","type":"bytes"},
             {"name":"s","type":"string"},{"name":"x","type":{"type":"fixed","name":"four","size":4}},
             {"name":"y","type":"four"},{"name":"m","type":{"type":"map","values":"int"}},
             {"name":"o","type":["null","all"]}]}
            """
        let schema = try schema(text)
        func value(_ inner: AvroValue) -> AvroValue {
            .record([
                .init("flag", .boolean(true)), .init("i", .int(.min)), .init("l", .long(.max)), .init("f", .float(1.5)),
                .init("d", .double(-0.25)), .init("b", .bytes([0, 255])), .init("s", .string("é")),
                .init("x", .fixed([1, 2, 3, 4])), .init("y", .fixed([5, 6, 7, 8])),
                .init("m", .map([.init("k", .int(7))])), .init("o", inner),
            ])
        }
        let nested = value(value(.null))
        var writer = ByteWriter()
        try writer.avroValue(nested, schema.root, in: schema)
        var reader = ByteReader(writer.bytes, source: "test")
        #expect(try reader.avroValue(schema.root, in: schema) == nested)
        #expect(reader.isAtEnd)
        var skipper = ByteReader(writer.bytes, source: "test")
        try skipper.avroSkip(schema.root, in: schema)
        #expect(skipper.isAtEnd)
    }

    @Test func lengthsAreBounded() throws {
        // A string of 2^40 bytes, an array block of 2^40 items, a branch beyond the union.
        for (text, bytes) in [
            (#""string""#, [0x80, 0x80, 0x80, 0x80, 0x80, 0x40, 0x61]),
            (#"{"type":"array","items":"null"}"#, [0x80, 0x80, 0x80, 0x80, 0x80, 0x40, 0x00]),
            (#"["null","int"]"#, [0x04, 0x00]), (#""boolean""#, [0x02]), (#""int""#, [0x80, 0x80, 0x80, 0x80, 0x20]),
        ] as [(String, [UInt8])] {
            let schema = try schema(text)
            var reader = ByteReader(bytes, source: "test")
            #expect(throws: FirnError.self) { try reader.avroValue(schema.root, in: schema) }
        }
    }

    @Test func recursionIsBounded() throws {
        let schema = try schema(
            #"{"type":"record","name":"n","fields":[{"name":"next","type":["null","n"]}]}"#)
        var reader = ByteReader([UInt8](repeating: 2, count: 100_000), source: "test")
        #expect(throws: FirnError.self) { try reader.avroValue(schema.root, in: schema) }
        var skipper = ByteReader([UInt8](repeating: 2, count: 100_000), source: "test")
        #expect(throws: FirnError.self) { try skipper.avroSkip(schema.root, in: schema) }
    }
}

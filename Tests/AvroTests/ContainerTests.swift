import Base
import Testing

@testable import Avro

@Suite struct ContainerTests {
    private static let uuid = UUID(high: 0x0102_0304_0506_4708, low: 0x890a_0b0c_0d0e_0f10)

    private func file(records: Int, codec: AvroCodec) throws -> [UInt8] {
        var writer = AvroFileWriter(
            schemaText: Array(#""string""#.utf8), metadata: [("key", Array("value".utf8))], codec: codec,
            sync: Self.uuid)
        for index in 0..<records {
            try writer.append { $0.avroString("record number \(index)") }
        }
        return try writer.finish()
    }

    private func read(_ bytes: [UInt8]) throws -> [AvroValue] {
        var reader = try AvroFileReader(bytes, source: "test")
        var values: [AvroValue] = []
        try reader.forEachValue {
            values.append($0)
            return true
        }
        return values
    }

    @Test(arguments: [AvroCodec.null, .deflate], [0, 1, 20_000])
    func survives(codec: AvroCodec, records: Int) throws {
        let bytes = try file(records: records, codec: codec)
        #expect(try read(bytes) == (0..<records).map { .string("record number \($0)") })
        let reader = try AvroFileReader(bytes, source: "test")
        #expect(reader.text("key") == "value")
        #expect(reader.text("avro.codec") == codec.rawValue)
    }

    @Test func readsZstandard() throws {
        var bytes = ByteWriter()
        bytes.raw(AvroFileFormat.magic)
        bytes.zigzag(2)
        bytes.avroString("avro.schema")
        bytes.avroString(#""int""#)
        bytes.avroString("avro.codec")
        bytes.avroString("zstandard")
        bytes.zigzag(0)
        bytes.raw(Self.uuid.bytes)
        bytes.zigzag(2)
        bytes.avroBytes(try Zstd.compress([0x0e, 0x10]))
        bytes.raw(Self.uuid.bytes)
        #expect(try read(bytes.bytes) == [.int(7), .int(8)])
    }

    @Test func damageIsNoticed() throws {
        let good = try file(records: 50, codec: .deflate)
        #expect(throws: FirnError.self) { try read(Array(good.dropLast())) }
        var badSync = good
        badSync[good.count - 1] ^= 1
        #expect(throws: FirnError.self) { try read(badSync) }
        #expect(throws: FirnError.self) { try read(Array("Obj\u{2}".utf8) + good.dropFirst(4)) }
        for length in stride(from: 0, to: good.count, by: 3) where length > 0 {
            // Any prefix is an error or, when it ends right after the header, an empty file.
            let values = try? read(Array(good.prefix(length)))
            #expect(values == nil || values!.isEmpty)
        }
    }

    @Test func recordCountIsBounded() throws {
        var bytes = ByteWriter()
        bytes.raw(AvroFileFormat.magic)
        bytes.zigzag(1)
        bytes.avroString("avro.schema")
        bytes.avroString(#""null""#)
        bytes.zigzag(0)
        bytes.raw(Self.uuid.bytes)
        bytes.zigzag(1 << 50)
        bytes.zigzag(0)
        bytes.raw(Self.uuid.bytes)
        #expect(throws: FirnError.self) { try read(bytes.bytes) }
    }

    /// Files of the Avro project: the same ten weather reports under every codec.
    @Test func readsForeignFiles() throws {
        guard let json = try Corpus.read("avro/share/test/data/weather.json") else { return }
        let expected = try String(decoding: json, as: UTF8.self).split(separator: "\n").map {
            try JSONValue(parsing: String($0), source: "weather.json")
        }
        for name in ["weather.avro", "weather-deflate.avro", "weather-zstd.avro"] {
            let values = try read(try #require(try Corpus.read("avro/share/test/data/" + name)))
            #expect(values.count == expected.count)
            for (value, json) in zip(values, expected) {
                #expect(value["station"] == json["station"]?.stringValue.map { .string($0) })
                #expect(value["time"] == json["time"]?.intValue.map { .long($0) })
                #expect(value["temp"] == json["temp"]?.intValue.map { .int(Int32($0)) })
            }
        }
        let snappy = try #require(try Corpus.read("avro/share/test/data/weather-snappy.avro"))
        let error = #expect(throws: FirnError.self) { try read(snappy) }
        #expect(error?.kind == .unsupported)
        for name in ["avro-1237-bad-union-discriminant.avro", "avro-1238-truncated.avro"] {
            let bytes = try #require(try Corpus.read("avro/lang/c/tests/" + name))
            #expect(throws: FirnError.self) { try read(bytes) }
        }
        for name in ["avro-1237-good.avro", "avro-1238-good.avro", "avro-1279-no-codec.avro"] {
            let bytes = try #require(try Corpus.read("avro/lang/c/tests/" + name))
            #expect(try !read(bytes).isEmpty, "\(name)")
        }
    }
}

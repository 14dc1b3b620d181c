import Base
import TestSupport
import Testing

@Suite struct BytesTests {
    static func error(_ body: () throws -> Void) -> FirnError? {
        do {
            try body()
            return nil
        } catch { return error as? FirnError }
    }

    @Test func fixedWidthIntegers() throws {
        var writer = ByteWriter()
        writer.littleEndian(UInt32(0x0102_0304))
        writer.bigEndian(UInt32(0x0102_0304))
        writer.littleEndian(Int64(-2))
        #expect(Hex.encode(writer.bytes) == "0403020101020304feffffffffffffff")
        var reader = ByteReader(writer.bytes, source: "x")
        #expect(try reader.littleEndian(UInt32.self) == 0x0102_0304)
        #expect(try reader.bigEndian(UInt32.self) == 0x0102_0304)
        #expect(try reader.littleEndian(Int64.self) == -2)
        #expect(reader.isAtEnd)
    }

    /// Vectors: Avro specification, "Data serialization", and the LEB128 of Parquet's Thrift.
    @Test(
        arguments: [
            (0, "00"), (-1, "01"), (1, "02"), (-2, "03"), (2, "04"), (-64, "7f"), (64, "8001"), (150, "ac02"),
            (.max, "feffffffffffffffff01"), (.min, "ffffffffffffffffff01"),
        ] as [(Int64, String)])
    func zigzag(value: Int64, bytes: String) throws {
        var writer = ByteWriter()
        writer.zigzag(value)
        #expect(Hex.encode(writer.bytes) == bytes)
        var reader = ByteReader(writer.bytes, source: "x")
        #expect(try reader.zigzag() == value && reader.isAtEnd)
    }

    @Test func variableLengthIntegersEndAtSixtyFourBits() {
        for bytes in ["ffffffffffffffffff02", "80808080808080808080", "8080808080808080808000", "ff", ""] {
            var reader = ByteReader(Hex.decode(bytes)!, source: "f.avro")
            #expect(Self.error { _ = try reader.varint() }?.kind == .corrupted, "\(bytes)")
        }
    }

    @Test func everyReadStopsAtTheEnd() {
        let bytes: [UInt8] = [9, 1, 2, 3, 9, 9, 9, 9, 9]
        func reader() -> ByteReader { ByteReader(bytes, range: 1..<4, source: "f.bin") }
        let reads: [(inout ByteReader) throws -> Void] = [
            { _ = try $0.take(4) }, { _ = try $0.take(-1) }, { _ = try $0.take(.max) }, { try $0.skip(4) },
            { _ = try $0.littleEndian(UInt32.self) }, { _ = try $0.bigEndian(UInt64.self) }, { _ = try $0.utf8(4) },
            {
                try $0.skip(3)
                _ = try $0.byte()
            },
        ]
        for (index, read) in reads.enumerated() {
            var reader = reader()
            let error = Self.error { try read(&reader) }
            #expect(error?.kind == .corrupted && error?.context["file"] == "f.bin", "read \(index)")
        }
        var whole = reader()
        #expect((try? whole.take(3)) == [1, 2, 3][...] && whole.isAtEnd && whole.offset == 4)
    }

    @Test func textMustBeUTF8() throws {
        var good = ByteReader(Array("snö".utf8), source: "x")
        #expect(try good.utf8(4) == "snö")
        for bytes in [[0xc3], [0xff], [0xed, 0xa0, 0x80], [0xc0, 0x80]] as [[UInt8]] {
            var reader = ByteReader(bytes, source: "x")
            #expect(Self.error { _ = try reader.utf8(bytes.count) }?.kind == .corrupted)
        }
    }

    @Test func buffersGrowTruncateAndCommit() {
        let buffer = Buffer<Int64>()
        for value in 0..<1000 as Range<Int64> { buffer.append(value) }
        buffer.truncate(to: 10)
        buffer.append(repeating: 7, count: 3)
        buffer.reserve(2)
        buffer.pointer[13] = 8
        buffer.commit(1)
        #expect(buffer.array == Array(0..<10) + [7, 7, 7, 8])
        #expect(buffer.byteCapacity >= 14 * 8 + Buffer<Int64>.padding)
        let copy = Buffer(buffer.array)
        copy.append(contentsOf: buffer)
        #expect(copy.count == 28 && copy[27] == 8)
    }
}

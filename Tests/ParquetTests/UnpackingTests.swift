import Base
import Testing

@testable import Parquet

@Suite struct UnpackingTests {
    /// Value `index` of `width` bits, a bit at a time.
    static func naive(_ bytes: [UInt8], _ index: Int, _ width: Int) -> UInt64 {
        var value: UInt64 = 0
        for bit in 0..<width {
            let at = index * width + bit
            value |= UInt64(bytes[at / 8] >> UInt8(at % 8) & 1) << UInt64(bit)
        }
        return value
    }

    static func random(_ count: Int, seed: UInt64) -> [UInt8] {
        var generator = Generator(seed: seed, nullPercent: 0, isRepetitive: false)
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
    }

    /// Every width and many lengths, from exactly as many bytes as the values take, to exactly as much room.
    private func check<T: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(_ type: T.Type) {
        for width in 0...T.bitWidth {
            for count in [1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 129] {
                for spare in [0, 1, 40] {
                    let bytes = Self.random((count * width + 7) / 8 + spare, seed: UInt64(width * 1000 + count))
                    var out = [T](repeating: 77, count: count + 1)
                    bytes.withUnsafeBytes { source in
                        out.withUnsafeMutableBufferPointer {
                            BitPacking.unpack(source, count: count, width: width, into: $0.baseAddress!)
                        }
                    }
                    let expected = (0..<count).map { T(truncatingIfNeeded: Self.naive(bytes, $0, width)) }
                    #expect(Array(out.dropLast()) == expected, "\(T.self), width \(width), count \(count)")
                    #expect(out.last == 77)
                }
            }
        }
    }

    @Test func everyWidth() {
        check(UInt8.self)
        check(UInt32.self)
        check(UInt64.self)
    }

    @Test func packIsTheInverse() {
        for width in 1...64 {
            let bytes = Self.random(width * 9, seed: UInt64(width))
            let values = (0..<72).map { Self.naive(bytes, $0, width) }
            let out = Buffer<UInt8>([1])
            values.withUnsafeBufferPointer { BitPacking.pack($0.baseAddress!, count: 72, width: width, into: out) }
            #expect(Array(out.array.dropFirst()) == bytes, "width \(width)")
        }
    }

    /// The example of the specification, and widths against single bits.
    @Test func mostSignificantBitFirst() {
        func unpack(_ bytes: [UInt8], _ count: Int, _ width: Int) -> [UInt8] {
            var out = [UInt8](repeating: 9, count: count)
            bytes.withUnsafeBytes { source in
                out.withUnsafeMutableBufferPointer {
                    BitPacking.unpackBigEndian(source, count: count, width: width, into: $0.baseAddress!)
                }
            }
            return out
        }
        #expect(unpack([0b0000_0101, 0b0011_1001, 0b0111_0111], 8, 3) == Array(0..<8))
        for width in 1...8 {
            let bytes = Self.random(width * 5, seed: 3)
            let bits = bytes.flatMap { byte in (0..<8).map { byte >> UInt8(7 - $0) & 1 } }
            let expected = (0..<40).map { index in
                bits[index * width..<(index + 1) * width].reduce(UInt8(0)) { $0 << 1 | $1 }
            }
            #expect(unpack(bytes, 40, width) == expected)
        }
    }

    @Test func gathersMatchSingleLookUps() throws {
        var generator = Generator(seed: 9, nullPercent: 0, isRepetitive: false)
        let texts = (0..<300).map { Array(String(repeating: "x", count: $0 % 70).utf8) + [UInt8($0 % 251)] }
        let (offsets, bytes) = (Buffer<Int32>([0]), Buffer<UInt8>())
        for text in texts {
            text.withUnsafeBufferPointer { bytes.append($0) }
            offsets.append(Int32(bytes.count))
        }
        var wanted: [UInt32] = [299]
        while wanted.count < 5000 {
            let count = generator.below(4) == 0 ? generator.below(3000) : 1
            wanted += [UInt32](repeating: UInt32(generator.below(300)), count: count)
        }
        let region = Buffer<UInt8>([9])
        wanted.withUnsafeBufferPointer {
            RunLengthEncoder.encode($0.baseAddress!, count: wanted.count, width: 9, into: region)
        }
        func gather(_ values: PhysicalValues, _ from: PhysicalValues, _ region: [UInt8]) throws {
            try region.withUnsafeBytes { try values.appendIndexed(from, $0, count: wanted.count) }
        }
        let words = Buffer<Int64>((0..<300).map { Int64($0) << 33 })
        let longs = PhysicalValues.int64(Buffer([5]))
        try gather(longs, .int64(words), region.array)
        guard case .int64(let found) = longs else { return }
        #expect(found.array == [5] + wanted.map { Int64($0) << 33 })

        let (ends, text) = (Buffer<Int32>([0]), Buffer<UInt8>())
        try gather(.bytes(offsets: ends, bytes: text), .bytes(offsets: offsets, bytes: bytes), region.array)
        #expect(text.array == wanted.flatMap { texts[Int($0)] })
        #expect(zip(ends.array.dropFirst(), ends.array).map { $0 - $1 } == wanted.map { Int32(texts[Int($0)].count) })

        let fixed = Buffer<UInt8>()
        try gather(.fixed(fixed, width: 3), .fixed(Buffer((0..<900).map { UInt8($0 % 253) }), width: 3), region.array)
        #expect(fixed.array == wanted.flatMap { index in (0..<3).map { UInt8((Int(index) * 3 + $0) % 253) } })

        // A dictionary that lacks the last value.
        #expect(throws: FirnError.self) {
            try gather(.int64(Buffer()), .int64(Buffer(Array(words.array.dropLast()))), region.array)
        }
        #expect(throws: FirnError.self) { try gather(.int64(Buffer()), .int64(words), [33] + region.array.dropFirst()) }
        #expect(throws: FirnError.self) { try gather(.int64(Buffer()), .int64(words), []) }
        #expect(throws: FirnError.self) { try gather(.int64(Buffer()), .int64(Buffer()), [0, 0xfe, 0xff, 0x03]) }
    }
}

import Base
import Columnar
import Testing

@testable import Parquet

@Suite struct EncodingTests {
    /// Examples of the specification, and runs that lend values to a group.
    @Test func hybridBytes() {
        func encode(_ values: [UInt32], _ width: Int) -> [UInt8] {
            let out = Buffer<UInt8>()
            values.withUnsafeBufferPointer {
                RunLengthEncoder.encode($0.baseAddress!, count: $0.count, width: width, into: out)
            }
            return out.array
        }
        // https://parquet.apache.org/docs/file-format/data-pages/encodings/#RLE: 0 to 7 in 3 bits.
        #expect(encode(Array(0..<8), 3) == [0x03, 0b1000_1000, 0b1100_0110, 0b1111_1010])
        #expect(encode([UInt32](repeating: 5, count: 100), 3) == [0xc8, 0x01, 5])
        #expect(encode([UInt32](repeating: 300, count: 8), 9) == [0x10, 0x2c, 0x01])
        // 1 and seven zeros fill the group; the rest is a run.
        #expect(encode([1] + [UInt32](repeating: 0, count: 20), 1) == [0x03, 0x01, 26, 0])
    }

    @Test func hybridRoundTrips() throws {
        var generator = Generator(seed: 4, nullPercent: 0, isRepetitive: false)
        for width in 1...32 {
            for count in [1, 7, 8, 9, 63, 64, 65, 1000] {
                var values: [UInt32] = []
                while values.count < count {
                    let value = UInt32(truncatingIfNeeded: generator.next()) >> UInt32(32 - width)
                    values += [UInt32](repeating: value, count: 1 + generator.below(3) * generator.below(20))
                }
                values.removeLast(values.count - count)
                let out = Buffer<UInt8>()
                values.withUnsafeBufferPointer {
                    RunLengthEncoder.encode($0.baseAddress!, count: count, width: width, into: out)
                }
                var back = [UInt32](repeating: 0, count: count)
                // An exact copy: nothing beyond the encoded bytes may be needed.
                try out.array.withUnsafeBytes { bytes in
                    try back.withUnsafeMutableBufferPointer {
                        try RunLengthDecoder.decode(bytes, width: width, count: count, into: $0.baseAddress!)
                    }
                }
                #expect(back == values, "width \(width), count \(count)")
            }
        }
    }

    @Test func booleansPackLeastSignificantFirst() {
        let out = Buffer<UInt8>()
        let values: [UInt8] = [1, 0, 1, 1, 0, 0, 0, 1, 0, 1]
        values.withUnsafeBufferPointer { BitPacking.packBooleans($0.baseAddress!, count: 10, into: out) }
        #expect(out.array == [0b1000_1101, 0b0000_0010])
    }

    /// Widths of parquet-format's decimal table.
    @Test func decimalWidths() {
        let widths = [1: 1, 2: 1, 3: 2, 4: 2, 5: 3, 9: 4, 10: 5, 18: 8, 19: 9, 20: 9, 28: 12, 36: 16, 38: 16]
        for (precision, width) in widths { #expect(DecimalBytes.width(precision: precision) == width) }
    }

    @Test func decimalBytes() {
        func decode(_ bytes: [UInt8]) -> Int128? { bytes.withUnsafeBufferPointer { DecimalBytes.decode($0) } }
        #expect(decode([0xff, 0x85]) == -123)
        #expect(decode([0x00, 0xff]) == 255)
        #expect(decode([UInt8](repeating: 0xff, count: 20)) == -1)
        #expect(decode([0] + [0x80] + [UInt8](repeating: 0, count: 15)) == nil)
        #expect(decode([1] + [UInt8](repeating: 0, count: 16)) == nil)
        #expect(decode([]) == nil)
    }

    @Test func dictionariesRefuseWhatDoesNotFit() {
        func fits(_ values: [UInt64], bytesMax: Int) -> Bool {
            let indices = Buffer<UInt32>([7])
            let fits = values.withUnsafeBufferPointer {
                WordDictionary<UInt64>().encode($0.baseAddress!, count: $0.count, into: indices, bytesMax: bytesMax)
            }
            #expect(indices.count == (fits ? values.count + 1 : 1))
            return fits
        }
        var generator = Generator(seed: 8, nullPercent: 0, isRepetitive: false)
        let values = (0..<100_000).map { _ in generator.next() }
        #expect(fits(values, bytesMax: 800_000))
        #expect(!fits(values, bytesMax: 799_999))
        // Values chosen to hash alike: multiples of the multiplier's inverse modulo 2^64, unfolded.
        var inverse: UInt64 = 1
        for _ in 0..<6 { inverse &*= 2 &- 0x9e37_79b9_7f4a_7c15 &* inverse }
        let alike = (0..<100).map { inverse &* $0 }.map { $0 ^ ($0 >> 32) }
        #expect(fits(Array(alike[..<60]), bytesMax: 1 << 20))
        #expect(!fits(alike, bytesMax: 1 << 20))
    }
}

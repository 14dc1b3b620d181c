import Base
import Testing

@testable import Parquet

/// The encodings beyond PLAIN, RLE and dictionaries.
@Suite struct DeltaTests {
    typealias Encoding = ParquetEncoding

    private static let delta = Encoding(rawValue: 5)
    private static let deltaLength = Encoding(rawValue: 6)
    private static let deltaBytes = Encoding(rawValue: 7)
    private static let split = Encoding(rawValue: 9)

    private func append(_ hex: String, _ encoding: Encoding, _ values: PhysicalValues, _ count: Int) throws {
        let bytes = Hex.decode(hex.filter { !$0.isWhitespace })!
        try bytes.withUnsafeBytes { try values.append($0, encoding, count: count) }
        // Cut anywhere, the page is refused; padding at its end may be missing.
        let end = bytes.lastIndex { $0 != 0 } ?? 0
        for cut in 0..<end {
            #expect(throws: FirnError.self, "cut at \(cut)") {
                try bytes.withUnsafeBytes {
                    try values.append(UnsafeRawBufferPointer(rebasing: $0[..<cut]), encoding, count: count)
                }
            }
        }
    }

    /// Pages of pyarrow 26.0.1, headers left out; 128 values a block for 32 bits, 256 for 64.
    @Test func whatPyarrowWrites() throws {
        let ints = Buffer<Int32>()
        try append("800104080e0302000000c03f000000000000", Self.delta, .int32(ints), 8)
        #expect(ints.array == [7, 5, 3, 1, 2, 3, 4, 5])

        let texts: (Buffer<Int32>, Buffer<UInt8>) = (Buffer([0]), Buffer())
        let tail = String(repeating: "78", count: 79) + "79"
        let expected = "aaxisaxlebabblebabyhood" + String(repeating: "x", count: 79) + "y"
        let ends: [Int32] = [0, 0, 1, 5, 9, 15, 23, 63, 103]
        try append(
            """
            80010408000006000000c10008020800000000000000000000000000000000000000616178697361786c65626162626c6562616279
            686f6f64
            """ + tail, Self.deltaLength, .bytes(offsets: texts.0, bytes: texts.1), 8)
        #expect(texts.0.array == ends && texts.1.array == Array(expected.utf8))

        let shared: (Buffer<Int32>, Buffer<UInt8>) = (Buffer([0]), Buffer())
        try append(
            """
            8001040800050600000003410406a00200000000000000000000000000000000000080010408004d07000000a89469655202000000
            00000000000000000000000000000000000000617869736c65626162626c6579686f6f64787878787878787878787878787878787
            8787878787878787878787878787878787878787878787879
            """, Self.deltaBytes, .bytes(offsets: shared.0, bytes: shared.1), 8)
        #expect(shared.0.array == ends && shared.1.array == Array(expected.utf8))

        let fixed = Buffer<UInt8>()
        try append(
            """
            800104040003030000004500000000000000000000008001040408050300000028010000000000000000000061616161626261627a
            7a7a7a
            """, Self.deltaBytes, .fixed(fixed, width: 4), 4)
        #expect(fixed.array == Array("aaaaaaabababzzzz".utf8))

        let (floats, doubles, threes) = (Buffer<Float>(), Buffer<Double>(), Buffer<UInt8>())
        try append("00001800000dc0108f3fc04d", Self.split, .float(floats), 3)
        #expect(floats.array == [1.5, -2.25, 3e8])
        try append("0000870000130000c30000430000a500005af8028f3fc069", Self.split, .double(doubles), 3)
        #expect(doubles.array == [1.5, -2.25, 3e200])
        try append("616462656366", Self.split, .fixed(threes, width: 3), 2)
        #expect(threes.array == Array("abcdef".utf8))

        let booleans = Buffer<UInt8>()
        try append("0400000028010302", .rle, .boolean(booleans), 23)
        #expect(booleans.array == [UInt8](repeating: 1, count: 20) + [0, 1, 0])
    }

    /// Decodes DELTA_BINARY_PACKED a bit at a time, in 128 bits.
    private func naive(_ bytes: [UInt8], bits: Int) -> [Int64] {
        var at = 0
        func number() -> UInt64 {
            var (value, shift): (UInt64, UInt64) = (0, 0)
            while true {
                defer { at += 1 }
                value |= UInt64(bytes[at] & 0x7f) << shift
                if bytes[at] < 0x80 { return value }
                shift += 7
            }
        }
        func zigzag() -> Int64 {
            let value = number()
            return Int64(bitPattern: value >> 1) ^ (value & 1 == 1 ? -1 : 0)
        }
        func wrap(_ value: Int64) -> Int64 { bits == 32 ? Int64(Int32(truncatingIfNeeded: value)) : value }
        let (block, parts, count) = (Int(number()), Int(number()), Int(number()))
        var values = [zigzag()]
        while values.count < count {
            let least = zigzag()
            let widths = bytes[at..<at + parts].map(Int.init)
            at += parts
            for width in widths where values.count < count {
                let packed = Array(bytes[at..<at + block / parts * width / 8])
                at += packed.count
                for index in 0..<min(block / parts, count - values.count) {
                    let delta = UnpackingTests.naive(packed, index, width)
                    values.append(wrap(values.last! &+ least &+ Int64(bitPattern: delta)))
                }
            }
        }
        #expect(at == bytes.count)
        return values
    }

    private func roundTrip<T: FixedWidthInteger & SignedInteger & BitwiseCopyable>(_ values: [T]) throws
    where T.Magnitude: FixedWidthInteger & UnsignedInteger & BitwiseCopyable {
        let bytes = Buffer<UInt8>()
        values.withUnsafeBufferPointer { source in
            // An empty buffer may have no address; nothing is read from it then.
            let none = Buffer<T>()
            let start = source.baseAddress ?? UnsafePointer(none.pointer)
            DeltaBinaryPacked.encode(start, count: source.count, into: bytes)
        }
        let exact = bytes.array
        if !values.isEmpty { #expect(naive(exact, bits: T.bitWidth) == values.map { Int64($0) }) }
        for padded in [exact, exact + [1, 2, 3]] {
            let out = Buffer<T>([1])
            let used = try padded.withUnsafeBytes {
                try DeltaBinaryPacked.decode($0, count: values.count, into: out)
            }
            #expect(used == exact.count)
            #expect(Array(out.array.dropFirst()) == values)
        }
        for wrong in [values.count + 1, values.count - 1] where wrong >= 0 {
            #expect(throws: FirnError.self) {
                try exact.withUnsafeBytes { try DeltaBinaryPacked.decode($0, count: wrong, into: Buffer<T>()) }
            }
        }
    }

    /// DuckDB 1.5.5 takes the differences of INT32 in 64 bits.
    @Test func differencesOfInt32MayBeWiderThanTheType() throws {
        let values: [Int64] = (0..<300).map { [0, 1, -1, Int64(Int32.max), Int64(Int32.min), 7][$0 * 7 % 6] }
        let bytes = Buffer<UInt8>()
        values.withUnsafeBufferPointer {
            DeltaBinaryPacked.encode($0.baseAddress!, count: values.count, into: bytes)
        }
        #expect(naive(bytes.array, bits: 64) == values)
        let out = Buffer<Int32>()
        let used = try bytes.array.withUnsafeBytes {
            try DeltaBinaryPacked.decode($0, count: values.count, into: out)
        }
        #expect(used == bytes.count)
        #expect(out.array.map { Int64($0) } == values)
    }

    @Test func differencesRoundTrip() throws {
        var generator = Generator(seed: 6, nullPercent: 0, isRepetitive: false)
        for count in [0, 1, 2, 31, 32, 33, 34, 128, 129, 130, 257, 1000] {
            for bits in [0, 1, 5, 8, 17, 31, 32, 33, 47, 56, 57, 63, 64] {
                let mask: UInt64 = bits == 64 ? .max : (1 << UInt64(bits)) - 1
                try roundTrip((0..<count).map { Int64(bitPattern: generator.next() & mask) &+ Int64($0) * 1000 })
                try roundTrip((0..<count).map { _ in Int32(truncatingIfNeeded: generator.next() & mask) })
            }
        }
        try roundTrip([Int64.min, .max, .min, 0, .max, -1])
        try roundTrip([Int32.min, .max, .min, 0, .max, -1])
    }

    @Test func hostileDifferences() {
        let bad: [[UInt8]] = [
            [], [0x80], [0x80, 1, 4], [0, 4, 1, 0], [0x80, 1, 0, 1, 0], [0x80, 1, 3, 1, 0], [0x7f, 4, 1, 0],
            // 8 miniblocks of 16; a block of 2^62; 2^31 values in no bytes; a width of 65 bits; a width without bytes.
            [0x80, 1, 8, 1, 0], [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40, 4, 1, 0],
            [0x80, 1, 4, 0x80, 0x80, 0x80, 0x80, 8, 0], [0x80, 1, 4, 2, 0, 0, 65, 0, 0, 0] + [UInt8](0..<100),
            [0x80, 1, 4, 33, 0, 0, 8, 0, 0, 0, 1, 2, 3], [0x80, 1, 4, 2, 0, 0, 1, 0],
        ]
        for bytes in bad {
            #expect(throws: FirnError.self, "\(bytes)") {
                try bytes.withUnsafeBytes { try DeltaBinaryPacked.decode($0, count: nil, into: Buffer<Int64>()) }
            }
        }
    }

    private func strings(_ texts: [[UInt8]]) -> (offsets: Buffer<Int32>, bytes: Buffer<UInt8>) {
        // Offsets need not start at 0.
        let (offsets, bytes) = (Buffer<Int32>([3]), Buffer<UInt8>([1, 2, 3]))
        for text in texts {
            text.withUnsafeBufferPointer { bytes.append($0) }
            offsets.append(Int32(bytes.count))
        }
        return (offsets, bytes)
    }

    @Test func stringsRoundTrip() throws {
        var generator = Generator(seed: 7, nullPercent: 0, isRepetitive: false)
        for count in [0, 1, 2, 40, 300] {
            var texts: [[UInt8]] = []
            for index in 0..<count {
                let shared = index > 0 ? Array(texts[index - 1].prefix(generator.below(50))) : []
                texts.append(shared + UnpackingTests.random(generator.below(25), seed: generator.next()))
            }
            let (offsets, bytes) = strings(texts)
            let (lengths, prefixed) = (Buffer<UInt8>(), Buffer<UInt8>())
            DeltaLengthByteArray.encode(
                UnsafePointer(bytes.pointer), offsets: UnsafePointer(offsets.pointer), count: count, into: lengths)
            DeltaByteArray.encode(
                UnsafePointer(bytes.pointer), offsets: UnsafePointer(offsets.pointer), count: count, into: prefixed)
            #expect(lengths.array.suffix(bytes.count - 3) == bytes.array.suffix(bytes.count - 3))
            for (encoding, page) in [(Self.deltaLength, lengths), (Self.deltaBytes, prefixed)] {
                let (ends, out) = (Buffer<Int32>([0, 2]), Buffer<UInt8>([8, 8]))
                try page.array.withUnsafeBytes {
                    try PhysicalValues.bytes(offsets: ends, bytes: out).append($0, encoding, count: count)
                }
                #expect(out.array == [8, 8] + texts.flatMap { $0 })
                #expect(ends.array == [0] + offsets.array.map { $0 - 1 })
            }
        }
    }

    @Test func hostileStrings() {
        func page(_ numbers: [[Int32]], _ rest: [UInt8]) -> [UInt8] {
            let out = Buffer<UInt8>()
            for list in numbers {
                list.withUnsafeBufferPointer { DeltaBinaryPacked.encode($0.baseAddress!, count: $0.count, into: out) }
            }
            return out.array + rest
        }
        func fails(_ bytes: [UInt8], _ encoding: Encoding, _ values: PhysicalValues) -> FirnError.Kind? {
            do throws(FirnError) {
                do { try bytes.withUnsafeBytes { try values.append($0, encoding, count: 2) } } catch {
                    throw error as! FirnError
                }
                return nil
            } catch { return error.kind }
        }
        let text = PhysicalValues.bytes(offsets: Buffer([0]), bytes: Buffer())
        #expect(fails(page([[1, 1]], [1]), Self.deltaLength, text) == .corrupted)
        #expect(fails(page([[3, -1]], [1, 2]), Self.deltaLength, text) == .corrupted)
        #expect(fails(page([[.max, .max]], [1, 2]), Self.deltaLength, text) == .corrupted)
        // A prefix before the first, one too long, a negative one, lengths that pass the bytes.
        #expect(fails(page([[1, 0], [1, 1]], [1, 2]), Self.deltaBytes, text) == .corrupted)
        #expect(fails(page([[0, 2], [1, 1]], [1, 2]), Self.deltaBytes, text) == .corrupted)
        #expect(fails(page([[0, -1], [1, 1]], [1, 2]), Self.deltaBytes, text) == .corrupted)
        #expect(fails(page([[0, 1], [1, 2]], [1, 2]), Self.deltaBytes, text) == .corrupted)
        #expect(fails(page([[0, 1], [1, 1]], [1, 2]), Self.deltaBytes, .fixed(Buffer(), width: 2)) == .corrupted)
        #expect(fails(page([[0, 1]], [1, 2]), Self.delta, text) == .corrupted)
        #expect(fails([1, 2, 3], Self.split, .int32(Buffer())) == .corrupted)
        #expect(fails([1, 2, 3], Self.split, text) == .corrupted)
        #expect(fails([1, 2, 3], Encoding(rawValue: 10), text) == .unsupported)
    }

    @Test func streamsRoundTrip() throws {
        for width in [1, 2, 3, 4, 5, 8, 12, 16] {
            for count in [0, 1, 3, 15, 16, 17, 255, 256, 257, 600] {
                let values = UnpackingTests.random(count * width, seed: UInt64(width * 1000 + count))
                let source = Buffer<UInt8>(values)
                let out = Buffer<UInt8>()
                ByteStreamSplit.encode(source.pointer, count: count, width: width, into: out)
                let streams = (0..<width).flatMap { byte in (0..<count).map { values[$0 * width + byte] } }
                #expect(out.array == streams, "width \(width), count \(count)")
                let back = Buffer<UInt8>(repeating: 0xee, count: count * width + 8)
                try out.array.withUnsafeBytes {
                    try ByteStreamSplit.decode($0, count: count, width: width, into: back.pointer)
                }
                #expect(back.array == values + [UInt8](repeating: 0xee, count: 8))
            }
        }
    }

    @Test func booleansRoundTrip() throws {
        for count in [1, 8, 9, 1000] {
            let values = UnpackingTests.random(count, seed: 1).map { $0 > 200 ? UInt8(1) : 0 }
            let page = Buffer<UInt8>([4])
            values.withUnsafeBufferPointer {
                RunLengthEncoder.encodeBooleans($0.baseAddress!, count: count, into: page)
            }
            let out = Buffer<UInt8>()
            try page.array.dropFirst().withUnsafeBytes {
                try PhysicalValues.boolean(out).append($0, .rle, count: count)
            }
            #expect(out.array == values)
        }
    }
}

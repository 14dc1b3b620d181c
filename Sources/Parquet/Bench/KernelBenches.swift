import Base
import Columnar

/// The hot loops of this module, each on data that is typical for it: `parquet-tool kernels` times them.
package enum KernelBenches {
    package struct Bench {
        package let name: String
        /// Bytes of decoded values that one run takes in or gives out.
        package let bytes: Int
        package let run: () throws -> Void
    }

    private static let count = 1 << 18

    package static func all() throws -> [Bench] {
        try runLengths() + deltas() + strings() + floats() + dictionaries() + statistics() + codecs() + checksums()
    }

    /// Numbers that repeat from run to run.
    private struct Numbers {
        var state: UInt64 = 0x9e37_79b9_7f4a_7c15

        mutating func next(_ limit: UInt64 = .max) -> UInt64 {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return limit == .max ? state : state % limit
        }
    }

    private static func buffer<T: BitwiseCopyable>(_ value: (inout Numbers, Int) -> T) -> Buffer<T> {
        var numbers = Numbers()
        let out = Buffer<T>(capacity: count)
        for index in 0..<count { out.append(value(&numbers, index)) }
        return out
    }

    /// Keeps the compiler from leaving out work whose result nobody looks at.
    @inline(never)
    private static func keep<T>(_ value: T) { withExtendedLifetime(value) {} }

    // MARK: Levels and indices

    private static func runLengths() throws -> [Bench] {
        var benches: [Bench] = []
        let shapes: [(String, Int, (inout Numbers, Int) -> UInt32)] = [
            ("indices of 3 bits", 3, { numbers, _ in UInt32(numbers.next(8)) }),
            ("indices of 10 bits", 10, { numbers, _ in UInt32(numbers.next(1024)) }),
            ("indices of 17 bits", 17, { numbers, _ in UInt32(numbers.next(1 << 17)) }),
            ("indices in runs of 100", 10, { _, index in UInt32(index / 100 % 1024) }),
        ]
        for (name, width, make) in shapes {
            let values = buffer(make)
            let encoded = Buffer<UInt8>()
            RunLengthEncoder.encode(UnsafePointer(values.pointer), count: count, width: width, into: encoded)
            let out = Buffer<UInt32>(capacity: count)
            benches += [
                Bench(name: "encode \(name)", bytes: count * 4) {
                    let out = Buffer<UInt8>(capacity: count * 4)
                    RunLengthEncoder.encode(UnsafePointer(values.pointer), count: count, width: width, into: out)
                },
                Bench(name: "decode \(name)", bytes: count * 4) {
                    try RunLengthDecoder.decode(
                        UnsafeRawBufferPointer(encoded.values), width: width, count: count, into: out.pointer)
                },
            ]
        }
        let levels = buffer { numbers, _ in UInt8(numbers.next(10) == 0 ? 0 : 1) }
        let encoded = Buffer<UInt8>()
        RunLengthEncoder.encode(UnsafePointer(levels.pointer), count: count, width: 1, into: encoded)
        let out = Buffer<UInt8>(capacity: count)
        benches += [
            Bench(name: "encode levels, 10 % null", bytes: count) {
                let out = Buffer<UInt8>(capacity: count)
                RunLengthEncoder.encode(UnsafePointer(levels.pointer), count: count, width: 1, into: out)
            },
            Bench(name: "decode levels, 10 % null", bytes: count) {
                try RunLengthDecoder.decode(
                    UnsafeRawBufferPointer(encoded.values), width: 1, count: count, into: out.pointer)
            },
        ]
        return benches
    }

    // MARK: Encodings of values

    private static func deltas() -> [Bench] {
        let stamps = buffer { numbers, index in Int64(1_767_225_600_000_000 + index * 1000) + Int64(numbers.next(4000))
        }
        let encoded = Buffer<UInt8>()
        DeltaBinaryPacked.encode(UnsafePointer(stamps.pointer), count: count, into: encoded)
        return [
            Bench(name: "encode DELTA_BINARY_PACKED, timestamps", bytes: count * 8) {
                let out = Buffer<UInt8>(capacity: count * 8)
                DeltaBinaryPacked.encode(UnsafePointer(stamps.pointer), count: count, into: out)
            },
            Bench(name: "decode DELTA_BINARY_PACKED, timestamps", bytes: count * 8) {
                let out = Buffer<Int64>(capacity: count)
                _ = try DeltaBinaryPacked.decode(UnsafeRawBufferPointer(encoded.values), count: count, into: out)
            },
        ]
    }

    /// Paths of some 20 bytes, sorted in groups.
    private static func paths() -> (offsets: Buffer<Int32>, bytes: Buffer<UInt8>) {
        let (offsets, bytes) = (Buffer<Int32>([0]), Buffer<UInt8>())
        var numbers = Numbers()
        for index in 0..<count {
            for byte in "/products/\(index / 50)/\(numbers.next(100_000))".utf8 { bytes.append(byte) }
            offsets.append(Int32(bytes.count))
        }
        return (offsets, bytes)
    }

    private static func strings() throws -> [Bench] {
        let (offsets, bytes) = paths()
        let total = bytes.count
        let (lengths, prefixes, plain) = (Buffer<UInt8>(), Buffer<UInt8>(), Buffer<UInt8>())
        let (text, ends) = (UnsafePointer(bytes.pointer), UnsafePointer(offsets.pointer))
        DeltaLengthByteArray.encode(text, offsets: ends, count: count, into: lengths)
        DeltaByteArray.encode(text, offsets: ends, count: count, into: prefixes)
        for index in 0..<count {
            let length = UInt32(offsets[index + 1] - offsets[index]).littleEndian
            withUnsafeBytes(of: length) { plain.append($0.assumingMemoryBound(to: UInt8.self)) }
            plain.append(UnsafeBufferPointer(rebasing: bytes.values[Int(offsets[index])..<Int(offsets[index + 1])]))
        }
        func decoding(_ name: String, _ page: Buffer<UInt8>, _ encoding: ParquetEncoding) -> Bench {
            Bench(name: "decode \(name), paths", bytes: total) {
                let values = PhysicalValues.bytes(
                    offsets: Buffer([0]), bytes: Buffer(capacity: total + 64))
                try values.append(UnsafeRawBufferPointer(page.values), encoding, count: count)
            }
        }
        return [
            decoding("PLAIN", plain, .plain),
            Bench(name: "encode DELTA_LENGTH_BYTE_ARRAY, paths", bytes: total) {
                _ = offsets
                DeltaLengthByteArray.encode(text, offsets: ends, count: count, into: Buffer(capacity: total * 2))
                _ = bytes
            },
            decoding("DELTA_LENGTH_BYTE_ARRAY", lengths, .deltaLengthByteArray),
            Bench(name: "encode DELTA_BYTE_ARRAY, paths", bytes: total) {
                _ = offsets
                DeltaByteArray.encode(text, offsets: ends, count: count, into: Buffer(capacity: total * 2))
                _ = bytes
            },
            decoding("DELTA_BYTE_ARRAY", prefixes, .deltaByteArray),
        ]
    }

    private static func floats() -> [Bench] {
        let values = buffer { numbers, _ in Double(numbers.next(1_000_000)) / 100 }
        let encoded = Buffer<UInt8>()
        ByteStreamSplit.encode(UnsafeRawPointer(values.pointer), count: count, width: 8, into: encoded)
        let out = Buffer<Double>(capacity: count)
        return [
            Bench(name: "encode BYTE_STREAM_SPLIT, double", bytes: count * 8) {
                ByteStreamSplit.encode(
                    UnsafeRawPointer(values.pointer), count: count, width: 8, into: Buffer(capacity: count * 8))
            },
            Bench(name: "decode BYTE_STREAM_SPLIT, double", bytes: count * 8) {
                try ByteStreamSplit.decode(
                    UnsafeRawBufferPointer(encoded.values), count: count, width: 8,
                    into: UnsafeMutableRawPointer(out.pointer))
            },
        ]
    }

    // MARK: Dictionaries and statistics

    private static func dictionaries() -> [Bench] {
        let few = buffer { numbers, _ in numbers.next(5000) &* 0x9e37_79b9_7f4a_7c15 }
        let (offsets, bytes) = (Buffer<Int32>([0]), Buffer<UInt8>())
        var numbers = Numbers()
        for _ in 0..<count {
            for byte in "/products/\(numbers.next(5000))".utf8 { bytes.append(byte) }
            offsets.append(Int32(bytes.count))
        }
        return [
            Bench(name: "dictionary of 5000 words", bytes: count * 8) {
                let dictionary = WordDictionary<UInt64>()
                let out = Buffer<UInt32>(capacity: count)
                _ = dictionary.encode(UnsafePointer(few.pointer), count: count, into: out, bytesMax: 2 << 20)
            },
            Bench(name: "dictionary of 5000 strings", bytes: bytes.count) {
                let strings = ByteStrings(bytes: bytes, offsets: offsets, width: 0)
                let out = Buffer<UInt32>(capacity: count)
                _ = ByteDictionary().encode(strings, into: out.pointer, bytesMax: 2 << 20)
            },
        ]
    }

    private static func statistics() -> [Bench] {
        let longs = buffer { numbers, _ in Int64(bitPattern: numbers.next()) }
        let reals = buffer { numbers, _ in Double(numbers.next(1 << 52)) }
        return [
            Bench(name: "bounds of long", bytes: count * 8) {
                keep(BoundsKernels.integers(UnsafePointer(longs.pointer), count: count))
            },
            Bench(name: "bounds of double", bytes: count * 8) {
                keep(BoundsKernels.reals(UnsafePointer(reals.pointer), count: count))
            },
        ]
    }

    private static func codecs() throws -> [Bench] {
        let (_, bytes) = paths()
        let page = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes.values)[..<(1 << 20)])
        let out = Buffer<UInt8>()
        return try [ParquetCodec.zstd, .snappy, .gzip, .lz4Raw].flatMap { codec in
            let compressor = PageCompressor(codec: codec, level: 3)
            let stored = Buffer<UInt8>()
            try compressor.compress(page, into: stored)
            return [
                Bench(name: "compress \(codec), 1 MiB page", bytes: page.count) {
                    out.removeAll()
                    try compressor.compress(page, into: out)
                    _ = bytes
                },
                Bench(name: "decompress \(codec), 1 MiB page", bytes: page.count) {
                    try PageDecompressor().decompress(
                        codec, UnsafeRawBufferPointer(stored.values), into: out, count: page.count)
                },
            ]
        }
    }

    private static func checksums() -> [Bench] {
        let (_, bytes) = paths()
        let values = bytes.array
        return [Bench(name: "CRC-32 of pages", bytes: values.count) { keep(CRC32.checksum(values)) }]
    }
}

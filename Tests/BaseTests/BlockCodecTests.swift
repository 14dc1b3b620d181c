import Base
import TestSupport
import Testing

/// The codecs whose blocks unfold to a size known beforehand.
@Suite struct BlockCodecTests {
    typealias Decompress = @Sendable (UnsafeRawBufferPointer, UnsafeMutableRawBufferPointer) throws(FirnError) -> Void

    static func unpack(_ input: [UInt8], _ count: Int, _ decompress: Decompress) throws -> [UInt8] {
        // Bytes past the end show a write outside.
        var output = [UInt8](repeating: 0xee, count: count + 32)
        try output.withUnsafeMutableBytes { room in
            try input.withUnsafeBytes { try decompress($0, UnsafeMutableRawBufferPointer(rebasing: room[..<count])) }
        }
        #expect(output[count...].allSatisfy { $0 == 0xee })
        return Array(output[..<count])
    }

    @Sendable static func gzip(
        _ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer
    ) throws(FirnError) {
        try Deflate.decompress(input, wrapping: .gzip, into: output)
    }

    /// Twenty times "firn ", and nothing, as pyarrow compresses them; gzip by Python.
    static let foreign: [(name: String, bytes: String, empty: String, code: String, decompress: Decompress)] = [
        ("snappy", "64106669726e20fe05007a0500", "00", "bad_snappy", Snappy.decompress),
        ("lz4 block", "5f6669726e20050047506669726e20", "00", "bad_lz4", LZ4.decompress),
        ("lz4 block, legacy", "5f6669726e20050047506669726e20", "00", "bad_lz4", LZ4.decompressLegacy),
        (
            "lz4 frame", "04224d186040820f0000005f6669726e20050047506669726e2000000000",
            "04224d1860408200000000", "bad_lz4", LZ4.decompressLegacy
        ),
        (
            "lz4 in one Hadoop block", "000000640000000f5f6669726e20050047506669726e20", "", "bad_lz4",
            LZ4.decompressLegacy
        ),
        ("brotli", "1b630000042672a439b52587076a5164fb00", "06", "bad_brotli", Brotli.decompress),
    ]

    @Test func whatOthersWrote() throws {
        let text = Array(String(repeating: "firn ", count: 20).utf8)
        for codec in Self.foreign {
            let bytes = Hex.decode(codec.bytes)!
            #expect(try Self.unpack(bytes, 100, codec.decompress) == text, "\(codec.name)")
            #expect(try Self.unpack(Hex.decode(codec.empty)!, 0, codec.decompress) == [], "\(codec.name)")
            for count in [0, 1, 50, 99, 101, 5000] {
                let code = CompressionTests.code { _ = try Self.unpack(bytes, count, codec.decompress) }
                #expect(code == codec.code, "\(codec.name), \(count)")
            }
            for cut in 0..<bytes.count {
                let code = CompressionTests.code { _ = try Self.unpack(Array(bytes[..<cut]), 100, codec.decompress) }
                #expect(code == codec.code, "\(codec.name), cut at \(cut)")
            }
        }
    }

    @Test func hadoopGroupsAndBlocks() throws {
        let block = Hex.decode("0000000f5f6669726e20050047506669726e20")!
        // A group of two blocks, and a group of one.
        let stream = [0, 0, 0, 200] + block + block + [0, 0, 0, 100] + block
        let text = Array(String(repeating: "firn ", count: 60).utf8)
        #expect(try Self.unpack(stream, 300, LZ4.decompressLegacy) == text)
        for cut in 0..<stream.count {
            let code = CompressionTests.code {
                _ = try Self.unpack(Array(stream[..<cut]), 300, LZ4.decompressLegacy)
            }
            #expect(code == "bad_lz4")
        }
        #expect(
            CompressionTests.code { _ = try Self.unpack([0, 0, 0, 4, 0, 0, 0, 0], 4, LZ4.decompressLegacy) } != nil)
    }

    @Test func gzipMembersIntoOneSpace() throws {
        let members = Hex.decode(
            "1f8b08000000000002032bcecb2f0700b3a58336040000001f8b08000000000002035328c957c84c4e05008bbb3c4d07000000")!
        #expect(try Self.unpack(members, 11, Self.gzip) == Array("snow to ice".utf8))
        for count in [0, 4, 10, 12] {
            #expect(CompressionTests.code { _ = try Self.unpack(members, count, Self.gzip) } == "bad_deflate")
        }
        // Cut anywhere but between the members, where it is a whole stream of the wrong length.
        for cut in 0..<members.count {
            #expect(
                CompressionTests.code { _ = try Self.unpack(Array(members[..<cut]), 11, Self.gzip) } == "bad_deflate")
        }
        #expect(try Self.unpack(try Deflate.compress([], wrapping: .gzip), 0, Self.gzip) == [])
    }

    @Test(arguments: CompressionTests.samples) func roundTrip(bytes: [UInt8]) throws {
        var (snappy, lz4, gzip): ([UInt8], [UInt8], [UInt8]) = ([], [7], [7])
        try bytes.withUnsafeBytes {
            try Snappy.compress($0, into: &snappy)
            try LZ4.compress($0, into: &lz4)
            try Deflate.compress($0, wrapping: .gzip, level: 1, into: &gzip)
        }
        #expect(lz4.first == 7 && gzip.first == 7)
        #expect(try Self.unpack(snappy, bytes.count, Snappy.decompress) == bytes)
        #expect(try Self.unpack(Array(lz4.dropFirst()), bytes.count, LZ4.decompress) == bytes)
        #expect(try Self.unpack(Array(gzip.dropFirst()), bytes.count, Self.gzip) == bytes)
    }

    @Test func snappyBoundsItsCopies() throws {
        // A literal "ab", then a copy of 6 from 2 back.
        let good: [UInt8] = [8, 4, 0x61, 0x62, 0x09, 0x02]
        #expect(try Self.unpack(good, 8, Snappy.decompress) == Array("abababab".utf8))
        for bad: [UInt8] in [
            [], [8], [8, 4, 0x61], [8, 4, 0x61, 0x62], [8, 4, 0x61, 0x62, 0x09, 0x03], [8, 4, 0x61, 0x62, 0x09, 0x00],
            [8, 4, 0x61, 0x62, 0x0d, 0x02], [8, 0xf0], [8, 0xfc, 0xff, 0xff, 0xff, 0xff],
            [0xff, 0xff, 0xff, 0xff, 0xff],
        ] {
            #expect(CompressionTests.code { _ = try Self.unpack(bad, 8, Snappy.decompress) } == "bad_snappy")
        }
    }

    @Test func garbageIsRefused() throws {
        let random = SeededRandom(seed: 3)
        for _ in 0..<500 {
            let bytes = random.bytes(random.next(below: 100))
            let count = random.next(below: 300)
            for codec in Self.foreign { _ = try? Self.unpack(bytes, count, codec.decompress) }
            _ = try? Self.unpack([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0] + bytes, count, Self.gzip)
            _ = try? Self.unpack([0x04, 0x22, 0x4d, 0x18] + bytes, count, LZ4.decompressLegacy)
        }
    }
}

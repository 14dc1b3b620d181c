import Base
import TestSupport
import Testing

@Suite struct CompressionTests {
    static let samples: [[UInt8]] = [
        [], [1], [UInt8](repeating: 65, count: 70_000), SeededRandom(seed: 1).bytes(70_000),
    ]

    static func code(_ body: () throws -> Void) -> String? {
        do {
            try body()
            return nil
        } catch { return (error as? FirnError)?.code }
    }

    @Test(arguments: samples, [-1, 1, 3, 19])
    func zstdRoundTrip(bytes: [UInt8], level: Int) throws {
        let packed = try Zstd.compress(bytes, level: level)
        #expect(try Zstd.decompress(packed, limit: bytes.count) == bytes)
        #expect(try Zstd.decompress(packed + packed, limit: 2 * bytes.count) == bytes + bytes)
    }

    @Test(arguments: samples, [Deflate.Wrapping.raw, .gzip])
    func deflateRoundTrip(bytes: [UInt8], wrapping: Deflate.Wrapping) throws {
        let packed = try Deflate.compress(bytes, wrapping: wrapping)
        #expect(try Deflate.decompress(packed, wrapping: wrapping, limit: bytes.count) == bytes)
    }

    /// Written by the `zstd` command, Python's zlib and Python's gzip.
    @Test func whatOthersWrote() throws {
        let zstd = Hex.decode("28b52ffd04585d0000286669726e200100c22c5a37032644")!
        #expect(try Zstd.decompress(zstd, limit: 1000) == Array(String(repeating: "firn ", count: 10).utf8))
        let raw = Hex.decode("4bcb2cca53481bfa0400")!
        #expect(
            try Deflate.decompress(raw, wrapping: .raw, limit: 200) == Array(String(repeating: "firn ", count: 40).utf8)
        )
        let members = Hex.decode(
            "1f8b08000000000002032bcecb2f0700b3a58336040000001f8b08000000000002035328c957c84c4e05008bbb3c4d07000000")!
        #expect(try Deflate.decompress(members, wrapping: .gzip, limit: 100) == Array("snow to ice".utf8))
    }

    /// One byte less than the data needs is refused, whether the frame declares its size or not.
    @Test func outputIsBounded() throws {
        let bomb = [UInt8](repeating: 0, count: 3_000_000)
        let zstd = try Zstd.compress(bomb)
        #expect(zstd.count < 1000)
        for limit in [0, 1, 4096, bomb.count - 1] {
            #expect(Self.code { _ = try Zstd.decompress(zstd, limit: limit) } == "decompressed_too_large")
        }
        let half = try Zstd.compress([UInt8](repeating: 1, count: 1000))
        #expect(Self.code { _ = try Zstd.decompress(half + half, limit: 1999) } == "decompressed_too_large")
        for wrapping in [Deflate.Wrapping.raw, .gzip] {
            let packed = try Deflate.compress(bomb, wrapping: wrapping)
            for limit in [0, 1, 4096, bomb.count - 1] {
                #expect(
                    Self.code { _ = try Deflate.decompress(packed, wrapping: wrapping, limit: limit) }
                        == "decompressed_too_large")
            }
        }
    }

    @Test func everyTruncationIsNoticed() throws {
        let text = Array("snow that has been pressed together, snow that is becoming ice".utf8)
        let zstd = try Zstd.compress(text)
        for count in 0..<zstd.count {
            #expect(Self.code { _ = try Zstd.decompress(Array(zstd[..<count]), limit: 1000) } == "truncated_zstd")
        }
        for wrapping in [Deflate.Wrapping.raw, .gzip] {
            let packed = try Deflate.compress(text, wrapping: wrapping)
            for count in 0..<packed.count {
                let cut = Array(packed[..<count])
                #expect(
                    Self.code { _ = try Deflate.decompress(cut, wrapping: wrapping, limit: 1000) }
                        == "truncated_deflate")
            }
        }
    }

    @Test func garbageIsRefused() throws {
        let random = SeededRandom(seed: 2)
        #expect(Self.code { _ = try Zstd.decompress([1, 2, 3, 4, 5, 6, 7, 8], limit: 100) } == "bad_zstd")
        #expect(Self.code { _ = try Deflate.decompress([1, 2, 3, 4], wrapping: .gzip, limit: 100) } == "bad_deflate")
        let packed = try Zstd.compress(random.bytes(500))
        #expect(Self.code { _ = try Zstd.decompress(packed + [9, 9, 9, 9], limit: 1000) } == "bad_zstd")
        // A window of 2^28 bytes, one step above what is allowed; and the greatest allowed, with an empty last block.
        #expect(
            Self.code { _ = try Zstd.decompress([0x28, 0xb5, 0x2f, 0xfd, 0, 0x90, 1, 0, 0], limit: 9) } == "bad_zstd")
        #expect(try Zstd.decompress([0x28, 0xb5, 0x2f, 0xfd, 0, 0x88, 1, 0, 0], limit: 9) == [])
        for _ in 0..<300 {
            let bytes = random.bytes(random.next(below: 200))
            _ = try? Zstd.decompress([0x28, 0xb5, 0x2f, 0xfd] + bytes, limit: 10_000)
            _ = try? Deflate.decompress(bytes, wrapping: .raw, limit: 10_000)
        }
    }
}

import Base
import Testing

/// Vectors: RFC 3720 appendix B.4 (CRC-32C), Python's zlib, a bitwise CRC-32C in Python, the xxHash documentation.
@Suite struct ChecksumTests {
    static let ramp = (0..<5).flatMap { _ in (0...255).map { UInt8($0) } }

    @Test func crc32c() {
        #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xe306_9283)
        #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8a91_36aa)
        #expect(CRC32C.checksum([UInt8](repeating: 0xff, count: 32)) == 0x62a8_ab43)
        #expect(CRC32C.checksum((0..<32).map { UInt8($0) }) == 0x46dd_794e)
        #expect(CRC32C.checksum(Self.ramp) == 0x23b6_2c98)
        #expect(CRC32C.checksum([]) == 0)
    }

    /// Long runs go through several streams at once; in pieces too short for that they must come out the same.
    @Test func crc32cOfLongRuns() {
        for count in [3071, 3072, 3073, 6151, 10_007] {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 5) }
            let pieces = stride(from: 0, to: count, by: 1000).reduce(UInt32(0)) { crc, start in
                CRC32C.checksum(Array(bytes[start..<min(count, start + 1000)]), seed: crc)
            }
            #expect(CRC32C.checksum(bytes) == pieces)
        }
    }

    @Test func crc32() {
        #expect(CRC32.checksum(Array("123456789".utf8)) == 0xcbf4_3926)
        #expect(CRC32.checksum(Self.ramp) == 0x1e7a_6d24)
        #expect(CRC32.checksum([]) == 0)
    }

    /// A checksum continued at any cut equals the checksum of the whole.
    @Test func seedsContinueAChecksum() {
        for cut in 0...70 {
            let (head, tail) = (Array(Self.ramp[..<cut]), Array(Self.ramp[cut...]))
            #expect(CRC32C.checksum(tail, seed: CRC32C.checksum(head)) == 0x23b6_2c98)
            #expect(CRC32.checksum(tail, seed: CRC32.checksum(head)) == 0x1e7a_6d24)
        }
    }

    /// Every length and alignment against one bit at a time.
    @Test func crc32OfEveryLength() {
        func bitwise(_ bytes: ArraySlice<UInt8>) -> UInt32 {
            ~bytes.reduce(~0) { crc, byte in
                (0..<8).reduce(crc ^ UInt32(byte)) { crc, _ in crc & 1 == 1 ? crc >> 1 ^ 0xedb8_8320 : crc >> 1 }
            }
        }
        for count in Array(0...300) + [1000, 1023, 1024, 1279] {
            let bytes = Self.ramp[(count % 7)..<min(Self.ramp.count, count % 7 + count)]
            #expect(CRC32.checksum(Array(bytes)) == bitwise(bytes), "\(count)")
        }
    }

    @Test(
        arguments: [
            ("", 0xef46_db37_51d8_e999), ("a", 0xd24e_c4f1_a98c_6e5b), ("abc", 0x44bc_2cf5_ad77_0999),
            ("Nobody inspects the spammish repetition", 0xfbce_a83c_8a37_8bf1),
        ] as [(String, UInt64)])
    func xxHash64(text: String, hash: UInt64) {
        #expect(Array(text.utf8).withUnsafeBytes { XXHash64.hash($0) } == hash)
    }
}

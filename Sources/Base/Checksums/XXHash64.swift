/// XXH64: a fast 64-bit hash that is not keyed and not cryptographic.
///
/// Spec: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
public enum XXHash64 {
    public static let prime1: UInt64 = 0x9E37_79B1_85EB_CA87
    public static let prime2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
    public static let prime3: UInt64 = 0x1656_67B1_9E37_79F9
    public static let prime4: UInt64 = 0x85EB_CA77_C2B2_AE63
    public static let prime5: UInt64 = 0x27D4_EB2F_1656_67C5

    /// The hash of `bytes`.
    public static func hash(_ bytes: UnsafeRawBufferPointer, seed: UInt64 = 0) -> UInt64 {
        var offset = 0
        var accumulator: UInt64
        if bytes.count >= 32 {
            var lane1 = seed &+ prime1 &+ prime2
            var lane2 = seed &+ prime2
            var lane3 = seed
            var lane4 = seed &- prime1
            while offset + 32 <= bytes.count {
                lane1 = round(lane1, word(bytes, offset))
                lane2 = round(lane2, word(bytes, offset + 8))
                lane3 = round(lane3, word(bytes, offset + 16))
                lane4 = round(lane4, word(bytes, offset + 24))
                offset += 32
            }
            accumulator = rotate(lane1, 1) &+ rotate(lane2, 7) &+ rotate(lane3, 12) &+ rotate(lane4, 18)
            for lane in [lane1, lane2, lane3, lane4] {
                accumulator = (accumulator ^ round(0, lane)) &* prime1 &+ prime4
            }
        } else {
            accumulator = seed &+ prime5
        }
        accumulator &+= UInt64(bytes.count)
        while offset + 8 <= bytes.count {
            accumulator = absorb(accumulator, word(bytes, offset))
            offset += 8
        }
        if offset + 4 <= bytes.count {
            let half = UInt64(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
            accumulator = rotate(accumulator ^ (half &* prime1), 23) &* prime2 &+ prime3
            offset += 4
        }
        while offset < bytes.count {
            accumulator = rotate(accumulator ^ (UInt64(bytes[offset]) &* prime5), 11) &* prime1
            offset += 1
        }
        return avalanche(accumulator)
    }

    public static func hash(_ bytes: [UInt8], seed: UInt64 = 0) -> UInt64 {
        bytes.withUnsafeBytes { hash($0, seed: seed) }
    }

    /// Adds one 64-bit word to an unfinished hash; the order of the words matters. Finish with `avalanche`.
    @inlinable public static func absorb(_ accumulator: UInt64, _ word: UInt64) -> UInt64 {
        rotate(accumulator ^ round(0, word), 27) &* prime1 &+ prime4
    }

    /// Spreads every input bit over the whole result. A bijection.
    @inlinable public static func avalanche(_ value: UInt64) -> UInt64 {
        var mixed = value
        mixed = (mixed ^ (mixed >> 33)) &* prime2
        mixed = (mixed ^ (mixed >> 29)) &* prime3
        return mixed ^ (mixed >> 32)
    }

    @inlinable static func round(_ accumulator: UInt64, _ word: UInt64) -> UInt64 {
        rotate(accumulator &+ word &* prime2, 31) &* prime1
    }

    @inlinable static func rotate(_ value: UInt64, _ bits: UInt64) -> UInt64 {
        value << bits | value >> (64 - bits)
    }

    @inline(__always) private static func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}

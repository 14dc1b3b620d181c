import Base

/// Numbers in 7 bits a byte, least significant first; the high bit says that more follow.
enum VarInt {
    /// Moves `at` past the number. Throws `.corrupted` when it does not end in time.
    @inline(__always)
    static func read(_ bytes: UnsafeRawBufferPointer, _ at: inout Int) throws(FirnError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while at < bytes.count, shift < 64 {
            let next = bytes[at]
            at &+= 1
            value |= UInt64(next & 0x7f) &<< shift
            if next & 0x80 == 0 { return value }
            shift &+= 7
        }
        throw RunLengthDecoder.malformed("a number ends early")
    }

    static func append(_ value: UInt64, to out: Buffer<UInt8>) {
        var rest = value
        while rest >= 0x80 {
            out.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        out.append(UInt8(truncatingIfNeeded: rest))
    }

    /// Signed numbers with the sign in the lowest bit.
    static func zigzag<T: FixedWidthInteger & SignedInteger>(_ value: T) -> UInt64 {
        let wide = Int64(truncatingIfNeeded: value)
        return UInt64(bitPattern: (wide &<< 1) ^ (wide &>> 63))
    }

    /// Cut to `T`, as writers that calculate in its width expect.
    static func unzigzag<T: FixedWidthInteger & SignedInteger>(_ value: UInt64) -> T {
        T(truncatingIfNeeded: Int64(bitPattern: value &>> 1) ^ -Int64(bitPattern: value & 1))
    }
}

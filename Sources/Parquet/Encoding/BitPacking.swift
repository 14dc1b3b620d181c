import Base

/// Values of a fixed bit width, least significant bit first.
enum BitPacking {
    /// Bits needed for values up to `largest`, at least 1.
    static func width(_ largest: Int) -> Int { max(1, Int.bitWidth - largest.leadingZeroBitCount) }

    /// Appends `count` values of `width` bits (1...64), padded with zeros to a whole group of 8.
    @inline(__always)
    static func pack<T: FixedWidthInteger & UnsignedInteger>(
        _ values: UnsafePointer<T>, count: Int, width: Int, into out: Buffer<UInt8>
    ) {
        if width <= 16 {
            let whole = count / 8
            packGroups(values, groups: whole, width: width, into: out)
            if whole * 8 < count { packSlowly(values + whole * 8, count: count & 7, width: width, into: out) }
        } else {
            packSlowly(values, count: count, width: width, into: out)
        }
    }

    /// Groups of 8 values of up to 16 bits: two halves of four values each, put together without a branch.
    @inline(__always)
    private static func packGroups<T: FixedWidthInteger & UnsignedInteger>(
        _ values: UnsafePointer<T>, groups: Int, width: Int, into out: Buffer<UInt8>
    ) {
        // Each store writes 16 bytes, of which `width` stay.
        out.reserve(groups * width + 16)
        var target = UnsafeMutableRawPointer(out.pointer + out.count)
        var source = values
        let (one, two, three) = (UInt64(width), UInt64(width * 2), UInt64(width * 3))
        let half = UInt64(width * 4)
        for _ in 0..<groups {
            let low = four(source, one, two, three)
            let high = four(source + 4, one, two, three)
            if half == 64 {
                target.storeBytes(of: low.littleEndian, as: UInt64.self)
                target.storeBytes(of: high.littleEndian, toByteOffset: 8, as: UInt64.self)
            } else {
                target.storeBytes(of: (low | high &<< half).littleEndian, as: UInt64.self)
                target.storeBytes(of: (high &>> (64 &- half)).littleEndian, toByteOffset: 8, as: UInt64.self)
            }
            source += 8
            target += width
        }
        out.commit(groups * width)
    }

    @inline(__always)
    private static func four<T: FixedWidthInteger & UnsignedInteger>(
        _ values: UnsafePointer<T>, _ one: UInt64, _ two: UInt64, _ three: UInt64
    ) -> UInt64 {
        UInt64(truncatingIfNeeded: values[0]) | UInt64(truncatingIfNeeded: values[1]) &<< one
            | UInt64(truncatingIfNeeded: values[2]) &<< two | UInt64(truncatingIfNeeded: values[3]) &<< three
    }

    /// Any width and count, one value at a time.
    @inline(__always)
    private static func packSlowly<T: FixedWidthInteger & UnsignedInteger>(
        _ values: UnsafePointer<T>, count: Int, width: Int, into out: Buffer<UInt8>
    ) {
        let total = (count + 7) / 8 * width
        out.reserve(total + 8)
        let target = UnsafeMutableRawPointer(out.pointer + out.count)
        var at = 0
        var bits: UInt64 = 0
        var held: UInt64 = 0
        let step = UInt64(width)
        if width <= 32 {
            for index in 0..<count {
                bits |= UInt64(truncatingIfNeeded: values[index]) &<< held
                held &+= step
                if held >= 32 {
                    target.storeBytes(of: UInt32(truncatingIfNeeded: bits), toByteOffset: at, as: UInt32.self)
                    at &+= 4
                    bits &>>= 32
                    held &-= 32
                }
            }
        } else {
            for index in 0..<count {
                let value = UInt64(truncatingIfNeeded: values[index])
                bits |= value &<< held
                held &+= step
                if held >= 64 {
                    target.storeBytes(of: bits, toByteOffset: at, as: UInt64.self)
                    at &+= 8
                    held &-= 64
                    // All of the value is stored when no bits are left over.
                    bits = held == 0 ? 0 : value &>> (step &- held)
                }
            }
        }
        while at < total {
            target.storeBytes(of: UInt8(truncatingIfNeeded: bits), toByteOffset: at, as: UInt8.self)
            bits &>>= 8
            at &+= 1
        }
        out.commit(total)
    }

    /// Appends bytes of 0 or 1 as single bits, padded with zeros to a whole byte.
    static func packBooleans(_ values: UnsafePointer<UInt8>, count: Int, into out: Buffer<UInt8>) {
        let whole = count / 8
        out.reserve(whole + 1)
        let target = out.pointer + out.count
        let source = UnsafeRawPointer(values)
        for index in 0..<whole {
            // Multiplying moves the low bit of byte i to bit 56 + i.
            let eight = UInt64(littleEndian: source.loadUnaligned(fromByteOffset: index &* 8, as: UInt64.self))
            target[index] = UInt8(truncatingIfNeeded: (eight &* 0x0102_0408_1020_4080) &>> 56)
        }
        out.commit(whole)
        if whole * 8 < count {
            var last: UInt8 = 0
            for index in whole * 8..<count { last |= values[index] &<< UInt8(index & 7) }
            out.append(last)
        }
    }
}

extension BitPacking {
    /// Reads `count` values of `width` bits (0...64), least significant bit first.
    ///
    /// Preconditions: `source` holds that many bits; `T` is as wide as `width`. Nothing past `source` is read and
    /// nothing past `count` written.
    ///
    /// Eight values of `width` bits are `width` bytes, so that in each group of eight the same value starts at the
    /// same bit: for widths up to 32 there is a kernel each, in which all places and shifts are constants.
    static func unpack<T: FixedWidthInteger & UnsignedInteger>(
        _ source: UnsafeRawBufferPointer, count: Int, width: Int, into out: UnsafeMutablePointer<T>
    ) {
        precondition(source.count >= (count * width + 7) / 8 && width <= T.bitWidth)
        guard count > 0, width > 0, let base = source.baseAddress else {
            if count > 0 { out.update(repeating: 0, count: count) }
            return
        }
        // A group's loads reach at most 9 bytes past its end.
        let fast = min(count / 8, max(0, (source.count - 9) / width))
        groups(base, fast, width, out)
        let done = fast * 8
        if done < count {
            let rest = UnsafeRawBufferPointer(rebasing: source[(fast * width)...])
            unpackTail(rest, count: count - done, width: width, into: out + done)
        }
    }

    /// The last few groups, out of a copy with room after it.
    private static func unpackTail<T: FixedWidthInteger & UnsignedInteger>(
        _ source: UnsafeRawBufferPointer, count: Int, width: Int, into out: UnsafeMutablePointer<T>
    ) {
        let size = (count * width + 7) / 8
        let groupCount = (count + 7) / 8
        let room = groupCount * width + 16
        withUnsafeTemporaryAllocation(byteCount: room, alignment: 8) { copy in
            copy.initializeMemory(as: UInt8.self, repeating: 0)
            copy.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[..<size]))
            withUnsafeTemporaryAllocation(of: T.self, capacity: groupCount * 8) { values in
                groups(UnsafeRawPointer(copy.baseAddress!), groupCount, width, values.baseAddress!)
                out.update(from: values.baseAddress!, count: count)
            }
        }
    }

    /// Whole groups of eight. Precondition: 9 bytes may be read past them.
    private static func groups<T: FixedWidthInteger & UnsignedInteger>(
        _ base: UnsafeRawPointer, _ count: Int, _ width: Int, _ out: UnsafeMutablePointer<T>
    ) {
        // The bit width of `T` is a constant here, so that bytes get no kernels they cannot need.
        if T.bitWidth > 8, width > 8 { return wideGroups(base, count, width, out) }
        switch width {
        case 1: T.bitWidth == 8 ? bits(base, count, out) : fixed(base, count, 1, out)
        case 2: fixed(base, count, 2, out)
        case 3: fixed(base, count, 3, out)
        case 4: fixed(base, count, 4, out)
        case 5: fixed(base, count, 5, out)
        case 6: fixed(base, count, 6, out)
        case 7: fixed(base, count, 7, out)
        default: aligned(base, count, as: UInt8.self, out)
        }
    }

    @inline(__always)
    private static func wideGroups<T: FixedWidthInteger & UnsignedInteger>(
        _ base: UnsafeRawPointer, _ count: Int, _ width: Int, _ out: UnsafeMutablePointer<T>
    ) {
        switch width {
        case 9: fixed(base, count, 9, out)
        case 10: fixed(base, count, 10, out)
        case 11: fixed(base, count, 11, out)
        case 12: fixed(base, count, 12, out)
        case 13: fixed(base, count, 13, out)
        case 14: fixed(base, count, 14, out)
        case 15: fixed(base, count, 15, out)
        case 16: aligned(base, count, as: UInt16.self, out)
        case 17: fixed(base, count, 17, out)
        case 18: fixed(base, count, 18, out)
        case 19: fixed(base, count, 19, out)
        case 20: fixed(base, count, 20, out)
        case 21: fixed(base, count, 21, out)
        case 22: fixed(base, count, 22, out)
        case 23: fixed(base, count, 23, out)
        case 24: fixed(base, count, 24, out)
        case 25: fixed(base, count, 25, out)
        case 26: fixed(base, count, 26, out)
        case 27: fixed(base, count, 27, out)
        case 28: fixed(base, count, 28, out)
        case 29: fixed(base, count, 29, out)
        case 30: fixed(base, count, 30, out)
        case 31: fixed(base, count, 31, out)
        case 32: aligned(base, count, as: UInt32.self, out)
        case 64: aligned(base, count, as: UInt64.self, out)
        default: wide(base, count, width, out)
        }
    }

    /// Single bits into bytes.
    @inline(__always)
    private static func bits<T: FixedWidthInteger & UnsignedInteger>(
        _ base: UnsafeRawPointer, _ count: Int, _ out: UnsafeMutablePointer<T>
    ) {
        let target = UnsafeMutableRawPointer(out)
        for group in 0..<count {
            let byte = UInt64(base.load(fromByteOffset: group, as: UInt8.self))
            // Bit i of the byte stays in byte i of the product, and then moves to its lowest bit.
            let spread = (byte &* 0x0101_0101_0101_0101) & 0x8040_2010_0804_0201
            let ones = ((spread &+ 0x7f7f_7f7f_7f7f_7f7f) &>> 7) & 0x0101_0101_0101_0101
            target.storeBytes(of: ones.littleEndian, toByteOffset: group &* 8, as: UInt64.self)
        }
    }

    /// Values of whole bytes.
    @inline(__always)
    private static func aligned<T: FixedWidthInteger & UnsignedInteger, Stored: FixedWidthInteger & BitwiseCopyable>(
        _ base: UnsafeRawPointer, _ count: Int, as type: Stored.Type, _ out: UnsafeMutablePointer<T>
    ) {
        for index in 0..<count &* 8 {
            let stored = base.loadUnaligned(fromByteOffset: index &* (Stored.bitWidth / 8), as: Stored.self)
            out[index] = T(truncatingIfNeeded: Stored(littleEndian: stored))
        }
    }

    /// A literal `width` makes all shifts and places constants.
    @inline(__always)
    private static func fixed<T: FixedWidthInteger & UnsignedInteger>(
        _ base: UnsafeRawPointer, _ count: Int, _ width: Int, _ out: UnsafeMutablePointer<T>
    ) {
        let mask = ~UInt64(0) &>> UInt64(64 &- width)
        var source = base
        var target = out
        for _ in 0..<count {
            if width <= 8 {
                let word = UInt64(littleEndian: source.loadUnaligned(as: UInt64.self))
                target[0] = T(truncatingIfNeeded: word & mask)
                target[1] = T(truncatingIfNeeded: (word &>> UInt64(width)) & mask)
                target[2] = T(truncatingIfNeeded: (word &>> UInt64(width &* 2)) & mask)
                target[3] = T(truncatingIfNeeded: (word &>> UInt64(width &* 3)) & mask)
                target[4] = T(truncatingIfNeeded: (word &>> UInt64(width &* 4)) & mask)
                target[5] = T(truncatingIfNeeded: (word &>> UInt64(width &* 5)) & mask)
                target[6] = T(truncatingIfNeeded: (word &>> UInt64(width &* 6)) & mask)
                target[7] = T(truncatingIfNeeded: (word &>> UInt64(width &* 7)) & mask)
            } else {
                target[0] = value(source, 0, mask)
                target[1] = value(source, width, mask)
                target[2] = value(source, width &* 2, mask)
                target[3] = value(source, width &* 3, mask)
                target[4] = value(source, width &* 4, mask)
                target[5] = value(source, width &* 5, mask)
                target[6] = value(source, width &* 6, mask)
                target[7] = value(source, width &* 7, mask)
            }
            source += width
            target += 8
        }
    }

    /// Since 7 + 32 < 64, a load of 8 bytes holds a value wherever in its first byte it starts.
    @inline(__always)
    private static func value<T: FixedWidthInteger & UnsignedInteger>(
        _ source: UnsafeRawPointer, _ bit: Int, _ mask: UInt64
    ) -> T {
        let word = UInt64(littleEndian: source.loadUnaligned(fromByteOffset: bit &>> 3, as: UInt64.self))
        return T(truncatingIfNeeded: (word &>> UInt64(bit & 7)) & mask)
    }

    /// Widths of 33 to 63, whose values may reach into a ninth byte.
    @inline(__always)
    private static func wide<T: FixedWidthInteger & UnsignedInteger>(
        _ base: UnsafeRawPointer, _ count: Int, _ width: Int, _ out: UnsafeMutablePointer<T>
    ) {
        let mask = ~UInt64(0) &>> UInt64(64 &- width)
        var bit = 0
        for index in 0..<count &* 8 {
            let start = bit &>> 3
            let shift = UInt64(bit & 7)
            let low = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: start, as: UInt64.self)) &>> shift
            let ninth = UInt64(base.load(fromByteOffset: start &+ 8, as: UInt8.self))
            // In two steps, since a shift by all 64 bits would be one by none.
            out[index] = T(truncatingIfNeeded: (low | (ninth &<< 1) &<< (63 &- shift)) & mask)
            bit &+= width
        }
    }

    /// Reads `count` values of `width` bits (1...8), most significant bit first: the deprecated BIT_PACKED encoding
    /// of levels.
    ///
    /// Precondition: `source` holds that many bits.
    /// Spec: https://parquet.apache.org/docs/file-format/data-pages/encodings/#BITPACKED
    static func unpackBigEndian(
        _ source: UnsafeRawBufferPointer, count: Int, width: Int, into out: UnsafeMutablePointer<UInt8>
    ) {
        precondition(source.count >= (count * width + 7) / 8 && (1...8).contains(width))
        let mask = UInt16(1 << width) - 1
        var bit = 0
        for index in 0..<count {
            let byte = bit >> 3
            let next = byte + 1 < source.count ? source[byte + 1] : 0
            let word = UInt16(source[byte]) << 8 | UInt16(next)
            out[index] = UInt8(truncatingIfNeeded: (word >> UInt16(16 - width - (bit & 7))) & mask)
            bit += width
        }
    }
}

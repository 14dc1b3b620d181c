import Base

/// Writes the RLE / bit-packing hybrid of levels and dictionary indices.
///
/// 1. Values are looked at in groups of 8, counted from the end of the last run. A group of equal values starts an RLE
///    run, which goes on as far as they do; all between runs is bit-packed.
/// 2. A run thus lends its first values to fill the last group before it.
/// 3. The last group is padded with zeros.
///
/// Spec: https://parquet.apache.org/docs/file-format/data-pages/encodings/#RLE
enum RunLengthEncoder {
    /// Appends `count` values of `width` bits (1...32) to `out`.
    @inline(__always)
    static func encode<T: FixedWidthInteger & UnsignedInteger>(
        _ values: UnsafePointer<T>, count: Int, width: Int, into out: Buffer<UInt8>
    ) {
        var literal = 0
        var index = 0
        while index &+ 8 <= count {
            guard isUniform(values + index) else {
                index &+= 8
                continue
            }
            let value = values[index]
            var end = index &+ 8
            while end &+ 8 <= count, values[end] == value, isUniform(values + end) { end &+= 8 }
            while end < count, values[end] == value { end &+= 1 }
            if index > literal { packed(values + literal, count: index - literal, width: width, into: out) }
            run(UInt32(truncatingIfNeeded: value), count: end - index, width: width, into: out)
            literal = end
            index = end
        }
        if literal < count { packed(values + literal, count: count - literal, width: width, into: out) }
    }

    /// Whether 8 values are equal, without a branch for each: in most columns the answer for one says little of the
    /// next.
    @inline(__always)
    private static func isUniform<T: FixedWidthInteger & UnsignedInteger>(_ values: UnsafePointer<T>) -> Bool {
        let raw = UnsafeRawPointer(values)
        if T.bitWidth == 8 {
            let word = raw.loadUnaligned(as: UInt64.self)
            return word == (word & 0xff) &* 0x0101_0101_0101_0101
        }
        let first = values[0]
        let left = (values[1] ^ first) | (values[2] ^ first) | (values[3] ^ first)
        let right = (values[4] ^ first) | (values[5] ^ first) | (values[6] ^ first) | (values[7] ^ first)
        return left | right == 0
    }

    /// Appends bytes of 0 or 1 as an RLE page of booleans has them: a length of 4 bytes, then runs.
    static func encodeBooleans(_ values: UnsafePointer<UInt8>, count: Int, into out: Buffer<UInt8>) {
        let start = out.count
        out.append(repeating: 0, count: 4)
        encode(values, count: count, width: 1, into: out)
        let length = UInt32(out.count - start - 4).littleEndian
        UnsafeMutableRawPointer(out.pointer + start).storeBytes(of: length, as: UInt32.self)
    }

    /// One RLE run.
    static func run(_ value: UInt32, count: Int, width: Int, into out: Buffer<UInt8>) {
        VarInt.append(UInt64(count) << 1, to: out)
        for byte in 0..<(width + 7) / 8 { out.append(UInt8(truncatingIfNeeded: value >> UInt32(byte * 8))) }
    }

    @inline(__always)
    private static func packed<T: FixedWidthInteger & UnsignedInteger>(
        _ values: UnsafePointer<T>, count: Int, width: Int, into out: Buffer<UInt8>
    ) {
        VarInt.append(UInt64((count + 7) / 8) << 1 | 1, to: out)
        BitPacking.pack(values, count: count, width: width, into: out)
    }
}

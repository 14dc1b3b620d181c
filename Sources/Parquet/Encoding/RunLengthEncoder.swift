import Base

/// Writes the RLE / bit-packing hybrid of levels and dictionary indices.
///
/// 1. Runs of 8 or more equal values become RLE runs; all between them is bit-packed in groups of 8.
/// 2. A run lends its first values to fill the last group before it.
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
        while index < count {
            let value = values[index]
            var end = index &+ 1
            while end < count && values[end] == value { end &+= 1 }
            let pad = (8 &- ((index &- literal) & 7)) & 7
            if end &- index >= 8 &+ pad {
                let cut = index + pad
                if cut > literal { packed(values + literal, count: cut - literal, width: width, into: out) }
                run(UInt32(truncatingIfNeeded: value), count: end - cut, width: width, into: out)
                literal = end
            }
            index = end
        }
        if literal < count { packed(values + literal, count: count - literal, width: width, into: out) }
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

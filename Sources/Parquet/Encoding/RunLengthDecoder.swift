import Base

/// Reads the RLE / bit-packing hybrid.
///
/// Spec: https://parquet.apache.org/docs/file-format/data-pages/encodings/#RLE
enum RunLengthDecoder {
    /// Decodes exactly `count` values of `width` bits (0...32); the padding of the last group is dropped.
    ///
    /// Throws `.corrupted` when the bytes end early. Precondition: `width` fits `T`.
    @inline(__always)
    static func decode<T: FixedWidthInteger & UnsignedInteger>(
        _ bytes: UnsafeRawBufferPointer, width: Int, count: Int, into out: UnsafeMutablePointer<T>
    ) throws(FirnError) {
        precondition(width <= 32 && width <= T.bitWidth)
        var at = 0
        var done = 0
        while done < count {
            let header = try varint(bytes, &at)
            let left = bytes.count - at
            if header & 1 == 1 {
                guard header >> 1 <= UInt64(Int32.max) else { throw malformed("a bit-packed run is too long") }
                let groups = Int(header >> 1)
                let take = min(groups * 8, count - done)
                guard (take * width + 7) / 8 <= left else { throw malformed("a bit-packed run ends early") }
                let used = min(groups * width, left)
                let source = UnsafeRawBufferPointer(rebasing: bytes[at..<at + used])
                BitPacking.unpack(source, count: take, width: width, into: out + done)
                at += used
                done += take
            } else {
                let size = (width + 7) / 8
                guard size <= left else { throw malformed("a run ends early") }
                var value: UInt32 = 0
                for byte in 0..<size { value |= UInt32(bytes[at + byte]) << UInt32(byte * 8) }
                at += size
                guard width == 32 || value < 1 << UInt32(width) else { throw malformed("a run's value is too wide") }
                let take = Int(min(header >> 1, UInt64(count - done)))
                (out + done).update(repeating: T(truncatingIfNeeded: value), count: take)
                done += take
            }
        }
    }

    static func malformed(_ message: String) -> FirnError { FirnError(.corrupted, "malformed_parquet", message) }

    private static func varint(_ bytes: UnsafeRawBufferPointer, _ at: inout Int) throws(FirnError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while at < bytes.count, shift < 63 {
            let next = bytes[at]
            at += 1
            value |= UInt64(next & 0x7f) << shift
            if next & 0x80 == 0 { return value }
            shift += 7
        }
        throw malformed("a run's length ends early")
    }
}

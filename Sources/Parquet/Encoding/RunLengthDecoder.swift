import Base

/// Reads the RLE / bit-packing hybrid.
///
/// Spec: https://parquet.apache.org/docs/file-format/data-pages/encodings/#RLE
struct RunLengthDecoder {
    enum Run {
        /// One value, so many times.
        case repeated(UInt32, count: Int)
        /// Bytes that hold at least `count` values, and what follows them: kernels load some bytes ahead.
        case packed(UnsafeRawBufferPointer, count: Int)
    }

    private let bytes: UnsafeRawBufferPointer
    private let width: Int
    private var at = 0

    /// Runs of values of `width` bits (0...32).
    init(_ bytes: UnsafeRawBufferPointer, width: Int) {
        precondition(width <= 32)
        self.bytes = bytes
        self.width = width
    }

    /// The next run, cut to `most` values (above 0), so that the padding of the last group is dropped; an empty run is
    /// possible. Each call consumes bytes. Throws `.corrupted` when they end early.
    @inline(__always)
    mutating func next(most: Int) throws(FirnError) -> Run {
        let header = try VarInt.read(bytes, &at)
        let left = bytes.count &- at
        if header & 1 == 1 {
            guard header >> 1 <= UInt64(Int32.max) else { throw Self.malformed("a bit-packed run is too long") }
            let groups = Int(truncatingIfNeeded: header >> 1)
            let take = min(groups &* 8, most)
            guard (take &* width &+ 7) / 8 <= left else { throw Self.malformed("a bit-packed run ends early") }
            let source = UnsafeRawBufferPointer(rebasing: bytes[at...])
            at &+= min(groups &* width, left)
            return .packed(source, count: take)
        }
        let size = (width &+ 7) / 8
        guard size <= left else { throw Self.malformed("a run ends early") }
        var value: UInt32 = 0
        for byte in 0..<size { value |= UInt32(bytes[at &+ byte]) &<< UInt32(byte &* 8) }
        at &+= size
        guard width == 32 || value < 1 &<< UInt32(width) else { throw Self.malformed("a run's value is too wide") }
        return .repeated(value, count: Int(truncatingIfNeeded: min(header >> 1, UInt64(most))))
    }

    /// Decodes exactly `count` values of `width` bits (0...32).
    ///
    /// Throws `.corrupted` when the bytes end early. Precondition: `width` fits `T`.
    static func decode<T: FixedWidthInteger & UnsignedInteger>(
        _ bytes: UnsafeRawBufferPointer, width: Int, count: Int, into out: UnsafeMutablePointer<T>
    ) throws(FirnError) {
        precondition(width <= T.bitWidth)
        var runs = RunLengthDecoder(bytes, width: width)
        var done = 0
        while done < count {
            switch try runs.next(most: count &- done) {
            case .packed(let source, let take):
                BitPacking.unpack(source, count: take, width: width, into: out + done)
                done &+= take
            case .repeated(let value, let take):
                (out + done).update(repeating: T(truncatingIfNeeded: value), count: take)
                done &+= take
            }
        }
    }

    static func malformed(_ message: String) -> FirnError { FirnError(.corrupted, "malformed_parquet", message) }
}

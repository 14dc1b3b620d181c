import CZlib

/// One gzip member put together from parts that were compressed at different times.
///
/// A DEFLATE stream that is flushed in full ends on a byte and refers to nothing before it, so streams follow each
/// other as they are; the checksum of the whole is combined from those of the parts (RFC 1951, RFC 1952). Text that
/// grows by its end can thus be kept compressed, part by part, and only what is new is compressed again.
public struct GzipAssembly {
    /// Compressed text that may stand anywhere in a member but at its end.
    public struct Part: Sendable {
        fileprivate let deflated: [UInt8]
        fileprivate let checksum: UInt
        fileprivate let length: Int

        /// Throws `.limitExceeded` (`deflate_too_large`) from 1 GiB on.
        public init(_ text: [UInt8], level: Int32 = 6) throws(FirnError) {
            deflated = try GzipAssembly.deflateRaw(text, level: level, flush: Z_FULL_FLUSH)
            checksum = GzipAssembly.crc(text)
            length = text.count
        }

        /// Bytes that it takes in a member.
        public var byteCount: Int { deflated.count }
    }

    /// Magic, method deflate, no flags, no time, unknown system.
    private static let header: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]

    private var bytes = header
    private var checksum: UInt = 0
    private var length = 0

    public init() {}

    public mutating func append(_ part: Part) {
        bytes.append(contentsOf: part.deflated)
        count(part.checksum, part.length)
    }

    /// The finished member, `text` being its end.
    public consuming func finish(_ text: [UInt8], level: Int32 = 6) throws(FirnError) -> [UInt8] {
        bytes.append(contentsOf: try Self.deflateRaw(text, level: level, flush: Z_FINISH))
        count(Self.crc(text), text.count)
        for value in [UInt32(truncatingIfNeeded: checksum), UInt32(truncatingIfNeeded: length)] {
            withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
        }
        return bytes
    }

    private mutating func count(_ next: UInt, _ nextLength: Int) {
        checksum = crc32_combine(checksum, next, nextLength)
        length += nextLength
    }

    private static func crc(_ text: [UInt8]) -> UInt { crc32(0, text, UInt32(text.count)) }

    private static func deflateRaw(_ text: [UInt8], level: Int32, flush: Int32) throws(FirnError) -> [UInt8] {
        guard text.count < 1 << 30 else {
            throw FirnError(.limitExceeded, "deflate_too_large", "\(text.count) bytes are too many to deflate at once")
        }
        var stream = z_stream()
        let opened = deflateInit2_(
            &stream, level, Z_DEFLATED, Deflate.Wrapping.raw.rawValue, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        guard opened == Z_OK else {
            throw FirnError(.internal, "deflate_failed", "zlib could not start: code \(opened)")
        }
        defer { deflateEnd(&stream) }
        // A flush adds some bytes to the bound of a stream that ends.
        let bound = Int(deflateBound(&stream, UInt(text.count))) + 16
        var code = Z_OK
        let output = [UInt8](unsafeUninitializedCapacity: bound) { target, count in
            text.withUnsafeBufferPointer { source in
                stream.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
                stream.avail_in = UInt32(source.count)
                stream.next_out = target.baseAddress
                stream.avail_out = UInt32(bound)
                code = deflate(&stream, flush)
            }
            count = Int(stream.total_out)
        }
        guard code == (flush == Z_FINISH ? Z_STREAM_END : Z_OK), stream.avail_in == 0 else {
            throw FirnError(.internal, "deflate_failed", "zlib stopped with code \(code)")
        }
        return output
    }
}

import CZlib

/// DEFLATE through the system's zlib, in the two wrappings Firn meets: raw (Avro's `deflate`) and gzip.
public enum Deflate {
    public enum Wrapping: Int32, Sendable {
        /// RFC 1951, no header.
        case raw = -15
        /// RFC 1952; several members in a row are one stream.
        case gzip = 31
    }

    public static func compress(_ input: [UInt8], wrapping: Wrapping, level: Int32 = 6) throws(FirnError) -> [UInt8] {
        var output: [UInt8] = []
        do {
            try input.withUnsafeBytes { try compress($0, wrapping: wrapping, level: level, into: &output) }
        } catch { throw error as! FirnError }
        return output
    }

    /// Appends one stream (for gzip: one member) to `output`.
    public static func compress(
        _ input: UnsafeRawBufferPointer, wrapping: Wrapping, level: Int32 = 6, into output: inout [UInt8]
    ) throws(FirnError) {
        var stream = z_stream()
        let opened = deflateInit2_(
            &stream, level, Z_DEFLATED, wrapping.rawValue, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        guard opened == Z_OK else {
            throw FirnError(.internal, "deflate_failed", "zlib could not start: code \(opened)")
        }
        defer { deflateEnd(&stream) }
        let bound = Int(deflateBound(&stream, UInt(input.count)))
        guard bound <= Int(UInt32.max) else {
            throw FirnError(.limitExceeded, "deflate_too_large", "\(input.count) bytes are too many to deflate at once")
        }
        try output.appendCompressed(bound: bound) { target throws(FirnError) in
            stream.next_in = UnsafeMutablePointer(mutating: input.assumingMemoryBound(to: UInt8.self).baseAddress)
            stream.avail_in = UInt32(input.count)
            stream.next_out = target.assumingMemoryBound(to: UInt8.self).baseAddress
            stream.avail_out = UInt32(target.count)
            let code = deflate(&stream, Z_FINISH)
            guard code == Z_STREAM_END else {
                throw FirnError(.internal, "deflate_failed", "zlib stopped with code \(code)")
            }
            return Int(stream.total_out)
        }
    }

    /// Inflates `input` into exactly `output.count` bytes; gzip may have several members.
    ///
    /// Throws `.corrupted` (`bad_deflate`) for damaged data and for any other length.
    public static func decompress(
        _ input: UnsafeRawBufferPointer, wrapping: Wrapping, into output: UnsafeMutableRawBufferPointer
    ) throws(FirnError) {
        guard input.count <= Int(UInt32.max), output.count <= Int(UInt32.max) else {
            throw FirnError(
                .limitExceeded, "deflate_too_large", "\(output.count) bytes are too many to inflate at once")
        }
        var stream = z_stream()
        let opened = inflateInit2_(&stream, wrapping.rawValue, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard opened == Z_OK else {
            throw FirnError(.internal, "inflate_failed", "zlib could not start: code \(opened)")
        }
        defer { inflateEnd(&stream) }
        // zlib takes no null pointer for its output, not even for no bytes.
        var none: UInt8 = 0
        let code = withUnsafeMutablePointer(to: &none) { spare in
            stream.next_in = UnsafeMutablePointer(mutating: input.assumingMemoryBound(to: UInt8.self).baseAddress)
            stream.avail_in = UInt32(input.count)
            stream.next_out = output.assumingMemoryBound(to: UInt8.self).baseAddress ?? spare
            stream.avail_out = UInt32(output.count)
            var code = inflate(&stream, Z_FINISH)
            while code == Z_STREAM_END, wrapping == .gzip, stream.avail_in > 0 {
                inflateReset(&stream)
                code = inflate(&stream, Z_FINISH)
            }
            return code
        }
        guard code == Z_STREAM_END, stream.avail_out == 0 else {
            throw FirnError(
                .corrupted, "bad_deflate", "compressed data is damaged, or does not hold \(output.count) bytes")
        }
    }

    /// Inflates the whole input; never holds more than `limit` bytes of output.
    ///
    /// Throws `.limitExceeded` (`decompressed_too_large`), or `.corrupted` (`bad_deflate`, `truncated_deflate`).
    public static func decompress(_ input: [UInt8], wrapping: Wrapping, limit: Int) throws(FirnError) -> [UInt8] {
        var stream = z_stream()
        let opened = inflateInit2_(&stream, wrapping.rawValue, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard opened == Z_OK else {
            throw FirnError(.internal, "inflate_failed", "zlib could not start: code \(opened)")
        }
        defer { inflateEnd(&stream) }
        let output = Buffer<UInt8>()
        var consumed = 0
        while true {
            let start = output.count
            let room = min(max(65536, input.count * 2, start), limit + 1 - start)
            output.reserve(room)
            let code = input.withUnsafeBufferPointer { source in
                let chunk = min(source.count - consumed, 1 << 30)
                stream.next_in = UnsafeMutablePointer(mutating: source.baseAddress.map { $0 + consumed })
                stream.avail_in = UInt32(chunk)
                stream.next_out = output.pointer + start
                stream.avail_out = UInt32(room)
                let code = inflate(&stream, Z_NO_FLUSH)
                consumed += chunk - Int(stream.avail_in)
                return code
            }
            output.commit(room - Int(stream.avail_out))
            guard output.count <= limit else {
                throw FirnError(.limitExceeded, "decompressed_too_large", "compressed data expands past \(limit) bytes")
            }
            if code == Z_STREAM_END {
                guard wrapping == .gzip, consumed < input.count else { return output.array }
                inflateReset(&stream)
                continue
            }
            guard code == Z_OK || code == Z_BUF_ERROR else {
                throw FirnError(.corrupted, "bad_deflate", "compressed data is damaged: zlib code \(code)")
            }
            if consumed == input.count && output.count == start {
                throw FirnError(.corrupted, "truncated_deflate", "compressed data ends too early")
            }
        }
    }
}

import CZstd

/// Zstandard frames through the system's libzstd.
public enum Zstd {
    /// A reusable compression context: a fresh one costs more than a small page. Not thread-safe; one per writer.
    public final class Compressor {
        private let context: OpaquePointer
        private let scratch = Buffer<UInt8>()
        public let level: Int

        public init(level: Int = 3) {
            guard let context = ZSTD_createCCtx() else { fatalError("out of memory creating a zstd context") }
            self.context = context
            self.level = level
        }

        deinit { ZSTD_freeCCtx(context) }

        /// Appends one frame, with its content size, to `output`.
        public func compress(_ input: UnsafeRawBufferPointer, into output: inout [UInt8]) throws(FirnError) {
            let bound = ZSTD_compressBound(input.count)
            scratch.removeAll()
            scratch.reserve(bound)
            let size = ZSTD_compressCCtx(
                context, scratch.pointer, bound, input.baseAddress, input.count, Int32(level))
            guard ZSTD_isError(size) == 0 else {
                throw FirnError(
                    .internal, "zstd_failed", "zstd refused to compress: \(String(cString: ZSTD_getErrorName(size)))")
            }
            output.append(contentsOf: UnsafeBufferPointer(start: scratch.pointer, count: size))
        }

        /// Appends one frame, with its content size, to `output`, which keeps room for the worst case.
        public func compress(_ input: UnsafeRawBufferPointer, into output: Buffer<UInt8>) throws(FirnError) {
            let bound = ZSTD_compressBound(input.count)
            output.reserve(bound)
            let size = ZSTD_compressCCtx(
                context, output.pointer + output.count, bound, input.baseAddress, input.count, Int32(level))
            guard ZSTD_isError(size) == 0 else {
                throw FirnError(
                    .internal, "zstd_failed", "zstd refused to compress: \(String(cString: ZSTD_getErrorName(size)))")
            }
            output.commit(size)
        }
    }

    public static func compress(_ input: [UInt8], level: Int = 3) throws(FirnError) -> [UInt8] {
        let compressor = Compressor(level: level)
        var output: [UInt8] = []
        do {
            try input.withUnsafeBytes { try compressor.compress($0, into: &output) }
        } catch { throw error as! FirnError }
        return output
    }

    /// Decompresses one or more frames; never holds more than `limit` bytes of output.
    ///
    /// Throws `.limitExceeded` (`decompressed_too_large`) past the limit, `.corrupted` (`bad_zstd`) for anything else.
    public static func decompress(_ input: UnsafeRawBufferPointer, limit: Int) throws(FirnError) -> [UInt8] {
        guard let context = ZSTD_createDCtx() else { fatalError("out of memory creating a zstd context") }
        defer { ZSTD_freeDCtx(context) }
        ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, 27)
        let output = Buffer<UInt8>()
        var source = ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        let declared = ZSTD_getFrameContentSize(input.baseAddress, input.count)
        var step = max(4096, min(limit + 1, input.count * 4))
        if declared < UInt64(limit) { step = max(1, Int(declared)) }
        var pending = 1
        while source.pos < source.size || pending != 0 {
            let room = min(step, limit + 1 - output.count)
            output.reserve(room)
            var sink = ZSTD_outBuffer(dst: output.pointer + output.count, size: room, pos: 0)
            let code = ZSTD_decompressStream(context, &sink, &source)
            guard ZSTD_isError(code) == 0 else {
                throw FirnError(
                    .corrupted, "bad_zstd", "zstd data is damaged: \(String(cString: ZSTD_getErrorName(code)))")
            }
            output.commit(sink.pos)
            guard output.count <= limit else {
                throw FirnError(.limitExceeded, "decompressed_too_large", "zstd data expands past \(limit) bytes")
            }
            pending = code
            if code != 0 && source.pos == source.size && sink.pos == 0 {
                throw FirnError(.corrupted, "truncated_zstd", "zstd data ends in the middle of a frame")
            }
            step = max(65536, output.count)
        }
        return output.array
    }

    public static func decompress(_ input: [UInt8], limit: Int) throws(FirnError) -> [UInt8] {
        do {
            return try input.withUnsafeBytes { try decompress($0, limit: limit) }
        } catch { throw error as! FirnError }
    }
}

import CZstd

extension Zstd {
    /// A reusable decompression context for frames whose size is known. Not thread-safe; one per reader.
    public final class Decompressor {
        private let context: OpaquePointer

        public init() {
            guard let context = ZSTD_createDCtx() else { fatalError("out of memory creating a zstd context") }
            self.context = context
        }

        deinit { ZSTD_freeDCtx(context) }

        /// Decompresses one or more frames into exactly `output.count` bytes.
        ///
        /// Throws `.corrupted` (`bad_zstd`) for damaged data and for any other length.
        public func decompress(
            _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
        ) throws(FirnError) {
            let size = ZSTD_decompressDCtx(context, output.baseAddress, output.count, input.baseAddress, input.count)
            guard ZSTD_isError(size) == 0 else {
                throw FirnError(
                    .corrupted, "bad_zstd", "zstd data is damaged: \(String(cString: ZSTD_getErrorName(size)))")
            }
            guard size == output.count else {
                throw FirnError(.corrupted, "bad_zstd", "zstd data holds \(size) bytes, not \(output.count)")
            }
        }
    }
}

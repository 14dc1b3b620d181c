import CBrotli

/// Brotli streams through the system's library; reading only.
public enum Brotli {
    /// Decompresses one stream into exactly `output.count` bytes.
    ///
    /// Throws `.corrupted` (`bad_brotli`) for damaged data and for any other length.
    /// Format: RFC 7932
    public static func decompress(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(FirnError) {
        var size = output.count
        var none: UInt8 = 0
        let result = withUnsafeMutablePointer(to: &none) {
            BrotliDecoderDecompress(
                input.count, input.assumingMemoryBound(to: UInt8.self).baseAddress ?? UnsafePointer($0), &size,
                output.assumingMemoryBound(to: UInt8.self).baseAddress ?? $0)
        }
        guard result == BROTLI_DECODER_RESULT_SUCCESS, size == output.count else {
            throw FirnError(
                .corrupted, "bad_brotli", "brotli data is damaged, or does not hold \(output.count) bytes")
        }
    }
}

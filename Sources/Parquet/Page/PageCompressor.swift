import Base

/// Compresses page bodies, reusing one context and one scratch area for a whole file.
final class PageCompressor {
    let codec: ParquetCodec
    private let level: Int
    private let zstd: Zstd.Compressor?
    private var scratch: [UInt8] = []

    init(codec: ParquetCodec, level: Int) {
        self.codec = codec
        self.level = level
        zstd = codec == .zstd ? Zstd.Compressor(level: level) : nil
    }

    /// The stored form of `body`.
    func compress(_ body: UnsafeRawBufferPointer) throws(FirnError) -> [UInt8] {
        switch codec {
        case .uncompressed: return Array(body)
        case .gzip: return try Deflate.compress(Array(body), wrapping: .gzip, level: Int32(min(max(level, 1), 9)))
        case .zstd:
            scratch.removeAll(keepingCapacity: true)
            try zstd!.compress(body, into: &scratch)
            return Array(scratch)
        default:
            throw FirnError(.unsupported, "parquet_codec", "Parquet files are not written with the codec \(codec)")
        }
    }
}

import Base

/// Compresses page bodies, reusing one context and one scratch area for a whole file.
final class PageCompressor {
    let codec: ParquetCodec
    private let level: Int
    private let zstd: Zstd.Compressor?
    private var scratch: [UInt8] = []
    private let measured = Buffer<UInt8>()

    init(codec: ParquetCodec, level: Int) {
        self.codec = codec
        self.level = level
        zstd = codec == .zstd ? Zstd.Compressor(level: level) : nil
    }

    static func isWritable(_ codec: ParquetCodec) -> Bool {
        switch codec {
        case .uncompressed, .snappy, .gzip, .zstd, .lz4Raw: true
        case .lzo, .brotli, .lz4: false
        }
    }

    /// Appends the stored form of `body` to `out`.
    func compress(_ body: UnsafeRawBufferPointer, into out: Buffer<UInt8>) throws(FirnError) {
        scratch.removeAll(keepingCapacity: true)
        switch codec {
        case .uncompressed:
            out.append(body.assumingMemoryBound(to: UInt8.self))
            return
        case .zstd: return try zstd!.compress(body, into: out)
        case .gzip:
            try Deflate.compress(body, wrapping: .gzip, level: Int32(min(max(level, 1), 9)), into: &scratch)
        case .snappy: try Snappy.compress(body, into: &scratch)
        case .lz4Raw: try LZ4.compress(body, into: &scratch)
        case .lzo, .brotli, .lz4:
            throw FirnError(.unsupported, "parquet_codec", "Parquet files are not written with the codec \(codec)")
        }
        scratch.withUnsafeBufferPointer { out.append($0) }
    }

    /// Bytes that `body` takes when stored.
    func size(_ body: Buffer<UInt8>) throws(FirnError) -> Int {
        if codec == .uncompressed { return body.count }
        measured.removeAll()
        try compress(UnsafeRawBufferPointer(body.values), into: measured)
        return measured.count
    }
}

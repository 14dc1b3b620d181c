import Base

/// Decompresses page bodies, reusing one context for a whole file.
final class PageDecompressor {
    private let zstd = Zstd.Decompressor()

    /// The greatest size that `stored` bytes of this codec can unfold to; a page that claims more is damaged. This
    /// bounds the allocation before a byte is decompressed.
    static func bytesMax(_ codec: ParquetCodec, stored: Int) -> Int {
        let ratio =
            switch codec {
            // A copy of 64 bytes takes 3.
            case .snappy: 22
            // Deflate's bound is 1032.
            case .gzip: 1040
            // A block of 128 KiB of one byte takes 4.
            case .zstd: 32_768
            // A block of 16 MiB takes some 25.
            case .brotli: 1 << 20
            // A byte of length stands for 255.
            case .lz4, .lz4Raw: 256
            case .uncompressed, .lzo: 1
            }
        return stored * ratio + 256
    }

    /// Fills `output` from `stored`, all of it.
    func decompress(
        _ codec: ParquetCodec, _ stored: UnsafeRawBufferPointer, into output: Buffer<UInt8>, count: Int
    ) throws(FirnError) {
        guard count <= Self.bytesMax(codec, stored: stored.count) else {
            throw FirnError(
                .corrupted, "malformed_parquet", "a page of \(stored.count) bytes claims to unfold to \(count)")
        }
        guard count <= ParquetLimits.pageBytesMax else {
            throw FirnError(.limitExceeded, "page_too_large", "a page of \(count) bytes is more than can be read")
        }
        output.removeAll()
        output.reserve(count)
        let target = UnsafeMutableRawBufferPointer(start: output.pointer, count: count)
        switch codec {
        case .uncompressed:
            guard stored.count == count else {
                throw FirnError(.corrupted, "malformed_parquet", "an uncompressed page has two different sizes")
            }
            target.copyMemory(from: stored)
        case .zstd: if count > 0 || stored.count > 0 { try zstd.decompress(stored, into: target) }
        case .snappy: try Snappy.decompress(stored, into: target)
        case .gzip:
            // Some writers store nothing at all for a page without values.
            if count > 0 || stored.count > 0 { try Deflate.decompress(stored, wrapping: .gzip, into: target) }
        case .brotli: try Brotli.decompress(stored, into: target)
        case .lz4: try LZ4.decompressLegacy(stored, into: target)
        case .lz4Raw: try LZ4.decompress(stored, into: target)
        case .lzo: throw FirnError(.unsupported, "parquet_codec", "the codec \(codec) is not supported")
        }
        output.commit(count)
    }
}

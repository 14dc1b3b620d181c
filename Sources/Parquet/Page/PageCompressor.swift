import Base

/// How hard the pages of one column are compressed.
///
/// zstd's lower levels make some data smaller than higher ones do, at several times the speed: strings of random
/// digits, in which matches cost more than they save. So every now and then a page is compressed at the lowest level
/// too, and where that is no larger, the pages that follow take it. The options' level is thus the most effort, and no
/// page that was tried gets larger. The first page of a file is not tried, since small files have no other.
struct CompressionEffort {
    private static let pagesBetweenTrials = 64

    private(set) var isLow = false
    /// Takes the lower level also where it makes pages larger by up to a hundredth and a half: in a rewrite, which has
    /// smaller pages to offer than its input, time is worth more than the last percent.
    var acceptsGrowth = false
    private var pagesUntilTrial = 1
    private var encoding: ParquetEncoding?

    /// Whether the next page, in this encoding, is to be compressed at both levels.
    mutating func triesBoth(_ next: ParquetEncoding) -> Bool {
        if encoding != next {
            // Another kind of bytes: what was learned means nothing.
            (encoding, isLow, pagesUntilTrial) = (next, false, 1)
            return false
        }
        pagesUntilTrial -= 1
        guard pagesUntilTrial <= 0 else { return false }
        pagesUntilTrial = Self.pagesBetweenTrials
        return true
    }

    mutating func note(high: Int, low: Int) { isLow = low <= high + (acceptsGrowth ? high / 24 : 0) }
}

/// Compresses page bodies, reusing contexts and scratch areas for a whole file.
final class PageCompressor {
    let codec: ParquetCodec
    private let level: Int
    private let zstd: Zstd.Compressor?
    private lazy var lowZstd = Zstd.Compressor(level: 1)
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

    /// Appends the stored form of a data page, at the level that its column's earlier pages suggest.
    func compress(
        _ body: UnsafeRawBufferPointer, into out: Buffer<UInt8>, encoding: ParquetEncoding,
        effort: inout CompressionEffort
    ) throws(FirnError) {
        guard codec == .zstd, level > 1 else { return try compress(body, into: out) }
        if effort.triesBoth(encoding) {
            let start = out.count
            try compress(body, into: out)
            measured.removeAll()
            try lowZstd.compress(body, into: measured)
            effort.note(high: out.count - start, low: measured.count)
            guard effort.isLow else { return }
            out.truncate(to: start)
            out.append(contentsOf: measured)
        } else if effort.isLow {
            try lowZstd.compress(body, into: out)
        } else {
            try compress(body, into: out)
        }
    }

    /// Bytes that `body` takes when stored.
    func size(_ body: Buffer<UInt8>) throws(FirnError) -> Int {
        if codec == .uncompressed { return body.count }
        measured.removeAll()
        try compress(UnsafeRawBufferPointer(body.values), into: measured)
        return measured.count
    }
}

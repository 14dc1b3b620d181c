import Base

/// Counts and bounds of some pages.
struct ChunkTotals {
    var entries = 0
    var nulls = 0
    var nans = 0
    var bounds = ColumnBounds.empty

    mutating func merge(_ other: ChunkTotals) {
        entries += other.entries
        nulls += other.nulls
        nans += other.nans
        bounds.merge(other.bounds)
    }
}

/// The closed pages of a column chunk.
struct ChunkState {
    /// Headers and bodies as they will stand in the file.
    private(set) var data: [[UInt8]] = []
    private(set) var pageBytes = 0
    /// Before compression, headers included.
    private(set) var uncompressedBytes = 0
    var pages: [PageIndex.Page] = []
    var rows = 0
    private(set) var totals = ChunkTotals()
    private(set) var plainPages = 0
    private(set) var dictionaryPages = 0

    mutating func store(
        _ body: Buffer<UInt8>, _ kind: PageHeader.Kind, _ compressor: PageCompressor
    ) throws(FirnError) -> (offset: Int, bytes: Int) {
        let offset = pageBytes
        data.append(contentsOf: try encode(body, kind, compressor))
        return (offset, pageBytes - offset)
    }

    mutating func storeDictionary(
        _ body: Buffer<UInt8>, _ kind: PageHeader.Kind, _ compressor: PageCompressor
    ) throws(FirnError) -> [[UInt8]] {
        try encode(body, kind, compressor)
    }

    private mutating func encode(
        _ body: Buffer<UInt8>, _ kind: PageHeader.Kind, _ compressor: PageCompressor
    ) throws(FirnError) -> [[UInt8]] {
        guard body.count <= Int(Int32.max) - (64 << 20) else {
            throw FirnError(.limitExceeded, "page_too_large", "one page would hold \(body.count) bytes")
        }
        let stored = try compressor.compress(UnsafeRawBufferPointer(body.values))
        let header = PageHeader(
            uncompressedBytes: body.count, compressedBytes: stored.count, checksum: CRC32.checksum(stored), kind: kind
        ).serialize()
        pageBytes += header.count + stored.count
        uncompressedBytes += header.count + body.count
        return [header, stored]
    }

    mutating func note(_ encoding: ParquetEncoding, entries: Int, nulls: Int, _ encoder: ValueEncoder) {
        if encoding == .plain { plainPages += 1 } else { dictionaryPages += 1 }
        totals.entries += entries
        totals.nulls += nulls
        totals.nans += encoder.nanCount
        totals.bounds.merge(encoder.bounds)
    }
}

/// A column chunk ready to be written.
struct FinishedChunk {
    let leaf: SchemaLeaf
    let isText: Bool
    let codec: ParquetCodec
    let state: ChunkState
    /// Header and body; empty without a dictionary.
    let dictionaryPage: [[UInt8]]

    var storedBytes: Int { state.pageBytes }
    var dictionaryBytes: Int { dictionaryPage.reduce(0) { $0 + $1.count } }

    var index: PageIndex { PageIndex(pages: state.pages, element: leaf.element) }

    /// What the footer says of the chunk when it starts at `offset`.
    func metadata(offset: Int) -> ParquetFooter.ColumnChunk {
        var column = ParquetFooter.ColumnChunk()
        column.physicalType = leaf.element.physicalType ?? .boolean
        column.path = leaf.path
        column.codec = codec
        column.valueCount = state.totals.entries
        column.uncompressedBytes = state.uncompressedBytes
        column.compressedBytes = storedBytes
        column.dataPageOffset = offset + dictionaryBytes
        if !dictionaryPage.isEmpty {
            column.dictionaryPageOffset = offset
            column.encodings = [.plain, .rle, .rleDictionary]
            column.encodingStatistics.append(.init(pageType: .dictionary, encoding: .plain, pageCount: 1))
        } else {
            column.encodings = [.plain, .rle]
        }
        if state.dictionaryPages > 0 {
            column.encodingStatistics.append(
                .init(pageType: .data, encoding: .rleDictionary, pageCount: state.dictionaryPages))
        }
        if state.plainPages > 0 {
            column.encodingStatistics.append(
                .init(pageType: .data, encoding: .plain, pageCount: state.plainPages))
        }
        column.statistics = statistics
        return column
    }

    private var statistics: ParquetFooter.Statistics {
        var statistics = ParquetFooter.Statistics()
        statistics.nullCount = state.totals.nulls
        let cut = state.totals.bounds.truncated(limit: ParquetLimits.statisticsBytesMax, isText: isText)
        if let (low, high) = cut.bounds.encoded(leaf.element) {
            statistics.minValue = low
            statistics.maxValue = high
            statistics.isMinExact = cut.isLowExact
            statistics.isMaxExact = cut.isHighExact
        }
        return statistics
    }
}

import Base

/// Counts and bounds of some pages.
struct ChunkTotals {
    var entries = 0
    var nulls = 0
    var nans = 0
    /// Bytes of BYTE_ARRAY values without their lengths.
    var unencodedBytes = 0
    var bounds = ColumnBounds.empty

    mutating func merge(_ other: ChunkTotals) {
        entries += other.entries
        nulls += other.nulls
        nans += other.nans
        unencodedBytes += other.unencodedBytes
        bounds.merge(other.bounds)
    }
}

/// The closed pages of a column chunk, in buffers that serve one row group after another.
final class ChunkState {
    /// Headers and bodies of the data pages as they will stand in the file.
    let data = Buffer<UInt8>()
    /// Header and body of the dictionary page; empty without a dictionary.
    let dictionary = Buffer<UInt8>()
    /// Before compression, headers included.
    private(set) var uncompressedBytes = 0
    var pages: [PageIndex.Page] = []
    var rows = 0
    var totals = ChunkTotals()
    /// Data pages by encoding, in order of first appearance.
    private(set) var encodings: [(encoding: ParquetEncoding, pages: Int)] = []

    var effort = CompressionEffort()
    let compressor: PageCompressor
    private let writesChecksums: Bool
    /// Room kept before a body for its header, whose length is known only after compression: that of the last one,
    /// so that bodies seldom have to move.
    private var headerBytes = 32

    init(compressor: PageCompressor, writesChecksums: Bool) {
        self.compressor = compressor
        self.writesChecksums = writesChecksums
    }

    var storedBytes: Int { data.count + dictionary.count }

    /// A v1 data page: levels and values compressed together.
    func store(_ body: Buffer<UInt8>, entries: Int, encoding: ParquetEncoding) throws(FirnError) {
        note(encoding)
        try store(body, uncompressedLevels: 0, into: data) { _ in
            .data(valueCount: entries, encoding: encoding, definition: .rle, repetition: .rle)
        }
    }

    /// A v2 data page: the levels at the start of `body` stay as they are.
    func store(_ body: Buffer<UInt8>, _ page: PageHeader.DataV2) throws(FirnError) {
        note(page.encoding)
        try store(body, uncompressedLevels: page.repetitionBytes + page.definitionBytes, into: data) {
            var page = page
            page.isCompressed = $0
            return .dataV2(page)
        }
    }

    func storeDictionary(_ body: Buffer<UInt8>, count: Int) throws(FirnError) {
        try store(body, uncompressedLevels: 0, into: dictionary) { _ in
            .dictionary(valueCount: count, encoding: .plain)
        }
    }

    /// A page that another file holds, with a header of its own; `body` is in parts, as it will be stored.
    func copy(
        _ body: [UnsafeRawBufferPointer], uncompressedBytes: Int, encoding: ParquetEncoding, _ kind: PageHeader.Kind
    ) {
        note(encoding)
        var checksum: UInt32 = 0
        var count = 0
        for part in body {
            if writesChecksums { checksum = CRC32.checksum(part, seed: checksum) }
            count += part.count
        }
        let header = PageHeader(
            uncompressedBytes: uncompressedBytes, compressedBytes: count, checksum: writesChecksums ? checksum : nil,
            kind: kind
        ).serialize()
        header.withUnsafeBufferPointer { data.append($0) }
        for part in body { data.append(part.assumingMemoryBound(to: UInt8.self)) }
        self.uncompressedBytes += header.count + uncompressedBytes
    }

    private func note(_ encoding: ParquetEncoding) {
        if let index = encodings.firstIndex(where: { $0.encoding == encoding }) {
            encodings[index].pages += 1
        } else {
            encodings.append((encoding, 1))
        }
    }

    /// Compresses into `out` behind room for the header, then closes the gap between them.
    private func store(
        _ body: Buffer<UInt8>, uncompressedLevels: Int, into out: Buffer<UInt8>,
        kind: (_ isCompressed: Bool) -> PageHeader.Kind
    ) throws(FirnError) {
        guard body.count <= ParquetLimits.pageBytesMax else {
            throw FirnError(.limitExceeded, "page_too_large", "one page would hold \(body.count) bytes")
        }
        let start = out.count
        out.append(repeating: 0, count: headerBytes)
        let whole = UnsafeRawBufferPointer(body.values)
        let levels = UnsafeRawBufferPointer(rebasing: whole[..<uncompressedLevels])
        let values = UnsafeRawBufferPointer(rebasing: whole[uncompressedLevels...])
        out.append(levels.assumingMemoryBound(to: UInt8.self))
        let valuesStart = out.count
        var isCompressed = compressor.codec != .uncompressed && !values.isEmpty
        // In a v1 page even an empty body goes through the codec.
        let isV2: Bool
        if case .dataV2 = kind(true) { isV2 = true } else { isV2 = false }
        if isCompressed || !isV2 { try compress(values, kind(true), into: out) }
        if isV2, isCompressed, out.count - valuesStart >= values.count {
            out.truncate(to: valuesStart)
            isCompressed = false
        }
        if isV2, !isCompressed, out.count == valuesStart {
            out.append(values.assumingMemoryBound(to: UInt8.self))
        }
        let bodyStart = start + headerBytes
        let storedBytes = out.count - bodyStart
        let stored = UnsafeRawBufferPointer(start: out.pointer + bodyStart, count: storedBytes)
        let header = PageHeader(
            uncompressedBytes: body.count, compressedBytes: storedBytes,
            checksum: writesChecksums ? CRC32.checksum(stored) : nil, kind: kind(isCompressed)
        ).serialize()
        if header.count != headerBytes {
            out.reserve(header.count)
            let target = UnsafeMutableRawPointer(out.pointer + start)
            // The regions overlap, which copyMemory allows.
            (target + header.count).copyMemory(from: target + headerBytes, byteCount: storedBytes)
            out.truncate(to: start)
            out.commit(header.count + storedBytes)
            headerBytes = header.count
        }
        let target = UnsafeMutableRawPointer(out.pointer + start)
        header.withUnsafeBytes { target.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
        uncompressedBytes += header.count + body.count
    }

    private func compress(
        _ values: UnsafeRawBufferPointer, _ kind: PageHeader.Kind, into out: Buffer<UInt8>
    ) throws(FirnError) {
        switch kind {
        case .data(_, let encoding, _, _):
            try compressor.compress(values, into: out, encoding: encoding, effort: &effort)
        case .dataV2(let page):
            try compressor.compress(values, into: out, encoding: page.encoding, effort: &effort)
        case .dictionary, .other: try compressor.compress(values, into: out)
        }
    }

    /// Forgets all, keeping the memory and what was learned about compression.
    func removeAll() {
        data.removeAll()
        dictionary.removeAll()
        uncompressedBytes = 0
        pages = []
        rows = 0
        totals = ChunkTotals()
        encodings = []
    }
}

/// A column chunk ready to be written.
struct FinishedChunk {
    let leaf: SchemaLeaf
    let isText: Bool
    let hasBounds: Bool
    let codec: ParquetCodec
    let state: ChunkState
    /// Header and bits.
    let bloomFilter: [UInt8]?

    var index: PageIndex { PageIndex(pages: state.pages, element: leaf.element) }

    /// What the footer says of the chunk when it starts at `offset`.
    func metadata(offset: Int) -> ParquetFooter.ColumnChunk {
        var column = ParquetFooter.ColumnChunk()
        column.physicalType = leaf.element.physicalType ?? .boolean
        column.path = leaf.path
        column.codec = codec
        column.valueCount = state.totals.entries
        column.uncompressedBytes = state.uncompressedBytes
        column.compressedBytes = state.storedBytes
        column.dataPageOffset = offset + state.dictionary.count
        let type: ParquetPageType = isV2 ? .dataV2 : .data
        // Levels are always RLE.
        var used: [ParquetEncoding] = [.rle]
        if !state.dictionary.isEmpty {
            column.dictionaryPageOffset = offset
            used.append(.plain)
            column.encodingStatistics.append(.init(pageType: .dictionary, encoding: .plain, pageCount: 1))
        }
        for entry in state.encodings {
            used.append(entry.encoding)
            column.encodingStatistics.append(
                .init(pageType: type, encoding: entry.encoding, pageCount: entry.pages))
        }
        column.encodings = Set(used).sorted { $0.rawValue < $1.rawValue }
        column.statistics = statistics
        column.sizeStatistics = sizeStatistics
        return column
    }

    var isV2 = false

    private var statistics: ParquetFooter.Statistics {
        var statistics = ParquetFooter.Statistics()
        statistics.nullCount = state.totals.nulls
        guard hasBounds else { return statistics }
        if leaf.element.physicalType == .float || leaf.element.physicalType == .double {
            statistics.nanCount = state.totals.nans
        }
        let cut = state.totals.bounds.truncated(limit: ParquetLimits.statisticsBytesMax, isText: isText)
        if let (low, high) = cut.bounds.encoded(leaf.element) {
            statistics.minValue = low
            statistics.maxValue = high
            statistics.isMinExact = cut.isLowExact
            statistics.isMaxExact = cut.isHighExact
        }
        return statistics
    }

    private var sizeStatistics: ParquetFooter.SizeStatistics? {
        var sizes = ParquetFooter.SizeStatistics()
        if leaf.element.physicalType == .byteArray { sizes.unencodedByteArrayBytes = state.totals.unencodedBytes }
        sizes.repetitionHistogram = Self.sum(state.pages.map(\.repetitionHistogram), leaf.repetitionMax)
        sizes.definitionHistogram = Self.sum(state.pages.map(\.definitionHistogram), leaf.definitionMax)
        return sizes == .init() ? nil : sizes
    }

    private static func sum(_ histograms: [[Int]], _ maximum: Int) -> [Int] {
        guard maximum > 0 else { return [] }
        return histograms.reduce(into: [Int](repeating: 0, count: maximum + 1)) { total, page in
            for (level, count) in page.enumerated() { total[level] += count }
        }
    }
}

import Base
import Columnar

/// Decodes the pages of one column chunk, all of them or those that hold wanted rows.
///
/// 1. A dictionary page may come first; it is PLAIN, and is not looked at before a page refers to it.
/// 2. Each data page is decompressed, its levels are read, then as many values as levels reach the maximum. A page
///    whose header or place tells that none of its rows is wanted stays as it is.
/// 3. The pages must hold exactly the entries and rows that the footer, or the offset index, names.
///
/// Every size is compared with the bytes it claims to describe before it is used.
/// Format: https://parquet.apache.org/docs/file-format/data-pages/
struct ChunkReader {
    let leaf: SchemaLeaf
    let chunk: ParquetFooter.ColumnChunk
    let source: String
    private let decompressor: PageDecompressor

    private let page: Buffer<UInt8>
    /// Outside lists, created by the first entry without a value; nil, while there is none, stands for the maximum.
    var definition: Buffer<UInt8>?
    var repetition: Buffer<UInt8>?
    var values: PhysicalValues
    private(set) var storedDictionary: StoredPage?
    private var dictionary: PhysicalValues?
    /// Takes the indices of dictionary pages in place of their values; see `leafPage`.
    var indices: Buffer<UInt32>?
    /// Entries decoded.
    var entries = 0
    /// Rows decoded.
    private var rows = RowSelection()
    /// Of the pages taken one after the other: entries so far, and rows that start in them and are not yet taken.
    var passed = 0
    var rowStarts = 0
    /// What batches so far took at most, so that the next finds room at once.
    var largest = (values: 0, bytes: 0)

    var column: Int { leaf.column }

    /// A page as it lies in the file.
    struct StoredPage {
        let header: PageHeader
        let block: FetchedBytes.Block
        /// Within the block.
        let start: Int
        let body: Range<Int>
        var offset: Int { block.base + start }
    }

    /// `page` is room for decompressed pages, used again by the next reader.
    init(
        leaf: SchemaLeaf, chunk: ParquetFooter.ColumnChunk, source: String, decompressor: PageDecompressor,
        page: Buffer<UInt8>
    ) throws(FirnError) {
        self.leaf = leaf
        self.chunk = chunk
        self.source = source
        self.decompressor = decompressor
        self.page = page
        definition = leaf.repetitionMax > 0 ? Buffer() : nil
        repetition = leaf.repetitionMax > 0 ? Buffer() : nil
        values = try PhysicalValues(leaf.element)
    }

    // MARK: Pages one after the other

    /// Decodes the chunk at `range`, without the pages that are known to hold no row of `wanted`.
    ///
    /// Throws `.corrupted` or `.unsupported` with the file, the column and the offset of the page at fault.
    mutating func decode(
        _ range: Range<Int>, in block: FetchedBytes.Block, rowCount: Int, wanted: RowSelection?
    ) throws(FirnError) -> ChunkData {
        var at = range.lowerBound - block.base
        let end = range.upperBound - block.base
        var start = at
        do throws(FirnError) {
            if wanted == nil { reserve(chunk.valueCount) }
            var passed = 0
            var row = 0
            var startsRow = true
            while passed < chunk.valueCount {
                start = at
                let page = try storedPage(at..<end, block)
                at = page.body.upperBound
                guard let count = page.header.entryCount else {
                    try keepDictionary(page, isFirst: passed == 0)
                    continue
                }
                guard count <= chunk.valueCount - passed else {
                    throw RunLengthDecoder.malformed(
                        "the pages hold more entries than the \(chunk.valueCount) declared")
                }
                passed += count
                if let wanted, let rows = page.header.rowCount(leaf), !wanted.overlaps(row..<row + min(rows, rowCount))
                {
                    row += rows
                    startsRow = true
                    continue
                }
                let rows = try decode(page, startsRow: startsRow)
                self.rows.append(row..<row + rows)
                row += rows
                startsRow = false
            }
            guard row == rowCount else {
                throw RunLengthDecoder.malformed("the column holds \(row) rows, the row group \(rowCount)")
            }
        } catch { throw located(error, block.base + start) }
        return finish()
    }

    // MARK: Pages by their places

    /// Decodes some of the pages of the offset index.
    ///
    /// - Parameter dictionary: what lies before the first data page; may be empty.
    mutating func decode(
        _ pages: [ParquetPageIndex.Page], dictionary: Range<Int>, in fetched: FetchedBytes
    ) throws(FirnError) -> ChunkData {
        var offset = dictionary.lowerBound
        do throws(FirnError) {
            if !dictionary.isEmpty {
                let block = fetched.block(dictionary)
                var at = dictionary.lowerBound - block.base
                while at < dictionary.upperBound - block.base {
                    let page = try storedPage(at..<dictionary.upperBound - block.base, block)
                    guard page.header.entryCount == nil else {
                        throw RunLengthDecoder.malformed("a data page that the offset index does not know")
                    }
                    try keepDictionary(page, isFirst: true)
                    at = page.body.upperBound
                }
            }
            for place in pages {
                offset = place.offset
                let range = place.offset..<place.offset + place.storedBytes
                let block = fetched.block(range)
                let page = try storedPage(range.lowerBound - block.base..<range.upperBound - block.base, block)
                guard let count = page.header.entryCount, count <= chunk.valueCount - entries else {
                    throw RunLengthDecoder.malformed("the offset index names a page that is no data page")
                }
                let rows = try decode(page, startsRow: true)
                guard rows == place.rowCount else {
                    throw RunLengthDecoder.malformed("a page of \(rows) rows, the offset index says \(place.rowCount)")
                }
                self.rows.append(place.firstRow..<place.firstRow + rows)
            }
        } catch { throw located(error, offset) }
        return finish()
    }

    func named(_ error: FirnError) -> FirnError { error.adding(["file": source, "column": leaf.name]) }

    func located(_ error: FirnError, _ offset: Int) -> FirnError {
        named(error).adding(["offset": String(offset)])
    }

    private func finish() -> ChunkData {
        ChunkData(entries: entries, definition: definition, repetition: repetition, values: values, rows: rows)
    }

    private func reserve(_ count: Int) {
        definition?.reserve(count)
        repetition?.reserve(count)
        values.reserve(min(count, ParquetLimits.chunkEntriesFree))
        if case .bytes(_, let bytes) = values {
            // Room at once saves copies while it grows; a false claim costs a bounded factor of what is stored.
            let claimed = max(chunk.uncompressedBytes, chunk.sizeStatistics?.unencodedByteArrayBytes ?? 0)
            bytes.reserve(min(claimed, chunk.compressedBytes * ParquetLimits.reservedBytesPerByte))
        }
    }

    // MARK: One page

    func storedPage(_ range: Range<Int>, _ block: FetchedBytes.Block) throws(FirnError) -> StoredPage {
        var reader = CompactReader(block.bytes, range: range, source: source, base: block.base)
        let header = try PageHeader(thrift: &reader)
        guard header.compressedBytes <= reader.remaining else {
            throw RunLengthDecoder.malformed(
                "a page of \(header.compressedBytes) bytes where \(reader.remaining) are left")
        }
        return StoredPage(
            header: header, block: block, start: range.lowerBound,
            body: reader.offset..<reader.offset + header.compressedBytes)
    }

    /// Keeps a dictionary page for when it is needed; pages of other kinds are passed over.
    mutating func keepDictionary(_ page: StoredPage, isFirst: Bool) throws(FirnError) {
        guard case .dictionary = page.header.kind else { return }
        guard storedDictionary == nil, isFirst else {
            throw RunLengthDecoder.malformed("a dictionary page after other pages")
        }
        storedDictionary = page
    }

    mutating func openDictionary() throws(FirnError) -> PhysicalValues {
        if let dictionary { return dictionary }
        guard let stored = storedDictionary, case .dictionary(let count, let encoding) = stored.header.kind else {
            throw RunLengthDecoder.malformed("dictionary indices without a dictionary")
        }
        guard encoding == .plain || encoding == .plainDictionary else { throw Self.unsupported(encoding) }
        let values = try PhysicalValues(leaf.element)
        // The page that asked for it lies in the shared room.
        let room = Buffer<UInt8>()
        try withBody(stored) { (body) throws(FirnError) in
            let plain = try unfold(body, stored.header.uncompressedBytes, room)
            try values.appendPlain(plain, count: count)
        }
        dictionary = values
        return values
    }

    /// Checks the checksum and gives the stored bytes of a page.
    func withBody<Result>(
        _ page: StoredPage, _ work: (UnsafeRawBufferPointer) throws(FirnError) -> Result
    ) throws(FirnError) -> Result {
        try page.block.bytes.withUnsafeBufferPointer { (all) throws(FirnError) -> Result in
            let body = UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: all[page.body]))
            if let expected = page.header.checksum, CRC32.checksum(body) != expected {
                throw FirnError(.corrupted, "page_checksum", "a page does not match its checksum")
            }
            return try work(body)
        }
    }

    private func unfold(
        _ stored: UnsafeRawBufferPointer, _ count: Int, _ room: Buffer<UInt8>
    ) throws(FirnError) -> UnsafeRawBufferPointer {
        if chunk.codec == .uncompressed {
            guard stored.count == count else {
                throw RunLengthDecoder.malformed("an uncompressed page has two different sizes")
            }
            return stored
        }
        try decompressor.decompress(chunk.codec, stored, into: room, count: count)
        return UnsafeRawBufferPointer(room.values)
    }

    /// Appends a data page; returns how many rows start in it.
    mutating func decode(_ page: StoredPage, startsRow: Bool) throws(FirnError) -> Int {
        try withBody(page) { (body) throws(FirnError) in
            switch page.header.kind {
            case .data(let count, let encoding, let definitionEncoding, let repetitionEncoding):
                var region = try unfold(body, page.header.uncompressedBytes, self.page)
                var rows = count
                if let repetition {
                    let levels = try StoredLevels.take(
                        from: &region, repetitionEncoding, maximum: leaf.repetitionMax, count: count)
                    rows = try repeated(levels, count, repetition, startsRow)
                }
                var present = count
                if leaf.definitionMax > 0 {
                    let levels = try StoredLevels.take(
                        from: &region, definitionEncoding, maximum: leaf.definitionMax, count: count)
                    present = try defined(levels, count)
                }
                try appendValues(region, encoding, present)
                entries += count
                return rows
            case .dataV2(let data): return try decode(data, page.header, body)
            case .dictionary, .other: preconditionFailure("not a data page")
            }
        }
    }

    private mutating func decode(
        _ data: PageHeader.DataV2, _ header: PageHeader, _ body: UnsafeRawBufferPointer
    ) throws(FirnError) -> Int {
        let levelBytes = data.repetitionBytes + data.definitionBytes
        guard levelBytes <= body.count, levelBytes <= header.uncompressedBytes else {
            throw RunLengthDecoder.malformed("levels of \(levelBytes) bytes in a page of \(body.count)")
        }
        var rows = data.valueCount
        if let repetition {
            let levels = StoredLevels(bytes: UnsafeRawBufferPointer(rebasing: body[..<data.repetitionBytes]))
            rows = try repeated(levels, data.valueCount, repetition, true)
        }
        guard rows == data.rowCount else {
            throw RunLengthDecoder.malformed("a page of \(rows) rows says it has \(data.rowCount)")
        }
        var present = data.valueCount
        if leaf.definitionMax > 0 {
            let levels = StoredLevels(
                bytes: UnsafeRawBufferPointer(rebasing: body[data.repetitionBytes..<levelBytes]))
            present = try defined(levels, data.valueCount)
        }
        let stored = UnsafeRawBufferPointer(rebasing: body[levelBytes...])
        let size = header.uncompressedBytes - levelBytes
        var region = stored
        // An empty value section is not compressed at all by some writers.
        if data.isCompressed, !(stored.isEmpty && size == 0) {
            region = try unfold(stored, size, page)
        } else if stored.count != size {
            throw RunLengthDecoder.malformed("a page has two different sizes")
        }
        try appendValues(region, data.encoding, present)
        entries += data.valueCount
        return rows
    }

    // MARK: Levels and values

    /// Appends repetition levels; returns how many rows start among them.
    private func repeated(
        _ levels: StoredLevels, _ count: Int, _ out: Buffer<UInt8>, _ startsRow: Bool
    ) throws(FirnError) -> Int {
        let start = out.count
        try levels.decode(maximum: leaf.repetitionMax, count: count, into: out)
        guard !startsRow || count == 0 || out.pointer[start] == 0 else {
            throw RunLengthDecoder.malformed("a page starts in the middle of a row")
        }
        return LevelKernels.count(out.pointer + start, count, equalTo: 0)
    }

    /// Appends definition levels; returns how many of them have a value.
    private mutating func defined(_ stored: StoredLevels, _ count: Int) throws(FirnError) -> Int {
        let maximum = UInt8(leaf.definitionMax)
        if stored.isOneRun(of: maximum, count: count) {
            definition?.append(repeating: maximum, count: count)
            return count
        }
        if let definition {
            try stored.decode(maximum: leaf.definitionMax, count: count, into: definition)
            return LevelKernels.count(definition.pointer + definition.count - count, count, equalTo: maximum)
        }
        // A chunk decoded at once finds room for all its levels, a batch for its own.
        let expected = passed > 0 ? largest.values : min(chunk.valueCount, ParquetLimits.chunkEntriesFree)
        let levels = Buffer<UInt8>(capacity: max(entries + count, expected))
        levels.append(repeating: maximum, count: entries)
        try stored.decode(maximum: leaf.definitionMax, count: count, into: levels)
        let present = LevelKernels.count(levels.pointer + entries, count, equalTo: maximum)
        if present < count { definition = levels }
        return present
    }

    private mutating func appendValues(
        _ region: UnsafeRawBufferPointer, _ encoding: ParquetEncoding, _ present: Int
    ) throws(FirnError) {
        switch encoding {
        case .rleDictionary, .plainDictionary:
            guard present > 0 else { return }
            if let indices {
                var target = IndexTarget(limit: try openDictionary().count, to: indices, count: present)
                try DictionaryGather.append(region, count: present, to: &target)
            } else {
                try values.appendIndexed(try openDictionary(), region, count: present)
            }
        default: try values.append(region, encoding, count: present)
        }
    }

    private static func unsupported(_ encoding: ParquetEncoding) -> FirnError {
        FirnError(.unsupported, "parquet_encoding", "the encoding \(encoding) is not supported")
    }
}

extension PageHeader {
    /// Entries of a data page, nulls included; nil for other pages.
    var entryCount: Int? {
        switch kind {
        case .data(let count, _, _, _): count
        case .dataV2(let data): data.valueCount
        case .dictionary, .other: nil
        }
    }

    /// Rows of a data page, where its header tells.
    func rowCount(_ leaf: SchemaLeaf) -> Int? {
        switch kind {
        case .data(let count, _, _, _): leaf.repetitionMax == 0 ? count : nil
        case .dataV2(let data): leaf.repetitionMax == 0 ? data.valueCount : data.rowCount
        case .dictionary, .other: nil
        }
    }
}

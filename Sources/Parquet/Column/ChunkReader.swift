import Base
import Columnar

/// One decoded column chunk: levels of every entry, and the values of those that have one.
struct ChunkData {
    let entries: Int
    /// Nil when the column has no definition levels.
    let definition: Buffer<UInt8>?
    /// Nil when the column has no repetition levels.
    let repetition: Buffer<UInt8>?
    let values: PhysicalValues
    var present: Int { values.count }
}

/// Decodes the pages of one column chunk.
///
/// 1. A dictionary page may come first; it is PLAIN.
/// 2. Each data page is decompressed, its levels are read, then as many values as levels reach the maximum.
/// 3. The pages must hold exactly the entries and rows that the footer names.
///
/// Every size is compared with the bytes it claims to describe before it is used.
/// Format: https://parquet.apache.org/docs/file-format/data-pages/
struct ChunkReader {
    private let leaf: SchemaLeaf
    private let chunk: ParquetFooter.ColumnChunk
    private let bytes: [UInt8]
    /// Where `bytes` starts in the file, for messages.
    private let base: Int
    private let source: String
    private let decompressor: PageDecompressor
    private var at = 0

    private let page: Buffer<UInt8>
    private let definition: Buffer<UInt8>?
    private let repetition: Buffer<UInt8>?
    private let values: PhysicalValues
    private var dictionary: PhysicalValues?
    private var entries = 0

    init(
        leaf: SchemaLeaf, chunk: ParquetFooter.ColumnChunk, bytes: [UInt8], base: Int, source: String,
        decompressor: PageDecompressor, page: Buffer<UInt8>
    ) throws(FirnError) {
        self.leaf = leaf
        self.chunk = chunk
        self.bytes = bytes
        self.base = base
        self.source = source
        self.decompressor = decompressor
        self.page = page
        definition = leaf.definitionMax > 0 ? Buffer(capacity: chunk.valueCount) : nil
        repetition = leaf.repetitionMax > 0 ? Buffer(capacity: chunk.valueCount) : nil
        values = try PhysicalValues(leaf.element)
        values.reserve(min(chunk.valueCount, ParquetLimits.chunkEntriesFree))
    }

    /// Throws `.corrupted` or `.unsupported` with the file, the column and the offset of the page at fault.
    mutating func decode(rowCount: Int) throws(FirnError) -> ChunkData {
        var pageStart = 0
        do throws(FirnError) {
            while entries < chunk.valueCount {
                pageStart = at
                try decodePage()
            }
            guard entries == chunk.valueCount else {
                throw RunLengthDecoder.malformed("the pages hold \(entries) entries, not \(chunk.valueCount)")
            }
            try checkRows(rowCount)
        } catch {
            throw error.adding(["file": source, "column": leaf.name, "offset": String(base + pageStart)])
        }
        return ChunkData(entries: entries, definition: definition, repetition: repetition, values: values)
    }

    private func checkRows(_ rowCount: Int) throws(FirnError) {
        var rows = entries
        if let repetition {
            rows = 0
            for level in repetition.values { rows &+= level == 0 ? 1 : 0 }
            guard entries == 0 || repetition[0] == 0 else {
                throw RunLengthDecoder.malformed("the column starts in the middle of a row")
            }
        }
        guard rows == rowCount else {
            throw RunLengthDecoder.malformed("the column holds \(rows) rows, the row group \(rowCount)")
        }
    }

    private mutating func decodePage() throws(FirnError) {
        var reader = CompactReader(bytes, range: at..<bytes.count, source: source, base: base)
        let header = try PageHeader(thrift: &reader)
        guard header.compressedBytes <= reader.remaining else {
            throw RunLengthDecoder.malformed(
                "a page of \(header.compressedBytes) bytes where \(reader.remaining) are left")
        }
        let body = reader.offset..<reader.offset + header.compressedBytes
        at = body.upperBound
        try checkSum(header, body)
        switch header.kind {
        case .other: break
        case .dictionary(let count, let encoding):
            guard dictionary == nil, entries == 0 else {
                throw RunLengthDecoder.malformed("a second dictionary page")
            }
            guard encoding == .plain || encoding == .plainDictionary else { throw unsupported(encoding) }
            try unfold(body, header.uncompressedBytes)
            let values = try PhysicalValues(leaf.element)
            try values.appendPlain(UnsafeRawBufferPointer(page.values), count: count)
            dictionary = values
        case .data(let count, let encoding, let definitionEncoding, let repetitionEncoding):
            try unfold(body, header.uncompressedBytes)
            var region = UnsafeRawBufferPointer(page.values)
            try levels(&region, repetition, leaf.repetitionMax, repetitionEncoding, count)
            try levels(&region, definition, leaf.definitionMax, definitionEncoding, count)
            try appendValues(region, encoding, count)
        case .dataV2(let data): try decode(data, header, body)
        }
    }

    private func checkSum(_ header: PageHeader, _ body: Range<Int>) throws(FirnError) {
        guard let expected = header.checksum else { return }
        let actual = bytes.withUnsafeBytes { CRC32.checksum(UnsafeRawBufferPointer(rebasing: $0[body])) }
        guard actual == expected else {
            throw FirnError(.corrupted, "page_checksum", "a page does not match its checksum")
        }
    }

    private func unfold(_ body: Range<Int>, _ uncompressedBytes: Int) throws(FirnError) {
        do {
            try bytes.withUnsafeBytes {
                try decompressor.decompress(
                    chunk.codec, UnsafeRawBufferPointer(rebasing: $0[body]), into: page, count: uncompressedBytes)
            }
        } catch { throw error as! FirnError }
    }

    private mutating func decode(
        _ data: PageHeader.DataV2, _ header: PageHeader, _ body: Range<Int>
    ) throws(FirnError) {
        let levelBytes = data.repetitionBytes + data.definitionBytes
        guard levelBytes <= body.count, levelBytes <= header.uncompressedBytes else {
            throw RunLengthDecoder.malformed("levels of \(levelBytes) bytes in a page of \(body.count)")
        }
        let start = body.lowerBound
        let middle = start + data.repetitionBytes
        try checkEntries(data.valueCount)
        try runLengths(start..<middle, repetition, leaf.repetitionMax, data.valueCount)
        try runLengths(middle..<start + levelBytes, definition, leaf.definitionMax, data.valueCount)
        let stored = start + levelBytes..<body.upperBound
        let size = header.uncompressedBytes - levelBytes
        // An empty value section is not compressed at all by some writers.
        if stored.isEmpty && size == 0 {
            page.removeAll()
        } else if data.isCompressed {
            try unfold(stored, size)
        } else {
            guard stored.count == size else { throw RunLengthDecoder.malformed("a page has two different sizes") }
            page.removeAll()
            bytes.withUnsafeBufferPointer { page.append(UnsafeBufferPointer(rebasing: $0[stored])) }
        }
        try appendValues(UnsafeRawBufferPointer(page.values), data.encoding, data.valueCount)
    }

    private func runLengths(
        _ range: Range<Int>, _ out: Buffer<UInt8>?, _ maximum: Int, _ count: Int
    ) throws(FirnError) {
        guard let out else { return }
        do {
            try bytes.withUnsafeBytes {
                try Self.append(UnsafeRawBufferPointer(rebasing: $0[range]), maximum, count, to: out)
            }
        } catch { throw error as! FirnError }
    }

    private func checkEntries(_ count: Int) throws(FirnError) {
        guard count <= chunk.valueCount - entries else {
            throw RunLengthDecoder.malformed("the pages hold more entries than the \(chunk.valueCount) declared")
        }
    }

    /// Levels of a v1 page: 4 bytes of length, then runs.
    private func levels(
        _ region: inout UnsafeRawBufferPointer, _ out: Buffer<UInt8>?, _ maximum: Int, _ encoding: ParquetEncoding,
        _ count: Int
    ) throws(FirnError) {
        try checkEntries(count)
        guard let out else { return }
        if encoding == ParquetEncoding(rawValue: 4) { return try bitPacked(&region, out, maximum, count) }
        guard encoding == .rle else { throw unsupported(encoding) }
        guard region.count >= 4 else { throw RunLengthDecoder.malformed("a page ends before its levels") }
        let length = Int(UInt32(littleEndian: region.loadUnaligned(as: UInt32.self)))
        guard length <= region.count - 4 else { throw RunLengthDecoder.malformed("levels pass the end of their page") }
        try Self.append(UnsafeRawBufferPointer(rebasing: region[4..<4 + length]), maximum, count, to: out)
        region = UnsafeRawBufferPointer(rebasing: region[(4 + length)...])
    }

    private static func append(
        _ region: UnsafeRawBufferPointer, _ maximum: Int, _ count: Int, to out: Buffer<UInt8>
    ) throws(FirnError) {
        out.reserve(count)
        let target = out.pointer + out.count
        try RunLengthDecoder.decode(region, width: BitPacking.width(maximum), count: count, into: target)
        try commit(maximum, count, to: out)
    }

    /// Levels of old writers: bits without a length before them, most significant first.
    private func bitPacked(
        _ region: inout UnsafeRawBufferPointer, _ out: Buffer<UInt8>, _ maximum: Int, _ count: Int
    ) throws(FirnError) {
        let width = BitPacking.width(maximum)
        let length = (count * width + 7) / 8
        guard length <= region.count else { throw RunLengthDecoder.malformed("levels pass the end of their page") }
        out.reserve(count)
        BitPacking.unpackBigEndian(region, count: count, width: width, into: out.pointer + out.count)
        try Self.commit(maximum, count, to: out)
        region = UnsafeRawBufferPointer(rebasing: region[length...])
    }

    /// Accepts `count` levels written past the end of `out`, none of which may pass the maximum.
    private static func commit(_ maximum: Int, _ count: Int, to out: Buffer<UInt8>) throws(FirnError) {
        let target = out.pointer + out.count
        var greatest: UInt8 = 0
        for index in 0..<count { greatest = max(greatest, target[index]) }
        guard Int(greatest) <= maximum else {
            throw RunLengthDecoder.malformed("level \(greatest) where \(maximum) is the greatest")
        }
        out.commit(count)
    }

    /// The values of a page whose `count` levels have just been appended.
    private mutating func appendValues(
        _ region: UnsafeRawBufferPointer, _ encoding: ParquetEncoding, _ count: Int
    ) throws(FirnError) {
        var present = count
        if let definition {
            let maximum = UInt8(leaf.definitionMax)
            let levels = definition.pointer + entries
            present = 0
            for index in 0..<count { present &+= levels[index] == maximum ? 1 : 0 }
        }
        entries += count
        switch encoding {
        case .rleDictionary, .plainDictionary: try gather(region, present)
        default: try values.append(region, encoding, count: present)
        }
    }

    private func gather(_ region: UnsafeRawBufferPointer, _ count: Int) throws(FirnError) {
        if count == 0 { return }
        guard let dictionary else { throw RunLengthDecoder.malformed("dictionary indices without a dictionary") }
        try values.appendIndexed(dictionary, region, count: count)
    }

    private func unsupported(_ encoding: ParquetEncoding) -> FirnError {
        FirnError(.unsupported, "parquet_encoding", "the encoding \(encoding) is not supported")
    }
}

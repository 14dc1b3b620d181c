import Base

/// A data page of one leaf, decoded as far as merging and hashing need: values that a dictionary holds stay indices.
///
/// Its buffers are those of the stream, and good until the next page.
struct LeafPage {
    let header: PageHeader
    let entries: Int
    /// Rows that start in the page.
    let rows: Int
    /// Nil when every entry has a value.
    let definition: Buffer<UInt8>?
    /// Nil outside lists.
    let repetition: Buffer<UInt8>?
    /// Into the chunk's dictionary; nil for a page that holds its values.
    let indices: Buffer<UInt32>?
    let values: PhysicalValues

    /// Entries with a value.
    var present: Int { indices?.count ?? values.count }
    var startsRow: Bool { repetition.map { $0.isEmpty || $0.pointer[0] == 0 } ?? true }
}

/// The pages of one column chunk from front to back.
struct LeafStream {
    private(set) var reader: ChunkReader
    private var pages: StoredPages
    private let rowCount: Int
    private var rows = 0
    /// What the page taken last holds in the file.
    private(set) var stored: ChunkReader.StoredPage?

    init(
        _ leaf: SchemaLeaf, _ group: ParquetFooter.RowGroup, _ file: FileBytes, fetched: FetchedBytes?,
        decompressor: PageDecompressor, page: Buffer<UInt8>
    ) throws {
        let range = try RowGroupReader.range(group.columns[leaf.column], leaf, file)
        reader = try ChunkReader(
            leaf: leaf, chunk: group.columns[leaf.column], source: file.source, decompressor: decompressor, page: page)
        reader.indices = Buffer()
        pages = StoredPages(file: file, chunk: range, block: range.isEmpty ? nil : fetched?.block(range))
        rowCount = group.rowCount
    }

    var leaf: SchemaLeaf { reader.leaf }
    var chunk: ParquetFooter.ColumnChunk { reader.chunk }

    /// The next data page; nil when the chunk has ended, with all its entries and rows.
    ///
    /// Throws `.corrupted` or `.unsupported` with the file, the column and the offset of the page at fault.
    mutating func next() throws -> LeafPage? {
        guard let page = try reader.nextPage(from: &pages) else {
            guard rows == rowCount || chunk.valueCount == 0 && rowCount == 0 else {
                throw reader.named(
                    RunLengthDecoder.malformed("the column holds \(rows) rows, the row group \(rowCount)"))
            }
            return nil
        }
        stored = page
        do throws(FirnError) {
            let decoded = try reader.leafPage(page)
            rows += decoded.rows
            guard rows <= rowCount else {
                throw RunLengthDecoder.malformed("the column holds more rows than the \(rowCount) of the row group")
            }
            return decoded
        } catch { throw reader.located(error, page.offset) }
    }

    /// The values that indices stand for. Precondition: a page had some.
    mutating func dictionary() throws -> PhysicalValues {
        do throws(FirnError) { return try reader.openDictionary() } catch { throw reader.named(error) }
    }
}

extension ChunkReader {
    /// Decodes a page alone. The reader must not be used in another way too.
    mutating func leafPage(_ page: StoredPage) throws(FirnError) -> LeafPage {
        let count = page.header.entryCount ?? 0
        guard count <= chunk.valueCount - passed else {
            throw RunLengthDecoder.malformed("the pages hold more entries than the \(chunk.valueCount) declared")
        }
        entries = 0
        if repetition == nil { definition = nil } else { definition?.removeAll() }
        repetition?.removeAll()
        values.truncate(to: 0)
        indices?.removeAll()
        let rows = try decode(page, startsRow: passed == 0)
        passed += count
        // A page of nulls needs no dictionary, and its chunk may have none.
        let isIndexed = page.header.isIndexed && indices?.isEmpty == false
        return LeafPage(
            header: page.header, entries: count, rows: rows, definition: definition, repetition: repetition,
            indices: isIndexed ? indices : nil, values: values)
    }
}

extension PageHeader {
    /// How the values of a data page are encoded.
    var encoding: ParquetEncoding? {
        switch kind {
        case .data(_, let encoding, _, _): encoding
        case .dataV2(let page): page.encoding
        case .dictionary, .other: nil
        }
    }

    var isIndexed: Bool { encoding == .rleDictionary || encoding == .plainDictionary }
}

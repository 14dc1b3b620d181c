import Base

/// Decoding a chunk a batch of rows at a time: pages are appended until the rows are there, then cut off the front.
extension ChunkReader {
    /// True when the chunk's next `count` rows are decoded, to their last entries.
    func holds(rows count: Int) -> Bool {
        // In a list a row ends where the next begins.
        repetition != nil && passed < chunk.valueCount ? rowStarts > count : rowStarts >= count
    }

    /// The next data page; nil at the end of the chunk.
    mutating func nextPage(from pages: inout StoredPages) throws -> StoredPage? {
        while passed < chunk.valueCount {
            let page: StoredPage
            do { page = try Self.page(from: &pages, self) } catch let error as FirnError {
                throw located(error, pages.offset)
            }
            pages.offset = page.block.base + page.body.upperBound
            if page.header.entryCount != nil { return page }
            do throws(FirnError) { try keepDictionary(page, isFirst: passed == 0) } catch {
                throw located(error, page.offset)
            }
        }
        return nil
    }

    /// A header's length is known only when it is read: more bytes are fetched until it is whole.
    private static func page(from pages: inout StoredPages, _ reader: ChunkReader) throws -> StoredPage {
        var wanted = 1
        while true {
            try pages.require(wanted)
            var thrift = CompactReader(
                pages.block.bytes, range: pages.held, source: reader.source, base: pages.block.base)
            do throws(FirnError) {
                let header = try PageHeader(thrift: &thrift)
                if header.compressedBytes <= thrift.remaining || pages.isWhole {
                    return try reader.storedPage(pages.held, pages.block)
                }
                wanted = thrift.offset - pages.held.lowerBound + header.compressedBytes
            } catch {
                if pages.isWhole { throw error }
                wanted = pages.held.count * 2
            }
        }
    }

    /// Decodes a page that `nextPage` gave.
    mutating func append(_ page: StoredPage) throws(FirnError) {
        do throws(FirnError) {
            let count = page.header.entryCount ?? 0
            guard count <= chunk.valueCount - passed else {
                throw RunLengthDecoder.malformed("the pages hold more entries than the \(chunk.valueCount) declared")
            }
            let isFirst = passed == 0
            if entries == 0 { reserveBatch() }
            rowStarts += try decode(page, startsRow: isFirst)
            passed += count
        } catch { throw located(error, page.offset) }
    }

    private func reserveBatch() {
        values.reserve(largest.values)
        if case .bytes(_, let bytes) = values { bytes.reserve(largest.bytes) }
    }

    /// Cuts the first `count` rows off what is decoded. Throws `.corrupted` when the chunk has fewer.
    mutating func take(rows count: Int) throws(FirnError) -> ChunkData {
        guard rowStarts >= count else {
            throw named(RunLengthDecoder.malformed("the column holds \(rowStarts) rows where \(count) are left"))
        }
        largest.values = max(largest.values, values.count)
        if case .bytes(_, let bytes) = values { largest.bytes = max(largest.bytes, bytes.count) }
        let all = ChunkData(
            entries: entries, definition: definition, repetition: repetition, values: values,
            rows: RowSelection(all: rowStarts))
        rowStarts -= count
        guard rowStarts > 0 else {
            try beginBatch()
            return all
        }
        let (front, rest) = try all.split(atRow: count, leaf)
        (entries, definition, repetition, values) = (rest.entries, rest.definition, rest.repetition, rest.values)
        return front
    }

    private mutating func beginBatch() throws(FirnError) {
        entries = 0
        definition = leaf.repetitionMax > 0 ? Buffer() : nil
        repetition = leaf.repetitionMax > 0 ? Buffer() : nil
        values = try PhysicalValues(leaf.element)
    }

    /// Throws `.corrupted` when rows are left over after the last of the row group.
    func checkEmpty() throws(FirnError) {
        guard rowStarts == 0, passed == chunk.valueCount else {
            throw named(RunLengthDecoder.malformed("the column holds more rows than the row group"))
        }
    }
}

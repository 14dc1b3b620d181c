import Base
import Columnar

extension ParquetFileReader {
    private func chunk(
        _ rowGroup: Int, _ column: Int
    ) throws(FirnError) -> (group: ParquetFooter.RowGroup, chunk: ParquetFooter.ColumnChunk, leaf: SchemaLeaf) {
        guard footer.rowGroups.indices.contains(rowGroup), leaves.indices.contains(column) else {
            throw FirnError(
                .invalidInput, "unknown_column_chunk", "there is no column \(column) in a row group \(rowGroup)",
                context: ["file": source])
        }
        return (footer.rowGroups[rowGroup], footer.rowGroups[rowGroup].columns[column], leaves[column])
    }

    /// The page index of a column chunk; nil when the file has none. Columns count leaves, in the footer's order.
    ///
    /// Throws `.corrupted` for an index that does not fit its chunk, which a scan would ignore.
    public func pageIndex(rowGroup: Int, column: Int) throws -> ParquetPageIndex? {
        let (group, chunk, leaf) = try chunk(rowGroup, column)
        do {
            guard let place = try IndexPlace(chunk, leaf, file, bounds: true) else { return nil }
            return try place.read(try file.fetch(place.ranges), rowCount: group.rowCount, source: source)
        } catch let error as FirnError { throw error.adding(["column": leaf.name]) }
    }

    /// The pages of a column chunk, by their headers; their bodies are not looked at.
    ///
    /// Throws `.corrupted` where the headers do not follow one another.
    public func pages(rowGroup: Int, column: Int) throws -> [ParquetPageSummary] {
        let (_, chunk, leaf) = try chunk(rowGroup, column)
        let range = try RowGroupReader.range(chunk, leaf, file)
        let bytes = try file.fetch(range)
        var summaries: [ParquetPageSummary] = []
        var at = 0
        var entries = 0
        while entries < chunk.valueCount {
            var reader = CompactReader(bytes, range: at..<bytes.count, source: source, base: range.lowerBound)
            do throws(FirnError) {
                let header = try PageHeader(thrift: &reader)
                guard header.compressedBytes <= reader.remaining else {
                    throw reader.corrupted(
                        "a page of \(header.compressedBytes) bytes where \(reader.remaining) are left")
                }
                summaries.append(
                    ParquetPageSummary(
                        header, offset: range.lowerBound + at, headerBytes: reader.offset - at))
                at = reader.offset + header.compressedBytes
                entries += header.entryCount ?? 0
            } catch { throw error.adding(["column": leaf.name]) }
        }
        return summaries
    }

    /// The Bloom filter of a column chunk; nil when the file has none.
    ///
    /// Throws `.corrupted`, `.unsupported` or `.limitExceeded` for one that cannot be read, which a scan would ignore.
    public func bloomFilter(rowGroup: Int, column: Int) throws -> BloomFilterSummary? {
        let (_, chunk, leaf) = try chunk(rowGroup, column)
        guard let offset = chunk.bloomFilterOffset else { return nil }
        do {
            var count = chunk.bloomFilterBytes
            if count == nil, offset < file.fileBytes {
                let end = min(file.fileBytes, offset + ParquetLimits.bloomFilterHeaderBytes)
                count = try BloomFilter.storedBytes(try file.fetch(offset..<end), source: source, offset: offset)
            }
            guard let count, offset < file.fileBytes, count <= file.fileBytes - offset,
                count <= ParquetLimits.bloomFilterBytesMax + ParquetLimits.bloomFilterHeaderBytes
            else {
                throw FirnError(
                    .corrupted, "malformed_parquet", "a Bloom filter passes the end of the file",
                    context: ["file": source, "offset": String(offset)])
            }
            let bytes = try file.fetch(offset..<offset + count)
            return BloomFilterSummary(
                offset: offset, storedBytes: count,
                filter: try BloomFilter.parse(bytes, source: source, offset: offset), leaf: leaf)
        } catch let error as FirnError { throw error.adding(["column": leaf.name]) }
    }
}

extension ParquetPageSummary {
    init(_ header: PageHeader, offset: Int, headerBytes: Int) {
        self.init(
            type: nil, offset: offset, headerBytes: headerBytes, compressedBytes: header.compressedBytes,
            uncompressedBytes: header.uncompressedBytes, valueCount: header.entryCount, checksum: header.checksum)
        switch header.kind {
        case .data(_, let encoding, let definition, let repetition):
            type = .data
            self.encoding = encoding
            definitionEncoding = definition
            repetitionEncoding = repetition
        case .dictionary(let count, let encoding):
            type = .dictionary
            valueCount = count
            self.encoding = encoding
        case .dataV2(let data):
            type = .dataV2
            nullCount = data.nullCount
            rowCount = data.rowCount
            encoding = data.encoding
        case .other: break
        }
    }
}

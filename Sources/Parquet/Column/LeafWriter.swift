import Base
import Columnar

/// Writes the column chunks of one leaf.
///
/// 1. Level entries arrive a run of rows at a time and are taken over in segments of a few thousand entries.
/// 2. A page is closed between rows, when it has its rows or bytes: levels and values are encoded, compressed and kept
///    as the bytes that will stand in the file.
/// 3. At the end of the row group the chunk is handed over: dictionary page, data pages, and what the footer says.
final class LeafWriter {
    private static let segmentEntries = 4096

    let leaf: SchemaLeaf
    let type: DataType
    let options: ParquetWriteOptions
    let codec: ParquetCodec
    let encoder: ValueEncoder
    let choice: EncodingChoice
    let bloom: BloomCollector?
    private let hasBounds: Bool
    var definition: PageLevels
    var repetition: PageLevels
    var pageRows = 0
    let chunk: ChunkState
    /// A merge found that dictionaries of this column grow as fast as its rows; good for all further chunks.
    var prefersPlain = false
    /// Of a test, until it has happened.
    var mergeFault: MergeFault?
    var repeatedCopy: (bytes: [UInt8], size: Int)?
    /// What merges took over into the chunk's dictionary.
    var merged = MergedDictionaries()
    /// Over the whole file.
    private(set) var total = ChunkTotals()
    private(set) var storedBytes = 0

    // Scratch for one segment.
    private let segmentDefinition = Buffer<UInt8>()
    private let segmentSlots = Buffer<Int32>()
    private let body = Buffer<UInt8>()

    init(leaf: SchemaLeaf, type: DataType, options: ParquetWriteOptions, compressor: PageCompressor) {
        self.leaf = leaf
        self.type = type
        self.options = options
        codec = compressor.codec
        encoder = Self.encoder(leaf, type, options)
        choice = EncodingChoice(leaf: leaf, options: options, compressor: compressor)
        bloom = BloomCollector(leaf: leaf, options: options)
        // The parts of a variant, which have no order, are those without an id.
        hasBounds = leaf.element.fieldId != nil && !options.columnsWithoutStatistics.contains(leaf.fieldId)
        chunk = ChunkState(compressor: compressor, writesChecksums: options.writesPageChecksums)
        definition = PageLevels(maximum: leaf.definitionMax)
        repetition = PageLevels(maximum: leaf.repetitionMax)
    }

    private static func encoder(_ leaf: SchemaLeaf, _ type: DataType, _ options: ParquetWriteOptions) -> ValueEncoder {
        var limit = options.dictionaryBytesMax
        if options.columnsWithoutDictionary.contains(leaf.fieldId) { limit = 0 }
        if let forced = options.encodings[leaf.fieldId] { limit = forced == .dictionary ? max(limit, 1) : 0 }
        switch leaf.element.physicalType {
        case .boolean: return BooleanEncoder()
        case .int32: return WordEncoder(order: .int32, dictionaryBytesMax: limit)
        case .int64: return WordEncoder(order: .int64, dictionaryBytesMax: limit)
        case .float: return WordEncoder(order: .float, dictionaryBytesMax: limit)
        case .double: return WordEncoder(order: .double, dictionaryBytesMax: limit)
        default:
            var isDecimal = false
            if case .decimal = type { isDecimal = true }
            return ByteEncoder(
                fixedWidth: leaf.element.typeLength, isDecimal: isDecimal, dictionaryBytesMax: limit)
        }
    }

    /// Memory held: closed pages and the open one.
    var bufferedBytes: Int {
        chunk.storedBytes + encoder.bufferedBytes + definition.bufferedBytes + repetition.bufferedBytes
            + (bloom?.bufferedBytes ?? 0)
    }

    /// Bytes that the chunk would have in the file if it ended now, about: what is open is taken to compress as well as
    /// what is closed.
    var estimatedBytes: Int {
        let open = Double(encoder.encodedBytes)
        let ratio = chunk.uncompressedBytes > 0 ? Double(chunk.storedBytes) / Double(chunk.uncompressedBytes) : 1
        return chunk.storedBytes + Int(open * min(ratio, 1))
    }

    /// Takes over the entries of `stream`, which has arrived at this leaf; `column` holds its values.
    func append(_ stream: LevelStream, _ column: Column, isOptional: Bool) throws(FirnError) {
        let rowsPerSegment = segmentRows(stream, column)
        var entry = 0
        var row = 0
        while row < stream.rowCount {
            var rows = min(rowsPerSegment, stream.rowCount - row, options.pageRowsMax - pageRows)
            var end = Self.end(of: rows, stream, from: entry)
            // Values that are large where others are small would make a page many times its size.
            while rows > 1, Self.byteCount(stream, entry..<end, column) > options.pageBytesTarget * 4 {
                rows /= 2
                end = Self.end(of: rows, stream, from: entry)
            }
            try appendSegment(stream, entry..<end, column, isOptional)
            pageRows += rows
            entry = end
            row += rows
            if isPageFull { try closePage() }
        }
    }

    /// Rows whose entries and bytes make a segment, on average.
    private func segmentRows(_ stream: LevelStream, _ column: Column) -> Int {
        guard stream.rowCount > 0 else { return 1 }
        var rows = Self.segmentEntries
        rows = min(rows, Self.segmentEntries * stream.rowCount / max(1, stream.count))
        if case .bytes(_, let bytes) = column.storage, column.rowCount > 0 {
            let perRow = max(1, bytes.count / column.rowCount * stream.count / stream.rowCount)
            rows = min(rows, options.pageBytesTarget / perRow)
        }
        return max(1, rows)
    }

    /// At most the bytes of the strings among `entries`; 0 for a column of other values.
    private static func byteCount(_ stream: LevelStream, _ entries: Range<Int>, _ column: Column) -> Int {
        guard case .bytes(let offsets, _) = column.storage else { return 0 }
        var (low, high) = (stream.start + entries.lowerBound, stream.start + entries.upperBound - 1)
        if let slots = stream.slots?.values[entries] {
            guard let first = slots.first(where: { $0 >= 0 }), let last = slots.last(where: { $0 >= 0 }) else {
                return 0
            }
            (low, high) = (Int(first), Int(last))
        }
        return Int(offsets[high + 1] - offsets[low])
    }

    /// The entry after `rows` more rows.
    private static func end(of rows: Int, _ stream: LevelStream, from entry: Int) -> Int {
        guard let repetition = stream.repetition else { return entry + rows }
        var left = rows
        var index = entry &+ 1
        let levels = repetition.pointer
        while index < repetition.count {
            if levels[index] == 0 {
                left &-= 1
                if left == 0 { break }
            }
            index &+= 1
        }
        return index
    }

    var isPageFull: Bool {
        if pageRows >= options.pageRowsMax { return true }
        // A dictionary page is small as stored, but a reader unfolds it.
        let bytes = encoder.usesDictionary ? max(encoder.indices.count * 2, encoder.plainBytes / 4) : encoder.plainBytes
        return bytes >= options.pageBytesTarget || definition.count >= options.pageBytesTarget
    }

    private func appendSegment(
        _ stream: LevelStream, _ entries: Range<Int>, _ column: Column, _ isOptional: Bool
    ) throws(FirnError) {
        let (values, hasEnded) = try present(stream, entries, column, isOptional)
        if try !encoder.append(values) {
            if definition.count > 0 { try closePage() }
            encoder.stopDictionary()
            guard try encoder.append(values) else { preconditionFailure("PLAIN pages take every value") }
        }
        if hasEnded {
            definition.append(UnsafePointer(segmentDefinition.pointer), count: entries.count)
        } else {
            definition.appendMaximum(entries.count)
        }
        if let levels = stream.repetition {
            repetition.append(UnsafePointer(levels.pointer + entries.lowerBound), count: entries.count)
        }
    }

    /// The present values among `entries`; when there are others too, `segmentDefinition` gets all levels.
    private func present(
        _ stream: LevelStream, _ entries: Range<Int>, _ column: Column, _ isOptional: Bool
    ) throws(FirnError) -> (LeafValues, hasEnded: Bool) {
        guard stream.slots != nil || column.validity != nil else {
            return (
                LeafValues(
                    column: column, start: stream.start + entries.lowerBound, count: entries.count, slots: nil), false
            )
        }
        segmentDefinition.removeAll()
        segmentDefinition.reserve(entries.count)
        segmentSlots.removeAll()
        segmentSlots.reserve(entries.count + 1)
        let count: Int
        if stream.slots == nil, let validity = column.validity {
            let start = stream.start + entries.lowerBound
            count = Self.compact(
                validity.pointer + start, count: entries.count, slot: start, level: stream.level,
                segmentDefinition.pointer, segmentSlots.pointer)
            if count < entries.count, !isOptional { throw NullInRequired.error(leaf.name) }
        } else {
            count = try compact(stream, entries, column, isOptional)
        }
        let slots = segmentSlots.pointer
        let first = count > 0 ? Int(slots[0]) : 0
        let isDense = count == 0 || Int(slots[count - 1]) == first + count - 1
        let values = LeafValues(
            column: column, start: first, count: count, slots: isDense ? nil : UnsafePointer(slots))
        return (values, count < entries.count)
    }

    /// Levels and slots of a flat optional column; returns the number of present values.
    private static func compact(
        _ validity: UnsafePointer<UInt8>, count: Int, slot: Int, level: Int, _ levels: UnsafeMutablePointer<UInt8>,
        _ slots: UnsafeMutablePointer<Int32>
    ) -> Int {
        let base = UInt8(level)
        for index in 0..<count { levels[index] = base &+ validity[index] }
        var found = 0
        for index in 0..<count {
            slots[found] = Int32(truncatingIfNeeded: slot &+ index)
            found &+= Int(validity[index])
        }
        return found
    }

    private func compact(
        _ stream: LevelStream, _ entries: Range<Int>, _ column: Column, _ isOptional: Bool
    ) throws(FirnError) -> Int {
        guard let from = stream.slots?.pointer, let ended = stream.definition?.pointer else { return 0 }
        let validity = column.validity?.pointer
        let (levels, slots) = (segmentDefinition.pointer, segmentSlots.pointer)
        let maximum = UInt8(leaf.definitionMax)
        var found = 0
        var nulls = 0
        for entry in entries {
            let slot = from[entry]
            let at = entry &- entries.lowerBound
            if slot < 0 {
                levels[at] = ended[entry]
            } else if let validity, validity[Int(slot)] == 0 {
                levels[at] = UInt8(stream.level)
                nulls &+= 1
            } else {
                levels[at] = maximum
                slots[found] = slot
                found &+= 1
            }
        }
        if nulls > 0, !isOptional { throw NullInRequired.error(leaf.name) }
        return found
    }

    func closePage(isLastOfChunk: Bool = false) throws(FirnError) {
        let isV1 = options.pageVersion == .v1
        body.removeAll()
        repetition.encode(into: body, hasLength: isV1)
        let repetitionBytes = body.count
        definition.encode(into: body, hasLength: isV1)
        let levelBytes = body.count
        var encoding = try encoder.encodePage(into: body, isLastOfChunk: isLastOfChunk, choice: choice)
        let nulls = definition.count - encoder.valueCount
        let offset = chunk.data.count
        if isV1 {
            try chunk.store(body, entries: definition.count, encoding: encoding)
        } else {
            // A page of nulls has no value section at all; old readers expect a bit width in a dictionary page.
            if encoder.valueCount == 0 {
                body.truncate(to: levelBytes)
                encoding = .plain
            }
            var page = PageHeader.DataV2()
            page.valueCount = definition.count
            page.nullCount = nulls
            page.rowCount = pageRows
            page.encoding = encoding
            page.repetitionBytes = repetitionBytes
            page.definitionBytes = levelBytes - repetitionBytes
            try chunk.store(body, page)
        }
        if encoding != .rleDictionary { bloom?.add(encoder.plain, count: encoder.valueCount) }
        notePage(offset: offset, nulls: nulls)
        chunk.rows += pageRows
        pageRows = 0
        definition.removeAll()
        repetition.removeAll()
        encoder.beginPage()
    }

    /// Adds the page just stored to the index and the chunk's totals.
    private func notePage(offset: Int, nulls: Int) {
        let isByteArray = leaf.element.physicalType == .byteArray
        // Repetition levels are 0 at the start of a row; with one list in the path all others are at the maximum.
        let deepest = leaf.repetitionMax == 1 ? repetition.count - pageRows : repetition.countAtMaximum
        let unencodedBytes = isByteArray ? encoder.plainBytes - 4 * encoder.valueCount : nil
        chunk.pages.append(
            PageIndex.Page(
                offset: offset, storedBytes: chunk.data.count - offset, firstRow: chunk.rows, nullCount: nulls,
                nanCount: encoder.nanCount, valueCount: encoder.valueCount,
                bounds: encoder.bounds.truncated(
                    limit: ParquetLimits.statisticsBytesMax, isText: type == .string
                ).bounds,
                unencodedBytes: unencodedBytes, repetitionHistogram: repetition.histogram(atMaximum: deepest),
                definitionHistogram: definition.histogram(atMaximum: encoder.valueCount)))
        chunk.totals.merge(
            ChunkTotals(
                entries: definition.count, nulls: nulls, nans: encoder.nanCount,
                unencodedBytes: unencodedBytes ?? 0, bounds: encoder.bounds))
    }

    /// Ends the row group: everything buffered, ready to be written. `beginChunk` must follow.
    func finishChunk() throws(FirnError) -> FinishedChunk {
        if definition.count > 0 { try closePage(isLastOfChunk: true) }
        if encoder.dictionaryPageCount > 0 {
            body.removeAll()
            encoder.encodeDictionary(into: body)
            try chunk.storeDictionary(body, count: encoder.dictionaryCount)
            bloom?.add(body, count: encoder.dictionaryCount)
        }
        total.merge(chunk.totals)
        storedBytes += chunk.storedBytes
        return FinishedChunk(
            leaf: leaf, isText: type == .string, hasBounds: hasBounds, codec: codec, state: chunk,
            bloomFilter: bloom?.finish(), isV2: options.pageVersion == .v2)
    }

    /// Starts the next row group, after the last one's bytes have been taken.
    func beginChunk() {
        chunk.removeAll()
        merged = MergedDictionaries()
        encoder.beginChunk()
        choice.beginChunk()
    }
}

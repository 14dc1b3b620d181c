import Base
import Columnar

/// Taking over a column chunk of another file without making rows of it.
///
/// 1. A dictionary's entries join those of the open chunk, each once, and indices are mapped; values are not touched.
/// 2. A dictionary whose entries are used once each, in order, is the column: its page becomes a data page as it is
///    stored, behind a frame of levels.
/// 3. A large page of values is copied as it is stored.
/// 4. All else is appended as values are.
extension LeafWriter {
    /// A merge knows that what it puts into a dictionary repeats, so it may grow past what a blind start allows.
    private static let dictionaryGrowth = 4

    /// Appends all pages of `stream`, a chunk whose levels and physical type are those of this leaf.
    ///
    /// - Parameter chunks: how many chunks like this one the open chunk is expected to get.
    func merge(_ stream: inout LeafStream, hasher: inout LeafHasher?, chunks: Int) throws {
        chunk.effort.acceptsGrowth = true
        var map: Buffer<UInt32>?
        var isOpened = false
        var next = try stream.next()
        while var page = next {
            next = nil
            if page.indices != nil, !isOpened {
                isOpened = true
                var rest: LeafPage?
                if try isColumn(&stream, &page, &rest) {
                    try hasher?.add(page, &stream)
                    try copyDictionary(&stream, page)
                    next = try stream.next()
                    continue
                }
                map = try absorb(&stream, chunks: chunks)
                next = rest
            }
            try hasher?.add(page, &stream)
            for _ in 0..<faulty(page, map) { try append(page, map, &stream) }
            if next == nil { next = try stream.next() }
        }
        hasher?.finish()
        if isPageFull { try closePage() }
    }

    /// How often a page is appended: once, but in tests.
    private func faulty(_ page: LeafPage, _ map: Buffer<UInt32>?) -> Int {
        guard let fault = mergeFault, fault.column == leaf.column, let times = fault.apply(page, map) else { return 1 }
        mergeFault = nil
        return times
    }

    /// The body to copy: its own, but in tests.
    private func faulty(_ body: UnsafeRawBufferPointer, count: Int) -> [UInt8]? {
        guard let fault = mergeFault, fault.column == leaf.column, fault.kind == .repeatCopy else { return nil }
        if let (known, size) = repeatedCopy {
            mergeFault = nil
            return size == count ? known : nil
        }
        repeatedCopy = (Array(body), count)
        return nil
    }

    // MARK: Dictionaries

    /// What the chunk's dictionary page holds, as it is stored. Precondition: a page has referred to it.
    private func input(_ stream: LeafStream, chunks: Int) -> MergedDictionaries.Input {
        var entries = 0
        if case .dictionary(let count, _)? = stream.reader.storedDictionary?.header.kind { entries = count }
        return MergedDictionaries.Input(
            entries: entries, storedBytes: stream.reader.storedDictionary?.header.compressedBytes ?? 0,
            values: stream.chunk.valueCount, chunks: chunks)
    }

    /// Adds the stream's dictionary to the chunk's; the places of its entries, or nil when the chunk goes on without.
    private func absorb(_ stream: inout LeafStream, chunks: Int) throws -> Buffer<UInt32>? {
        guard encoder.usesDictionary else { return nil }
        let input = input(stream, chunks: chunks)
        guard !prefersPlain, encoder.dictionaryPageCount > 0 || merged.beginsWell(input) else {
            try stopDictionary()
            return nil
        }
        encoder.dictionaryBytesMax = options.dictionaryBytesMax * Self.dictionaryGrowth
        let before = encoder.dictionaryCount
        let map = Buffer<UInt32>()
        guard encoder.absorb(try stream.dictionary(), into: map) else {
            try stopDictionary()
            return nil
        }
        choice.isMerged = true
        if !merged.note(input, newEntries: encoder.dictionaryCount - before, entries: encoder.dictionaryCount) {
            prefersPlain = true
        }
        return map
    }

    private func stopDictionary() throws(FirnError) {
        if definition.count > 0 { try closePage() }
        encoder.stopDictionary()
    }

    /// Whether the dictionary is the column. To find out, the chunk's pages are read on and become one, which takes the
    /// place of `page`; `rest` is a page that does not join them.
    private func isColumn(
        _ stream: inout LeafStream, _ page: inout LeafPage, _ rest: inout LeafPage?
    ) throws -> Bool {
        let known = try stream.dictionary()
        let count = stream.chunk.valueCount
        guard let header = stream.reader.storedDictionary?.header, known.count == count, page.definition == nil,
            leaf.repetitionMax == 0, canCopy(stream), bloom == nil, header.kind.isPlainDictionary,
            header.uncompressedBytes <= 2 * options.pageBytesTarget
        else { return false }
        let all = Buffer<UInt32>(capacity: count)
        while let indices = page.indices, page.definition == nil {
            all.append(contentsOf: indices)
            guard all.count < count, let further = try stream.next() else { break }
            guard further.indices != nil, further.definition == nil else {
                rest = further
                break
            }
            page = further
        }
        page = LeafPage(
            header: page.header, entries: all.count, rows: all.count, definition: nil, repetition: nil, indices: all,
            values: page.values)
        var difference: UInt32 = 0
        for index in 0..<all.count { difference |= all.pointer[index] ^ UInt32(truncatingIfNeeded: index) }
        return all.count == count && difference == 0
    }

    /// True when bytes of the stream's pages can stand in this chunk.
    private func canCopy(_ stream: LeafStream) -> Bool {
        stream.chunk.codec == codec && stream.leaf.definitionMax == leaf.definitionMax
            && choice.candidates.contains(.plain) && (mergeFault?.copies ?? true)
            && (codec == .zstd || codec == .uncompressed)
    }

    /// Writes a dictionary page as a data page: frames of zstd follow each other, and make one body.
    private func copyDictionary(_ stream: inout LeafStream, _ page: LeafPage) throws {
        if definition.count > 0 { try closePage() }
        guard let stored = stream.reader.storedDictionary else { preconditionFailure("no dictionary") }
        let facts = try PageFacts(try stream.dictionary(), isDecimal: isDecimal)
        var levels = PageLevels(maximum: leaf.definitionMax)
        levels.appendMaximum(page.entries)
        let isV1 = options.pageVersion == .v1
        let head = Buffer<UInt8>()
        levels.encode(into: head, hasLength: isV1)
        let frame = Buffer<UInt8>()
        if isV1, !head.isEmpty { try chunk.compressor.compress(UnsafeRawBufferPointer(head.values), into: frame) }
        let kind: PageHeader.Kind
        if isV1 {
            kind = .data(valueCount: page.entries, encoding: .plain, definition: .rle, repetition: .rle)
        } else {
            frame.append(contentsOf: head)
            var data = PageHeader.DataV2()
            data.valueCount = page.entries
            data.rowCount = page.rows
            data.definitionBytes = head.count
            data.isCompressed = codec != .uncompressed
            kind = .dataV2(data)
        }
        let offset = chunk.data.count
        try stream.reader.withBody(stored) { (body) throws(FirnError) in
            let size = stored.header.uncompressedBytes
            faulty(body, count: size).withBytes(or: body) {
                chunk.copy(
                    [UnsafeRawBufferPointer(frame.values), $0], uncompressedBytes: head.count + size, encoding: .plain,
                    kind)
            }
        }
        note(page, facts, offset: offset, levels: levels)
    }

    // MARK: Pages

    private func append(_ page: LeafPage, _ map: Buffer<UInt32>?, _ stream: inout LeafStream) throws {
        guard page.entries > 0 else { return }
        if page.startsRow {
            if isPageFull || page.indices == nil && encoder.plainBytes > options.pageBytesTarget { try closePage() }
            if try copy(page, stream) { return }
        }
        if let indices = page.indices {
            if let map, encoder.usesDictionary {
                try encoder.appendIndexed(
                    try stream.dictionary(), map, UnsafePointer(indices.pointer), count: indices.count)
            } else {
                let values = try PhysicalValues(stream.leaf.element)
                try values.appendGathered(try stream.dictionary(), indices.pointer, count: indices.count)
                try append(values)
            }
        } else {
            try append(page.values)
        }
        if let levels = page.definition, leaf.definitionMax > 0 {
            definition.append(UnsafePointer(levels.pointer), count: page.entries)
        } else {
            definition.appendMaximum(page.entries)
        }
        if let levels = page.repetition { repetition.append(UnsafePointer(levels.pointer), count: page.entries) }
        pageRows += page.rows
    }

    private func append(_ values: PhysicalValues) throws {
        guard values.count > 0 else { return }
        let present = LeafValues(
            column: try values.column(leaf, isDecimal: isDecimal), start: 0, count: values.count, slots: nil)
        if try encoder.append(present) { return }
        try stopDictionary()
        guard try encoder.append(present) else { preconditionFailure("PLAIN pages take every value") }
    }

    /// Copies a page of values as it is stored; false when that is not possible, or not worth a page of its own.
    private func copy(_ page: LeafPage, _ stream: LeafStream) throws -> Bool {
        guard page.indices == nil, page.present > 0, leaf.repetitionMax == 0, bloom == nil, canCopy(stream),
            let encoding = page.header.encoding, choice.candidates.contains(encoding),
            choice.forced == nil || choice.forced == encoding, page.header.canBeCopied(as: options.pageVersion),
            page.rows * 2 >= options.pageRowsMax || page.header.compressedBytes * 4 >= options.pageBytesTarget,
            let stored = stream.stored
        else { return false }
        if definition.count > 0 { try closePage() }
        let facts = try PageFacts(page.values, isDecimal: isDecimal)
        var levels = PageLevels(maximum: leaf.definitionMax)
        if let own = page.definition {
            levels.append(UnsafePointer(own.pointer), count: page.entries)
        } else {
            levels.appendMaximum(page.entries)
        }
        let offset = chunk.data.count
        try stream.reader.withBody(stored) { (body) throws(FirnError) in
            let size = page.header.uncompressedBytes
            faulty(body, count: size).withBytes(or: body) {
                chunk.copy([$0], uncompressedBytes: size, encoding: encoding, page.header.kind)
            }
        }
        note(page, facts, offset: offset, levels: levels)
        return true
    }

    private var isDecimal: Bool {
        if case .decimal = type { return true }
        return false
    }

    /// Adds a copied page to the index and the totals.
    private func note(_ page: LeafPage, _ facts: PageFacts, offset: Int, levels: PageLevels) {
        let limited = facts.bounds.truncated(limit: ParquetLimits.statisticsBytesMax, isText: type == .string).bounds
        chunk.pages.append(
            PageIndex.Page(
                offset: offset, storedBytes: chunk.data.count - offset, firstRow: chunk.rows,
                nullCount: page.entries - page.present, nanCount: facts.nanCount, valueCount: page.present,
                bounds: limited, unencodedBytes: facts.unencodedBytes, repetitionHistogram: [],
                definitionHistogram: levels.histogram(atMaximum: page.present)))
        chunk.totals.merge(
            ChunkTotals(
                entries: page.entries, nulls: page.entries - page.present, nans: facts.nanCount,
                unencodedBytes: facts.unencodedBytes ?? 0, bounds: facts.bounds))
        chunk.rows += page.rows
    }

    /// Rows of the open chunk.
    var chunkRows: Int { chunk.rows + pageRows }
}

extension PageHeader {
    /// True when the page, as it is stored, can stand in a chunk of pages of this version.
    fileprivate func canBeCopied(as version: ParquetWriteOptions.PageVersion) -> Bool {
        switch kind {
        case .data(_, _, let definition, _): version == .v1 && definition == .rle
        case .dataV2: version == .v2
        case .dictionary, .other: false
        }
    }
}

extension PageHeader.Kind {
    fileprivate var isPlainDictionary: Bool {
        if case .dictionary(_, let encoding) = self { return encoding == .plain || encoding == .plainDictionary }
        return false
    }
}

extension PhysicalValues {
    /// The values as the encoders take them: physical ones, but for decimals in bytes.
    fileprivate func column(_ leaf: SchemaLeaf, isDecimal: Bool) throws(FirnError) -> Column {
        let storage: Column.Storage
        var type = DataType.binary
        switch self {
        case .boolean(let b): storage = .boolean(b)
        case .int32(let b): storage = .int32(b)
        case .int64(let b): storage = .int64(b)
        case .float(let b): storage = .float(b)
        case .double(let b): storage = .double(b)
        case .bytes(let offsets, let bytes): storage = .bytes(offsets: offsets, bytes: bytes)
        case .fixed where isDecimal:
            type = leaf.dataType ?? .decimal(precision: 38, scale: 0)
            storage = try ValueConversion.storage(self, leaf, as: type)
        case .fixed(let b, let width): storage = .fixed(b, width: width)
        }
        return Column(type: type, rowCount: count, validity: nil, nullCount: 0, storage: storage)
    }
}

extension [UInt8]? {
    /// These bytes or, without any, those.
    fileprivate func withBytes(or body: UnsafeRawBufferPointer, _ work: (UnsafeRawBufferPointer) -> Void) {
        guard let self else { return work(body) }
        self.withUnsafeBytes { work($0) }
    }
}

extension MergeFault {
    /// False for faults of values, which copied pages do not show.
    fileprivate var copies: Bool { kind != .swapValues && kind != .changeValue }
}

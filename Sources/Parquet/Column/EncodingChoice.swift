import Base

/// Chooses how the pages of one column encode their values, chunk by chunk.
///
/// 1. An encoding that the options name for the column is used as it is.
/// 2. A chunk begins with a dictionary. When its first page closes, both forms of the page are compressed, and the
///    dictionary stays if it can be expected to make the chunk smaller.
/// 3. Pages without dictionary are PLAIN or, under `.modern`, in the encoding that makes the first of them smallest.
final class EncodingChoice {
    /// A dictionary with fewer entries than this share of the values needs no measuring.
    private static let obviousShare = 16
    /// Pages over which the cost of a dictionary is spread at most: the chunk may end early.
    private static let pagesAhead = 64

    private let element: ParquetFooter.SchemaElement
    private let compressor: PageCompressor
    private let rowGroupRowsMax: Int
    /// What the options ask for; `.rleDictionary` for a dictionary.
    let forced: ParquetEncoding?
    /// Of pages without dictionary.
    let candidates: [ParquetEncoding]
    /// A merge has decided for a dictionary, from what the inputs' dictionaries brought.
    var isMerged = false
    private var chosen: ParquetEncoding?
    /// Stored bytes of a dictionary entry in the chunk's first page.
    private var entryBytes = 0.0
    private let trial = Buffer<UInt8>()
    private let best = Buffer<UInt8>()
    private let offsets = Buffer<Int32>()
    private let bytes = Buffer<UInt8>()

    init(leaf: SchemaLeaf, options: ParquetWriteOptions, compressor: PageCompressor) {
        element = leaf.element
        self.compressor = compressor
        rowGroupRowsMax = options.rowGroupRowsMax
        forced = options.encodings[leaf.fieldId].map(ParquetEncoding.init)
        var candidates = [ParquetEncoding.plain]
        if let forced {
            candidates = [forced == .rleDictionary ? .plain : forced]
        } else if options.encodingProfile == .modern {
            switch leaf.element.physicalType {
            case .int32, .int64: candidates.append(.deltaBinaryPacked)
            case .float, .double: candidates.append(.byteStreamSplit)
            case .byteArray: candidates += [.deltaLengthByteArray, .deltaByteArray]
            // Not DELTA_BYTE_ARRAY of FIXED_LEN_BYTE_ARRAY, which Polars 2.1 refuses.
            case .boolean where options.pageVersion == .v2: candidates.append(.rle)
            default: break
            }
        }
        self.candidates = candidates
    }

    /// Throws `.invalidInput` (`encoding_type`) when the options force an encoding that the column's type has not.
    static func check(_ leaf: SchemaLeaf, _ options: ParquetWriteOptions) throws(FirnError) {
        guard let encoding = options.encodings[leaf.fieldId] else { return }
        let type = leaf.element.physicalType ?? .boolean
        let fits =
            switch encoding {
            case .plain: true
            case .dictionary: type != .boolean
            case .deltaBinaryPacked: type == .int32 || type == .int64
            case .deltaLengthByteArray: type == .byteArray
            case .deltaByteArray: type == .byteArray || type == .fixedLenByteArray
            case .byteStreamSplit: type != .boolean && type != .byteArray
            case .rle: type == .boolean && options.pageVersion == .v2
            }
        guard fits else {
            throw FirnError(
                .invalidInput, "encoding_type",
                "the encoding \(ParquetEncoding(encoding)) does not fit the column \"\(leaf.name)\" of type \(type)",
                context: ["column": leaf.name])
        }
    }

    func beginChunk() {
        chosen = nil
        entryBytes = 0
        isMerged = false
    }

    /// Whether the dictionary of a chunk's first page shall stay. `indices` are the page's values by index.
    func keepsDictionary(
        _ encoder: ValueEncoder, indices: UnsafeBufferPointer<UInt8>, isLastOfChunk: Bool
    ) throws(FirnError) -> Bool {
        if forced == .rleDictionary || isMerged { return true }
        let (entries, values) = (encoder.dictionaryCount, encoder.valueCount)
        guard entries > 0 else { return false }
        if entries * Self.obviousShare <= values { return true }
        // No page will follow: where the repeats spare fewer bytes than the indices take, neither form is compressed to
        // find out. In files of one page a column, as micro-batches are, that would cost more than writing them.
        if isLastOfChunk, (values - entries) * (encoder.dictionaryBytes / entries) <= indices.count { return false }
        trial.removeAll()
        trial.append(indices)
        let indexBytes = try compressor.size(trial)
        trial.removeAll()
        encoder.encodeDictionary(into: trial)
        let dictionaryBytes = try compressor.size(trial)
        entryBytes = Double(dictionaryBytes) / Double(entries)
        encoder.resolveIndices()
        defer { encoder.plain.removeAll() }
        let otherBytes = try smallest(encoder)
        let pages = isLastOfChunk ? 1 : max(1, min(Self.pagesAhead, rowGroupRowsMax / max(1, values)))
        let expected = DistinctEstimate(values: values, distinct: entries).distinct(among: values * pages)
        let entriesExpected = isLastOfChunk ? Double(entries) : max(Double(entries), expected)
        chosen = nil
        return Double(pages * indexBytes) + entryBytes * entriesExpected < Double(pages * otherBytes)
    }

    /// Whether further pages shall use the dictionary, of which the page that closes now is number `page`: values that
    /// repeat only near by make it grow for ever, which the first page does not tell. Measured at some pages only, and
    /// not before a dictionary that will fill up is mostly full.
    func continuesDictionary(
        _ encoder: ValueEncoder, page: Int, newEntries: Int, indices: UnsafeBufferPointer<UInt8>
    ) throws(FirnError) -> Bool {
        if forced == .rleDictionary || isMerged || newEntries * Self.obviousShare <= encoder.valueCount { return true }
        guard page >= 8, page.nonzeroBitCount == 1, entryBytes > 0 else { return true }
        trial.removeAll()
        trial.append(indices)
        let indexBytes = try compressor.size(trial)
        encoder.resolveIndices()
        defer { encoder.plain.removeAll() }
        let otherBytes = try smallest(encoder)
        chosen = nil
        return Double(indexBytes) + entryBytes * Double(newEntries) < Double(otherBytes)
    }

    /// Appends the PLAIN values of the encoder's open page to `out` in the chunk's encoding.
    func encode(_ encoder: ValueEncoder, into out: Buffer<UInt8>) throws(FirnError) -> ParquetEncoding {
        // A page of nulls stays empty: decoders of other encodings disagree about what no values look like.
        if encoder.valueCount == 0 { return .plain }
        if candidates.count == 1 {
            encode(encoder, candidates[0], into: out)
            return candidates[0]
        }
        if chosen == nil { _ = try smallest(encoder) }
        let encoding = chosen ?? .plain
        encode(encoder, encoding, into: out)
        return encoding
    }

    /// Stored bytes of the open page in the best encoding, which becomes the chunk's.
    private func smallest(_ encoder: ValueEncoder) throws(FirnError) -> Int {
        var least = Int.max
        for encoding in candidates {
            best.removeAll()
            encode(encoder, encoding, into: best)
            let size = try compressor.size(best)
            if size < least {
                least = size
                chosen = encoding
            }
        }
        return least
    }

    private func encode(_ encoder: ValueEncoder, _ encoding: ParquetEncoding, into out: Buffer<UInt8>) {
        let plain = encoder.plain
        let raw = UnsafeRawPointer(plain.pointer)
        let count = encoder.valueCount
        switch (encoding, element.physicalType) {
        case (.deltaBinaryPacked, .int32):
            DeltaBinaryPacked.encode(raw.assumingMemoryBound(to: Int32.self), count: count, into: out)
        case (.deltaBinaryPacked, _):
            DeltaBinaryPacked.encode(raw.assumingMemoryBound(to: Int64.self), count: count, into: out)
        case (.deltaLengthByteArray, _):
            splitStrings(plain, count)
            DeltaLengthByteArray.encode(bytes.pointer, offsets: offsets.pointer, count: count, into: out)
        case (.deltaByteArray, .fixedLenByteArray):
            DeltaByteArray.encode(plain.pointer, width: element.typeLength ?? 0, count: count, into: out)
        case (.deltaByteArray, _):
            splitStrings(plain, count)
            DeltaByteArray.encode(bytes.pointer, offsets: offsets.pointer, count: count, into: out)
        case (.byteStreamSplit, _):
            ByteStreamSplit.encode(raw, count: count, width: count > 0 ? plain.count / count : 0, into: out)
        case (.rle, _): RunLengthEncoder.encodeBooleans(plain.pointer, count: count, into: out)
        default: encoder.encodePlain(into: out)
        }
    }

    /// Takes the lengths of PLAIN byte arrays out from between the strings.
    private func splitStrings(_ plain: Buffer<UInt8>, _ count: Int) {
        offsets.removeAll()
        offsets.reserve(count + 1)
        bytes.removeAll()
        bytes.reserve(plain.count + 16)
        var source = UnsafeRawPointer(plain.pointer)
        let target = UnsafeMutableRawPointer(bytes.pointer)
        var used = 0
        offsets.pointer[0] = 0
        for index in 0..<count {
            let length = Int(UInt32(littleEndian: source.loadUnaligned(as: UInt32.self)))
            ShortCopy.copy(target + used, source + 4, length)
            source += 4 + length
            used += length
            offsets.pointer[index + 1] = Int32(truncatingIfNeeded: used)
        }
    }
}

extension ParquetEncoding {
    init(_ encoding: ParquetWriteOptions.Encoding) {
        self =
            switch encoding {
            case .plain: .plain
            case .dictionary: .rleDictionary
            case .deltaBinaryPacked: .deltaBinaryPacked
            case .deltaLengthByteArray: .deltaLengthByteArray
            case .deltaByteArray: .deltaByteArray
            case .byteStreamSplit: .byteStreamSplit
            case .rle: .rle
            }
    }
}

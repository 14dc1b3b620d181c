import Base
import Columnar

/// The present values of a leaf that are to be appended: slots `start` and following, or those listed.
struct LeafValues {
    let column: Column
    let start: Int
    let count: Int
    /// `count` ascending slots; nil when they are consecutive.
    let slots: UnsafePointer<Int32>?

    /// These values of a column that holds byte strings.
    func strings(_ bytes: Buffer<UInt8>, offsets: Buffer<Int32>?, width: Int) -> ByteStrings {
        ByteStrings(bytes: bytes, offsets: offsets, width: width, start: start, count: count, slots: slots)
    }
}

/// Collects the values of one column chunk page by page, dictionary-encoded for as long as that pays.
///
/// 1. A chunk starts with a dictionary. A full one refuses a segment: the page is closed, and all further pages of
///    the chunk go without.
/// 2. With the first page a dictionary that will bring nothing is given up (see `EncodingChoice`), and the open page
///    is rewritten.
///
/// Subclasses hold the values; calls are per segment of many values, never per value.
class ValueEncoder {
    var dictionaryBytesMax: Int
    /// Indices of the open page while a dictionary is in use.
    let indices = Buffer<UInt32>()
    /// PLAIN bytes of the open page otherwise.
    let plain = Buffer<UInt8>()
    private(set) var usesDictionary: Bool
    private let mayUseDictionary: Bool
    /// Closed pages that refer to the dictionary.
    private(set) var dictionaryPageCount = 0
    /// Entries of the dictionary when the last page closed.
    private var dictionaryCountBefore = 0
    var valueCount = 0
    /// Bytes the open page's values take in PLAIN encoding.
    var plainBytes = 0
    var bounds = ColumnBounds.empty
    var nanCount = 0

    init(dictionaryBytesMax: Int, mayUseDictionary: Bool) {
        self.dictionaryBytesMax = min(dictionaryBytesMax, 1 << 30)
        self.mayUseDictionary = mayUseDictionary && dictionaryBytesMax > 0
        usesDictionary = self.mayUseDictionary
    }

    // What a subclass provides.

    /// Adds values to the open page. False, with nothing changed, when the dictionary has no room for them.
    func appendValues(_ values: LeafValues) throws(FirnError) -> Bool { preconditionFailure("abstract") }
    var dictionaryCount: Int { 0 }
    /// Bytes of the dictionary page.
    var dictionaryBytes: Int { 0 }
    var dictionaryMemoryBytes: Int { 0 }
    /// Appends the dictionary in PLAIN encoding.
    func encodeDictionary(into out: Buffer<UInt8>) {}
    /// Adds the entries of another file's dictionary, and appends the index of each to `map`. False when there is no
    /// room for them.
    func absorb(_ dictionary: PhysicalValues, into map: Buffer<UInt32>) -> Bool { false }
    /// Adds the values at `indices` of an absorbed dictionary to the open page.
    func appendIndexed(
        _ dictionary: PhysicalValues, _ map: Buffer<UInt32>, _ indices: UnsafePointer<UInt32>, count: Int
    ) throws(FirnError) {
        preconditionFailure("abstract")
    }
    /// Appends the values behind `indices` to `plain`.
    func resolveIndices() {}
    func dropDictionary() {}
    /// Brings `bounds` up to date with values known only by index.
    func settleBounds() {}
    /// Appends the PLAIN values of the open page.
    func encodePlain(into out: Buffer<UInt8>) { out.append(contentsOf: plain) }

    // What the column chunk uses.

    var bufferedBytes: Int { plain.count + indices.count * 4 + dictionaryMemoryBytes }

    /// Bytes of the open page and the dictionary before compression.
    final var encodedBytes: Int {
        guard usesDictionary else { return plainBytes + dictionaryBytes }
        return indices.count * BitPacking.width(max(0, dictionaryCount - 1)) / 8 + dictionaryBytes
    }

    /// Appends the mapped indices to the open page.
    final func appendMapped(_ map: Buffer<UInt32>, _ from: UnsafePointer<UInt32>, count: Int) {
        indices.reserve(count)
        let (out, known) = (indices.pointer + indices.count, map.pointer)
        for index in 0..<count { out[index] = known[Int(from[index])] }
        indices.commit(count)
        valueCount += count
    }

    final func append(_ values: LeafValues) throws(FirnError) -> Bool { try appendValues(values) }

    /// All further values of the chunk go without dictionary. Precondition: the open page is empty or without indices.
    final func stopDictionary() {
        precondition(indices.isEmpty)
        usesDictionary = false
        if dictionaryPageCount == 0 { dropDictionary() }
    }

    private func abandonDictionary() {
        settleBounds()
        resolveIndices()
        indices.removeAll()
        stopDictionary()
    }

    /// Appends the open page's encoded values; `bounds`, `nanCount` and `valueCount` stay until `beginPage`, and so
    /// do the values in `plain` unless a dictionary holds them.
    final func encodePage(
        into out: Buffer<UInt8>, isLastOfChunk: Bool, choice: EncodingChoice
    ) throws(FirnError) -> ParquetEncoding {
        settleBounds()
        if usesDictionary {
            let start = out.count
            let width = BitPacking.width(max(0, dictionaryCount - 1))
            out.append(UInt8(width))
            RunLengthEncoder.encode(
                UnsafePointer(indices.pointer), count: indices.count, width: width, into: out)
            let encoded = UnsafeBufferPointer(rebasing: out.values[start...])
            if dictionaryPageCount > 0 {
                dictionaryPageCount += 1
                let newEntries = dictionaryCount - dictionaryCountBefore
                dictionaryCountBefore = dictionaryCount
                if !isLastOfChunk,
                    try !choice.continuesDictionary(
                        self, page: dictionaryPageCount, newEntries: newEntries, indices: encoded)
                {
                    usesDictionary = false
                }
                return .rleDictionary
            }
            dictionaryCountBefore = dictionaryCount
            if try choice.keepsDictionary(self, indices: encoded, isLastOfChunk: isLastOfChunk) {
                dictionaryPageCount += 1
                return .rleDictionary
            }
            out.truncate(to: start)
            abandonDictionary()
        }
        return try choice.encode(self, into: out)
    }

    final func beginPage() {
        indices.removeAll()
        plain.removeAll()
        valueCount = 0
        plainBytes = 0
        bounds = .empty
        nanCount = 0
    }

    final func beginChunk() {
        beginPage()
        dropDictionary()
        usesDictionary = mayUseDictionary
        dictionaryPageCount = 0
    }
}

/// Booleans: one bit a value, never a dictionary.
final class BooleanEncoder: ValueEncoder {
    private let scratch = Buffer<UInt8>()

    init() { super.init(dictionaryBytesMax: 0, mayUseDictionary: false) }

    override func appendValues(_ values: LeafValues) throws(FirnError) -> Bool {
        guard case .boolean(let source) = values.column.storage else { throw LeafMismatch.error(values.column) }
        let start = plain.count
        if let slots = values.slots {
            plain.reserve(values.count)
            for index in 0..<values.count { plain.pointer[start + index] = source.pointer[Int(slots[index])] }
            plain.commit(values.count)
        } else {
            plain.append(UnsafeBufferPointer(start: source.pointer + values.start, count: values.count))
        }
        bounds.merge(BoundsKernels.booleans(plain.pointer + start, count: values.count))
        valueCount += values.count
        plainBytes += (values.count + 7) / 8
        return true
    }

    override func encodePlain(into out: Buffer<UInt8>) {
        BitPacking.packBooleans(plain.pointer, count: plain.count, into: out)
    }
}

enum LeafMismatch {
    /// The batch's column is not of the type that the writer's schema asks for.
    static func error(_ column: Column) -> FirnError {
        FirnError(.internal, "column_type_mismatch", "a column of type \(column.type) does not fit the file's schema")
    }
}

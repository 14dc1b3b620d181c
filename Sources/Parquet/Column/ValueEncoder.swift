import Base
import Columnar

/// The present values of a leaf that are to be appended: slots `start` and following, or those listed.
struct LeafValues {
    let column: Column
    let start: Int
    let count: Int
    /// `count` ascending slots; nil when they are consecutive.
    let slots: UnsafePointer<Int32>?
}

/// Collects the values of one column chunk page by page, dictionary-encoded for as long as that pays.
///
/// 1. A chunk starts with a dictionary. A full one refuses a segment: the page is closed, and all further pages of
///    the chunk are PLAIN.
/// 2. After the first values, and again with the first page, a dictionary that will bring nothing is given up, and
///    the open page is rewritten as PLAIN. How large it would become is estimated from the values that repeat.
///
/// Subclasses hold the values; calls are per segment of many values, never per value.
class ValueEncoder {
    /// Distinct values among so many tell a dictionary's worth early.
    private static let earlyCheckValues = 4096

    let dictionaryBytesMax: Int
    /// Indices of the open page while a dictionary is in use.
    let indices = Buffer<UInt32>()
    /// PLAIN bytes of the open page otherwise.
    let plain = Buffer<UInt8>()
    private(set) var usesDictionary: Bool
    private let mayUseDictionary: Bool
    private var isChecked = false
    /// Closed pages that refer to the dictionary.
    private(set) var dictionaryPageCount = 0
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
    /// Appends the values behind `indices` to `plain`.
    func resolveIndices() {}
    func dropDictionary() {}
    /// Brings `bounds` up to date with values known only by index.
    func settleBounds() {}
    /// Appends the PLAIN values of the open page.
    func encodePlain(into out: Buffer<UInt8>) { out.append(contentsOf: plain) }

    // What the column chunk uses.

    var bufferedBytes: Int { plain.count + indices.count * 4 + dictionaryMemoryBytes }

    final func append(_ values: LeafValues) throws(FirnError) -> Bool {
        guard try appendValues(values) else { return false }
        if usesDictionary, !isChecked, dictionaryPageCount == 0, valueCount >= Self.earlyCheckValues {
            isChecked = true
            if dictionaryCount * 10 > valueCount * 9, !willFit { abandonDictionary() }
        }
        return true
    }

    /// True when the whole dictionary can be expected to keep its bound: n draws from N values, evenly spread, repeat
    /// about n² / 2N times.
    private var willFit: Bool {
        let repeats = valueCount - dictionaryCount
        guard repeats > 0, dictionaryCount > 0 else { return false }
        let expected = Double(valueCount) * Double(valueCount) / Double(2 * repeats)
        return expected * Double(dictionaryBytes) / Double(dictionaryCount) <= Double(dictionaryBytesMax)
    }

    /// All further values of the chunk are PLAIN. Precondition: the open page is empty or without indices.
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

    /// Appends the open page's encoded values; `bounds`, `nanCount` and `valueCount` stay until `beginPage`.
    final func encodePage(into out: Buffer<UInt8>, isLastOfChunk: Bool) -> ParquetEncoding {
        settleBounds()
        if usesDictionary {
            let start = out.count
            let width = BitPacking.width(max(0, dictionaryCount - 1))
            out.append(UInt8(width))
            RunLengthEncoder.encode(
                UnsafePointer(indices.pointer), count: indices.count, width: width, into: out)
            let pays = dictionaryBytes + (out.count - start) < plainBytes
            if dictionaryPageCount > 0 || pays || !isLastOfChunk && willFit {
                dictionaryPageCount += 1
                return .rleDictionary
            }
            out.truncate(to: start)
            abandonDictionary()
        }
        encodePlain(into: out)
        return .plain
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
        isChecked = false
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

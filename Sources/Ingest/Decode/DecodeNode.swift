import Base
import Columnar

/// One column at any depth, as the scanner sees it: what to expect, and raw pointers to where it goes.
///
/// Trivial on purpose. The nodes of a schema lie in one array, a struct's children side by side; a node reaches its
/// buffers through unmanaged references, so the hot loop touches no reference count. `DecodeTree` keeps them alive.
struct DecodeNode {
    enum Kind: UInt8 {
        case boolean, int, long, float, double, decimal, date, time, timestamp, timestamptz
        case string, uuid, fixed, binary, structure, list, map
        /// `variant` is a struct of metadata and value to all but the parser.
        case timestampNs, timestamptzNs, variant, unknown
    }

    let kind: Kind
    let required: Bool
    /// Index of this node and, for nested types, of its children: fields, or element, or key and value.
    let index: Int32
    var firstChild: Int32 = 0
    var childCount: Int32 = 0
    /// The child that came first in the last object seen here.
    var predictedFirst: Int32 = 0
    /// The sibling that followed this one in the last object seen; -1 before the first.
    var predictedNext: Int32 = -1

    /// The field's name with its closing quote, as it stands in the text; length 0 when the name needs escapes.
    var key: Cursor
    var keyCount: Int = 0
    let nameCount: Int
    /// What the column's default takes of the batch's bound; 0 when it has none.
    var defaultBytes = 0
    /// True when a child is required.
    var hasRequired = false
    /// Open-addressed table of the children by name: child index or -1. Its size is `slotMask` + 1.
    var slots: UnsafeMutablePointer<Int32>?
    var slotMask: Int = 0

    let precision: Int
    let scale: Int
    /// Fraction digits of the numbers that a timestamp column takes; -1 when it takes none.
    var epochScale: Int8 = -1
    /// Bytes of one slot in `base`.
    let width: Int
    /// Bytes that one row takes here and in the children that have a slot for every row.
    var rowBytes: Int = 0

    /// Rows so far. In a struct's child, one more than in the struct means that the current object has set it.
    var rows = 0
    /// Rows that fit without growing.
    var capacity = 0
    var nullCount = 0
    var base: UnsafeMutableRawPointer
    /// One byte a row, from the first null on.
    var validity: UnsafeMutablePointer<UInt8>?
    /// The bytes of string and binary.
    var text: ByteSink
    /// Bytes of text a row took in the last batch.
    var textPerRow = 8

    /// Appends a value of the column's physical type.
    @inline(__always) mutating func put<T: BitwiseCopyable>(_ value: T, _ tree: DecodeTree.Handle) {
        if rows == capacity { tree.grow(index) }
        base.assumingMemoryBound(to: T.self)[rows] = value
        endRow(valid: 1)
    }

    /// Closes the run of bytes, elements or entries that ends at `end`.
    @inline(__always) mutating func close(at end: Int, _ tree: DecodeTree.Handle) {
        if rows == capacity { tree.grow(index) }
        base.assumingMemoryBound(to: Int32.self)[rows &+ 1] = Int32(truncatingIfNeeded: end)
        endRow(valid: 1)
    }

    /// Appends a string or binary value.
    mutating func store(_ bytes: [UInt8], _ tree: DecodeTree.Handle) {
        text.need(bytes.count)
        (text.base + text.used).update(from: bytes, count: bytes.count)
        text.used += bytes.count
        close(at: text.used, tree)
    }

    /// Appends a fixed value; what it lacks of the width is zeros.
    mutating func storeFixed(_ bytes: [UInt8], _ tree: DecodeTree.Handle) {
        if rows == capacity { tree.grow(index) }
        let slot = (base + rows * width).assumingMemoryBound(to: UInt8.self)
        for at in 0..<width { slot[at] = at < bytes.count ? bytes[at] : 0 }
        endRow(valid: 1)
    }

    /// Notes the child seen first in this struct, or the sibling seen behind this one.
    @inline(__always) mutating func learn(_ child: Int32, isFirst: Bool) {
        if isFirst { predictedFirst = child } else { predictedNext = child }
    }

    /// Accepts a row whose slot is written.
    @inline(__always) mutating func endRow(valid: UInt8) {
        if let validity { validity[rows] = valid }
        rows &+= 1
    }
}

/// The buffers of one node in the batch being built.
final class DecodeBuffers {
    enum Slots {
        case none
        case bytes(Buffer<UInt8>)
        case int32(Buffer<Int32>)
        case int64(Buffer<Int64>)
        case float(Buffer<Float>)
        case double(Buffer<Double>)
        case int128(Buffer<Int128>)
        /// Rows + 1 entries, the first of them 0.
        case offsets(Buffer<Int32>)
    }

    var slots = Slots.none
    var text: Buffer<UInt8>?
    var validity: Buffer<UInt8>?

    func drop() {
        slots = .none
        text = nil
        validity = nil
    }
}

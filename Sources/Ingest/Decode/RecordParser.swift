import Base
import CPlatform
import Columnar
import Glibc

/// Parses one record into the nodes of a `DecodeTree`.
///
/// A trivial handle: all that changes lies in the nodes and in `State`, both behind pointers.
struct RecordParser {
    struct State {
        /// Unescaped text that is converted rather than stored.
        var scratch: ByteSink
        /// The date parsed last, as text and as days: neighbours in a stream mostly share it.
        var dateText: (UInt64, UInt16) = (0x2d31_302d_3037_3931, 0x3130)  // 1970-01-01
        var dateDays = 0
        /// Slot bytes this batch may still take.
        var budget = 0
        /// Columns of the record begun in this row, for its undo.
        var touchedCount = 0
        var ignoreUnknown = false
    }

    let tree: DecodeTree.Handle
    let state: UnsafeMutablePointer<State>
    let touched: UnsafeMutablePointer<Int32>
    let scan: JSONScan

    @inline(__always) func node(_ index: Int32) -> UnsafeMutablePointer<DecodeNode> { tree.nodes + Int(index) }

    /// Parses the record at `p` as the next row and returns the position behind it. After a fault the row is half
    /// written: `undo` it.
    func record(_ p: Cursor) throws(Fault) -> Cursor {
        state.pointee.touchedCount = 0
        guard p.pointee == Byte.openBrace else {
            _ = try scan.skipValue(p, depth: 0)
            throw Fault(.notAnObject, p)
        }
        return try object(0, p, depth: 0)
    }

    /// Takes back what the record begun last has written, down to `rows` rows.
    func undo(to rows: Int) {
        node(0).pointee.rows = rows
        for index in 0..<state.pointee.touchedCount { tree.truncate(touched[index], to: rows) }
        state.pointee.touchedCount = 0
    }

    // MARK: - Objects

    /// Parses the object at `start` as the next row of a struct.
    func object(_ index: Int32, _ start: Cursor, depth: Int) throws(Fault) -> Cursor {
        guard depth < Limits.nestingDepthMax else { throw Fault(.depth, start) }
        let parent = node(index)
        let row = parent.pointee.rows
        var previous: UnsafeMutablePointer<DecodeNode>?
        var predicted = parent.pointee.predictedFirst
        var seen: Int32 = 0
        var p = scan.space(start + 1)
        if p.pointee != Byte.closeBrace {
            while true {
                guard p.pointee == Byte.quote else { throw Fault(.syntax, p) }
                let key = p + 1
                let found = try self.key(key, parent, predicted: predicted, &p)
                p = scan.space(p)
                guard p.pointee == Byte.colon else { throw Fault(.syntax, p) }
                p = scan.space(p + 1)
                if found >= 0 {
                    let child = node(found)
                    guard child.pointee.rows == row else { throw Fault(.duplicateKey, key, node: found) }
                    if index == 0 { touch(found) }
                    if found != predicted { (previous ?? parent).pointee.learn(found, isFirst: previous == nil) }
                    previous = child
                    predicted = child.pointee.predictedNext
                    p = try value(child, p, depth: depth)
                    seen &+= 1
                } else {
                    p = try unknown(index, key, p, depth: depth)
                }
                p = scan.space(p)
                if p.pointee == Byte.comma {
                    p = scan.space(p + 1)
                    continue
                }
                guard p.pointee == Byte.closeBrace else { throw Fault(.syntax, p) }
                break
            }
        }
        if seen != parent.pointee.childCount { try fillMissing(index, row, start) }
        if parent.pointee.rows == parent.pointee.capacity { tree.grow(index) }
        parent.pointee.endRow(valid: 1)
        return p + 1
    }

    @inline(__always) private func touch(_ child: Int32) {
        touched[state.pointee.touchedCount] = child
        state.pointee.touchedCount &+= 1
    }

    /// The child that the key at `start` names, -1 for none; `p` moves behind the closing quote.
    @inline(__always)
    private func key(
        _ start: Cursor, _ parent: UnsafeMutablePointer<DecodeNode>, predicted: Int32, _ p: inout Cursor
    ) throws(Fault) -> Int32 {
        if predicted > 0 {
            let guess = node(predicted)
            let count = guess.pointee.keyCount
            if count > 0, firn_equal_padded(start, guess.pointee.key, count) != 0 {
                p = start + count
                return predicted
            }
        }
        return try lookUp(start, parent, &p)
    }

    @inline(never)
    private func lookUp(
        _ start: Cursor, _ parent: UnsafeMutablePointer<DecodeNode>, _ p: inout Cursor
    ) throws(Fault) -> Int32 {
        let name = try text(start, &p)
        guard let slots = parent.pointee.slots else { return -1 }
        var slot = DecodePlan.hash(name) & parent.pointee.slotMask
        while slots[slot] >= 0 {
            if matches(name, slots[slot]) { return slots[slot] }
            slot = (slot + 1) & parent.pointee.slotMask
        }
        return -1
    }

    private func matches(_ name: UnsafeBufferPointer<UInt8>, _ index: Int32) -> Bool {
        let child = node(index)
        return child.pointee.nameCount == name.count
            && (name.isEmpty || memcmp(child.pointee.key, name.baseAddress!, name.count) == 0)
    }

    private func unknown(_ index: Int32, _ key: Cursor, _ p: Cursor, depth: Int) throws(Fault) -> Cursor {
        let end = try scan.skipValue(p, depth: depth + 1)
        guard state.pointee.ignoreUnknown else { throw Fault(.unknownColumn, key, node: index) }
        return end
    }

    /// Defaults, or nulls, for the fields that the object did not mention.
    @inline(never) private func fillMissing(_ index: Int32, _ row: Int, _ start: Cursor) throws(Fault) {
        let parent = node(index)
        let children = parent.pointee.firstChild..<parent.pointee.firstChild + parent.pointee.childCount
        if parent.pointee.hasRequired {
            for child in children
            where node(child).pointee.required && node(child).pointee.rows == row
                && node(child).pointee.defaultBytes == 0
            {
                throw Fault(.missing, start, node: child)
            }
        }
        for child in children where node(child).pointee.rows == row {
            if index == 0 { touch(child) }
            try putMissing(child, start)
        }
    }

    /// A row of a field that its record leaves out.
    func putMissing(_ child: Int32, _ p: Cursor) throws(Fault) {
        let bytes = node(child).pointee.defaultBytes
        guard bytes > 0 else { return tree.putNull(child) }
        try spend(bytes, p)
        tree.putDefault(child)
    }

    // MARK: - Lists and maps

    func list(_ own: UnsafeMutablePointer<DecodeNode>, _ start: Cursor, depth: Int) throws(Fault) -> Cursor {
        guard depth + 1 < Limits.nestingDepthMax else { throw Fault(.depth, start) }
        let element = node(own.pointee.firstChild)
        var p = scan.space(start + 1)
        if p.pointee != Byte.closeBracket {
            while true {
                try spend(element.pointee.rowBytes, p)
                p = try scan.space(value(element, p, depth: depth + 1))
                if p.pointee == Byte.closeBracket { break }
                guard p.pointee == Byte.comma else { throw Fault(.syntax, p) }
                p = scan.space(p + 1)
            }
        }
        own.pointee.close(at: element.pointee.rows, tree)
        return p + 1
    }

    func map(_ own: UnsafeMutablePointer<DecodeNode>, _ start: Cursor, depth: Int) throws(Fault) -> Cursor {
        guard depth + 1 < Limits.nestingDepthMax else { throw Fault(.depth, start) }
        let key = node(own.pointee.firstChild)
        let mapped = node(own.pointee.firstChild + 1)
        let firstRow = key.pointee.rows
        var p = scan.space(start + 1)
        if p.pointee != Byte.closeBrace {
            while true {
                guard p.pointee == Byte.quote else { throw Fault(.syntax, p) }
                try spend(key.pointee.rowBytes &+ mapped.pointee.rowBytes, p)
                p = try scan.space(mapKey(key, p + 1))
                guard p.pointee == Byte.colon else { throw Fault(.syntax, p) }
                p = try scan.space(value(mapped, scan.space(p + 1), depth: depth + 1))
                if p.pointee == Byte.closeBrace { break }
                guard p.pointee == Byte.comma else { throw Fault(.syntax, p) }
                p = scan.space(p + 1)
            }
        }
        guard MapKeys(key).areDistinct(firstRow..<key.pointee.rows) else {
            throw Fault(.duplicateKey, start, node: key.pointee.index)
        }
        own.pointee.close(at: key.pointee.rows, tree)
        return p + 1
    }

    private func mapKey(_ key: UnsafeMutablePointer<DecodeNode>, _ start: Cursor) throws(Fault) -> Cursor {
        if key.pointee.kind == .string { return try storeText(key, start) }
        var p = start
        let name = try text(start, &p)
        try convert(name, key, at: start - 1)
        return p
    }

    /// Counts slots against the bound of the batch.
    @inline(__always) func spend(_ bytes: Int, _ p: Cursor) throws(Fault) {
        state.pointee.budget &-= bytes
        if state.pointee.budget < 0 { throw Fault(.batchSize, p) }
    }

    // MARK: - Text

    /// The content of the string whose first byte is at `start`; in place when it has no escapes, else unescaped in
    /// the scratch buffer. Valid until the next call; a byte that ends numbers follows it. `p` moves behind the quote.
    func text(_ start: Cursor, _ p: inout Cursor) throws(Fault) -> UnsafeBufferPointer<UInt8> {
        let count = firn_json_plain_length(start)
        if start[count] == Byte.quote {
            p = start + count + 1
            return UnsafeBufferPointer(start: start, count: count)
        }
        state.pointee.scratch.used = 0
        p = try JSONScan.copyString(start, &state.pointee.scratch)
        state.pointee.scratch.need(64)
        let used = state.pointee.scratch.used
        (state.pointee.scratch.base + used).update(repeating: 0, count: 64)
        return UnsafeBufferPointer(start: state.pointee.scratch.base, count: used)
    }

    /// Stores the string whose first byte is at `start` as the next row.
    @inline(__always)
    func storeText(_ own: UnsafeMutablePointer<DecodeNode>, _ start: Cursor) throws(Fault) -> Cursor {
        let p = try JSONScan.copyString(start, &own.pointee.text)
        own.pointee.close(at: own.pointee.text.used, tree)
        return p
    }
}

/// Tells whether the keys of one map differ.
struct MapKeys {
    private let key: UnsafeMutablePointer<DecodeNode>

    init(_ key: UnsafeMutablePointer<DecodeNode>) { self.key = key }

    func areDistinct(_ rows: Range<Int>) -> Bool {
        guard rows.count > 8 else {
            for a in rows {
                for b in rows.lowerBound..<a where compare(a, b) == 0 { return false }
            }
            return true
        }
        let sorted = rows.sorted { compare($0, $1) < 0 }
        for index in 1..<sorted.count where compare(sorted[index - 1], sorted[index]) == 0 { return false }
        return true
    }

    private func compare(_ a: Int, _ b: Int) -> Int {
        let (x, y) = (slice(a), slice(b))
        if x.count != y.count { return x.count - y.count }
        return x.isEmpty ? 0 : Int(memcmp(x.baseAddress!, y.baseAddress!, x.count))
    }

    private func slice(_ row: Int) -> UnsafeRawBufferPointer {
        if key.pointee.kind == .string || key.pointee.kind == .binary {
            let ends = key.pointee.base.assumingMemoryBound(to: Int32.self)
            return UnsafeRawBufferPointer(
                start: key.pointee.text.base + Int(ends[row]), count: Int(ends[row + 1] - ends[row]))
        }
        let width = key.pointee.width
        return UnsafeRawBufferPointer(start: key.pointee.base + row * width, count: width)
    }
}

import Base

/// A FlatBuffers table to be written: its fields by number, those without a value left out.
struct FlatNode {
    indirect enum Item {
        case bool(Bool)
        case byte(UInt8)
        case short(Int16)
        case int(Int32)
        case long(Int64)
        case text(String)
        case table(FlatNode)
        case tables([FlatNode])
        /// A vector of structs of 64-bit words, as they lie in memory.
        case words([Int64], perItem: Int)

        /// Bytes in the table itself: the value, or a reference to it.
        var inlineBytes: Int {
            switch self {
            case .bool, .byte: 1
            case .short: 2
            case .int, .text, .table, .tables, .words: 4
            case .long: 8
            }
        }
    }

    let fields: [(number: Int, item: Item)]

    init(_ fields: KeyValuePairs<Int, Item?>) {
        self.fields = fields.compactMap { key, item in item.map { (key, $0) } }
    }
}

/// Writes one FlatBuffers message front to back: a table, then what it refers to, so that references point forward as
/// the format wants them to.
///
/// Format: https://flatbuffers.dev/internals/
struct FlatBuilder {
    private var bytes: [UInt8] = []

    /// The message whose root is `node`; its length is a multiple of 8.
    static func message(_ node: FlatNode) -> [UInt8] {
        var builder = FlatBuilder()
        builder.append(UInt32(0))
        builder.patch(0, to: builder.table(node))
        builder.pad(to: 8)
        return builder.bytes
    }

    private mutating func append(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    private mutating func pad(to alignment: Int, leaving rest: Int = 0) {
        while bytes.count % alignment != rest { bytes.append(0) }
    }

    /// Makes the reference at `place` point to `target`.
    private mutating func patch(_ place: Int, to target: Int) {
        let distance = UInt32(target - place)
        for shift in 0..<4 { bytes[place + shift] = UInt8(truncatingIfNeeded: distance >> UInt32(shift * 8)) }
    }

    /// Writes a table and all beneath it; answers where the table is.
    private mutating func table(_ node: FlatNode) -> Int {
        // The largest first, behind the four bytes that name the layout: nothing needs padding then.
        let ordered = node.fields.sorted { $0.item.inlineBytes > $1.item.inlineBytes }
        let slots = (node.fields.map(\.number).max() ?? -1) + 1
        var offsets = [UInt16](repeating: 0, count: slots)
        var size = 4
        for (number, item) in ordered {
            offsets[number] = UInt16(size)
            size += item.inlineBytes
        }
        pad(to: 2)
        let layout = bytes.count
        append(UInt16(4 + slots * 2))
        append(UInt16(size))
        for offset in offsets { append(offset) }
        pad(to: 8, leaving: 4)
        let start = bytes.count
        append(Int32(start - layout))
        var references: [(place: Int, item: FlatNode.Item)] = []
        for (_, item) in ordered {
            switch item {
            case .bool(let value): append(value ? UInt8(1) : 0)
            case .byte(let value): append(value)
            case .short(let value): append(value)
            case .int(let value): append(value)
            case .long(let value): append(value)
            case .text, .table, .tables, .words:
                references.append((bytes.count, item))
                append(UInt32(0))
            }
        }
        for (place, item) in references { patch(place, to: target(item)) }
        return start
    }

    private mutating func target(_ item: FlatNode.Item) -> Int {
        switch item {
        case .table(let node): return table(node)
        case .text(let text):
            pad(to: 4)
            let start = bytes.count
            append(UInt32(text.utf8.count))
            bytes.append(contentsOf: text.utf8)
            bytes.append(0)
            return start
        case .tables(let nodes):
            pad(to: 4)
            let start = bytes.count
            append(UInt32(nodes.count))
            for _ in nodes { append(UInt32(0)) }
            for (index, node) in nodes.enumerated() { patch(start + 4 + index * 4, to: table(node)) }
            return start
        case .words(let words, let perItem):
            pad(to: 8, leaving: 4)
            let start = bytes.count
            append(UInt32(words.count / perItem))
            for word in words { append(word) }
            return start
        case .bool, .byte, .short, .int, .long: preconditionFailure("a scalar lies in its table")
        }
    }
}

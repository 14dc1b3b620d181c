import Columnar

/// A schema laid out flat: every node behind its parent, siblings side by side.
struct DecodePlan {
    struct Entry {
        let type: DataType
        let required: Bool
        let path: String
        let keyOffset: Int
        let keyCount: Int
        let nameCount: Int
        var epoch: EpochUnit?
        /// For rows whose record leaves the field out.
        var writeDefault: Value?
        var firstChild = 0
        var childCount = 0
        /// Names of the children, hashed, when they have names.
        var table: [Int32] = []
    }

    private(set) var entries: [Entry] = []
    private(set) var keys: [UInt8] = []
    private let epochUnits: [Int: EpochUnit]

    init(_ schema: Schema, epochUnits: [Int: EpochUnit] = [:]) {
        self.epochUnits = epochUnits
        entries = [
            Entry(
                type: .structure(schema.structType), required: true, path: "", keyOffset: 0, keyCount: 0, nameCount: 0)
        ]
        var next = 0
        while next < entries.count {
            expand(next)
            next += 1
        }
    }

    private mutating func expand(_ index: Int) {
        let fields: [Field]
        switch entries[index].type {
        case .structure(let type):
            fields = type.fields
            entries[index].table = Self.table(fields, first: entries.count)
        case .list(let type): fields = [type.elementField]
        case .map(let type): fields = [type.keyField, type.valueField]
        case .variant:
            fields = ["metadata", "value"].map { Field(id: 0, name: $0, required: false, type: .binary) }
        default: return
        }
        entries[index].firstChild = entries.count
        entries[index].childCount = fields.count
        let prefix = entries[index].path.isEmpty ? "" : entries[index].path + "."
        for field in fields {
            let name = Array(field.name.utf8)
            let plain = name.allSatisfy { $0 >= 0x20 && $0 != Byte.quote && $0 != Byte.backslash }
            entries.append(
                Entry(
                    type: field.type, required: field.required, path: prefix + field.name, keyOffset: keys.count,
                    keyCount: plain ? name.count + 1 : 0, nameCount: name.count,
                    epoch: field.type.takesEpoch ? epochUnits[field.id] : nil, writeDefault: field.writeDefault))
            // Padded, so that a comparison may read sixteen bytes at a time.
            keys += name + [Byte.quote] + [UInt8](repeating: 0, count: 16)
        }
    }

    /// True when a child of the node must have a value in every row.
    func hasRequired(_ entry: Entry) -> Bool {
        entries[entry.firstChild..<entry.firstChild + entry.childCount].contains { $0.required }
    }

    private static func table(_ fields: [Field], first: Int) -> [Int32] {
        var size = 4
        while size < fields.count * 2 { size *= 2 }
        var table = [Int32](repeating: -1, count: size)
        for (offset, field) in fields.enumerated() {
            let name = Array(field.name.utf8)
            var slot = name.withUnsafeBufferPointer { hash($0) } & (size - 1)
            while table[slot] >= 0 { slot = (slot + 1) & (size - 1) }
            table[slot] = Int32(first + offset)
        }
        return table
    }

    /// FNV-1a with a final mix. Its keys are the schema's own names, so a client cannot make them collide.
    static func hash(_ name: UnsafeBufferPointer<UInt8>) -> Int {
        var h: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in name { h = (h ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return Int(truncatingIfNeeded: h ^ h >> 29)
    }
}

extension DecodePlan.Entry {
    func node(index: Int, key: Cursor, text: ByteSink) -> DecodeNode {
        let kind: DecodeNode.Kind
        var width = 0
        var precision = 0
        var scale = 0
        switch type {
        case .boolean: (kind, width) = (.boolean, 1)
        case .int: (kind, width) = (.int, 4)
        case .long: (kind, width) = (.long, 8)
        case .float: (kind, width) = (.float, 4)
        case .double: (kind, width) = (.double, 8)
        case .decimal(let p, let s): (kind, width, precision, scale) = (.decimal, 16, p, s)
        case .date: (kind, width) = (.date, 4)
        case .time: (kind, width) = (.time, 8)
        case .timestamp: (kind, width) = (.timestamp, 8)
        case .timestamptz: (kind, width) = (.timestamptz, 8)
        case .timestampNs: (kind, width) = (.timestampNs, 8)
        case .timestamptzNs: (kind, width) = (.timestamptzNs, 8)
        case .variant: kind = .variant
        case .unknown: (kind, width) = (.unknown, 1)
        case .string: (kind, width) = (.string, 4)
        case .uuid: (kind, width) = (.uuid, 16)
        case .fixed(let length): (kind, width) = (.fixed, length)
        case .binary: (kind, width) = (.binary, 4)
        case .structure: kind = .structure
        case .list: (kind, width) = (.list, 4)
        case .map: (kind, width) = (.map, 4)
        }
        var node = DecodeNode(
            kind: kind, required: required, index: Int32(index), key: key, keyCount: keyCount,
            nameCount: nameCount, precision: precision, scale: scale, width: width,
            base: UnsafeMutableRawPointer(mutating: key), text: text)
        node.epochScale = epoch.flatMap { $0.fractionDigits(type) }.map { Int8($0) } ?? -1
        node.defaultBytes = writeDefault.map { $0.singleValueJSON(as: type).serialize().count } ?? 0
        return node
    }
}

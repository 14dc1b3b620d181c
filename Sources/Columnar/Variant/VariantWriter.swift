import Base

/// Writes the Variant encoding.
///
/// 1. The names of all objects are gathered, sorted by their bytes and numbered: that is the metadata.
/// 2. Values are written depth first. Offsets and field numbers take as many bytes as the largest of them needs, so a
///    nested value is written first and its head put before it.
///
/// Format: https://github.com/apache/parquet-format/blob/master/VariantEncoding.md
enum VariantWriter {
    static func encode(_ item: VariantItem) throws(FirnError) -> VariantItem.Encoded {
        var gathered: Set<[UInt8]> = []
        gather(item, into: &gathered)
        let names = gathered.sorted { $0.lexicographicallyPrecedes($1) }
        var ids: [[UInt8]: Int] = [:]
        for (id, name) in names.enumerated() { ids[name] = id }
        var value: [UInt8] = []
        write(item, ids, into: &value)
        let metadata = metadata(names)
        guard max(metadata.count, value.count) <= Int(Int32.max) else {
            throw FirnError(.limitExceeded, "variant_too_large", "a variant of \(value.count) bytes is too large")
        }
        return VariantItem.Encoded(metadata: metadata, value: value)
    }

    private static func gather(_ item: VariantItem, into names: inout Set<[UInt8]>) {
        switch item {
        case .array(let items): for item in items { gather(item, into: &names) }
        case .object(let members):
            for member in members {
                names.insert(member.name)
                gather(member.value, into: &names)
            }
        default: break
        }
    }

    private static func metadata(_ names: [[UInt8]]) -> [UInt8] {
        let total = names.reduce(0) { $0 + $1.count }
        let size = width(max(total, names.count))
        // Version 1, names sorted and distinct.
        var bytes: [UInt8] = [UInt8(1 | 1 << 4 | (size - 1) << 6)]
        append(names.count, size, &bytes)
        var end = 0
        append(end, size, &bytes)
        for name in names {
            end += name.count
            append(end, size, &bytes)
        }
        for name in names { bytes += name }
        return bytes
    }

    /// Bytes that hold a number: 1 to 4.
    private static func width(_ largest: Int) -> Int {
        largest < 1 << 8 ? 1 : largest < 1 << 16 ? 2 : largest < 1 << 24 ? 3 : 4
    }

    private static func append(_ number: Int, _ size: Int, _ out: inout [UInt8]) {
        for index in 0..<size { out.append(UInt8(truncatingIfNeeded: number >> (8 * index))) }
    }

    private static func append(_ number: some FixedWidthInteger, _ out: inout [UInt8]) {
        withUnsafeBytes(of: number.littleEndian) { out.append(contentsOf: $0) }
    }

    private static func head(_ type: UInt8, _ out: inout [UInt8]) { out.append(type << 2) }

    private static func write(_ item: VariantItem, _ ids: [[UInt8]: Int], into out: inout [UInt8]) {
        switch item {
        case .array(let items): writeArray(items, ids, into: &out)
        case .object(let members): writeObject(members, ids, into: &out)
        default: writePrimitive(item, into: &out)
        }
    }

    private static func writePrimitive(_ item: VariantItem, into out: inout [UInt8]) {
        func fixed(_ type: UInt8, _ number: some FixedWidthInteger) {
            head(type, &out)
            append(number, &out)
        }
        switch item {
        case .null: head(0, &out)
        case .boolean(let v): head(v ? 1 : 2, &out)
        case .integer(let v, let bytes):
            switch bytes {
            case 1: fixed(3, Int8(truncatingIfNeeded: v))
            case 2: fixed(4, Int16(truncatingIfNeeded: v))
            case 4: fixed(5, Int32(truncatingIfNeeded: v))
            default: fixed(6, v)
            }
        case .double(let v): fixed(7, v.bitPattern)
        case .decimal(let v, let scale, let bytes):
            head(bytes == 4 ? 8 : bytes == 8 ? 9 : 10, &out)
            out.append(UInt8(truncatingIfNeeded: scale))
            switch bytes {
            case 4: append(Int32(truncatingIfNeeded: v), &out)
            case 8: append(Int64(truncatingIfNeeded: v), &out)
            default: append(v, &out)
            }
        case .date(let v): fixed(11, v)
        case .timestamptz(let v): fixed(12, v)
        case .timestamp(let v): fixed(13, v)
        case .float(let v): fixed(14, v.bitPattern)
        case .binary(let v):
            fixed(15, UInt32(truncatingIfNeeded: v.count))
            out += v
        case .string(let v):
            if v.count < 64 {
                out.append(UInt8(v.count << 2 | 1))
            } else {
                fixed(16, UInt32(truncatingIfNeeded: v.count))
            }
            out += v
        case .time(let v): fixed(17, v)
        case .timestamptzNs(let v): fixed(18, v)
        case .timestampNs(let v): fixed(19, v)
        case .uuid(let v):
            head(20, &out)
            out += v.bytes
        case .array, .object: preconditionFailure("a nested value is no primitive")
        }
    }

    private static func writeArray(_ items: [VariantItem], _ ids: [[UInt8]: Int], into out: inout [UInt8]) {
        var data: [UInt8] = []
        var ends = [0]
        for item in items {
            write(item, ids, into: &data)
            ends.append(data.count)
        }
        let size = width(data.count)
        let isLarge = items.count > 255
        out.append(UInt8(3 | (size - 1) << 2 | (isLarge ? 1 << 4 : 0)))
        append(items.count, isLarge ? 4 : 1, &out)
        for end in ends { append(end, size, &out) }
        out += data
    }

    /// Fields stand in the order of their names, which is that of their numbers.
    private static func writeObject(
        _ members: [VariantItem.Member], _ ids: [[UInt8]: Int], into out: inout [UInt8]
    ) {
        let sorted = members.map { (id: ids[$0.name]!, value: $0.value) }.sorted { $0.id < $1.id }
        var data: [UInt8] = []
        var ends = [0]
        for member in sorted {
            write(member.value, ids, into: &data)
            ends.append(data.count)
        }
        let size = width(data.count)
        let idSize = width(sorted.last?.id ?? 0)
        let isLarge = members.count > 255
        out.append(UInt8(2 | (size - 1) << 2 | (idSize - 1) << 4 | (isLarge ? 1 << 6 : 0)))
        append(members.count, isLarge ? 4 : 1, &out)
        for member in sorted { append(member.id, idSize, &out) }
        for end in ends { append(end, size, &out) }
        out += data
    }
}

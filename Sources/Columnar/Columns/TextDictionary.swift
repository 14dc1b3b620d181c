import Base

/// Distinct byte strings of a column, numbered in order of appearance; the empty one is 0.
public final class TextDictionary {
    private let strings = ByteDictionary()
    private var valueCount = 0

    public init() {
        _ = encode(Buffer([0, 0]), Buffer(), rows: 1, bytesMax: .max)
        valueCount = 0
    }

    /// How many strings there are.
    public var count: Int { strings.count }
    public var byteCount: Int { strings.memoryBytes }
    /// True when values occurred twice or more on average.
    public var isWorthIt: Bool { (count - 1) * 2 <= valueCount }

    /// The strings, as the rows of a column.
    public func values(_ type: DataType) -> Column {
        Column(
            type: type, rowCount: count, validity: nil, nullCount: 0,
            storage: .bytes(offsets: strings.offsets, bytes: strings.bytes))
    }

    /// The number of each string, 0 for a null's; nil when the dictionary would pass `bytesMax`.
    public func encode(_ ends: Buffer<Int32>, _ content: Buffer<UInt8>, rows: Int, bytesMax: Int) -> Buffer<Int32>? {
        let output = Buffer<Int32>(capacity: rows)
        let given = ByteStrings(bytes: content, offsets: ends, width: 0, start: 0, count: rows)
        let isKnown = withExtendedLifetime((ends, content)) {
            output.pointer.withMemoryRebound(to: UInt32.self, capacity: rows) {
                strings.encode(given, into: $0, bytesMax: min(bytesMax, Int(Int32.max)))
            }
        }
        guard isKnown, byteCount <= bytesMax else { return nil }
        output.commit(rows)
        valueCount += rows
        return output
    }
}

import Base
import Columnar

/// Finds the order in which rows stand under a sort order.
///
/// 1. The column of each sort field is transformed and becomes a word a row whose unsigned order is the field's, the
///    direction included: integers shifted, floats in IEEE 754 total order (so NaN is above infinity), the first eight
///    bytes of text. Nulls have a rank of their own, whatever the direction.
/// 2. Rows that are in order already, as those of a stream often are, cost one look each.
/// 3. Else row numbers are sorted by the words of the first field. Equal words are decided by the rest of long values,
///    then by the next field, at last by the row number, so that equal rows keep their order.
///
/// Spec: https://iceberg.apache.org/spec/#sorting
struct RowSorter {
    let orderId: Int
    private let fields: [SortField]

    /// Nil for the unsorted order, and for one that cannot be established on these columns.
    init?(_ order: SortOrder, schema: Schema) {
        guard !order.isUnsorted else { return nil }
        for field in order.fields {
            guard let source = schema.field(id: field.sourceId) else { continue }
            guard schema.chain(to: field.sourceId) != nil, field.transform.accepts(source.type) else { return nil }
        }
        if order.fields.contains(where: { if case .unknown = $0.transform { true } else { false } }) { return nil }
        orderId = order.orderId
        fields = order.fields
    }

    /// The batch's rows in order; nil when they stand in it.
    func permutation(of batch: RecordBatch) -> [Int32]? {
        // A column that the batch lacks has one value in all its rows.
        let keys = fields.compactMap { field in
            batch.leaf(field.sourceId).map { SortKey(field.transform.apply($0), field) }
        }
        guard let first = keys.first, !(1..<batch.rowCount).allSatisfy({ !Self.isBelow($0, $0 - 1, keys) }) else {
            return nil
        }
        var entries = (0..<batch.rowCount).map { row in
            Entry(word: first.words[row], row: Int32(row), rank: first.ranks?[row] ?? 0)
        }
        let isDecided = keys.count == 1 && first.isWhole
        entries.sort { a, b in
            if a.rank != b.rank { return a.rank < b.rank }
            if a.word != b.word { return a.word < b.word }
            if !isDecided {
                for key in keys {
                    let order = key.compare(Int(a.row), Int(b.row))
                    if order != 0 { return order < 0 }
                }
            }
            return a.row < b.row
        }
        return entries.map(\.row)
    }

    private static func isBelow(_ a: Int, _ b: Int, _ keys: [SortKey]) -> Bool {
        for key in keys {
            let order = key.compare(a, b)
            if order != 0 { return order < 0 }
        }
        return false
    }

    private struct Entry {
        let word: UInt64
        let row: Int32
        let rank: UInt8
    }
}

/// The values of one sort field, made comparable.
private struct SortKey {
    /// By row; zero for null.
    let words: [UInt64]
    /// 0 sorts before 1; nil without nulls.
    let ranks: [UInt8]?
    /// What equal words leave open.
    private let rest: Rest
    private let isDescending: Bool

    private enum Rest {
        case nothing
        /// The low halves of decimals.
        case low([UInt64])
        case bytes(offsets: Buffer<Int32>, Buffer<UInt8>)
        case fixed(Buffer<UInt8>, width: Int)
    }

    /// True when equal words are equal values.
    var isWhole: Bool { if case .nothing = rest { true } else { false } }

    init(_ column: Column, _ field: SortField) {
        isDescending = field.direction == .descending
        var words = [UInt64](repeating: 0, count: column.rowCount)
        rest = Self.fill(&words, column)
        if isDescending { for row in words.indices { words[row] = ~words[row] } }
        var ranks: [UInt8]?
        if let validity = column.validity {
            let nullRank: UInt8 = field.nullOrder == .first ? 0 : 1
            ranks = (0..<column.rowCount).map { validity[$0] == 0 ? nullRank : 1 - nullRank }
            for row in words.indices where validity[row] == 0 { words[row] = 0 }
        }
        self.words = words
        self.ranks = ranks
    }

    private static func fill(_ words: inout [UInt64], _ column: Column) -> Rest {
        let sign: UInt64 = 1 << 63
        switch column.storage {
        case .boolean(let b): for row in words.indices { words[row] = UInt64(b[row]) }
        case .int32(let b): for row in words.indices { words[row] = UInt64(bitPattern: Int64(b[row])) ^ sign }
        case .int64(let b): for row in words.indices { words[row] = UInt64(bitPattern: b[row]) ^ sign }
        case .float(let b): for row in words.indices { words[row] = total(Double(b[row])) }
        case .double(let b): for row in words.indices { words[row] = total(b[row]) }
        case .decimal(let b):
            for row in words.indices { words[row] = UInt64(bitPattern: Int64(truncatingIfNeeded: b[row] >> 64)) ^ sign }
            return .low(words.indices.map { UInt64(truncatingIfNeeded: b[$0]) })
        case .bytes(let offsets, let bytes):
            for row in words.indices { words[row] = prefix(bytes.values[Int(offsets[row])..<Int(offsets[row + 1])]) }
            return .bytes(offsets: offsets, bytes)
        case .fixed(let bytes, let width):
            for row in words.indices { words[row] = prefix(bytes.values[row * width..<(row + 1) * width]) }
            return .fixed(bytes, width: width)
        case .structure, .list, .map: preconditionFailure("rows cannot be sorted by nested values")
        }
        return .nothing
    }

    /// Unsigned order of these is IEEE 754's total order.
    private static func total(_ value: Double) -> UInt64 {
        let bits = value.bitPattern
        return bits >> 63 == 1 ? ~bits : bits | 1 << 63
    }

    private static func prefix(_ bytes: Slice<UnsafeBufferPointer<UInt8>>) -> UInt64 {
        var word: UInt64 = 0
        var shift: UInt64 = 56
        for byte in bytes.prefix(8) {
            word |= UInt64(byte) << shift
            shift &-= 8
        }
        return word
    }

    /// Below 0 when row `a` comes first, above when `b` does.
    func compare(_ a: Int, _ b: Int) -> Int {
        if let ranks, ranks[a] != ranks[b] { return ranks[a] < ranks[b] ? -1 : 1 }
        if words[a] != words[b] { return words[a] < words[b] ? -1 : 1 }
        let order: Int
        switch rest {
        case .nothing: return 0
        case .low(let low): order = low[a] == low[b] ? 0 : low[a] < low[b] ? -1 : 1
        case .bytes(let offsets, let bytes):
            order = Self.order(
                UnsafeBufferPointer(rebasing: bytes.values[Int(offsets[a])..<Int(offsets[a + 1])]),
                UnsafeBufferPointer(rebasing: bytes.values[Int(offsets[b])..<Int(offsets[b + 1])]))
        case .fixed(let bytes, let width):
            order = Self.order(
                UnsafeBufferPointer(rebasing: bytes.values[a * width..<(a + 1) * width]),
                UnsafeBufferPointer(rebasing: bytes.values[b * width..<(b + 1) * width]))
        }
        return isDescending ? -order : order
    }

    private static func order(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Int {
        for index in 0..<min(a.count, b.count) where a[index] != b[index] { return a[index] < b[index] ? -1 : 1 }
        return a.count - b.count
    }
}

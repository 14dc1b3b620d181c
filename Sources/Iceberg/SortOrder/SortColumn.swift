import Base
import Columnar

/// The values of one key column of all sources, ready to be compared.
///
/// A value has *parts*, words whose unsigned order is that of the values, the direction included: one for a number, two
/// for a decimal, as many as it takes for text and bytes, and their length at last. Numbers are shifted, floats are in
/// IEEE 754 total order, so NaN is above infinity.
struct SortColumn {
    enum Kind {
        case boolean, int32, int64, float, double, decimal
        case bytes
        case fixed(width: Int)
    }

    let kind: Kind
    let direction: KeyDirection
    let hasNulls: Bool
    /// Own the memory that the pointers lead to.
    private let columns: [Column]
    /// By source.
    private let data: [UnsafeRawPointer]
    private let offsets: [UnsafePointer<Int32>]
    private let validity: [UnsafePointer<UInt8>?]

    /// Precondition: there is a source, and all are of one type, which has an order.
    init(_ columns: [Column], _ direction: KeyDirection) {
        self.columns = columns
        self.direction = direction
        hasNulls = columns.contains { $0.validity != nil }
        validity = columns.map { $0.validity.map { UnsafePointer($0.pointer) } }
        var offsets: [UnsafePointer<Int32>] = []
        kind = Self.kind(columns[0].storage)
        data = columns.map { column in
            switch column.storage {
            case .boolean(let b): return UnsafeRawPointer(b.pointer)
            case .int32(let b): return UnsafeRawPointer(b.pointer)
            case .int64(let b): return UnsafeRawPointer(b.pointer)
            case .float(let b): return UnsafeRawPointer(b.pointer)
            case .double(let b): return UnsafeRawPointer(b.pointer)
            case .decimal(let b): return UnsafeRawPointer(b.pointer)
            case .fixed(let b, _): return UnsafeRawPointer(b.pointer)
            case .bytes(let ends, let bytes):
                offsets.append(UnsafePointer(ends.pointer))
                return UnsafeRawPointer(bytes.pointer)
            case .structure, .list, .map: preconditionFailure("rows cannot be sorted by nested values")
            }
        }
        self.offsets = offsets
    }

    private static func kind(_ storage: Column.Storage) -> Kind {
        switch storage {
        case .boolean: .boolean
        case .int32: .int32
        case .int64: .int64
        case .float: .float
        case .double: .double
        case .decimal: .decimal
        case .bytes: .bytes
        case .fixed(_, let width): .fixed(width: width)
        case .structure, .list, .map: preconditionFailure("rows cannot be sorted by nested values")
        }
    }

    var isBytes: Bool {
        switch kind {
        case .bytes, .fixed: true
        default: false
        }
    }

    @inline(__always) func isNull(_ pick: RowPick) -> Bool {
        guard let validity = validity[pick.source] else { return false }
        return validity[pick.row] == 0
    }

    @inline(__always) func bytes(_ pick: RowPick) -> (start: UnsafePointer<UInt8>, count: Int) {
        let base = data[pick.source].assumingMemoryBound(to: UInt8.self)
        if case .fixed(let width) = kind { return (base + pick.row * width, width) }
        let ends = offsets[pick.source] + pick.row
        return (base + Int(ends[0]), Int(ends[1] &- ends[0]))
    }

    /// Calls `body` with the position and word of each entry; `part` 1 is the low half of decimals.
    @inline(__always) func forEachWord(
        _ entries: UnsafeMutableBufferPointer<SortEntry>, part: Int, _ body: (Int, UInt64) -> Void
    ) {
        let sign: UInt64 = 1 << 63
        let flip: UInt64 = direction.isDescending ? ~0 : 0
        data.withUnsafeBufferPointer { data in
            @inline(__always) func each<T>(_ type: T.Type, _ word: (T) -> UInt64) {
                for index in 0..<entries.count {
                    let pick = entries[index].pick
                    body(index, word(data[pick.source].assumingMemoryBound(to: T.self)[pick.row]) ^ flip)
                }
            }
            switch kind {
            case .boolean: each(UInt8.self) { UInt64($0) }
            case .int32: each(Int32.self) { UInt64(bitPattern: Int64($0)) ^ sign }
            case .int64: each(Int64.self) { UInt64(bitPattern: $0) ^ sign }
            case .float: each(Float.self) { Self.total(Double($0)) }
            case .double: each(Double.self) { Self.total($0) }
            case .decimal where part == 0:
                each(Int128.self) { UInt64(bitPattern: Int64(truncatingIfNeeded: $0 >> 64)) ^ sign }
            case .decimal: each(Int128.self) { UInt64(truncatingIfNeeded: $0) }
            case .bytes, .fixed: preconditionFailure("bytes have words of their own")
            }
        }
    }

    /// Unsigned order of these is IEEE 754's total order.
    @inline(__always) private static func total(_ value: Double) -> UInt64 {
        let bits = value.bitPattern
        return bits >> 63 == 1 ? ~bits : bits | 1 << 63
    }

    /// Below 0 when row `a` comes first, above when `b` does.
    func compare(_ a: RowPick, _ b: RowPick) -> Int {
        if hasNulls {
            let (x, y) = (isNull(a), isNull(b))
            if x || y { return x == y ? 0 : x == direction.nullsFirst ? -1 : 1 }
        }
        let order: Int
        switch kind {
        case .boolean: order = three(value(UInt8.self, a), value(UInt8.self, b))
        case .int32: order = three(value(Int32.self, a), value(Int32.self, b))
        case .int64: order = three(value(Int64.self, a), value(Int64.self, b))
        case .float: order = three(Self.total(Double(value(Float.self, a))), Self.total(Double(value(Float.self, b))))
        case .double: order = three(Self.total(value(Double.self, a)), Self.total(value(Double.self, b)))
        case .decimal: order = three(value(Int128.self, a), value(Int128.self, b))
        case .bytes, .fixed:
            let (x, y) = (bytes(a), bytes(b))
            let difference = ByteRuns.compare(x.start, y.start, min(x.count, y.count))
            order = difference != 0 ? difference : x.count - y.count
        }
        return direction.isDescending ? -order : order
    }

    @inline(__always) private func value<T>(_ type: T.Type, _ pick: RowPick) -> T {
        data[pick.source].assumingMemoryBound(to: T.self)[pick.row]
    }

    @inline(__always) private func three<T: Comparable>(_ a: T, _ b: T) -> Int { a < b ? -1 : a > b ? 1 : 0 }
}

import Base

/// Comparisons of whole columns with literals: one byte a row, 1 where the comparison holds. Nulls are not looked at.
///
/// All throw `.invalidInput` (`type_mismatch`) when the literal is not of the column's type.
enum PredicateKernels {
    static func compare(
        _ column: Column, _ comparison: Expression.Comparison, _ literal: Value
    ) throws(FirnError) -> [UInt8] {
        switch (column.storage, literal) {
        case (.boolean(let values), .boolean(let v)): return run(values.values, comparison, v ? 1 : 0)
        case (.int32(let values), .int(let v)), (.int32(let values), .date(let v)):
            return run(values.values, comparison, v)
        case (.int32(let values), .long(let v)):
            guard let narrow = Int32(exactly: v) else { return outside(column, comparison, isAbove: v > 0) }
            return run(values.values, comparison, narrow)
        case (.int64(let values), .int(let v)): return run(values.values, comparison, Int64(v))
        case (.int64(let values), .long(let v)), (.int64(let values), .time(let v)),
            (.int64(let values), .timestamp(let v)), (.int64(let values), .timestamptz(let v)),
            (.int64(let values), .timestampNs(let v)), (.int64(let values), .timestamptzNs(let v)):
            return run(values.values, comparison, v)
        case (.float(let values), .float(let v)): return run(values.values, comparison, v)
        case (.float(let values), .double(let v)):
            return each(column) { holds(Double(values[$0]), comparison, v) }
        case (.double(let values), .float(let v)): return run(values.values, comparison, Double(v))
        case (.double(let values), .double(let v)): return run(values.values, comparison, v)
        case (.decimal(let values), .decimal(let v, let scale)):
            guard case .decimal(_, let columnScale) = column.type else { throw mismatch(column, literal) }
            if scale == columnScale { return run(values.values, comparison, v) }
            return each(column) {
                holds(ValueOrder.compare(.decimal(values[$0], scale: columnScale), literal), comparison)
            }
        case (.bytes(let offsets, let bytes), .string(let v)):
            return compare(offsets, bytes, comparison, Array(v.utf8))
        case (.bytes(let offsets, let bytes), .binary(let v)): return compare(offsets, bytes, comparison, v)
        case (.fixed(let bytes, let width), .uuid(let v)): return compare(bytes, width, column, comparison, v.bytes)
        case (.fixed(let bytes, let width), .binary(let v)): return compare(bytes, width, column, comparison, v)
        default: throw mismatch(column, literal)
        }
    }

    static func isIn(_ column: Column, _ literals: [Value]) throws(FirnError) -> [UInt8] {
        if literals.count > comparedLiteralsMax, let found = try search(column, literals) { return found }
        var found = [UInt8](repeating: 0, count: column.rowCount)
        for literal in literals where literal != .null {
            let matches = try compare(column, .equal, literal)
            for row in found.indices { found[row] |= matches[row] }
        }
        return found
    }

    /// Up to so many literals are compared with the whole column one after the other.
    private static let comparedLiteralsMax = 8

    /// Looks each value up among the sorted literals; nil for types for which that is not done.
    private static func search(_ column: Column, _ literals: [Value]) throws(FirnError) -> [UInt8]? {
        let none = column.taking([])
        for literal in literals where literal != .null { _ = try compare(none, .equal, literal) }
        switch column.storage {
        case .int32(let values):
            let sorted = literals.compactMap(\.wholeNumber).sorted()
            return each(column) { row in contains(sorted) { order(Int64(values.pointer[row]), $0) } }
        case .int64(let values):
            let sorted = literals.compactMap(\.wholeNumber).sorted()
            return each(column) { row in contains(sorted) { order(values.pointer[row], $0) } }
        case .bytes(let offsets, let bytes):
            let sorted = literals.compactMap(\.rawBytes).sorted { $0.lexicographicallyPrecedes($1) }
            let (ends, data) = (offsets.values, bytes.values)
            return each(column) { row in
                let slice = UnsafeBufferPointer(rebasing: data[Int(ends[row])..<Int(ends[row + 1])])
                return contains(sorted) { order(slice, $0) }
            }
        default: return nil
        }
    }

    /// Binary search; `order` says where the value stands to a literal.
    @inline(__always)
    private static func contains<T>(_ sorted: [T], _ order: (T) -> ValueOrder.Result) -> Bool {
        var (low, high) = (0, sorted.count)
        while low < high {
            let middle = (low + high) / 2
            switch order(sorted[middle]) {
            case .equal: return true
            case .less: high = middle
            case .greater: low = middle + 1
            }
        }
        return false
    }

    @inline(__always) private static func order(_ a: Int64, _ b: Int64) -> ValueOrder.Result {
        a < b ? .less : a > b ? .greater : .equal
    }

    static func starts(_ column: Column, with prefix: String) throws(FirnError) -> [UInt8] {
        guard case .bytes(let offsets, let bytes) = column.storage else { throw mismatch(column, .string(prefix)) }
        let wanted = Array(prefix.utf8)
        let (ends, data) = (offsets.values, bytes.values)
        return each(column) { row in
            let start = Int(ends[row])
            guard Int(ends[row + 1]) - start >= wanted.count else { return false }
            for index in wanted.indices where data[start + index] != wanted[index] { return false }
            return true
        }
    }

    private static func mismatch(_ column: Column, _ literal: Value) -> FirnError {
        FirnError(.invalidInput, "type_mismatch", "\(literal) cannot be compared with a column of type \(column.type)")
    }

    @inline(__always) private static func each(_ column: Column, _ holds: (Int) -> Bool) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: column.rowCount) { room, count in
            for row in 0..<column.rowCount { room[row] = holds(row) ? 1 : 0 }
            count = column.rowCount
        }
    }

    /// One tight loop a comparison.
    @inline(__always) private static func run<T: Comparable>(
        _ values: UnsafeBufferPointer<T>, _ comparison: Expression.Comparison, _ literal: T
    ) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: values.count) { room, count in
            switch comparison {
            case .equal: for row in 0..<values.count { room[row] = values[row] == literal ? 1 : 0 }
            case .notEqual: for row in 0..<values.count { room[row] = values[row] != literal ? 1 : 0 }
            case .less: for row in 0..<values.count { room[row] = values[row] < literal ? 1 : 0 }
            case .lessOrEqual: for row in 0..<values.count { room[row] = values[row] <= literal ? 1 : 0 }
            case .greater: for row in 0..<values.count { room[row] = values[row] > literal ? 1 : 0 }
            case .greaterOrEqual: for row in 0..<values.count { room[row] = values[row] >= literal ? 1 : 0 }
            }
            count = values.count
        }
    }

    private static func compare(
        _ offsets: Buffer<Int32>, _ bytes: Buffer<UInt8>, _ comparison: Expression.Comparison, _ literal: [UInt8]
    ) -> [UInt8] {
        let (ends, data) = (offsets.values, bytes.values)
        let rows = offsets.count - 1
        return [UInt8](unsafeUninitializedCapacity: rows) { room, count in
            for row in 0..<rows {
                let slice = UnsafeBufferPointer(rebasing: data[Int(ends[row])..<Int(ends[row + 1])])
                room[row] = holds(order(slice, literal), comparison) ? 1 : 0
            }
            count = rows
        }
    }

    private static func compare(
        _ bytes: Buffer<UInt8>, _ width: Int, _ column: Column, _ comparison: Expression.Comparison, _ literal: [UInt8]
    ) -> [UInt8] {
        let data = bytes.values
        return each(column) { row in
            let slice = UnsafeBufferPointer(rebasing: data[row * width..<(row + 1) * width])
            return holds(order(slice, literal), comparison)
        }
    }

    /// Unsigned, byte by byte.
    private static func order(_ a: UnsafeBufferPointer<UInt8>, _ b: [UInt8]) -> ValueOrder.Result {
        for index in 0..<min(a.count, b.count) where a[index] != b[index] {
            return a[index] < b[index] ? .less : .greater
        }
        return a.count == b.count ? .equal : a.count < b.count ? .less : .greater
    }

    private static func holds(_ order: ValueOrder.Result?, _ comparison: Expression.Comparison) -> Bool {
        switch comparison {
        case .equal: order == .equal
        case .notEqual: order != .equal
        case .less: order == .less
        case .lessOrEqual: order == .less || order == .equal
        case .greater: order == .greater
        case .greaterOrEqual: order == .greater || order == .equal
        }
    }

    private static func holds(_ a: Double, _ comparison: Expression.Comparison, _ b: Double) -> Bool {
        switch comparison {
        case .equal: a == b
        case .notEqual: a != b
        case .less: a < b
        case .lessOrEqual: a <= b
        case .greater: a > b
        case .greaterOrEqual: a >= b
        }
    }

    /// Every int compares alike with a long that no int reaches.
    private static func outside(_ column: Column, _ comparison: Expression.Comparison, isAbove: Bool) -> [UInt8] {
        let result = holds(isAbove ? .less : .greater, comparison)
        return [UInt8](repeating: result ? 1 : 0, count: column.rowCount)
    }
}

extension Value {
    fileprivate var wholeNumber: Int64? {
        switch self {
        case .int(let v), .date(let v): Int64(v)
        case .long(let v), .time(let v), .timestamp(let v), .timestamptz(let v), .timestampNs(let v),
            .timestamptzNs(let v):
            v
        default: nil
        }
    }

    fileprivate var rawBytes: [UInt8]? {
        switch self {
        case .string(let v): Array(v.utf8)
        case .binary(let v): v
        default: nil
        }
    }
}

import Base
import Columnar

/// `count(*)` and `count(column)`.
final class CountState: AggregateState {
    private let counts = Buffer<Int64>()

    var byteCount: Int { counts.byteCapacity }

    func add(_ column: Column?, rows: Int, groups: UnsafePointer<Int32>?, groupCount: Int) {
        counts.extend(to: groupCount, with: 0)
        let to = counts.pointer
        guard let column else {
            guard let groups else { return to[0] += Int64(rows) }
            for row in 0..<rows { to[Int(groups[row])] &+= 1 }
            return
        }
        switch column.storage {
        // NaN is NULL in SQL.
        case .float(let b): forEachValue(column, groups) { if !b[$0].isNaN { to[$1] &+= 1 } }
        case .double(let b): forEachValue(column, groups) { if !b[$0].isNaN { to[$1] &+= 1 } }
        default: forEachValue(column, groups) { to[$1] &+= 1 }
        }
    }

    func merge(_ other: any AggregateState, groups: UnsafePointer<Int32>, count: Int, groupCount: Int) {
        guard let other = other as? CountState else { preconditionFailure("another call's state") }
        counts.extend(to: groupCount, with: 0)
        for group in 0..<min(count, other.counts.count) { counts[Int(groups[group])] += other.counts[group] }
    }

    func add(_ known: KnownAggregate, group: Int, groupCount: Int) {
        guard case .count(let count) = known else { preconditionFailure("\(known) of a count") }
        counts.extend(to: groupCount, with: 0)
        // Files may claim any number of rows.
        let (sum, overflows) = counts[group].addingReportingOverflow(count)
        counts[group] = overflows ? .max : sum
    }

    func finish(groupCount: Int) -> Column {
        counts.extend(to: groupCount, with: 0)
        return Column(type: .long, rowCount: groupCount, validity: nil, nullCount: 0, storage: .int64(counts))
    }
}

/// `sum`, `total` and `avg` of integers and decimals, exact until the end.
final class ExactSumState: AggregateState {
    private let function: AggregateCall.Function
    private let type: DataType
    private let sums = Buffer<Int128>()
    private let counts = Buffer<Int64>()
    private var hasOverflow = false

    init(_ function: AggregateCall.Function, _ type: DataType) {
        self.function = function
        self.type = type
    }

    var byteCount: Int { sums.byteCapacity + counts.byteCapacity }

    private func extend(to groupCount: Int) {
        sums.extend(to: groupCount, with: 0)
        counts.extend(to: groupCount, with: 0)
    }

    func add(_ column: Column?, rows: Int, groups: UnsafePointer<Int32>?, groupCount: Int) {
        guard let column else { preconditionFailure("a sum of rows") }
        extend(to: groupCount)
        switch column.storage {
        case .boolean(let b): add(column, groups, b.pointer) { Int128($0) }
        case .int32(let b): add(column, groups, b.pointer) { Int128($0) }
        case .int64(let b): add(column, groups, b.pointer) { Int128($0) }
        case .decimal(let b): addDecimals(column, groups, b.pointer)
        default: preconditionFailure("a sum of \(column.type)")
        }
    }

    /// 128 bits hold the sum of as many 64-bit integers as there can be, but not of the widest decimals.
    private func addDecimals(
        _ column: Column, _ groups: UnsafePointer<Int32>?, _ values: UnsafePointer<Int128>
    ) {
        let (to, seen) = (sums.pointer, counts.pointer)
        var overflows = false
        forEachValue(column, groups) { row, group in
            let (sum, overflow) = to[group].addingReportingOverflow(values[row])
            to[group] = sum
            seen[group] &+= 1
            if overflow { overflows = true }
        }
        if overflows { hasOverflow = true }
    }

    @inline(__always)
    private func add<Element>(
        _ column: Column, _ groups: UnsafePointer<Int32>?, _ values: UnsafePointer<Element>,
        _ widen: (Element) -> Int128
    ) {
        let (to, seen) = (sums.pointer, counts.pointer)
        forEachValue(column, groups) { row, group in
            to[group] &+= widen(values[row])
            seen[group] &+= 1
        }
    }

    func merge(_ other: any AggregateState, groups: UnsafePointer<Int32>, count: Int, groupCount: Int) {
        guard let other = other as? ExactSumState else { preconditionFailure("another call's state") }
        extend(to: groupCount)
        for group in 0..<min(count, other.counts.count) {
            let (sum, overflow) = sums[Int(groups[group])].addingReportingOverflow(other.sums[group])
            sums[Int(groups[group])] = sum
            counts[Int(groups[group])] += other.counts[group]
            if overflow { hasOverflow = true }
        }
        if other.hasOverflow { hasOverflow = true }
    }

    func finish(groupCount: Int) throws(FirnError) -> Column {
        extend(to: groupCount)
        if hasOverflow { throw Self.overflow }
        let scale: Int
        if case .decimal(_, let own) = type { scale = own } else { scale = 0 }
        let builder = ColumnBuilder(resultType, rowCapacity: groupCount)
        for group in 0..<groupCount {
            let (sum, count) = (sums[group], counts[group])
            if count == 0, function != .total {
                builder.appendNull()
                continue
            }
            switch builder.storage {
            case .int64(let b):
                guard let sum = Int64(exactly: sum) else { throw Self.overflow }
                b.append(sum)
            case .decimal(let b):
                guard sum.magnitude < DecimalNumber.magnitudeEnd else { throw Self.overflow }
                b.append(sum)
            case .double(let b):
                let real = DecimalNumber.nearestReal(unscaled: sum, scale: scale)
                b.append(function == .average ? real / Double(count) : real)
            default: preconditionFailure("a sum as \(resultType)")
            }
            builder.endValue()
        }
        return builder.finish()
    }

    private var resultType: DataType {
        guard function == .sum else { return .double }
        guard case .decimal(let precision, let scale) = type else { return .long }
        return precision <= DecimalNumber.realPrecisionMax ? .double : .decimal(precision: 38, scale: scale)
    }

    private static var overflow: FirnError { FirnError(.invalidInput, "sql_error", "integer overflow") }
}

/// `sum`, `total` and `avg` of floating-point numbers, with Neumaier's compensation.
final class RealSumState: AggregateState {
    private struct Sum: BitwiseCopyable {
        var sum = 0.0
        var lost = 0.0
        var count: Int64 = 0

        @inline(__always)
        mutating func add(_ value: Double) {
            let next = sum + value
            lost += abs(sum) >= abs(value) ? (sum - next) + value : (value - next) + sum
            sum = next
            count &+= 1
        }

        /// What is lost beside an infinity is no number.
        var value: Double { lost.isFinite ? sum + lost : sum }
    }

    private let function: AggregateCall.Function
    private let sums = Buffer<Sum>()

    init(_ function: AggregateCall.Function) { self.function = function }

    var byteCount: Int { sums.byteCapacity }

    func add(_ column: Column?, rows: Int, groups: UnsafePointer<Int32>?, groupCount: Int) {
        guard let column else { preconditionFailure("a sum of rows") }
        sums.extend(to: groupCount, with: Sum())
        let to = sums.pointer
        switch column.storage {
        case .float(let b): forEachValue(column, groups) { if !b[$0].isNaN { to[$1].add(Double(b[$0])) } }
        case .double(let b): forEachValue(column, groups) { if !b[$0].isNaN { to[$1].add(b[$0]) } }
        default: preconditionFailure("a sum of \(column.type)")
        }
    }

    func merge(_ other: any AggregateState, groups: UnsafePointer<Int32>, count: Int, groupCount: Int) {
        guard let other = other as? RealSumState else { preconditionFailure("another call's state") }
        sums.extend(to: groupCount, with: Sum())
        for group in 0..<min(count, other.sums.count) where other.sums[group].count > 0 {
            let (from, to) = (other.sums[group], Int(groups[group]))
            let seen = sums[to].count
            sums[to].add(from.sum)
            sums[to].lost += from.lost
            sums[to].count = seen + from.count
        }
    }

    func finish(groupCount: Int) -> Column {
        sums.extend(to: groupCount, with: Sum())
        let builder = ColumnBuilder(.double, rowCapacity: groupCount)
        guard case .double(let b) = builder.storage else { preconditionFailure("doubles are not doubles") }
        for sum in sums.values {
            if sum.count == 0, function != .total {
                builder.appendNull()
            } else {
                b.append(function == .average ? sum.value / Double(sum.count) : sum.value)
                builder.endValue()
            }
        }
        return builder.finish()
    }
}

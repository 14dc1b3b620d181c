import Base
import Columnar

/// An aggregate function of a column, or of rows.
struct AggregateCall: Hashable {
    enum Function: Hashable {
        case count
        case countDistinct
        case sum
        case total
        case average
        case minimum
        case maximum
    }

    let function: Function
    /// Nil for rows, which can only be counted.
    let field: Field?

    /// Nil for what only SQLite computes: numbers made of texts, and values with parts.
    init?(_ function: Function, _ field: Field?) {
        guard let field else {
            guard function == .count else { return nil }
            (self.function, self.field) = (function, nil)
            return
        }
        switch (function, field.type) {
        case (.count, _): break
        case (.sum, .boolean), (.total, .boolean), (.average, .boolean), (.sum, .int), (.total, .int), (.average, .int),
            (.sum, .long), (.total, .long), (.average, .long), (.sum, .float), (.total, .float), (.average, .float),
            (.sum, .double), (.total, .double), (.average, .double), (.sum, .decimal), (.total, .decimal),
            (.average, .decimal):
            break
        case (.countDistinct, let type), (.minimum, let type), (.maximum, let type):
            guard type.isPrimitive, type != .unknown else { return nil }
        default: return nil
        }
        (self.function, self.field) = (function, field)
    }

    /// The Iceberg type that results show; nil where they show SQL's own.
    var shownType: DataType? {
        switch (function, field?.type) {
        case (.minimum, let type), (.maximum, let type): type
        case (.sum, let type?): Self.sumType(type)
        default: nil
        }
    }

    /// The type shown for the sum of a decimal column; nil for others.
    static func sumType(_ type: DataType) -> DataType? {
        guard case .decimal(let precision, let scale) = type else { return nil }
        let isReal = precision <= DecimalNumber.realPrecisionMax
        return .decimal(precision: isReal ? DecimalNumber.realPrecisionMax : 38, scale: scale)
    }

    func state() -> any AggregateState {
        guard let field else { return CountState() }
        switch function {
        case .count: return CountState()
        case .countDistinct: return DistinctState(field.type)
        case .sum, .total, .average:
            switch field.type {
            case .float, .double: return RealSumState(function)
            default: return ExactSumState(function, field.type)
            }
        case .minimum, .maximum: return ExtremeStates.make(field.type, isMaximum: function == .maximum)
        }
    }
}

/// What is to be computed of the rows that pass a filter.
struct AggregateRequest {
    /// The columns to group by; without any there is one group, even of no rows.
    let keys: [Field]
    let calls: [AggregateCall]
    let filter: Expression
    /// Of all groups together; beyond, computing ends with `AggregatesTooLarge`.
    let bytesMax: Int

    /// For one of several threads.
    func sharing(among threads: Int) -> AggregateRequest {
        AggregateRequest(keys: keys, calls: calls, filter: filter, bytesMax: bytesMax / max(1, threads))
    }
}

/// The groups do not fit the memory allowed.
struct AggregatesTooLarge: Error {}

/// What is known of one call over a whole file, without reading it.
enum KnownAggregate {
    case count(Int64)
    /// Nil when no value counts.
    case extreme(Value?)
}

/// One aggregate function over all groups; values are added column by column.
///
/// Groups are numbered from 0; `groups` has the number of each row's, nil when all are in group 0.
protocol AggregateState: AnyObject {
    var byteCount: Int { get }
    /// - Parameter column: of the call's field; nil for rows.
    func add(_ column: Column?, rows: Int, groups: UnsafePointer<Int32>?, groupCount: Int)
    /// Adds what another state of the same call has: its group i is this state's `groups[i]`.
    func merge(_ other: any AggregateState, groups: UnsafePointer<Int32>, count: Int, groupCount: Int)
    func add(_ known: KnownAggregate, group: Int, groupCount: Int)
    /// The results, a row for each group. Throws `.invalidInput` (`sql_error`) for a sum beyond its type.
    func finish(groupCount: Int) throws(FirnError) -> Column
}

extension AggregateState {
    func add(_ known: KnownAggregate, group: Int, groupCount: Int) {
        preconditionFailure("\(known) of \(Self.self)")
    }
}

/// Calls `body` with each row that has a value, and its group.
@inline(__always)
func forEachValue(_ column: Column, _ groups: UnsafePointer<Int32>?, _ body: (_ row: Int, _ group: Int) -> Void) {
    switch (column.validity, groups) {
    case (nil, nil): for row in 0..<column.rowCount { body(row, 0) }
    case (nil, let groups?): for row in 0..<column.rowCount { body(row, Int(groups[row])) }
    case (let validity?, nil):
        let bits = validity.pointer
        for row in 0..<column.rowCount where bits[row] != 0 { body(row, 0) }
    case (let validity?, let groups?):
        let bits = validity.pointer
        for row in 0..<column.rowCount where bits[row] != 0 { body(row, Int(groups[row])) }
    }
}

extension Buffer {
    /// Appends `value` until there are `count`.
    func extend(to count: Int, with value: Element) {
        if self.count < count { append(repeating: value, count: count - self.count) }
    }
}

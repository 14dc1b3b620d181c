import Base
import Columnar

/// From one primitive type to another, value by value and never rounding in silence.
///
/// | into | from |
/// |---|---|
/// | int, long | int, long, decimal; float and double where the value is whole |
/// | float, double | each other, to the nearest; int and long where the value is exact |
/// | decimal | int, long, decimal of any scale, where the value is exact and fits |
/// | time | time of a day of 24 hours |
/// | timestamp, timestamptz | the same in nanoseconds, where the value is whole microseconds |
/// | timestamp_ns, timestamptz_ns | the same in microseconds, from 1677-09-21 to 2262-04-11 |
/// | all of these, with an epoch unit | int, long |
/// | string | binary that is UTF-8 |
/// | binary | fixed, uuid |
/// | fixed, uuid | binary and fixed of that length; uuid also its text |
/// | variant | every type; structs and maps with text keys as objects |
/// | unknown | every type, where the value is null |
enum ColumnConversion: Sendable {
    case text
    case integer, floating, decimal
    case time, timestamp
    /// × this makes the column's unit. Microseconds must be of the years 1 to 9999.
    case epoch(Int64, isNanos: Bool)
    case variant, unknown
    case binary, fixed, parsedUUID

    /// True for types that can hold in memory what is no value of theirs.
    static func checks(_ type: DataType) -> Bool {
        switch type {
        case .string, .decimal, .time: true
        default: false
        }
    }

    init?(_ from: DataType, _ to: DataType, epoch: EpochUnit?) {
        switch (from, to) {
        case (.time, .time): self = .time
        case (.string, .string), (.binary, .string): self = .text
        case (.int, .long), (.long, .int), (.decimal, .int), (.decimal, .long), (.float, .int), (.float, .long),
            (.double, .int), (.double, .long):
            self = .integer
        case (.int, .float), (.int, .double), (.long, .float), (.long, .double), (.float, .double), (.double, .float):
            self = .floating
        case (.int, .decimal), (.long, .decimal), (.decimal, .decimal): self = .decimal
        case (.timestampNs, .timestamp), (.timestamptzNs, .timestamptz): self = .timestamp
        case (.timestamp, .timestampNs), (.timestamptz, .timestamptzNs): self = .epoch(1000, isNanos: true)
        case (.int, _) where to.isTimestamp, (.long, _) where to.isTimestamp:
            guard let digits = epoch?.fractionDigits(to) else { return nil }
            self = .epoch((0..<digits).reduce(1) { scale, _ in scale * 10 }, isNanos: to.isNanoseconds)
        case (_, .variant): self = .variant
        case (_, .unknown): self = .unknown
        case (.fixed, .binary), (.uuid, .binary): self = .binary
        case (.binary, .fixed), (.fixed, .fixed), (.uuid, .fixed), (.binary, .uuid), (.fixed, .uuid): self = .fixed
        case (.string, .uuid): self = .parsedUUID
        default: return nil
        }
    }
}

/// Why a value does not fit its column.
enum Misfit: UInt8 {
    case none
    case null, kind, range, inexact, fraction, scale, precision, encoding, length, uuid, duplicateKey

    var code: String {
        switch self {
        case .none, .null: RejectionCode.missingRequired
        case .range: RejectionCode.outOfRange
        case .inexact: RejectionCode.inexact
        case .fraction, .kind: RejectionCode.wrongType
        case .scale: RejectionCode.decimalScale
        case .precision: RejectionCode.invalidTimestamp
        case .encoding: RejectionCode.invalidUTF8
        case .length: RejectionCode.wrongLength
        case .uuid: RejectionCode.invalidUUID
        case .duplicateKey: RejectionCode.duplicateKey
        }
    }

    /// What is wrong with `value`, in words.
    func message(_ plan: ColumnPlan, _ value: String) -> String {
        let expected = "'\(plan.path)' is \(TypeName.text(plan.type)); got \(value)"
        return switch self {
        case .none, .null: "required column '\(plan.path)' is null"
        case .kind: expected
        case .range: expected + ", which is out of range"
        case .inexact: expected + ", which it can only hold rounded"
        case .fraction: expected + ", which is not a whole number"
        case .scale: expected + ", which has too many fraction digits"
        case .precision: expected + "; at most six fraction digits are kept"
        case .encoding: expected + ", which is not valid UTF-8"
        case .length: expected + ", which has another length"
        case .uuid: expected + "; expected 8-4-4-4-12 hexadecimal digits"
        case .duplicateKey: "duplicate key in '\(plan.path)'"
        }
    }
}

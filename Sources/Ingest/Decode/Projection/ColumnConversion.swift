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
/// | either, with an epoch unit | int, long |
/// | string | binary that is UTF-8 |
/// | binary | fixed, uuid |
/// | fixed, uuid | binary and fixed of that length; uuid also its text |
enum ColumnConversion: Sendable {
    case text
    case integer, floating, decimal
    case time, timestamp
    /// × this makes microseconds.
    case epoch(Int64)
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
        case (.int, .timestamp), (.int, .timestamptz), (.long, .timestamp), (.long, .timestamptz):
            guard let epoch else { return nil }
            self = .epoch([6: 1_000_000, 3: 1000, 0: 1][epoch.fractionDigits]!)
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
    case null, range, inexact, fraction, scale, precision, encoding, length, uuid, duplicateKey

    var code: String {
        switch self {
        case .none, .null: RejectionCode.missingRequired
        case .range: RejectionCode.outOfRange
        case .inexact: RejectionCode.inexact
        case .fraction: RejectionCode.wrongType
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

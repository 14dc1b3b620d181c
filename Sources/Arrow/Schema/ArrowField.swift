import Base
import Columnar

/// A type of the Arrow format that has a counterpart in Iceberg.
///
/// Format: https://github.com/apache/arrow/blob/main/format/Schema.fbs
enum ArrowType: Equatable {
    case null, bool
    case int(bits: Int, signed: Bool)
    case float(bits: Int)
    case decimal(bits: Int)
    /// Days, or milliseconds.
    case date(isDays: Bool)
    case time(ArrowTimeUnit, bits: Int)
    case timestamp(ArrowTimeUnit)
    /// Text or bytes; the offsets have 32 or 64 bits.
    case bytes(isWide: Bool)
    case byteViews
    case fixed(Int)
    case list(isWide: Bool)
    case fixedList(Int)
    case structure
    case map
}

enum ArrowTimeUnit: Int16 {
    case seconds = 0
    case milliseconds, microseconds, nanoseconds
}

/// A column of the stream, as it is stored and as what it is read.
struct ArrowField {
    let type: ArrowType
    /// The Iceberg field; a positive id is one that the stream states.
    let field: Field
    let children: [ArrowField]
    let dictionary: ArrowDictionary?
    /// Path in messages.
    let path: String

    /// The same without its dictionary: the values that the dictionary holds.
    var values: ArrowField {
        ArrowField(type: type, field: field, children: children, dictionary: nil, path: path)
    }
}

/// The dictionary that a column's values are indices into.
struct ArrowDictionary {
    let id: Int64
    let indexBits: Int
    let isSigned: Bool
}

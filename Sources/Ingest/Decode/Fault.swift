/// A position in the text being scanned.
typealias Cursor = UnsafePointer<UInt8>

/// Why scanning stopped. Trivial on purpose: a body may hold millions of bad lines, and only the first thousand get a
/// message.
struct Fault: Error {
    enum Reason: UInt8 {
        // The text is not JSON, or not within the bounds.
        case syntax, controlCharacter, escape, loneSurrogate, encoding, depth, numberLength, number, trailing
        // The JSON does not fit the table.
        case notAnObject, duplicateKey, unknownColumn, missing, null, kind, fraction, range, scale
        case date, time, timestamp, offsetMissing, offsetPresent, precision, epochPrecision, numericTime
        case uuid, base64, length, mapKey, recordSize
        // The text is not CSV.
        case csvQuote, csvFields
        // The whole body is refused.
        case batchSize
        // No schema can be inferred.
        case nameLength, fieldCount
    }

    let reason: Reason
    /// Index of the schema node concerned, -1 for none.
    let node: Int32
    /// Address in the text; an integer because errors must be sendable.
    private let address: UInt

    init(_ reason: Reason, _ at: Cursor, node: Int32 = -1) {
        self.reason = reason
        self.node = node
        address = UInt(bitPattern: at)
    }

    var at: Cursor { Cursor(bitPattern: address)! }

    /// True when the text itself is broken, so that nothing behind the fault can be trusted either.
    var isSyntax: Bool { reason.rawValue <= Reason.trailing.rawValue }

    var code: String {
        switch reason {
        case .syntax, .controlCharacter, .escape, .loneSurrogate, .number, .trailing: RejectionCode.malformedJSON
        case .encoding: RejectionCode.invalidUTF8
        case .depth: RejectionCode.nestingTooDeep
        case .numberLength: RejectionCode.numberTooLong
        case .duplicateKey: RejectionCode.duplicateKey
        case .unknownColumn: RejectionCode.unknownColumn
        case .missing, .null: RejectionCode.missingRequired
        case .notAnObject, .kind, .fraction, .numericTime, .mapKey: RejectionCode.wrongType
        case .range: RejectionCode.outOfRange
        case .scale: RejectionCode.decimalScale
        case .date: RejectionCode.invalidDate
        case .time: RejectionCode.invalidTime
        case .timestamp, .offsetMissing, .offsetPresent, .precision, .epochPrecision: RejectionCode.invalidTimestamp
        case .uuid: RejectionCode.invalidUUID
        case .base64: RejectionCode.invalidBase64
        case .length: RejectionCode.wrongLength
        case .recordSize: RejectionCode.recordTooLarge
        case .csvQuote, .csvFields: RejectionCode.malformedCSV
        case .batchSize: "batch_too_large"
        case .nameLength: "bad_name"
        case .fieldCount: "too_many_columns"
        }
    }
}

/// ASCII by name.
enum Byte {
    static let quote = UInt8(ascii: "\""), backslash = UInt8(ascii: "\\"), colon = UInt8(ascii: ":")
    static let comma = UInt8(ascii: ","), openBrace = UInt8(ascii: "{"), closeBrace = UInt8(ascii: "}")
    static let openBracket = UInt8(ascii: "["), closeBracket = UInt8(ascii: "]"), minus = UInt8(ascii: "-")
    static let plus = UInt8(ascii: "+"), dot = UInt8(ascii: "."), zero = UInt8(ascii: "0"), nine = UInt8(ascii: "9")
    static let space = UInt8(ascii: " "), newline = UInt8(ascii: "\n"), carriageReturn = UInt8(ascii: "\r")
    static let tab = UInt8(ascii: "\t"), lowerE = UInt8(ascii: "e"), lowerN = UInt8(ascii: "n")
    static let lowerT = UInt8(ascii: "t"), lowerF = UInt8(ascii: "f"), lowerU = UInt8(ascii: "u")

    @inline(__always) static func isDigit(_ byte: UInt8) -> Bool { byte &- zero < 10 }
}

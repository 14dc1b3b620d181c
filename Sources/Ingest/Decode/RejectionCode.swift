/// The stable codes of a rejected record. Programs may match on them; messages are for people and may change.
public enum RejectionCode {
    /// Not JSON as RFC 8259 defines it: syntax, truncation, bare control characters, bad escapes, lone surrogates, a
    /// byte order mark, NUL bytes, anything behind the record on its line. https://www.rfc-editor.org/rfc/rfc8259
    public static let malformedJSON = "malformed_json"
    /// A string or key is not well-formed UTF-8 (Unicode table 3-7: no overlong forms, no encoded surrogates).
    public static let invalidUTF8 = "invalid_utf8"
    /// The record is longer than `Limits.recordBytesMax`.
    public static let recordTooLarge = "record_too_large"
    /// Objects and arrays nest deeper than `Limits.nestingDepthMax`.
    public static let nestingTooDeep = "nesting_too_deep"
    /// A number has more than `DecodeLimits.numberBytesMax` characters.
    public static let numberTooLong = "number_too_long"
    /// An object, or a map, has the same key twice.
    public static let duplicateKey = "duplicate_key"
    /// A key names no field of the table; `column` is the dotted path it would have.
    public static let unknownColumn = "unknown_column"
    /// A required field is missing or null.
    public static let missingRequired = "missing_required"
    /// The JSON value is of another kind than the column: a string for a long, a number for a timestamp, or a number
    /// with a fraction for an integer.
    public static let wrongType = "wrong_type"
    /// The number, date or time is of the right kind but outside what the column's type can hold.
    public static let outOfRange = "out_of_range"
    /// A decimal has more fraction digits than the column's scale; nothing is ever rounded.
    public static let decimalScale = "decimal_scale"
    /// Not `YYYY-MM-DD`.
    public static let invalidDate = "invalid_date"
    /// Not `HH:MM:SS` with up to six fraction digits.
    public static let invalidTime = "invalid_time"
    /// Not `YYYY-MM-DDTHH:MM:SS` with up to six fraction digits, or with an offset where none belongs, or without one
    /// where one must be.
    public static let invalidTimestamp = "invalid_timestamp"
    /// Not `8-4-4-4-12` hexadecimal digits.
    public static let invalidUUID = "invalid_uuid"
    /// Not padded base64 of the standard alphabet. https://www.rfc-editor.org/rfc/rfc4648#section-4
    public static let invalidBase64 = "invalid_base64"
    /// The bytes of a `fixed(n)` value are not n.
    public static let wrongLength = "wrong_length"
    /// A CSV record breaks RFC 4180, or has another number of fields than the header.
    /// https://www.rfc-editor.org/rfc/rfc4180
    public static let malformedCSV = "malformed_csv"
    /// A number of a binary format that the column's type could only hold rounded.
    public static let inexact = "inexact"

    /// The record's event time is behind the watermark, by more than the table allows.
    public static let lateRecord = "late_record"

    /// Every code, for documentation and tests.
    public static let all = [
        malformedJSON, invalidUTF8, recordTooLarge, nestingTooDeep, numberTooLong, duplicateKey, unknownColumn,
        missingRequired, wrongType, outOfRange, decimalScale, invalidDate, invalidTime, invalidTimestamp, invalidUUID,
        invalidBase64, wrongLength, malformedCSV, inexact, lateRecord,
    ]
}

import Base

/// Variants as JSON text: numbers plain, whatever their width, so that a JSON value comes out as it went in; times as
/// ISO 8601 strings, binary as base64, uuids with hyphens. NaN and infinities, which JSON lacks, are strings.
public enum VariantText {
    /// Appends the JSON of a value. Throws `.corrupted` (`bad_variant`) for bytes that are none; `out` then holds a
    /// part of it.
    public static func append(
        metadata: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>, into out: inout [UInt8]
    ) throws(FirnError) {
        var sink = JSONSink(out: out)
        out = []
        defer { out = sink.out }
        try VariantReader.read(metadata: metadata, value: value, into: &sink)
    }

    private struct JSONSink: VariantSink {
        var out: [UInt8]
        /// Whether a comma is due before what comes next.
        private var isFollowing = false

        init(out: [UInt8]) { self.out = out }

        private mutating func separate() {
            if isFollowing { out.append(UInt8(ascii: ",")) }
            isFollowing = true
        }

        private mutating func open(_ bracket: Unicode.Scalar) {
            separate()
            out.append(UInt8(ascii: bracket))
            isFollowing = false
        }

        private mutating func close(_ bracket: Unicode.Scalar) {
            out.append(UInt8(ascii: bracket))
            isFollowing = true
        }

        mutating func openArray(_ count: Int) { open("[") }
        mutating func closeArray() { close("]") }
        mutating func openObject(_ count: Int) { open("{") }
        mutating func closeObject() { close("}") }

        mutating func name(_ utf8: UnsafeBufferPointer<UInt8>) {
            separate()
            JSONText.appendQuoted(utf8, into: &out)
            out.append(UInt8(ascii: ":"))
            isFollowing = false
        }

        mutating func scalar(_ value: VariantScalar) {
            separate()
            switch value {
            case .null: plain("null")
            case .boolean(let v): plain(v ? "true" : "false")
            case .integer(let v, _): plain(String(v))
            case .float(let v): number(v)
            case .double(let v): number(v)
            case .decimal(let v, let scale, _): plain(DecimalText.format(v, scale: scale))
            case .date(let v): quoted(CivilTime.formatDate(days: Int(v)))
            case .time(let v): quoted(CivilTime.formatTime(micros: v))
            case .timestamp(let v): quoted(CivilTime.formatTimestamp(micros: v, utc: false))
            case .timestamptz(let v): quoted(CivilTime.formatTimestamp(micros: v, utc: true))
            case .timestampNs(let v): quoted(CivilTime.formatTimestamp(nanos: v, utc: false))
            case .timestamptzNs(let v): quoted(CivilTime.formatTimestamp(nanos: v, utc: true))
            case .binary(let v): quoted(Base64.encode(v))
            case .string(let v): JSONText.appendQuoted(v, into: &out)
            case .uuid(let v): quoted(v.description)
            }
        }

        private mutating func plain(_ text: String) { out.append(contentsOf: text.utf8) }

        private mutating func quoted(_ text: String) {
            out.append(UInt8(ascii: "\""))
            plain(text)
            out.append(UInt8(ascii: "\""))
        }

        private mutating func number<T: BinaryFloatingPoint & LosslessStringConvertible>(_ value: T) {
            if value.isFinite { return plain(value.description) }
            quoted(value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity")
        }
    }
}

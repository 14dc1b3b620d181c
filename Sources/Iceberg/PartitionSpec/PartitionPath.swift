import Base
import Columnar

extension PartitionSpec {
    /// The folder of a partition, `ts_day=2017-11-16/country=N%2FA`; empty when unpartitioned.
    ///
    /// Names and values are URL-encoded as Java's URLEncoder does, so that the folders match those of other engines.
    /// The path is for people only: values are read from manifests.
    ///
    /// Precondition: one value a field.
    public func path(_ partition: [Value]) -> String {
        precondition(partition.count == fields.count, "a partition tuple of the wrong length")
        return zip(fields, partition).map { field, value in
            Self.urlEncode(field.name) + "=" + Self.urlEncode(field.transform.format(value))
        }.joined(separator: "/")
    }

    static func urlEncode(_ text: String) -> String {
        var output = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "*"),
                UInt8(ascii: "_"):
                output.unicodeScalars.append(UnicodeScalar(byte))
            case UInt8(ascii: " "): output += "+"
            default: output += "%" + Hex.encode([byte]).uppercased()
            }
        }
        return output
    }
}

extension Transform {
    /// A partition value as people read it: `2017-11` for a month, `null` for null.
    public func format(_ value: Value) -> String {
        switch (self, value) {
        case (_, .null): "null"
        case (.year, .int(let v)): pad(Int(v) + 1970, 4)
        case (.month, .int(let v)):
            {
                let (year, month) = CivilTime.floorDivide(Int64(v), 12)
                return pad(Int(year) + 1970, 4) + "-" + pad(Int(month) + 1, 2)
            }()
        case (.hour, .int(let v)):
            {
                let (day, hour) = CivilTime.floorDivide(Int64(v), 24)
                return CivilTime.formatDate(days: Int(day)) + "-" + pad(Int(hour), 2)
            }()
        case (.day, .int(let v)): CivilTime.formatDate(days: Int(v))
        default: value.plainText
        }
    }

    private func pad(_ value: Int, _ width: Int) -> String {
        let digits = String(abs(value))
        return (value < 0 ? "-" : "") + String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

extension Value {
    /// The value as it appears in partition folders.
    var plainText: String {
        switch self {
        case .null: "null"
        case .boolean(let v): v ? "true" : "false"
        case .int(let v): String(v)
        case .long(let v): String(v)
        case .float(let v): "\(v)"
        case .double(let v): "\(v)"
        case .decimal(let unscaled, let scale): Self.decimalText(unscaled, scale: scale)
        case .date(let v): CivilTime.formatDate(days: Int(v))
        case .time(let v): CivilTime.formatTime(micros: v)
        case .timestamp(let v): CivilTime.formatTimestamp(micros: v, utc: false)
        case .timestamptz(let v): CivilTime.formatTimestamp(micros: v, utc: false) + "+00:00"
        case .timestampNs(let v): CivilTime.formatTimestamp(nanos: v, utc: false)
        case .timestamptzNs(let v): CivilTime.formatTimestamp(nanos: v, utc: false) + "+00:00"
        case .string(let v): v
        case .uuid(let v): v.description
        case .binary(let v): Base64.encode(v)
        case .structure, .list, .map: "\(self)"
        }
    }

    static func decimalText(_ unscaled: Int128, scale: Int) -> String {
        let digits = String(unscaled.magnitude)
        let padded = String(repeating: "0", count: max(0, scale + 1 - digits.count)) + digits
        let sign = unscaled < 0 ? "-" : ""
        return scale == 0 ? sign + padded : sign + padded.dropLast(scale) + "." + padded.suffix(scale)
    }
}

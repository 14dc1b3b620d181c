import Base

// JSON rendering of values, as NDJSON output and nested values in SQL show them:
//
// | type                    | JSON                                                             |
// |-------------------------|------------------------------------------------------------------|
// | boolean, int, long      | boolean, number                                                  |
// | float, double           | shortest number that reads back; "NaN", "Infinity", "-Infinity"  |
// | decimal                 | string with all its digits, "12.30"                              |
// | date, time, timestamp   | string, ISO 8601; timestamptz ends in Z                          |
// | string, uuid            | string                                                           |
// | fixed, binary           | string of lower-case hexadecimal digits                          |
// | struct                  | object by field name                                             |
// | list                    | array                                                            |
// | variant                 | the JSON value it holds; see `VariantText`                       |
// | map                     | object when the keys are strings, else array of {"key", "value"} |

extension Column {
    /// Appends one row's value as JSON text.
    public func appendJSON(row: Int, into out: inout [UInt8]) {
        if isNull(row) { return out.append(contentsOf: "null".utf8) }
        switch storage {
        case .boolean(let b): out.append(contentsOf: (b[row] != 0 ? "true" : "false").utf8)
        case .int32(let b):
            if type == .date {
                Column.appendString(CivilTime.formatDate(days: Int(b[row])), into: &out)
            } else {
                out.append(contentsOf: String(b[row]).utf8)
            }
        case .int64(let b):
            switch type {
            case .time: Column.appendString(CivilTime.formatTime(micros: b[row]), into: &out)
            case .timestamp: Column.appendString(CivilTime.formatTimestamp(micros: b[row], utc: false), into: &out)
            case .timestamptz: Column.appendString(CivilTime.formatTimestamp(micros: b[row], utc: true), into: &out)
            case .timestampNs: Column.appendString(CivilTime.formatTimestamp(nanos: b[row], utc: false), into: &out)
            case .timestamptzNs: Column.appendString(CivilTime.formatTimestamp(nanos: b[row], utc: true), into: &out)
            default: out.append(contentsOf: String(b[row]).utf8)
            }
        case .float(let b): Column.appendNumber(b[row], into: &out)
        case .double(let b): Column.appendNumber(b[row], into: &out)
        case .decimal(let b):
            guard case .decimal(_, let scale) = type else { preconditionFailure("decimal storage under \(type)") }
            Column.appendString(DecimalText.format(b[row], scale: scale), into: &out)
        case .bytes(let offsets, let bytes):
            let slice = UnsafeBufferPointer(rebasing: bytes.values[Int(offsets[row])..<Int(offsets[row + 1])])
            if type == .string {
                JSONText.appendQuoted(slice, into: &out)
            } else {
                Column.appendString(Hex.encode(slice), into: &out)
            }
        case .fixed(let b, let width):
            let slice = b.values[row * width..<(row + 1) * width]
            Column.appendString(type == .uuid ? UUID(bytes: slice).description : Hex.encode(slice), into: &out)
        case .structure(let children):
            if case .variant = type { return appendVariant(row: row, into: &out) }
            guard case .structure(let type) = type else { preconditionFailure("struct storage under \(type)") }
            Column.appendObject(type.fields, children, row: row, into: &out)
        case .list(let offsets, let element):
            Column.appendList(Int(offsets[row])..<Int(offsets[row + 1]), "[", "]", into: &out) {
                element[0].appendJSON(row: $0, into: &$1)
            }
        case .map(let offsets, let entries):
            appendMap(Int(offsets[row])..<Int(offsets[row + 1]), entries, into: &out)
        }
    }

    /// What is no variant, which no reader lets through, is null.
    private func appendVariant(row: Int, into out: inout [UInt8]) {
        let start = out.count
        do throws(FirnError) {
            try withVariant(row) { metadata, value throws(FirnError) in
                try VariantText.append(metadata: metadata, value: value, into: &out)
            }
        } catch {
            out.removeSubrange(start...)
            out.append(contentsOf: "null".utf8)
        }
    }

    private func appendMap(_ range: Range<Int>, _ entries: [Column], into out: inout [UInt8]) {
        let textKeys = entries[0].type == .string
        Column.appendList(range, textKeys ? "{" : "[", textKeys ? "}" : "]", into: &out) { index, out in
            if !textKeys { out.append(contentsOf: "{\"key\":".utf8) }
            entries[0].appendJSON(row: index, into: &out)
            out.append(contentsOf: (textKeys ? ":" : ",\"value\":").utf8)
            entries[1].appendJSON(row: index, into: &out)
            if !textKeys { out.append(UInt8(ascii: "}")) }
        }
    }

    fileprivate static func appendObject(
        _ fields: [Field], _ columns: [Column], row: Int, into out: inout [UInt8]
    ) {
        appendList(0..<fields.count, "{", "}", into: &out) { index, out in
            JSONText.appendQuoted(fields[index].name, into: &out)
            out.append(UInt8(ascii: ":"))
            columns[index].appendJSON(row: row, into: &out)
        }
    }

    private static func appendList(
        _ range: Range<Int>, _ open: String, _ close: String, into out: inout [UInt8],
        item: (Int, inout [UInt8]) -> Void
    ) {
        out.append(contentsOf: open.utf8)
        for index in range {
            if index > range.lowerBound { out.append(UInt8(ascii: ",")) }
            item(index, &out)
        }
        out.append(contentsOf: close.utf8)
    }

    /// Text that needs no escapes.
    private static func appendString(_ text: String, into out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        out.append(contentsOf: text.utf8)
        out.append(UInt8(ascii: "\""))
    }

    private static func appendNumber<Number: BinaryFloatingPoint & LosslessStringConvertible>(
        _ value: Number, into out: inout [UInt8]
    ) {
        if value.isFinite { return out.append(contentsOf: value.description.utf8) }
        appendString(value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity", into: &out)
    }
}

extension RecordBatch {
    /// Appends one row as a JSON object without a line end.
    public func appendJSON(row: Int, into out: inout [UInt8]) {
        Column.appendObject(schema.fields, columns, row: row, into: &out)
    }
}

import Base
import Columnar

/// Says a fault in words.
struct FaultMessage {
    let fault: Fault
    /// The record's first byte and the byte behind its last.
    let begin: Cursor
    let end: Cursor
    let paths: [String]
    let types: [DataType]

    /// Dotted path of the column at fault.
    var column: String? {
        guard fault.node >= 0 else { return nil }
        let path = paths[Int(fault.node)]
        guard fault.reason == .unknownColumn else { return path.isEmpty ? nil : path }
        return path.isEmpty ? key : "\(path).\(key)"
    }

    var text: String {
        switch fault.reason {
        case .missing, .null, .unknownColumn, .duplicateKey, .notAnObject, .recordSize, .batchSize, .nameLength,
            .fieldCount, .csvQuote, .csvFields:
            record
        case .syntax, .controlCharacter, .escape, .loneSurrogate, .encoding, .depth, .numberLength, .number,
            .trailing:
            syntax
        default: value
        }
    }

    private var syntax: String {
        let place = " at byte \(fault.at - begin + 1)"
        switch fault.reason {
        case .controlCharacter where fault.at >= end || fault.at.pointee == Byte.newline:
            return "the text ends within a string"
        case .controlCharacter: return "bare control character \(found) in a string" + place + "; escape it"
        case .escape: return "bad escape sequence" + place
        case .loneSurrogate: return "\\u escape of one half of a surrogate pair" + place
        case .encoding: return "invalid UTF-8" + place
        case .depth: return "nested deeper than \(Limits.nestingDepthMax)" + place
        case .numberLength: return "a number of more than \(DecodeLimits.numberBytesMax) characters" + place
        case .number: return "malformed number '\(excerpt)'" + place
        case .trailing: return "unexpected \(found) behind the record" + place
        default: break
        }
        if fault.at >= end || fault.at.pointee == Byte.newline {
            return begin == end ? "the body is empty" : "the text ends before the record is complete"
        }
        let isMark = fault.at.pointee == 0xef && fault.at + 2 < end && fault.at[1] == 0xbb && fault.at[2] == 0xbf
        return isMark ? "byte order mark" + place + "; send UTF-8 without one" : "unexpected \(found)" + place
    }

    private var record: String {
        switch fault.reason {
        case .missing: "required column '\(column ?? "")' is missing"
        case .null: "required column '\(column ?? "")' is null"
        case .unknownColumn: "the table has no column '\(column ?? "")'"
        case .duplicateKey: "duplicate key '\(column ?? "")'"
        case .notAnObject: "a record must be a JSON object, not \(excerpt)"
        case .csvQuote: "a quote or line end stands where CSV has none; quote the field and double its quotes"
        case .csvFields: "the record has another number of fields than the header"
        case .recordSize: "the record is larger than the bound for one record"
        case .nameLength: "a field's name must have 1 to \(Limits.nameBytesMax) bytes"
        case .fieldCount: "an object has more than \(Limits.columnsMax) fields"
        default: "the batch is larger than its bound"
        }
    }

    private var value: String {
        let type = types[Int(fault.node)]
        let expected = "'\(column ?? "")' is \(TypeName.text(type)); got \(excerpt)"
        switch fault.reason {
        case .fraction: return expected + ", which is not a whole number"
        case .range: return expected + ", which is out of range"
        case .scale: return expected + ", which has too many fraction digits"
        case .date: return expected + "; expected \"YYYY-MM-DD\""
        case .time: return expected + "; expected \"HH:MM:SS\" with up to six fraction digits"
        case .timestamp: return expected + "; expected \"\(layout(type))\" with up to \(digits(type)) fraction digits"
        case .offsetMissing: return expected + "; an offset is required: Z, or +HH:MM"
        case .offsetPresent: return expected + "; a timestamp without zone takes no offset"
        case .precision: return expected + "; at most \(digits(type)) fraction digits are kept"
        case .epochPrecision:
            return expected + ", which is finer than a \(type.isNanoseconds ? "nanosecond" : "microsecond")"
        case .numericTime:
            let write = type == .date ? "YYYY-MM-DD" : type == .time ? "HH:MM:SS" : layout(type)
            return expected + "; numbers are ambiguous here, write \"\(write)\""
        case .uuid: return expected + "; expected 8-4-4-4-12 hexadecimal digits"
        case .base64: return expected + "; expected padded base64 of the standard alphabet"
        case .length: return expected + "; the decoded length differs"
        case .mapKey: return "keys of '\(column ?? "")' cannot be written in JSON: they are \(TypeName.text(type))"
        default: return expected
        }
    }

    private func layout(_ type: DataType) -> String {
        type.microseconds == .timestamptz ? "YYYY-MM-DDTHH:MM:SSZ" : "YYYY-MM-DDTHH:MM:SS"
    }

    private func digits(_ type: DataType) -> String { type.isNanoseconds ? "nine" : "six" }

    /// The byte at fault.
    private var found: String {
        if fault.at >= end { return "end of text" }
        let byte = fault.at.pointee
        if byte > 0x20 && byte < 0x7f { return "'\(Character(Unicode.Scalar(byte)))'" }
        return "byte 0x" + Hex.encode([byte])
    }

    /// The first bytes of the value at fault.
    private var excerpt: String {
        var p = fault.at
        let limit = min(end, fault.at + 48)
        if p < limit, p.pointee == Byte.quote {
            p += 1
            while p < limit, p.pointee != Byte.quote { p += p.pointee == Byte.backslash ? 2 : 1 }
            if p < limit { p += 1 }
        } else {
            let stops: [UInt8] = [Byte.comma, Byte.closeBrace, Byte.closeBracket, Byte.newline, Byte.carriageReturn]
            while p < limit, !stops.contains(p.pointee) { p += 1 }
        }
        p = min(p, limit)
        return shown(fault.at, p) + (p == limit && limit < end ? "…" : "")
    }

    private func shown(_ from: Cursor, _ to: Cursor) -> String {
        String(decoding: UnsafeBufferPointer(start: from, count: to - from), as: UTF8.self)
    }

    /// The unknown key, as it stands in the text.
    private var key: String {
        var p = fault.at
        let limit = min(end, fault.at + Limits.nameBytesMax)
        while p < limit, p.pointee != Byte.quote { p += p.pointee == Byte.backslash ? 2 : 1 }
        return shown(fault.at, min(p, limit))
    }
}

/// Types in messages: nested ones without their insides.
enum TypeName {
    static func text(_ type: DataType) -> String {
        switch type {
        case .structure: "struct"
        case .list: "list"
        case .map: "map"
        default: type.description
        }
    }
}

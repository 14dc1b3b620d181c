extension JSONValue {
    /// UTF-8 text; `pretty` indents by two spaces. NaN and infinities, which JSON lacks, become null.
    public func serialize(pretty: Bool = false) -> [UInt8] {
        var out: [UInt8] = []
        write(into: &out, indent: pretty ? 0 : nil)
        return out
    }

    public var text: String { String(decoding: serialize(), as: UTF8.self) }

    private func write(into out: inout [UInt8], indent: Int?) {
        switch self {
        case .null: out.append(contentsOf: "null".utf8)
        case .bool(let value): out.append(contentsOf: (value ? "true" : "false").utf8)
        case .integer(let value): out.append(contentsOf: String(value).utf8)
        case .double(let value): out.append(contentsOf: (value.isFinite ? "\(value)" : "null").utf8)
        case .string(let value): JSONText.appendQuoted(value, into: &out)
        case .array(let values):
            Self.writeList(values.count, open: "[", close: "]", indent: indent, into: &out) { index, out, inner in
                values[index].write(into: &out, indent: inner)
            }
        case .object(let members):
            Self.writeList(members.count, open: "{", close: "}", indent: indent, into: &out) { index, out, inner in
                JSONText.appendQuoted(members[index].key, into: &out)
                out.append(contentsOf: (inner == nil ? ":" : ": ").utf8)
                members[index].value.write(into: &out, indent: inner)
            }
        }
    }

    private static func writeList(
        _ count: Int, open: Character, close: Character, indent: Int?, into out: inout [UInt8],
        item: (Int, inout [UInt8], Int?) -> Void
    ) {
        out.append(open.asciiValue!)
        let inner = indent.map { $0 + 1 }
        for index in 0..<count {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            newline(inner, into: &out)
            item(index, &out, inner)
        }
        if count > 0 { newline(indent, into: &out) }
        out.append(close.asciiValue!)
    }

    private static func newline(_ indent: Int?, into out: inout [UInt8]) {
        guard let indent else { return }
        out.append(UInt8(ascii: "\n"))
        out.append(contentsOf: repeatElement(UInt8(ascii: " "), count: indent * 2))
    }
}

/// Pieces of JSON text for those who write it without building a tree.
public enum JSONText {
    private static let hexDigits = Array("0123456789abcdef".utf8)

    /// Appends `text` in quotes with the escapes that RFC 8259 demands.
    public static func appendQuoted(_ text: String, into out: inout [UInt8]) {
        var text = text
        text.withUTF8 { appendQuoted($0, into: &out) }
    }

    /// Precondition: the bytes are valid UTF-8.
    public static func appendQuoted(_ utf8: UnsafeBufferPointer<UInt8>, into out: inout [UInt8]) {
        out.append(UInt8(ascii: "\""))
        var start = 0
        for index in 0..<utf8.count {
            let byte = utf8[index]
            guard byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") else { continue }
            out.append(contentsOf: utf8[start..<index])
            start = index + 1
            out.append(UInt8(ascii: "\\"))
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): out.append(byte)
            case 0x0a: out.append(UInt8(ascii: "n"))
            case 0x0d: out.append(UInt8(ascii: "r"))
            case 0x09: out.append(UInt8(ascii: "t"))
            default:
                out.append(contentsOf: "u00".utf8)
                out.append(hexDigits[Int(byte >> 4)])
                out.append(hexDigits[Int(byte & 15)])
            }
        }
        out.append(contentsOf: utf8[start..<utf8.count])
        out.append(UInt8(ascii: "\""))
    }
}

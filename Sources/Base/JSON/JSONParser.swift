/// Recursive descent over a JSON document, refusing everything RFC 8259 refuses.
///
/// Depth is bounded by `Limits.nestingDepthMax`; memory by the input, since every value costs at least one byte.
struct JSONParser {
    private let bytes: [UInt8]
    private let source: String
    private var at = 0
    private var depth = 0

    init(_ bytes: [UInt8], source: String) {
        self.bytes = bytes
        self.source = source
    }

    mutating func document() throws(FirnError) -> JSONValue {
        let value = try value()
        skipSpace()
        guard at == bytes.count else { throw malformed("text follows the end of the document") }
        return value
    }

    private func malformed(_ message: String) -> FirnError {
        FirnError(
            .invalidInput, "malformed_json", "not valid JSON: \(message)",
            context: ["source": source, "offset": String(at)])
    }

    private var current: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func skipSpace() {
        while let byte = current, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 { at += 1 }
    }

    private mutating func expect(_ byte: UInt8) throws(FirnError) {
        guard current == byte else {
            throw malformed("\"\(Character(UnicodeScalar(byte)))\" expected")
        }
        at += 1
    }

    private mutating func value() throws(FirnError) -> JSONValue {
        skipSpace()
        guard let byte = current else { throw malformed("unexpected end") }
        switch byte {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func word(_ text: StaticString, _ value: JSONValue) throws(FirnError) -> JSONValue {
        let end = at + text.utf8CodeUnitCount
        guard end <= bytes.count, bytes[at..<end].elementsEqual("\(text)".utf8) else { throw malformed("unknown word") }
        at = end
        return value
    }

    private mutating func enter() throws(FirnError) {
        at += 1
        depth += 1
        guard depth <= Limits.nestingDepthMax else { throw malformed("nested deeper than \(Limits.nestingDepthMax)") }
    }

    private mutating func object() throws(FirnError) -> JSONValue {
        try enter()
        defer { depth -= 1 }
        var members: [JSONValue.Member] = []
        skipSpace()
        if current == UInt8(ascii: "}") {
            at += 1
            return .object(members)
        }
        while true {
            skipSpace()
            guard current == UInt8(ascii: "\"") else { throw malformed("a member name in quotes expected") }
            let key = try string()
            skipSpace()
            try expect(UInt8(ascii: ":"))
            members.append(JSONValue.Member(key, try value()))
            skipSpace()
            if current == UInt8(ascii: ",") {
                at += 1
                continue
            }
            try expect(UInt8(ascii: "}"))
            return .object(members)
        }
    }

    private mutating func array() throws(FirnError) -> JSONValue {
        try enter()
        defer { depth -= 1 }
        var values: [JSONValue] = []
        skipSpace()
        if current == UInt8(ascii: "]") {
            at += 1
            return .array(values)
        }
        while true {
            values.append(try value())
            skipSpace()
            if current == UInt8(ascii: ",") {
                at += 1
                continue
            }
            try expect(UInt8(ascii: "]"))
            return .array(values)
        }
    }

    private mutating func string() throws(FirnError) -> String {
        at += 1
        let start = at
        while let byte = current, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { at += 1 }
        var text = Array(bytes[start..<at])
        while let byte = current, byte != UInt8(ascii: "\"") {
            guard byte >= 0x20 else { throw malformed("control character in a string") }
            at += 1
            if byte == UInt8(ascii: "\\") { try escape(into: &text) } else { text.append(byte) }
        }
        guard current != nil else { throw malformed("unterminated string") }
        at += 1
        guard let result = String(validating: text, as: UTF8.self) else { throw malformed("invalid UTF-8") }
        return result
    }

    private mutating func escape(into text: inout [UInt8]) throws(FirnError) {
        guard let byte = current else { throw malformed("unterminated string") }
        at += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0c)
        case UInt8(ascii: "n"): text.append(0x0a)
        case UInt8(ascii: "r"): text.append(0x0d)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var code = try hexQuad()
            if (0xd800..<0xdc00).contains(code) {
                guard current == UInt8(ascii: "\\") else { throw malformed("lone surrogate") }
                at += 1
                try expect(UInt8(ascii: "u"))
                let low = try hexQuad()
                guard (0xdc00..<0xe000).contains(low) else { throw malformed("lone surrogate") }
                code = 0x10000 + (code - 0xd800) << 10 + (low - 0xdc00)
            }
            guard let scalar = UnicodeScalar(code) else { throw malformed("lone surrogate") }
            text.append(contentsOf: String(Character(scalar)).utf8)
        default: throw malformed("unknown escape")
        }
    }

    private mutating func hexQuad() throws(FirnError) -> UInt32 {
        guard at + 4 <= bytes.count else { throw malformed("unterminated string") }
        var code: UInt32 = 0
        for _ in 0..<4 {
            let byte = bytes[at]
            guard let digit = Character(UnicodeScalar(byte)).hexDigitValue, byte < 0x80 else {
                throw malformed("four hexadecimal digits expected")
            }
            code = code << 4 | UInt32(digit)
            at += 1
        }
        return code
    }

    private mutating func number() throws(FirnError) -> JSONValue {
        let start = at
        if current == UInt8(ascii: "-") { at += 1 }
        guard let first = current, isDigit(first) else { throw malformed("a value expected") }
        at += 1
        if first != UInt8(ascii: "0") { digits() }
        var isInteger = true
        if current == UInt8(ascii: ".") {
            isInteger = false
            at += 1
            guard digits() > 0 else { throw malformed("a digit expected after the point") }
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            isInteger = false
            at += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { at += 1 }
            guard digits() > 0 else { throw malformed("a digit expected in the exponent") }
        }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        if isInteger, let value = Int64(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else { throw malformed("number out of range") }
        return .double(value)
    }

    @discardableResult private mutating func digits() -> Int {
        let start = at
        while let byte = current, isDigit(byte) { at += 1 }
        return at - start
    }

    private func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }
}

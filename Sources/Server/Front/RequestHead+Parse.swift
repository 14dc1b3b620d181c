import Base

extension RequestHead {
    private static let carriageReturn: UInt8 = 0x0d
    private static let space: UInt8 = 0x20

    /// Reads `bytes`, which end with the head's empty line.
    ///
    /// Throws `.invalidInput` (`bad_request`), `.unsupported` (`http_version`, `unsupported_transfer_coding`,
    /// `expectation_failed`), `.limitExceeded` (`head_too_large`).
    mutating func parse() throws(FirnError) {
        guard bytes.count <= Self.bytesMax else { throw Self.tooLarge() }
        do {
            let all = bytes
            try all.withUnsafeBufferPointer { try parse($0) }
        } catch { throw error as! FirnError }
    }

    private mutating func parse(_ head: UnsafeBufferPointer<UInt8>) throws(FirnError) {
        var at = try requestLine(head)
        while head[at] != Self.carriageReturn {
            at = try field(head, at)
            guard fields.count <= Self.fieldsMax else { throw Self.tooLarge() }
        }
        guard at + 2 == head.count else { throw Self.fault("the head ends in the middle") }
        try settle(head)
    }

    /// Method, target and version; returns where the first field starts.
    private mutating func requestLine(_ head: UnsafeBufferPointer<UInt8>) throws(FirnError) -> Int {
        var at = 0
        while at < head.count, ASCII.isToken[Int(head[at])] { at += 1 }
        guard at > 0, at <= Self.methodBytesMax, head[at] == Self.space else {
            throw Self.fault("the request line does not start with a method")
        }
        method = 0..<at
        at += 1
        let start = at
        while head[at] > 0x20, head[at] < 0x7f, head[at] != UInt8(ascii: "#") { at += 1 }
        guard at > start, head[at] == Self.space else { throw Self.fault("the request target is not well formed") }
        target = start..<at
        at += 1
        // "HTTP/1.1" and CRLF; the head has at least four more bytes than what was read, which bounds this.
        guard head.count >= at + 10, Self.equal(head, at, "HTTP/"), head[at + 6] == UInt8(ascii: "."),
            head[at + 8] == Self.carriageReturn, head[at + 9] == 0x0a
        else { throw Self.fault("the request line does not end with an HTTP version") }
        let (major, minor) = (head[at + 5], head[at + 7])
        guard major == UInt8(ascii: "1"), minor == UInt8(ascii: "0") || minor == UInt8(ascii: "1") else {
            throw FirnError(.unsupported, "http_version", "this port speaks HTTP/1.1, HTTP/1.0 and HTTP/2")
        }
        minorVersion = minor == UInt8(ascii: "1") ? 1 : 0
        try originForm(head)
        return at + 10
    }

    /// Cuts an absolute target down to its path.
    private mutating func originForm(_ head: UnsafeBufferPointer<UInt8>) throws(FirnError) {
        if head[target.lowerBound] == UInt8(ascii: "/") { return }
        if target.count == 1, head[target.lowerBound] == UInt8(ascii: "*"), text(method) == "OPTIONS" { return }
        guard target.count > 7, Self.equal(head, target.lowerBound, "http://") else {
            throw Self.fault("the request target must be a path")
        }
        var at = target.lowerBound + 7
        while at < target.upperBound, head[at] != UInt8(ascii: "/") {
            guard head[at] != UInt8(ascii: "@"), head[at] != UInt8(ascii: "?") else {
                throw Self.fault("the request target must be a path")
            }
            at += 1
        }
        guard at > target.lowerBound + 7, at < target.upperBound else {
            throw Self.fault("the request target must be a path")
        }
        target = at..<target.upperBound
    }

    /// One field line; returns where the next line starts.
    private mutating func field(_ head: UnsafeBufferPointer<UInt8>, _ start: Int) throws(FirnError) -> Int {
        var at = start
        while ASCII.isToken[Int(head[at])] { at += 1 }
        // Also refuses a line that starts with a space, which would continue the one before.
        guard at > start, head[at] == UInt8(ascii: ":") else { throw Self.fault("a header field has no proper name") }
        let name = start..<at
        at += 1
        while ASCII.isSpace(head[at]) { at += 1 }
        let value = at
        while head[at] >= Self.space && head[at] != 0x7f || head[at] == 0x09 { at += 1 }
        guard head[at] == Self.carriageReturn, head[at + 1] == 0x0a else {
            throw Self.fault("a header field holds a control character")
        }
        var end = at
        while end > value, ASCII.isSpace(head[end - 1]) { end -= 1 }
        fields.append(
            Field(
                nameStart: UInt16(name.lowerBound), nameEnd: UInt16(name.upperBound), valueStart: UInt16(value),
                valueEnd: UInt16(end), name: HeaderName(UnsafeBufferPointer(rebasing: head[name]))))
        return at + 2
    }

    /// What the fields together say about the body and the connection.
    private mutating func settle(_ head: UnsafeBufferPointer<UInt8>) throws(FirnError) {
        var hosts = 0
        for field in fields where field.name != .other {
            let value = UnsafeBufferPointer(rebasing: head[Int(field.valueStart)..<Int(field.valueEnd)])
            switch field.name {
            case .host:
                hosts += 1
                guard Self.isHost(value) else { throw Self.fault("the Host header field is not well formed") }
            case .contentLength: try length(value)
            case .transferEncoding:
                guard ASCII.equal(value, "chunked"), !isChunked else {
                    throw FirnError(
                        .unsupported, "unsupported_transfer_coding", "the only transfer coding understood is chunked")
                }
                isChunked = true
            case .connection: if Self.listHolds(value, "close") { wantsClose = true }
            case .expect:
                guard ASCII.equal(value, "100-continue") else {
                    throw FirnError(
                        .unsupported, "expectation_failed", "the only expectation understood is 100-continue")
                }
                expectsContinue = minorVersion == 1
            default: break
            }
        }
        guard hosts == 1 || hosts == 0 && minorVersion == 0 else {
            throw Self.fault("a request needs exactly one Host header field")
        }
        guard !isChunked || contentLength == nil && minorVersion == 1 else {
            throw Self.fault("Transfer-Encoding needs HTTP/1.1 and no Content-Length")
        }
        if minorVersion == 0 { wantsClose = true }
    }

    private mutating func length(_ value: UnsafeBufferPointer<UInt8>) throws(FirnError) {
        // Eighteen digits fit an Int; only then may they be summed up.
        guard !value.isEmpty, value.count <= 18, contentLength == nil else {
            throw Self.fault("Content-Length must be one whole number")
        }
        var number = 0
        for byte in value {
            guard byte &- UInt8(ascii: "0") < 10 else { throw Self.fault("Content-Length must be one whole number") }
            number = number * 10 + Int(byte &- UInt8(ascii: "0"))
        }
        contentLength = number
    }

    // MARK: Text

    private static func equal(_ head: UnsafeBufferPointer<UInt8>, _ at: Int, _ text: StaticString) -> Bool {
        guard at + text.utf8CodeUnitCount <= head.count else { return false }
        for index in 0..<text.utf8CodeUnitCount where head[at + index] != text.utf8Start[index] { return false }
        return true
    }

    /// A name or address with an optional port: no user, no list, no path.
    private static func isHost(_ value: UnsafeBufferPointer<UInt8>) -> Bool {
        !value.isEmpty
            && value.allSatisfy { ASCII.isToken[Int($0)] || "[]:()=;".utf8.contains($0) }
    }

    /// Whether a comma-separated list holds the word.
    private static func listHolds(_ value: UnsafeBufferPointer<UInt8>, _ word: StaticString) -> Bool {
        var start = 0
        for index in 0...value.count where index == value.count || value[index] == UInt8(ascii: ",") {
            var (from, to) = (start, index)
            while from < to, ASCII.isSpace(value[from]) { from += 1 }
            while to > from, ASCII.isSpace(value[to - 1]) { to -= 1 }
            if ASCII.equal(UnsafeBufferPointer(rebasing: value[from..<to]), word) { return true }
            start = index + 1
        }
        return false
    }
}

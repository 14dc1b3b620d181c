import Base

/// The head of an HTTP/1 request and where its parts stand in it.
///
/// Reused from request to request, so that reading a head allocates nothing. What `parse` accepts is strict: RFC 9112,
/// without what it lets a server tolerate (bare line feeds, folded lines, repeated lengths), because a proxy in front
/// may read such a head differently, and then the next request is not whose it seems.
struct RequestHead {
    struct Field {
        var nameStart: UInt16
        var nameEnd: UInt16
        var valueStart: UInt16
        var valueEnd: UInt16
        var name: HeaderName
    }

    /// All of the head, closing empty line included.
    static let bytesMax = 16 << 10
    static let fieldsMax = 100
    static let methodBytesMax = 32

    var bytes: [UInt8] = []
    var fields: [Field] = []
    var method = 0..<0
    /// Path and query; an absolute target has lost its scheme and host.
    var target = 0..<0
    var minorVersion = 1
    var contentLength: Int?
    var isChunked = false
    var wantsClose = false
    var expectsContinue = false

    var hasBody: Bool { isChunked || (contentLength ?? 0) > 0 }

    mutating func reset() {
        bytes.removeAll(keepingCapacity: true)
        fields.removeAll(keepingCapacity: true)
        contentLength = nil
        isChunked = false
        wantsClose = false
        expectsContinue = false
        minorVersion = 1
    }

    func text(_ range: Range<Int>) -> String {
        bytes.withUnsafeBufferPointer { String(decoding: $0[range], as: UTF8.self) }
    }

    /// The first value of a known field.
    func value(_ name: HeaderName) -> Range<Int>? {
        for field in fields where field.name == name { return Int(field.valueStart)..<Int(field.valueEnd) }
        return nil
    }

    func text(_ name: HeaderName) -> String? { value(name).map { text($0) } }

    /// True when both arrays hold the same bytes there.
    func matches(_ range: Range<Int>, _ other: [UInt8]) -> Bool {
        guard range.count == other.count else { return false }
        return bytes.withUnsafeBufferPointer { mine in
            other.withUnsafeBufferPointer { theirs in
                for index in 0..<theirs.count where mine[range.lowerBound + index] != theirs[index] { return false }
                return true
            }
        }
    }

    /// True when the target begins so.
    func starts(with path: [UInt8]) -> Bool {
        target.count >= path.count && matches(target.lowerBound..<target.lowerBound + path.count, path)
    }

    static func fault(_ message: String) -> FirnError { FirnError(.invalidInput, "bad_request", message) }
    static func tooLarge() -> FirnError {
        FirnError(
            .limitExceeded, "head_too_large",
            "the request's head is larger than \(bytesMax) bytes, or has more than \(fieldsMax) header fields")
    }
}

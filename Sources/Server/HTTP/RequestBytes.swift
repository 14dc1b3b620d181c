import Base
import HTTPTypes
import Hummingbird

extension Request {
    /// The body as it came, bounded. Throws `.limitExceeded` (`body_too_large`), and what `onGrowth` throws, which is
    /// told of the bytes before they are kept.
    func bytes(limit: Int, onGrowth: (Int) throws -> Void = { _ in }) async throws -> [UInt8] {
        func tooLarge() -> FirnError {
            RequestReader.bodyTooLarge(limit)
        }
        let declared = headers[.contentLength].flatMap { Int($0) }
        if let declared, declared > limit { throw tooLarge() }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(min(declared ?? 0, limit, 64 << 10))
        for try await chunk in body {
            guard bytes.count + chunk.readableBytes <= limit else { throw tooLarge() }
            try onGrowth(chunk.readableBytes)
            bytes.append(contentsOf: chunk.readableBytesView)
        }
        return bytes
    }

    /// The body as a JSON document. Throws `.invalidInput` (`malformed_json`), `.limitExceeded`.
    func json(limit: Int = 4 << 20) async throws -> JSONValue {
        try JSONValue(parsing: try await bytes(limit: limit), source: "request body")
    }

    /// One query parameter, percent-decoded.
    func query(_ name: String) -> String? { uri.queryParameters[Substring(name)].map(String.init) }
}

/// Undoes `Content-Encoding`, one layer, bounded.
enum ContentCoding: String {
    case gzip, zstd

    /// Nil for an absent or `identity` coding. Throws `.invalidInput` (`unsupported_encoding`).
    init?(header: String?) throws(FirnError) {
        let name = (header ?? "identity").lowercased()
        guard name != "identity", !name.isEmpty else { return nil }
        guard let coding = ContentCoding(rawValue: name == "x-gzip" ? "gzip" : name) else {
            throw FirnError(
                .invalidInput, "unsupported_encoding",
                "Content-Encoding \"\(name)\" is not understood; use gzip, zstd or none")
        }
        self = coding
    }

    /// Damage is the sender's, and never the server's: `.invalidInput` with the codec's own code.
    func decode(_ bytes: [UInt8], limit: Int) throws(FirnError) -> [UInt8] {
        do throws(FirnError) {
            return switch self {
            case .gzip: try Deflate.decompress(bytes, wrapping: .gzip, limit: limit)
            case .zstd: try Zstd.decompress(bytes, limit: limit)
            }
        } catch {
            guard error.kind == .corrupted else { throw error }
            throw FirnError(.invalidInput, error.code, error.message, context: error.context)
        }
    }
}

extension Parameters {
    /// A path parameter, percent-decoded. Throws `.invalidInput` (`bad_path`).
    func text(_ name: String) throws -> String {
        let raw = try require(name)
        guard let text = raw.removingPercentEscapes else {
            throw FirnError(.invalidInput, "bad_path", "the path holds a broken percent escape")
        }
        return text
    }
}

extension String {
    /// Nil when an escape is broken or the result is not UTF-8.
    var removingPercentEscapes: String? {
        guard contains("%") else { return self }
        var out: [UInt8] = []
        var rest = utf8.makeIterator()
        while let byte = rest.next() {
            guard byte == UInt8(ascii: "%") else {
                out.append(byte)
                continue
            }
            guard let high = rest.next(), let low = rest.next(),
                let decoded = Hex.decode(String(decoding: [high, low], as: UTF8.self))
            else { return nil }
            out += decoded
        }
        return String(validating: out, as: UTF8.self)
    }
}

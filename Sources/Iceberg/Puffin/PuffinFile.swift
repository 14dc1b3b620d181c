import Base
import Storage

/// Reads a Puffin file: `PFA1`, blobs, `PFA1`, the footer as JSON, its length, flags, `PFA1`.
///
/// 1. The last bytes tell the length of the footer, which is fetched with them where it is short.
/// 2. Blobs are fetched one by one as they are asked for.
///
/// Every error about the file's bytes is `.corrupted` (`malformed_puffin`) or `.unsupported`.
///
/// Spec: https://iceberg.apache.org/puffin-spec/
public struct PuffinFile: Sendable {
    static let magic: [UInt8] = Array("PFA1".utf8)
    /// Behind the footer's JSON: its length, flags, magic.
    static let trailerBytes = 12
    /// The footer of a file with hundreds of thousands of blobs, and no more than can be held.
    private static let footerBytesMax = 256 << 20
    /// Fetched at once from the end of the file.
    private static let tailBytes = 16 << 10

    public let footer: PuffinFooter
    public let source: String
    private let fileBytes: Int
    private let store: any ObjectStore

    /// Reads the footer. `fileBytes` is asked of the store when it is not known.
    public init(_ location: String, fileBytes: Int? = nil, store: any ObjectStore) throws {
        source = location
        self.store = store
        guard let count = try fileBytes ?? store.size(location) else {
            throw FirnError(.notFound, "file_not_found", "there is no such file", context: ["file": location])
        }
        self.fileBytes = count
        // Nothing but magics and an empty object.
        guard count >= 3 * 4 + 8 + 2 else { throw Self.malformed("it is too short", location) }
        let tail = try store.read(location, range: max(0, count - Self.tailBytes)..<count)
        var reader = ByteReader(tail, range: tail.count - Self.trailerBytes..<tail.count, source: location)
        let length = Int(try reader.littleEndian(Int32.self))
        let flags = try reader.littleEndian(UInt32.self)
        guard Array(try reader.take(4)) == Self.magic else { throw Self.malformed("it does not end in PFA1", location) }
        guard flags & ~1 == 0 else { throw Self.malformed("it has unknown flags \(flags)", location) }
        let stored = length + Self.trailerBytes + 4
        guard length >= 2, length <= Self.footerBytesMax, stored <= count - 4 else {
            throw Self.malformed("a footer of \(length) bytes does not fit", location)
        }
        let bytes =
            stored <= tail.count
            ? Array(tail.suffix(stored)) : try store.read(location, range: count - stored..<count)
        guard Array(bytes.prefix(4)) == Self.magic else { throw Self.malformed("the footer lacks its PFA1", location) }
        guard try store.read(location, range: 0..<4) == Self.magic else {
            throw Self.malformed("it does not start with PFA1", location)
        }
        var payload = Array(bytes[4..<4 + length])
        if flags & 1 != 0 { payload = try Self.unpackLZ4(payload, limit: Self.footerBytesMax, location) }
        let json: JSONValue
        do {
            json = try JSONValue(parsing: payload, source: location)
        } catch {
            throw Self.malformed("its footer is no JSON", location, cause: error)
        }
        var footer = try PuffinFooter(json, dataBytes: count - stored, source: location)
        footer.storedBytes = stored
        self.footer = footer
    }

    /// The bytes of one blob, decompressed. Throws `.unsupported` (`puffin_codec`) for an unknown codec.
    public func read(_ blob: PuffinBlob) throws -> [UInt8] {
        let stored = try store.read(source, range: blob.offset..<blob.offset + blob.length)
        switch blob.compression {
        case nil: return stored
        case "zstd": return try Zstd.decompress(stored, limit: Limits.wholeFileBytesMax)
        case "lz4": return try Self.unpackLZ4(stored, limit: Limits.wholeFileBytesMax, source)
        case let codec?:
            throw FirnError(
                .unsupported, "puffin_codec", "a blob is compressed with \(codec)", context: ["file": source])
        }
    }

    /// One LZ4 frame, which the spec wants to tell the size of its content.
    private static func unpackLZ4(_ bytes: [UInt8], limit: Int, _ source: String) throws(FirnError) -> [UInt8] {
        let contentSizeFlag: UInt8 = 0x08
        guard bytes.count >= 15, bytes[0..<4].elementsEqual([0x04, 0x22, 0x4d, 0x18]), bytes[4] & contentSizeFlag != 0
        else { throw malformed("LZ4 data is no frame with a content size", source) }
        var reader = ByteReader(bytes, range: 6..<14, source: source)
        let size = try reader.littleEndian(UInt64.self)
        // LZ4 cannot shrink data more than 255 times.
        guard size <= UInt64(limit), size <= UInt64(bytes.count) * 256 else {
            throw malformed("LZ4 data claims to hold \(size) bytes", source)
        }
        var output = [UInt8](repeating: 0, count: Int(size))
        var failure: FirnError?
        output.withUnsafeMutableBytes { output in
            bytes.withUnsafeBytes { input in
                do throws(FirnError) { try LZ4.decompressFrame(input, into: output) } catch { failure = error }
            }
        }
        if let failure { throw failure }
        return output
    }

    static func malformed(_ why: String, _ source: String, cause: (any Error)? = nil) -> FirnError {
        FirnError(
            .corrupted, "malformed_puffin", "this is no sound Puffin file: \(why)", context: ["file": source],
            cause: cause)
    }
}

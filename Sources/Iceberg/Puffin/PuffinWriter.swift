import Base

/// Writes one Puffin file front to back: blobs as they come, then the footer. The sink gets the bytes in order.
///
/// Spec: https://iceberg.apache.org/puffin-spec/#format-specification
public struct PuffinWriter {
    public enum Compression: String, Sendable {
        case zstd
    }

    private let sink: ([UInt8]) throws -> Void
    private var footer = PuffinFooter()
    /// Bytes written so far.
    public private(set) var fileBytes: Int

    /// Throws what the sink throws.
    public init(createdBy: String?, sink: @escaping ([UInt8]) throws -> Void) throws {
        self.sink = sink
        if let createdBy { footer.properties = [.init("created-by", .string(createdBy))] }
        fileBytes = PuffinFile.magic.count
        try sink(PuffinFile.magic)
    }

    /// Writes a blob; answers its description with offset and length as stored.
    public mutating func add(
        _ blob: PuffinBlob, _ bytes: [UInt8], compression: Compression? = nil
    ) throws -> PuffinBlob {
        let stored = compression == nil ? bytes : try Zstd.compress(bytes)
        var blob = blob
        blob.offset = fileBytes
        blob.length = stored.count
        blob.compression = compression?.rawValue
        try emit(stored)
        footer.blobs.append(blob)
        return blob
    }

    /// Writes the footer. The writer must not be used afterwards.
    public mutating func finish() throws {
        let payload = footer.json.serialize()
        guard let length = Int32(exactly: payload.count) else {
            throw FirnError(.limitExceeded, "puffin_footer_too_large", "a Puffin file cannot list so many blobs")
        }
        var writer = ByteWriter(capacity: payload.count + 32)
        writer.raw(PuffinFile.magic)
        writer.raw(payload)
        writer.littleEndian(length)
        writer.littleEndian(UInt32(0))
        writer.raw(PuffinFile.magic)
        try emit(writer.bytes)
    }

    private mutating func emit(_ bytes: [UInt8]) throws {
        try sink(bytes)
        fileBytes += bytes.count
    }
}

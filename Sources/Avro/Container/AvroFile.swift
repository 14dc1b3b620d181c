import Base

/// What reader and writer of object container files share.
///
/// A file is `Obj` 1, a map of metadata (`avro.schema`, `avro.codec`, the writer's own keys), a 16-byte sync marker,
/// then blocks: number of records, number of bytes, the records compressed together, the marker again.
/// Format: https://avro.apache.org/docs/1.11.1/specification/#object-container-files
public enum AvroCodec: String, Sendable {
    case null
    case deflate
    /// Read only: DuckDB refuses manifests compressed with it.
    case zstandard
}

enum AvroFileFormat {
    static let magic: [UInt8] = Array("Obj".utf8) + [1]
    static let syncBytes = 16
    /// One block after decompression: writers cut blocks at tens of kilobytes, so this is far above any real one.
    static let blockBytesMax = 256 << 20
    /// A block is closed at the first record that passes this size: as Java does, and well compressible.
    static let blockBytesTarget = 64_000
}

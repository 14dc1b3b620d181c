import Base

/// The blob `deletion-vector-v1`: the deleted rows of one data file.
///
/// `u32` big-endian length of what follows without the checksum; magic D1 D3 39 64; the positions in Roaring's portable
/// form; `u32` big-endian CRC-32 of magic and positions.
///
/// Spec: https://iceberg.apache.org/puffin-spec/#deletion-vector-v1-blob-type
public enum DeletionVector {
    public static let blobType = "deletion-vector-v1"
    /// Names the data file among a blob's properties.
    public static let fileProperty = "referenced-data-file"
    public static let cardinalityProperty = "cardinality"

    private static let magic: [UInt8] = [0xd1, 0xd3, 0x39, 0x64]

    /// Throws `.corrupted` (`bad_deletion_vector`, `bad_row_positions`).
    public static func decode(_ bytes: [UInt8], source: String) throws(FirnError) -> RowPositions {
        func bad(_ why: String) -> FirnError {
            FirnError(
                .corrupted, "bad_deletion_vector", "the deletion vector is damaged: \(why)", context: ["file": source])
        }
        guard bytes.count >= 12 else { throw bad("\(bytes.count) bytes") }
        var reader = ByteReader(bytes, source: source)
        let length = Int(try reader.bigEndian(UInt32.self))
        guard length == bytes.count - 8 else { throw bad("it says \(length) bytes of \(bytes.count - 8)") }
        let body = Array(bytes[4..<4 + length])
        guard Array(body.prefix(4)) == magic else { throw bad("it has another magic") }
        var tail = ByteReader(bytes, range: 4 + length..<bytes.count, source: source)
        guard try tail.bigEndian(UInt32.self) == CRC32.checksum(body) else { throw bad("the checksum differs") }
        return try RowPositions(portable: Array(body.dropFirst(4)), source: source)
    }

    public static func encode(_ positions: RowPositions) -> [UInt8] {
        let body = magic + positions.portable
        var writer = ByteWriter(capacity: body.count + 8)
        writer.bigEndian(UInt32(body.count))
        writer.raw(body)
        writer.bigEndian(CRC32.checksum(body))
        return writer.bytes
    }

    /// The description of a vector for a data file; offset and length are filled in by the writer.
    public static func blob(dataFile: String, cardinality: Int) -> PuffinBlob {
        PuffinBlob(
            type: blobType, fields: [MetadataColumn.position.fieldId],
            properties: [(fileProperty, dataFile), (cardinalityProperty, String(cardinality))])
    }
}

import Base

/// Reads an object container file block by block.
///
/// Throws `.corrupted` for bytes that are no such file, `.unsupported` (`avro_codec`) for codecs other than null,
/// deflate and zstandard, `.limitExceeded` for a block that expands too far.
public struct AvroFileReader: Sendable {
    /// The writer's schema.
    public let schema: AvroSchema
    /// Key-values of the header, `avro.schema` and `avro.codec` included.
    public let metadata: [String: [UInt8]]
    public let codec: AvroCodec
    private let sync: [UInt8]
    private var reader: ByteReader

    public init(_ bytes: [UInt8], source: String) throws(FirnError) {
        reader = ByteReader(bytes, source: source)
        guard bytes.starts(with: AvroFileFormat.magic) else { throw reader.corrupted("not an Avro container file") }
        try reader.skip(AvroFileFormat.magic.count)
        var metadata: [String: [UInt8]] = [:]
        while case let count = try reader.avroBlock(), count > 0 {
            for _ in 0..<count {
                let key = try reader.avroString()
                metadata[key] = try reader.avroBytes()
            }
        }
        sync = Array(try reader.take(AvroFileFormat.syncBytes))
        guard let schemaText = metadata["avro.schema"] else { throw reader.corrupted("the header has no avro.schema") }
        schema = try AvroSchema(parsing: schemaText, source: source)
        let name = metadata["avro.codec"].map { String(decoding: $0, as: UTF8.self) } ?? "null"
        guard let codec = AvroCodec(rawValue: name) else {
            throw FirnError(
                .unsupported, "avro_codec", "the Avro codec \"\(name)\" is not supported", context: ["file": source])
        }
        self.codec = codec
        self.metadata = metadata
    }

    /// A header value as text.
    public func text(_ key: String) -> String? { metadata[key].map { String(decoding: $0, as: UTF8.self) } }

    /// The next block: number of records, and a reader over their bytes. Nil at the end of the file.
    public mutating func nextBlock() throws(FirnError) -> (count: Int, records: ByteReader)? {
        if reader.isAtEnd { return nil }
        let count = try reader.avroLong()
        let length = try reader.avroLength()
        let start = reader.offset
        let packed = try reader.take(length)
        guard try reader.take(AvroFileFormat.syncBytes).elementsEqual(sync) else {
            throw reader.corrupted("a block does not end with the sync marker")
        }
        let records: ByteReader
        switch codec {
        case .null: records = ByteReader(reader.bytes, range: start..<start + length, source: reader.source)
        case .deflate:
            let plain = try unpack { () throws(FirnError) in
                try Deflate.decompress(Array(packed), wrapping: .raw, limit: AvroFileFormat.blockBytesMax)
            }
            records = ByteReader(plain, source: reader.source)
        case .zstandard:
            let plain = try unpack { () throws(FirnError) in
                try Zstd.decompress(Array(packed), limit: AvroFileFormat.blockBytesMax)
            }
            records = ByteReader(plain, source: reader.source)
        }
        // A record takes a byte or more, except those made of nulls only, which no file of ours or Iceberg's holds.
        guard count >= 0, count <= Int64(max(records.remaining, 1)) else {
            throw reader.corrupted("a block of \(count) records in \(records.remaining) bytes")
        }
        return (Int(count), records)
    }

    private func unpack(_ body: () throws(FirnError) -> [UInt8]) throws(FirnError) -> [UInt8] {
        do {
            return try body()
        } catch {
            throw error.adding(["file": reader.source, "offset": String(reader.offset)])
        }
    }

    /// Calls `body` with every record, decoded, until it returns false.
    public mutating func forEachValue(_ body: (AvroValue) throws -> Bool) throws {
        while var (count, records) = try nextBlock() {
            while count > 0 {
                guard try body(try records.avroValue(schema.root, in: schema)) else { return }
                count -= 1
            }
            guard records.isAtEnd else { throw records.corrupted("bytes follow the last record of a block") }
        }
    }
}

import Base

/// The stored form: a Thrift header (BloomFilterHeader), then the words in little-endian order.
///
/// Format: https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
extension BloomFilter {
    /// Header and bits, as they stand in a file.
    public func serialize() -> [UInt8] {
        var writer = CompactWriter()
        writer.int32(1, Int32(byteCount))
        // Algorithm BLOCK, hash XXHASH, compression UNCOMPRESSED: each a union with its first member set.
        for field in 2...4 { writer.structure(field) { $0.structure(1) { _ in } } }
        writer.stop()
        var bytes = writer.bytes
        bytes.reserveCapacity(bytes.count + byteCount)
        for word in words { withUnsafeBytes(of: word.littleEndian) { bytes.append(contentsOf: $0) } }
        return bytes
    }

    /// Reads a filter that starts at `bytes[0]`; bytes after it are ignored.
    ///
    /// - Parameter offset: where `bytes` lie in the file, for messages.
    ///
    /// Throws `.corrupted` (`malformed_parquet`), `.unsupported` (`parquet_bloom_filter`) for an algorithm, hash or
    /// compression that is not known, `.limitExceeded` (`bloom_filter_too_large`).
    public static func parse(_ bytes: [UInt8], source: String, offset: Int = 0) throws(FirnError) -> BloomFilter {
        var reader = CompactReader(bytes, range: 0..<bytes.count, source: source, base: offset)
        let size = try readHeader(&reader)
        guard size <= reader.remaining else {
            throw reader.corrupted("a Bloom filter of \(size) bytes where \(reader.remaining) are left")
        }
        let start = reader.offset
        return BloomFilter(
            words: bytes.withUnsafeBytes { raw in
                (0..<size / 4).map {
                    UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: start + $0 * 4, as: UInt32.self))
                }
            })
    }

    /// Bytes of header and bits of the filter that starts at `bytes[0]`, of which at least the header is there.
    static func storedBytes(_ bytes: [UInt8], source: String, offset: Int) throws(FirnError) -> Int {
        var reader = CompactReader(bytes, range: 0..<bytes.count, source: source, base: offset)
        let size = try readHeader(&reader)
        return reader.offset + size
    }

    private static func readHeader(_ reader: inout CompactReader) throws(FirnError) -> Int {
        var size = 0
        var known = 0
        var last = 0
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: size = try reader.size32(field)
            case 2, 3, 4:
                try reader.expect(field, .structure)
                guard try readUnion(&reader) == 1 else {
                    throw FirnError(
                        .unsupported, "parquet_bloom_filter", "a Bloom filter of an unknown kind",
                        context: ["file": reader.source])
                }
                known += 1
            default: try reader.skip(field)
            }
        }
        guard known == 3, size > 0, size % blockBytes == 0 else {
            throw reader.corrupted("a Bloom filter header that names \(size) bytes")
        }
        guard size <= ParquetLimits.bloomFilterBytesMax else {
            throw FirnError(
                .limitExceeded, "bloom_filter_too_large", "a Bloom filter of \(size) bytes",
                context: ["file": reader.source])
        }
        return size
    }

    /// The id of the member that is set.
    private static func readUnion(_ reader: inout CompactReader) throws(FirnError) -> Int? {
        var member: Int?
        var last = 0
        while let field = try reader.nextField(&last) {
            member = field.id
            try reader.skip(field)
        }
        return member
    }
}

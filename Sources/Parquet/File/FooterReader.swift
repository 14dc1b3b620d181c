import Base

/// Finds and checks the footer: `... | metadata | its length, 4 bytes | PAR1`.
struct FooterReader {
    let fileBytes: Int
    let source: String
    let read: (Range<Int>) throws -> [UInt8]

    private func corrupted(_ message: String) -> FirnError {
        FirnError(.corrupted, "malformed_parquet", message, context: ["file": source])
    }

    /// The footer, and the last bytes of the file that were fetched with it.
    func footer() throws -> (ParquetFooter, tail: [UInt8]) {
        guard fileBytes >= 12 else { throw corrupted("\(fileBytes) bytes are too few for a Parquet file") }
        let tail = try Self.fetch(
            max(0, fileBytes - ParquetLimits.tailBytes)..<fileBytes, source: source, read)
        let magic = Array(tail.suffix(4))
        guard magic == Array("PAR1".utf8) else {
            if magic == Array("PARE".utf8) {
                throw FirnError(
                    .unsupported, "parquet_encryption", "the file is encrypted", context: ["file": source])
            }
            throw corrupted("the file does not end in PAR1")
        }
        let length = tail.withUnsafeBytes {
            Int(UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: tail.count - 8, as: UInt32.self)))
        }
        guard length <= fileBytes - 12 else { throw corrupted("a footer of \(length) bytes passes the file's start") }
        guard length <= ParquetLimits.footerBytesMax else {
            throw FirnError(
                .limitExceeded, "parquet_footer_too_large", "the footer has \(length) bytes",
                context: ["file": source])
        }
        let start = fileBytes - 8 - length
        let bytes =
            length + 8 <= tail.count
            ? Array(tail[(tail.count - 8 - length)..<(tail.count - 8)])
            : try Self.fetch(start..<start + length, source: source, read)
        var reader = CompactReader(bytes, range: 0..<bytes.count, source: source, base: start)
        var footer = try ParquetFooter(thrift: &reader)
        // Some writers leave the count of the whole file at 0; that of a row group is needed to read it.
        if footer.rowCount == 0 { footer.rowCount = footer.rowGroups.reduce(0) { $0 &+ $1.rowCount } }
        return (footer, tail)
    }

    static func fetch(
        _ range: Range<Int>, source: String, _ read: (Range<Int>) throws -> [UInt8]
    ) throws -> [UInt8] {
        if range.isEmpty { return [] }
        let bytes = try read(range)
        guard bytes.count == range.count else {
            throw FirnError(
                .corrupted, "malformed_parquet", "the file ended at \(range.lowerBound + bytes.count) bytes",
                context: ["file": source, "offset": String(range.lowerBound)])
        }
        return bytes
    }

    /// Row groups must have one chunk a leaf, of the leaf's type.
    static func check(_ footer: ParquetFooter, _ leaves: [SchemaLeaf], source: String) throws(FirnError) {
        var rows = 0
        for (index, group) in footer.rowGroups.enumerated() {
            let fits =
                group.columns.count == leaves.count
                && zip(group.columns, leaves).allSatisfy { $0.physicalType == $1.element.physicalType }
            let (sum, overflow) = rows.addingReportingOverflow(group.rowCount)
            guard fits, !overflow else {
                throw FirnError(
                    .corrupted, "malformed_parquet", "row group \(index) does not fit the schema",
                    context: ["file": source])
            }
            rows = sum
        }
        guard rows == footer.rowCount else {
            throw FirnError(
                .corrupted, "malformed_parquet", "the row groups hold \(rows) rows, the footer says \(footer.rowCount)",
                context: ["file": source])
        }
    }
}

import Base
import Columnar
import Parquet

/// Reading what a check has fetched already.
public enum ManifestScan {
    /// Calls `body` with every entry of a manifest, statistics included, until it returns false. Throws `.corrupted`
    /// for damaged bytes and for a manifest of an unknown spec.
    public static func read(
        _ bytes: [UInt8], manifest: ManifestFile, metadata: TableMetadata, _ body: (ManifestEntry) throws -> Bool
    ) throws {
        guard let spec = metadata.spec(id: manifest.specId) else {
            throw FirnError(
                .corrupted, "bad_manifest", "a manifest has the unknown partition spec \(manifest.specId)",
                context: ["file": manifest.path])
        }
        var reader = try ManifestReader(
            bytes, manifest: manifest, partitionFields: metadata.partitionFields(of: spec), statistics: .all)
        try reader.readEntries(body)
    }
}

extension NameMapping {
    /// The footer of a file without field ids, with the ids that the mapping gives its columns.
    public func identified(_ footer: ParquetFooter) -> ParquetFooter { applied(to: footer) }
}

extension TableMetadata {
    /// The JSON of a metadata file, compressed or not, whatever it says. Throws as `parse`.
    public static func json(_ bytes: [UInt8], source: String) throws(FirnError) -> JSONValue {
        // Told by its first bytes: names of compressed files differ between writers.
        guard bytes.starts(with: [0x1f, 0x8b]) else { return try JSONValue(parsing: bytes, source: source) }
        let text = try Deflate.decompress(bytes, wrapping: .gzip, limit: Limits.wholeFileBytesMax)
        return try JSONValue(parsing: text, source: source)
    }

    /// Statistics files with their recorded lengths.
    public var statisticsFileSizes: [(snapshotId: Int64?, path: String, bytes: Int64?)] {
        preserved.filter { Self.statisticsMembers.contains($0.key) }.flatMap { $0.value.arrayValue ?? [] }.compactMap {
            item in
            item["statistics-path"]?.stringValue.map {
                (item["snapshot-id"]?.intValue, $0, item["file-size-in-bytes"]?.intValue)
            }
        }
    }
}

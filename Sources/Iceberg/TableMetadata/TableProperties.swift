import Base
import Columnar

/// Iceberg's table properties that Firn obeys, with Iceberg's names and defaults.
///
/// A value that does not parse counts as absent: tables are shared with other engines, and one bad property must not
/// stop ingestion.
///
/// Spec: https://iceberg.apache.org/docs/latest/configuration/
public struct TableProperties: Sendable {
    let values: [String: String]

    public init(_ values: [String: String]) { self.values = values }

    public subscript(_ key: String) -> String? { values[key] }

    public func integer(_ key: String, default fallback: Int, in range: ClosedRange<Int> = 0...Int.max) -> Int {
        values[key].flatMap { Int($0) }.flatMap { range.contains($0) ? $0 : nil } ?? fallback
    }

    public func flag(_ key: String, default fallback: Bool) -> Bool {
        switch values[key]?.lowercased() {
        case "true": true
        case "false": false
        default: fallback
        }
    }

    public var targetFileBytes: Int { integer("write.target-file-size-bytes", default: 512 << 20, in: 1...Int.max) }
    public var rowGroupBytes: Int { integer("write.parquet.row-group-size-bytes", default: 128 << 20, in: 1...Int.max) }
    public var pageBytes: Int { integer("write.parquet.page-size-bytes", default: 1 << 20, in: 1...Int(Int32.max)) }
    public var pageRows: Int { integer("write.parquet.page-row-limit", default: 20_000, in: 1...Int(Int32.max)) }
    public var dictionaryBytes: Int { integer("write.parquet.dict-size-bytes", default: 2 << 20) }
    public var previousMetadataFilesMax: Int {
        integer("write.metadata.previous-versions-max", default: 100, in: 1...Int.max)
    }
    public var deletesMetadataFiles: Bool { flag("write.metadata.delete-after-commit.enabled", default: false) }

    public var manifestBytesTarget: Int {
        integer("commit.manifest.target-size-bytes", default: 8 << 20, in: 1...Int.max)
    }
    public var manifestsToMergeMin: Int { integer("commit.manifest.min-count-to-merge", default: 100, in: 1...Int.max) }
    public var mergesManifests: Bool { flag("commit.manifest-merge.enabled", default: true) }

    /// True unless somebody else's snapshots or files must not be removed.
    public var allowsExpiry: Bool { flag("gc.enabled", default: true) }

    /// The metrics mode of a column by its dotted path.
    public func metricsMode(path: String) -> MetricsMode? {
        values["write.metadata.metrics.column." + path].flatMap(MetricsMode.init(parsing:))
    }
    public var metricsModeDefault: MetricsMode {
        values["write.metadata.metrics.default"].flatMap(MetricsMode.init(parsing:)) ?? .truncate(16)
    }
    /// Columns beyond these many get no metrics unless a property names them.
    public var metricsColumnsMax: Int {
        integer("write.metadata.metrics.max-inferred-column-defaults", default: 100)
    }

    public func dataFolder(of location: String) -> String { folder("write.data.path", location + "/data") }
    public func metadataFolder(of location: String) -> String { folder("write.metadata.path", location + "/metadata") }

    private func folder(_ key: String, _ fallback: String) -> String {
        var folder = values[key] ?? fallback
        while folder.hasSuffix("/") { folder.removeLast() }
        return folder.isEmpty ? fallback : folder
    }

    /// Names that belong to the metadata itself and are never stored as properties.
    public static let reserved: Set<String> = [
        "format-version", "uuid", "snapshot-count", "current-snapshot-summary", "current-snapshot-id",
        "current-snapshot-timestamp-ms", "current-schema", "default-partition-spec", "default-sort-order",
    ]
}

/// How much a data file's entry says about a column.
public enum MetricsMode: Hashable, Sendable {
    case none
    case counts
    /// Bounds cut to a number of code points or bytes.
    case truncate(Int)
    case full

    public init?(parsing text: String) {
        let name = text.lowercased().filter { $0 != " " }
        switch name {
        case "none": self = .none
        case "counts": self = .counts
        case "full": self = .full
        default:
            guard name.hasPrefix("truncate("), name.hasSuffix(")"), let width = Int(name.dropFirst(9).dropLast()),
                width > 0
            else { return nil }
            self = .truncate(width)
        }
    }
}

extension TableMetadata {
    public var tableProperties: TableProperties { TableProperties(properties) }
    public var dataFolder: String { tableProperties.dataFolder(of: location) }
    public var metadataFolder: String { tableProperties.metadataFolder(of: location) }
}

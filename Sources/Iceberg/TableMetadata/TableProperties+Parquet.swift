import Base
import Columnar
import Parquet

/// Properties of the table's Parquet files.
///
/// Names: https://iceberg.apache.org/docs/latest/configuration/#write-properties; `firn.parquet.encodings` is Firn's.
extension TableProperties {
    private static let codecKey = "write.parquet.compression-codec"
    private static let versionKey = "write.parquet.page-version"
    private static let encodingsKey = "firn.parquet.encodings"

    /// Why `value` cannot be given to the property `key`; nil when it can, or when the property is not among those
    /// that would be ignored silently. For creation and alteration by Firn: what other engines have written is read
    /// with `parquetOptions`, which never fails.
    public static func problem(_ key: String, _ value: String) -> String? {
        switch key {
        case codecKey where codec(value) == nil:
            return "\"\(value)\" is no codec that Firn writes; take zstd, snappy, gzip, lz4 or uncompressed"
        case versionKey where pageVersion(value) == nil: return "\"\(value)\" is no page version; take v1 or v2"
        case encodingsKey where ParquetWriteOptions.EncodingProfile(rawValue: value) == nil:
            return "\"\(value)\" is no choice of encodings; take compatible or modern"
        case "write.metadata.compression-codec" where !["none", "gzip"].contains(value.lowercased()):
            return "\"\(value)\" is no codec of metadata files; take none or gzip"
        default:
            if key.hasPrefix(columnPrefix("bloom-filter-fpp")), rate(value) == nil {
                return "\"\(value)\" is no rate of false positives; it lies above 0 and below 1"
            }
            if key.hasPrefix(columnPrefix("bloom-filter-ndv")), (Int(value) ?? 0) <= 0 {
                return "\"\(value)\" is no number of distinct values"
            }
            return nil
        }
    }

    private static func columnPrefix(_ name: String) -> String { "write.parquet.\(name).column." }

    private static func codec(_ text: String) -> ParquetCodec? {
        switch text.lowercased() {
        case "zstd": .zstd
        case "snappy": .snappy
        case "gzip": .gzip
        // Parquet's own LZ4 codec has two incompatible framings and is deprecated.
        case "lz4", "lz4_raw": .lz4Raw
        case "uncompressed", "none": .uncompressed
        default: nil
        }
    }

    private static func pageVersion(_ text: String) -> ParquetWriteOptions.PageVersion? {
        switch text.lowercased() {
        case "v1": .v1
        case "v2": .v2
        default: nil
        }
    }

    private static func rate(_ text: String) -> Double? {
        Double(text).flatMap { $0 > 0 && $0 < 1 ? $0 : nil }
    }

    /// The codec: zstd when the property is absent, or names one that Firn does not write.
    public var codec: ParquetCodec { self[Self.codecKey].flatMap(Self.codec) ?? .zstd }

    /// The codec's own default where the property is absent.
    public var compressionLevel: Int {
        let range = codec == .gzip ? 1...9 : 1...22
        return integer("write.parquet.compression-level", default: codec == .gzip ? 6 : 3, in: range)
    }

    /// Options for files of `schema`. A property that names no leaf column has no effect.
    public func parquetOptions(schema: Schema) -> ParquetWriteOptions {
        var options = ParquetWriteOptions()
        options.codec = codec
        options.compressionLevel = compressionLevel
        options.rowGroupBytesTarget = rowGroupBytes
        options.pageBytesTarget = pageBytes
        options.pageRowsMax = pageRows
        options.dictionaryBytesMax = dictionaryBytes
        options.pageVersion = self[Self.versionKey].flatMap(Self.pageVersion) ?? .v1
        options.encodingProfile = self[Self.encodingsKey].flatMap { .init(rawValue: $0) } ?? .compatible
        options.bloomFilterBytesMax = integer(
            "write.parquet.bloom-filter-max-bytes", default: 1 << 20, in: 32...(128 << 20))
        for (path, field) in schema.allFields where field.type.isPrimitive {
            if columnFlag("bloom-filter-enabled", path, default: false) {
                let rate = column("bloom-filter-fpp", path).flatMap(Self.rate) ?? 0.01
                let distinct = column("bloom-filter-ndv", path).flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
                options.bloomFilters[field.id] = .init(falsePositiveRate: rate, distinctCount: distinct)
            }
            if !columnFlag("stats-enabled", path, default: true) { options.columnsWithoutStatistics.insert(field.id) }
            if !columnFlag("dict-encoding-enabled", path, default: true) {
                options.columnsWithoutDictionary.insert(field.id)
            }
        }
        return options
    }

    private func column(_ name: String, _ path: String) -> String? { self[Self.columnPrefix(name) + path] }

    private func columnFlag(_ name: String, _ path: String, default fallback: Bool) -> Bool {
        flag(Self.columnPrefix(name) + path, default: fallback)
    }
}

extension SortOrder {
    /// What Parquet can say of rows in this order: the leading keys that are columns as they are.
    var parquetColumns: [ParquetWriteOptions.SortingColumn] {
        fields.prefix { $0.transform == .identity }.map {
            .init(
                fieldId: $0.sourceId, isDescending: $0.direction == .descending, nullsFirst: $0.nullOrder == .first)
        }
    }
}

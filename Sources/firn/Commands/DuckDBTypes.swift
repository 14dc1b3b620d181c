import Base
import Columnar
import Query

/// Iceberg's types as DuckDB calls them, and DuckDB's as a Parquet file can hold them.
enum DuckDBTypes {
    /// DuckDB keeps no nanoseconds beside a zone.
    static func name(_ type: DataType) -> String {
        switch type {
        case .boolean: "BOOLEAN"
        case .int: "INTEGER"
        case .long: "BIGINT"
        case .float: "FLOAT"
        case .double: "DOUBLE"
        case .decimal(let precision, let scale): "DECIMAL(\(precision), \(scale))"
        case .date: "DATE"
        case .time: "TIME"
        case .timestamp: "TIMESTAMP"
        case .timestampNs: "TIMESTAMP_NS"
        case .timestamptz, .timestamptzNs: "TIMESTAMP WITH TIME ZONE"
        case .string: "VARCHAR"
        case .uuid: "UUID"
        case .fixed, .binary: "BLOB"
        case .structure(let type):
            "STRUCT("
                + type.fields.map { ForeignStatement.quoted($0.name) + " " + name($0.type) }.joined(separator: ", ")
                + ")"
        case .list(let type): name(type.element) + "[]"
        case .map(let type): "MAP(\(name(type.key)), \(name(type.value)))"
        case .variant: "VARIANT"
        case .unknown: "INTEGER"
        }
    }

    /// A default as DuckDB casts it from text; nil for one it would not read as we mean it.
    static func text(_ value: Value, as type: DataType) -> String? {
        switch type {
        case .fixed, .binary, .structure, .list, .map, .variant, .unknown: nil
        default: value.text(as: type)
        }
    }

    /// The type, spelt as DESCRIBE does, to which a result's column is cast so that a file holds its values: whole
    /// numbers beyond 64 bits become decimals, and what no file holds becomes text.
    static func stored(_ described: String) -> String {
        for opaque in ["UNION(", "ENUM("] where described.hasPrefix(opaque) { return "VARCHAR" }
        var text = described
        for (type, replacement) in replacements { text = replacing(type, by: replacement, in: text) }
        return text
    }

    private static let replacements = [
        ("UHUGEINT", "DECIMAL(38, 0)"), ("HUGEINT", "DECIMAL(38, 0)"), ("UBIGINT", "DECIMAL(20, 0)"),
        ("TIMESTAMP_S", "TIMESTAMP"), ("TIMESTAMP_MS", "TIMESTAMP"), ("TIME WITH TIME ZONE", "VARCHAR"),
        ("TIME_NS", "TIME"), ("INTERVAL", "VARCHAR"), ("BIT", "VARCHAR"), ("BIGNUM", "VARCHAR"),
        ("GEOMETRY", "VARCHAR"), ("VARIANT", "JSON"), ("\"NULL\"", "INTEGER"),
    ]

    /// Replaces words, not parts of them.
    private static func replacing(_ word: String, by replacement: String, in text: String) -> String {
        func isPart(_ byte: UInt8?) -> Bool {
            guard let byte else { return false }
            return byte == UInt8(ascii: "_") || byte >= 0x80 || (0x30...0x39).contains(byte)
                || (0x61...0x7a).contains(byte | 0x20)
        }
        let bytes = Array(text.utf8)
        let needle = Array(word.utf8)
        var out: [UInt8] = []
        var at = 0
        while at < bytes.count {
            let end = at + needle.count
            let isWord =
                end <= bytes.count && bytes[at..<end].elementsEqual(needle) && !isPart(at > 0 ? bytes[at - 1] : nil)
                && !isPart(end < bytes.count ? bytes[end] : nil)
            if isWord {
                out += replacement.utf8
                at = end
            } else {
                out.append(bytes[at])
                at += 1
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}

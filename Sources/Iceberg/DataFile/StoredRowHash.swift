import Base
import Columnar
import Parquet

/// The hash of a data file's rows, which Firn's files carry in their footers.
///
/// The key-value `firn.row-hash` is `1:` and the 32 digits of a `RowHash` over all columns of the table; its rows are
/// those of the footer. `iceberg.schema` beside it is the schema they were written with. Metadata columns, such as the
/// row ids of rewritten files, are not part of it.
///
/// Other writers copy key-values of files that they rewrite, so only footers that Firn has written are believed.
public enum StoredRowHash {
    public static let key = "firn.row-hash"
    private static let version = "1:"
    private static let schemaKey = "iceberg.schema"

    /// How many of the columns the hash covers, from the first.
    static func columns(of schema: Schema) -> Int {
        schema.fields.firstIndex { MetadataColumn(fieldId: $0.id) != nil } ?? schema.fields.count
    }

    static func text(_ hash: RowHash) -> String { version + hash.description }

    /// The hash in a footer, and the columns that it covers; nil without one.
    public static func read(_ footer: ParquetFooter) -> (hash: RowHash, schema: Schema)? {
        guard footer.createdBy?.hasPrefix("firn version ") == true,
            let text = footer.keyValueMetadata[key], text.hasPrefix(version),
            let hash = RowHash(String(text.dropFirst(version.count)), rowCount: footer.rowCount),
            let json = footer.keyValueMetadata[schemaKey],
            let parsed = try? JSONValue(parsing: json, source: schemaKey),
            var schema = try? Schema(json: parsed, source: schemaKey)
        else { return nil }
        schema.fields = Array(schema.fields.prefix(columns(of: schema)))
        return (hash, schema)
    }

    /// The hash that a footer has for its rows as rows of `schema`: nothing was dropped since, types were only widened
    /// in ways that the hash does not see, and what came later is null in the file.
    public static func read(_ footer: ParquetFooter, as schema: Schema) -> RowHash? {
        guard let (hash, stored) = read(footer), covers(stored.fields, schema.fields) else { return nil }
        return hash
    }

    private static func covers(_ stored: [Field], _ wanted: [Field]) -> Bool {
        let added = wanted.filter { field in !stored.contains { $0.id == field.id } }
        return added.allSatisfy { $0.initialDefault == nil }
            && stored.allSatisfy { field in
                wanted.first { $0.id == field.id }.map { same(field.type, $0.type) } ?? false
            }
    }

    private static func same(_ stored: DataType, _ wanted: DataType) -> Bool {
        switch (stored, wanted) {
        case (.int, .long), (.float, .double): true
        case (.decimal(_, let a), .decimal(_, let b)): a == b
        case (.structure(let a), .structure(let b)): covers(a.fields, b.fields)
        case (.list(let a), .list(let b)): a.elementId == b.elementId && same(a.element, b.element)
        case (.map(let a), .map(let b)):
            a.keyId == b.keyId && a.valueId == b.valueId && same(a.key, b.key) && same(a.value, b.value)
        default: stored == wanted
        }
    }
}

import Base

/// The short form of schemas, partition specs and sort orders, as the command line and `POST /v1/tables` take them.
///
/// ```
/// schema    = [ column { "," column } ]
/// column    = name [ ":" ] type { required | default | doc }
/// required  = "required" | "not" "null" | "optional" | "null"
/// default   = "default" ( 'text' | number | "true" | "false" | "{}" | "null" )
/// doc       = ( "doc" | "comment" ) 'text'
/// type      = primitive | "decimal" "(" precision "," scale ")" | "fixed" "(" bytes ")"
///           | "struct" "<" column { "," column } ">" | "list" "<" type [ required ] ">"
///           | "map" "<" type "," type [ required ] ">"
/// partition = [ term [ "as" name ] { "," term [ "as" name ] } ]
/// sort      = [ term [ "asc" | "desc" ] [ "nulls" ( "first" | "last" ) ] { "," … } ]
/// term      = path | transform "(" path ")" | transform "(" number "," path ")" | transform "(" path "," number ")"
/// path      = name { "." name }
/// name      = letters, digits, "_", "-", non-ASCII; or anything in "double quotes" or `backquotes`, doubled to escape
/// ```
///
/// A default is what a record that leaves the column out gives it; text is of the column's type as it is printed
/// ('2026-01-31', '12.50'), and {} is a struct whose fields have defaults.
///
/// Keywords and types are taken in either case; names are kept as written. Example:
/// `id long required, price decimal(10,2), device struct<os string, version string>, tags list<string>`.
///
/// Every error is `.invalidInput` with code `bad_schema`, `bad_partition` or `bad_sort`, and says the position.
public enum ShortSchema {
    /// Parses the columns of a table. Ids are sequential in Iceberg's order: the fields of a struct first, then what
    /// lies beneath them; a catalog assigns them again.
    public static func parse(_ text: String) throws(FirnError) -> Schema {
        var parser = ShortSchemaParser(text, code: "bad_schema")
        var fields: [Field] = []
        if !parser.isAtEnd { fields = try parser.columns(depth: 0) }
        try parser.expectEnd()
        let schema = Schema(fields: fields).numbered()
        guard schema.allFields.count <= Limits.columnsMax else {
            throw FirnError(.invalidInput, "bad_schema", "The schema has more than \(Limits.columnsMax) columns.")
        }
        return schema
    }

    /// Parses `day(ts), bucket(16, id), country`; empty text is no partitioning.
    public static func parsePartition(_ text: String) throws(FirnError) -> [PartitionTerm] {
        var parser = ShortSchemaParser(text, code: "bad_partition")
        var terms: [PartitionTerm] = []
        while !parser.isAtEnd {
            let term = try parser.term()
            let name = parser.take(keyword: "as") ? try parser.name("a name for the partition field") : nil
            terms.append(
                PartitionTerm(transform: term.transform, argument: term.argument, column: term.column, name: name))
            if parser.isAtEnd { break }
            try parser.expect(",", after: "a partition term")
            try parser.expectMore("a partition term")
        }
        return terms
    }

    /// Parses `ts desc nulls last, id`; empty text is unsorted. Without `nulls`, nulls come first ascending and last
    /// descending, as in Spark's SQL for Iceberg.
    public static func parseSort(_ text: String) throws(FirnError) -> [SortTerm] {
        var parser = ShortSchemaParser(text, code: "bad_sort")
        var terms: [SortTerm] = []
        while !parser.isAtEnd {
            let term = try parser.term()
            let descending = parser.take(keyword: "desc")
            if !descending { _ = parser.take(keyword: "asc") }
            var nullsFirst = !descending
            if parser.take(keyword: "nulls") {
                nullsFirst = parser.take(keyword: "first")
                if !nullsFirst, !parser.take(keyword: "last") {
                    throw parser.error("expected 'first' or 'last' behind 'nulls'")
                }
            }
            terms.append(
                SortTerm(
                    transform: term.transform, argument: term.argument, column: term.column, descending: descending,
                    nullsFirst: nullsFirst))
            if parser.isAtEnd { break }
            try parser.expect(",", after: "a sort term")
            try parser.expectMore("a sort term")
        }
        return terms
    }
}

/// One field of a partition spec, before it is bound to a schema.
public struct PartitionTerm: Sendable, Hashable {
    /// `identity`, `bucket`, `truncate`, `year`, `month`, `day`, `hour` or `void`.
    public var transform: String
    /// Buckets or width; nil for the other transforms.
    public var argument: Int?
    /// Dotted path.
    public var column: String
    /// The partition field's name when one was given with `as`.
    public var name: String?

    public init(transform: String, argument: Int? = nil, column: String, name: String? = nil) {
        self.transform = transform
        self.argument = argument
        self.column = column
        self.name = name
    }
}

/// One field of a sort order, before it is bound to a schema.
public struct SortTerm: Sendable, Hashable {
    public var transform: String
    public var argument: Int?
    /// Dotted path.
    public var column: String
    public var descending: Bool
    public var nullsFirst: Bool

    public init(
        transform: String = "identity", argument: Int? = nil, column: String, descending: Bool = false,
        nullsFirst: Bool = true
    ) {
        self.transform = transform
        self.argument = argument
        self.column = column
        self.descending = descending
        self.nullsFirst = nullsFirst
    }
}

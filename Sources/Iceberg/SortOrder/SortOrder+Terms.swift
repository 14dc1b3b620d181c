import Base
import Columnar

extension SortOrder {
    /// Binds the short form (`ts desc nulls last, bucket(16, id)`) to a schema; `none` and empty text are unsorted.
    ///
    /// Throws `.invalidInput` (`bad_sort`, `unknown_column`) with a position or a name in its message.
    public init(parsing text: String, schema: Schema) throws(FirnError) {
        self.init()
        guard text != "none" else { return }
        for term in try ShortSchema.parseSort(text) {
            let source = try schema.source(term.column)
            let transform = Transform(parsing: term.argument.map { "\(term.transform)[\($0)]" } ?? term.transform)
            guard transform.accepts(source.type), transform != .void else {
                throw FirnError(
                    .invalidInput, "bad_sort",
                    "rows cannot be sorted by \(transform) of column \"\(term.column)\" of type \(source.type)",
                    context: ["column": term.column])
            }
            guard !fields.contains(where: { $0.sourceId == source.id && $0.transform == transform }) else {
                throw FirnError(
                    .invalidInput, "bad_sort", "\"\(term.column)\" is twice in the sort order",
                    context: ["column": term.column])
            }
            fields.append(
                SortField(
                    sourceId: source.id, transform: transform,
                    direction: term.descending ? .descending : .ascending,
                    nullOrder: term.nullsFirst ? .first : .last))
        }
    }

    /// The short form, with the columns' present names.
    public func text(_ schema: Schema) -> String {
        guard !isUnsorted else { return "none" }
        return fields.map { field in
            let column = schema.path(id: field.sourceId) ?? "id \(field.sourceId)"
            let direction = field.direction == .ascending ? "asc" : "desc"
            return "\(field.transform.term(column)) \(direction) nulls \(field.nullOrder == .first ? "first" : "last")"
        }.joined(separator: ", ")
    }
}

extension Transform {
    /// A column under this transform in the short form: `bucket(16, id)`, `day(ts)`, `country`.
    public func term(_ column: String) -> String {
        switch self {
        case .identity: column
        case .bucket(let count): "bucket(\(count), \(column))"
        case .truncate(let width): "truncate(\(width), \(column))"
        default: "\(self)(\(column))"
        }
    }
}

extension TableMetadata {
    /// The metadata with rows of new files in this order; files keep what they say of theirs.
    ///
    /// Throws as `SortOrder.init(parsing:schema:)`, and `.invalidInput` (`bad_sort_order`).
    public func sorted(by text: String) throws(FirnError) -> TableMetadata {
        let order = try SortOrder(parsing: text, schema: currentSchema)
        guard order.fields != defaultSortOrder.fields else { return self }
        var metadata = self
        try metadata.setDefaultSortOrder(metadata.addSortOrder(order))
        return metadata
    }
}

import Base
import Columnar

/// The order in which rows stand: the fields of a sort order, or a curve through several columns.
///
/// It says what the rows are compared by; `KeySort` compares, and says how nulls, NaN and directions order.
///
/// Spec: https://iceberg.apache.org/spec/#sorting
public struct RowOrder: Sendable {
    /// One thing that rows are compared by, the first before the second.
    enum Term: Sendable {
        case field(SortField)
        case curve(ZOrderCurve)
    }

    let terms: [Term]

    /// Nil for the unsorted order, and for one that cannot be established on these columns.
    ///
    /// - Parameter spec: rows are brought together by its partitions first, and sorted within each.
    public init?(_ order: SortOrder, spec: PartitionSpec? = nil, schema: Schema) {
        let leading = (spec?.fields ?? []).filter { $0.transform != .void }.map {
            SortField(sourceId: $0.sourceId, transform: $0.transform)
        }
        let fields = leading + order.fields
        guard !fields.isEmpty, fields.allSatisfy({ Self.canSort($0, schema) }) else { return nil }
        terms = fields.map { .field($0) }
    }

    /// Along a curve.
    ///
    /// - Parameter spec: as above. Nil when its partitions cannot be computed.
    public init?(_ curve: ZOrderCurve, spec: PartitionSpec? = nil, schema: Schema) {
        let leading = (spec?.fields ?? []).filter { $0.transform != .void }.map {
            SortField(sourceId: $0.sourceId, transform: $0.transform)
        }
        guard leading.allSatisfy({ Self.canSort($0, schema) }) else { return nil }
        terms = leading.map { .field($0) } + [.curve(curve)]
    }

    private static func canSort(_ field: SortField, _ schema: Schema) -> Bool {
        if case .unknown = field.transform { return false }
        guard let source = schema.field(id: field.sourceId) else { return true }
        return schema.chain(to: field.sourceId) != nil && field.transform.accepts(source.type)
    }

    /// What rows of a schema are compared by. A column that the schema lacks has one value in all rows: it decides
    /// nothing.
    func directions(_ schema: Schema) -> [KeyDirection] {
        terms.compactMap { term in
            guard case .field(let field) = term else { return KeyDirection(isDescending: false, nullsFirst: true) }
            guard schema.chain(to: field.sourceId) != nil else { return nil }
            return KeyDirection(isDescending: field.direction == .descending, nullsFirst: field.nullOrder == .first)
        }
    }

    /// The columns that the rows of a batch are compared by, one for each of `directions`.
    func columns(of batch: RecordBatch) -> [Column] {
        terms.compactMap { term in
            switch term {
            case .field(let field): batch.leaf(field.sourceId).map(field.transform.apply)
            case .curve(let curve): curve.places(of: batch)
            }
        }
    }

    /// The source columns of all terms.
    var sourceIds: Set<Int> {
        Set(
            terms.flatMap { term in
                switch term {
                case .field(let field): [field.sourceId]
                case .curve(let curve): curve.fieldIds
                }
            })
    }
}

/// Which of two values of a key column comes first.
struct KeyDirection: Hashable, Sendable {
    let isDescending: Bool
    let nullsFirst: Bool
}

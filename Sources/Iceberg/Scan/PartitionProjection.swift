import Base
import Columnar

/// Rewrites a predicate over rows into one over partition tuples that every matching row's tuple passes.
///
/// Each leaf becomes the conjunction of what follows from it for every partition field of its column:
/// - identity keeps it;
/// - an order-preserving transform turns `<` and `<=` into `<=` of the transformed literal, likewise above;
/// - any transform but void keeps equality, `in` and nullness;
/// - nothing follows otherwise.
///
/// Spec: https://iceberg.apache.org/spec/#scan-planning
struct PartitionProjection {
    let spec: PartitionSpec
    let columnType: (Int) -> DataType?

    /// Precondition: the predicate holds no `not`. Field ids of the result are partition field ids.
    func project(_ predicate: Expression) -> Expression {
        switch predicate {
        case .and(let a, let b): .and(project(a), project(b))
        case .or(let a, let b): .or(project(a), project(b))
        case .alwaysTrue, .alwaysFalse, .not: predicate == .alwaysFalse ? .alwaysFalse : .alwaysTrue
        case .compare(let id, _, _), .isNull(let id), .notNull(let id), .isIn(let id, _), .startsWith(let id, _):
            .all(spec.fields.filter { $0.sourceId == id }.map { project(predicate, $0) })
        }
    }

    private func project(_ leaf: Expression, _ field: PartitionField) -> Expression {
        switch field.transform {
        case .void, .unknown: return .alwaysTrue
        default: break
        }
        guard let type = columnType(field.sourceId), field.transform.accepts(type) else { return .alwaysTrue }
        switch leaf {
        case .isNull: return .isNull(fieldId: field.fieldId)
        case .notNull: return .notNull(fieldId: field.fieldId)
        case .compare(_, let comparison, let literal):
            return compare(comparison, literal, field, type)
        case .isIn(_, let literals):
            let values = literals.map { transformed($0, field, type) }
            guard !values.contains(nil) else { return .alwaysTrue }
            return .isIn(fieldId: field.fieldId, values.map { $0! })
        case .startsWith(_, let prefix):
            switch field.transform {
            case .identity: return .startsWith(fieldId: field.fieldId, prefix)
            case .truncate(let width):
                return .startsWith(fieldId: field.fieldId, Truncation.prefix(prefix, width))
            default: return .alwaysTrue
            }
        default: return .alwaysTrue
        }
    }

    private func compare(
        _ comparison: Expression.Comparison, _ literal: Value, _ field: PartitionField, _ type: DataType
    ) -> Expression {
        guard let value = transformed(literal, field, type) else { return .alwaysTrue }
        func keep(_ comparison: Expression.Comparison, _ value: Value) -> Expression {
            .compare(fieldId: field.fieldId, comparison, value)
        }
        if field.transform == .identity { return keep(comparison, value) }
        if comparison == .equal { return keep(.equal, value) }
        guard field.transform.preservesOrder else { return .alwaysTrue }
        switch comparison {
        case .lessOrEqual: return keep(.lessOrEqual, value)
        case .greaterOrEqual: return keep(.greaterOrEqual, value)
        // The neighbour makes a bound on the border of a day exclude that day.
        case .less: return keep(.lessOrEqual, neighbour(literal, -1).flatMap { transformed($0, field, type) } ?? value)
        case .greater:
            return keep(.greaterOrEqual, neighbour(literal, 1).flatMap { transformed($0, field, type) } ?? value)
        case .equal, .notEqual: return .alwaysTrue
        }
    }

    /// Nil for a literal that the column cannot hold.
    private func transformed(_ literal: Value, _ field: PartitionField, _ type: DataType) -> Value? {
        guard literal != .null, !ValueOrder.isNaN(literal), let fitting = literal.fitting(type) else { return nil }
        // Hours beyond 32 bits would wrap around.
        if field.transform == .hour, Int32(exactly: Transform.hours(fitting)) == nil { return nil }
        return field.transform.apply(fitting)
    }

    private func neighbour(_ value: Value, _ step: Int64) -> Value? {
        func moved<T: FixedWidthInteger>(_ v: T) -> T? {
            let (sum, overflow) = v.addingReportingOverflow(T(step))
            return overflow ? nil : sum
        }
        return switch value {
        case .int(let v): moved(v).map { .int($0) }
        case .long(let v): moved(v).map { .long($0) }
        case .date(let v): moved(v).map { .date($0) }
        case .timestamp(let v): moved(v).map { .timestamp($0) }
        case .timestamptz(let v): moved(v).map { .timestamptz($0) }
        case .timestampNs(let v): moved(v).map { .timestampNs($0) }
        case .timestamptzNs(let v): moved(v).map { .timestamptzNs($0) }
        case .decimal(let v, let scale): moved(v).map { .decimal($0, scale: scale) }
        default: nil
        }
    }
}

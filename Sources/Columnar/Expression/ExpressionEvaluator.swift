import Base

/// Evaluates a predicate over the rows of a batch.
///
/// Every node becomes one byte a row: false, true or unknown, as SQL's three-valued logic has it. Leaves run over the
/// raw buffers; a column of nested structs is null where any struct around it is. Comparisons with NaN are false
/// (`notEqual` is true).
public struct ExpressionEvaluator: Sendable {
    private let predicate: Expression

    public init(_ predicate: Expression) { self.predicate = predicate }

    /// The rows that pass, ascending.
    ///
    /// Throws `.invalidInput` (`unknown_column`) for a field id that the batch lacks, (`type_mismatch`) for a literal
    /// of another type than the column, `.unsupported` (`repeated_column`) for a field inside a list or map.
    public func select(_ batch: RecordBatch) throws(FirnError) -> [Int32] {
        let verdicts = try evaluate(predicate, batch)
        var rows: [Int32] = []
        rows.reserveCapacity(batch.rowCount)
        for row in 0..<batch.rowCount where verdicts[row] == Self.isTrue { rows.append(Int32(row)) }
        return rows
    }

    private static let isFalse: UInt8 = 0
    private static let isTrue: UInt8 = 1
    private static let isUnknown: UInt8 = 2

    private func evaluate(_ predicate: Expression, _ batch: RecordBatch) throws(FirnError) -> [UInt8] {
        switch predicate {
        case .alwaysTrue: return [UInt8](repeating: Self.isTrue, count: batch.rowCount)
        case .alwaysFalse: return [UInt8](repeating: Self.isFalse, count: batch.rowCount)
        case .not(let inner):
            var verdicts = try evaluate(inner, batch)
            for row in verdicts.indices where verdicts[row] != Self.isUnknown { verdicts[row] ^= 1 }
            return verdicts
        case .and(let a, let b): return try combine(a, b, batch, dominant: Self.isFalse)
        case .or(let a, let b): return try combine(a, b, batch, dominant: Self.isTrue)
        case .isNull(let id): return try nullness(id, batch, whenNull: Self.isTrue)
        case .notNull(let id): return try nullness(id, batch, whenNull: Self.isFalse)
        case .compare(let id, let comparison, let literal):
            let column = try resolve(id, batch)
            return try Self.finish(column, PredicateKernels.compare(column.column, comparison, literal))
        case .isIn(let id, let literals):
            let column = try resolve(id, batch)
            return try Self.finish(column, PredicateKernels.isIn(column.column, literals))
        case .startsWith(let id, let prefix):
            let column = try resolve(id, batch)
            return try Self.finish(column, PredicateKernels.starts(column.column, with: prefix))
        }
    }

    /// False dominates a conjunction, true a disjunction; else unknown wins.
    private func combine(
        _ a: Expression, _ b: Expression, _ batch: RecordBatch, dominant: UInt8
    ) throws(FirnError) -> [UInt8] {
        var verdicts = try evaluate(a, batch)
        let others = try evaluate(b, batch)
        for row in verdicts.indices {
            let other = others[row]
            if verdicts[row] == dominant || other == dominant {
                verdicts[row] = dominant
            } else if other == Self.isUnknown {
                verdicts[row] = Self.isUnknown
            }
        }
        return verdicts
    }

    /// A leaf column and the structs around it.
    private struct Resolved {
        let column: Column
        let parents: [Column]
    }

    private func resolve(_ id: Int, _ batch: RecordBatch) throws(FirnError) -> Resolved {
        guard let chain = batch.schema.chain(to: id) else {
            guard batch.schema.field(id: id) == nil else {
                throw FirnError(
                    .unsupported, "repeated_column", "a field inside a list or map cannot be compared",
                    context: ["column": batch.schema.path(id: id) ?? ""])
            }
            throw FirnError(.invalidInput, "unknown_column", "the rows have no column with id \(id)")
        }
        var column = batch.columns[batch.schema.fields.firstIndex { $0.id == chain[0].id }!]
        var parents: [Column] = []
        var fields = batch.schema.fields
        for (level, field) in chain.enumerated() where level > 0 {
            guard case .structure(let children) = column.storage, case .structure(let type) = chain[level - 1].type
            else { preconditionFailure("a struct column without children") }
            fields = type.fields
            parents.append(column)
            column = children[fields.firstIndex { $0.id == field.id }!]
        }
        return Resolved(column: column, parents: parents)
    }

    private func nullness(_ id: Int, _ batch: RecordBatch, whenNull: UInt8) throws(FirnError) -> [UInt8] {
        let resolved = try resolve(id, batch)
        var verdicts = [UInt8](repeating: whenNull ^ 1, count: batch.rowCount)
        for column in resolved.parents + [resolved.column] {
            guard let validity = column.validity else { continue }
            for row in 0..<batch.rowCount where validity[row] == 0 { verdicts[row] = whenNull }
        }
        return verdicts
    }

    /// Nulls, of the column or of a struct around it, are unknown.
    private static func finish(_ resolved: Resolved, _ verdicts: [UInt8]) -> [UInt8] {
        var verdicts = verdicts
        for column in resolved.parents + [resolved.column] {
            guard let validity = column.validity else { continue }
            let bits = validity.values
            for row in verdicts.indices where bits[row] == 0 { verdicts[row] = isUnknown }
        }
        return verdicts
    }
}

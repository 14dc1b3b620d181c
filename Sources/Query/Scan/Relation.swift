import Base
import Columnar

/// Something with typed rows: a table at one snapshot, or a metadata table.
public protocol Relation: AnyObject {
    var schema: Schema { get }
    /// Columns that a statement gets only by name, not with `*`; default none.
    var hiddenFields: [Field] { get }
    /// Whether scans can leave out members of structs, so that statements may name them; default false.
    var offersMembers: Bool { get }
    /// Columns that are the results of expressions, by id, with the type that is shown for them, if any. They compare
    /// as expressions do, without the affinity and collation of a column; default none.
    var expressionTypes: [Int: DataType?] { get }
    /// For the optimizer's choice of join order; need not be exact.
    var estimatedRows: Int { get }

    /// Starts a scan.
    ///
    /// - Parameters:
    ///   - projection: the wanted columns, with the ids of `schema` and `hiddenFields`, and structs without the members
    ///     that nobody wants; may be empty, when only the number of rows matters.
    ///   - filter: rows that do not pass it may be left out, and files and row groups without such rows should be.
    func scan(projection: Schema, filter: Expression) throws -> any RowScan
}

extension Relation {
    /// Of rows, with the columns that only come by name.
    var rowSchema: Schema { Schema(schemaId: schema.schemaId, fields: schema.fields + hiddenFields) }
    public var hiddenFields: [Field] { [] }
    public var offersMembers: Bool { false }
    public var expressionTypes: [Int: DataType?] { [:] }

    /// The columns that SQLite knows: first the hidden ones whose names are free, since it tells only of the first 63
    /// columns whether each is used, then those of the schema. `members` of structs are hidden, too.
    func columns(members: [Field]) -> [(field: Field, isHidden: Bool)] {
        let taken = Set(schema.fields.map { $0.name.lowercased() })
        let hidden = (members + hiddenFields).filter { !taken.contains($0.name.lowercased()) }
        return hidden.map { ($0, true) } + schema.fields.map { ($0, false) }
    }
}

/// A scan under way.
public protocol RowScan: AnyObject {
    /// The next rows, with the columns of `projection`; nil at the end.
    func next() throws -> NumberedBatch?
}

/// Rows with their numbers. A row has the same number in every scan of a relation, whatever the filter, since SQLite
/// scans once for each side of an OR and drops the rows it saw before.
public struct NumberedBatch {
    public let batch: RecordBatch
    /// Row i has the number `firstRow` + i or, with `rows`, `firstRow` + `rows[i]`.
    public let firstRow: Int64
    public let rows: [Int32]?
    /// True when all rows pass the scan's filter.
    public let isFiltered: Bool

    public init(_ batch: RecordBatch, firstRow: Int64, rows: [Int32]? = nil, isFiltered: Bool = false) {
        self.batch = batch
        self.firstRow = firstRow
        self.rows = rows
        self.isFiltered = isFiltered
    }

    func number(of row: Int) -> Int64 { firstRow + Int64(rows.map { Int($0[row]) } ?? row) }

    /// The rows that pass `filter`, the scan's own, and that SQLite is shown; it checks them again. Nil for all.
    func selected(by filter: Expression) throws -> [Int32]? {
        isFiltered || filter == .alwaysTrue ? nil : try ExpressionEvaluator(filter).select(batch)
    }
}

/// Finds the tables of statements.
public protocol SnapshotSource: Sendable {
    /// One relation a reference. Called once for a statement, so that a table named twice, or a table and its metadata
    /// tables, show one state.
    ///
    /// Throws `.notFound` (`table_not_found`, `snapshot_not_found`) for what does not exist.
    func relations(_ references: [TableReference], statistics: QueryStatistics) throws -> [any Relation]
}

/// Rows already in memory.
public final class MemoryRelation: Relation {
    public let schema: Schema
    public let hiddenFields: [Field]
    let batches: [RecordBatch]
    public var offersMembers: Bool { true }
    public var estimatedRows: Int { batches.reduce(0) { $0 + $1.rowCount } }

    /// Precondition: the batches have the columns of `schema`; there are none with hidden fields.
    public init(schema: Schema, hiddenFields: [Field] = [], batches: [RecordBatch]) {
        precondition(hiddenFields.isEmpty || batches.isEmpty)
        self.schema = schema
        self.hiddenFields = hiddenFields
        self.batches = batches
    }

    public func scan(projection: Schema, filter: Expression) -> any RowScan {
        if batches.isEmpty { return Scan(batches: []) }
        // Structs stay whole: they are there already.
        let positions = projection.fields.map { field in schema.fields.firstIndex { $0.id == field.id }! }
        let kept = Schema(fields: positions.map { schema.fields[$0] })
        return Scan(
            batches: batches.map { batch in
                RecordBatch(schema: kept, columns: positions.map { batch.columns[$0] }, rowCount: batch.rowCount)
            })
    }

    private final class Scan: RowScan {
        private var batches: ArraySlice<RecordBatch>
        private var firstRow: Int64 = 0

        init(batches: [RecordBatch]) { self.batches = batches[...] }

        func next() -> NumberedBatch? {
            guard let batch = batches.popFirst() else { return nil }
            defer { firstRow += Int64(batch.rowCount) }
            return NumberedBatch(batch, firstRow: firstRow)
        }
    }
}

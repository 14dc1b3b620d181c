import Base

/// A read-only table whose rows come from Swift.
///
/// 1. `Database.addVirtualTable` registers it under a name; statements then use the name like any table's.
/// 2. While compiling, SQLite offers the WHERE terms that name the table's columns; `plan` says which it wants.
/// 3. While running, SQLite opens a cursor, filters it with the values of the wanted terms and steps through it.
///    A join filters the inner table's cursor once for each outer row.
///
/// All calls come on the thread that runs the statement.
public protocol VirtualTable: AnyObject {
    var columns: [VirtualColumn] { get }
    func plan(_ request: IndexRequest) throws -> IndexPlan
    func open() throws -> any VirtualCursor
}

/// A position in one scan of a virtual table.
public protocol VirtualCursor: AnyObject {
    /// Starts a scan at its first row; called again for every restart.
    func filter(_ request: ScanRequest) throws
    var isAtEnd: Bool { get }
    func next() throws
    /// Writes one column of the current row; nothing written is NULL.
    func column(_ index: Int, _ result: ResultSink) throws
    /// Identifies the row: the same in every scan of the table while a statement runs, and no other row's.
    var rowId: Int64 { get }
}

public struct VirtualColumn: Sendable {
    public let name: String
    /// Decides the affinity of comparisons and is what `Statement.columnDeclaredType` answers.
    /// See https://www.sqlite.org/datatype3.html#determination_of_column_affinity
    public let declaredType: String
    /// The ordering of texts in comparisons; nil compares bytes.
    public let collation: String?

    public init(name: String, declaredType: String, collation: String? = nil) {
        self.name = name
        self.declaredType = declaredType
        self.collation = collation
    }
}

/// What the optimizer asks of a virtual table.
public struct IndexRequest {
    /// Kinds of WHERE terms; the numbers are SQLite's.
    public enum Operator: UInt8, Sendable {
        case equal = 2
        case greater = 4
        case lessOrEqual = 8
        case less = 16
        case greaterOrEqual = 32
        case like = 65
        case glob = 66
        case notEqual = 68
        case isNot = 69
        case isNotNull = 70
        case isNull = 71
        case identical = 72
        case limit = 73
        case offset = 74
    }

    /// `column operator value`, usable in this plan.
    public struct Constraint {
        public let column: Int
        public let comparison: Operator
        /// `column IN (…)`: `filter` gets all values at once.
        public let isList: Bool
        /// The value, when it is a constant of the statement. A list has none.
        public let constant: SQLValue?
        /// The ordering of texts that this comparison uses.
        public let collation: String
    }

    public struct Ordering: Sendable {
        public let column: Int
        public let descending: Bool
    }

    public let constraints: [Constraint]
    public let ordering: [Ordering]
    /// Bit i is column i; bit 63 stands for all columns from 63 on.
    public let columnsUsed: UInt64
}

/// How a virtual table would answer a request.
public struct IndexPlan {
    /// Indexes into the request's constraints that `filter` wants, in the order it wants them. SQLite still checks
    /// each one on every row, so a cursor may return rows that do not pass, but must return all that do.
    public var wanted: [Int]
    /// Those of `wanted` that SQLite need not check, since no row comes that does not pass.
    public var settled: Set<Int>
    /// The cost of one `filter` and its rows, in the units of "rows read".
    public var estimatedCost: Double
    public var estimatedRows: Int64
    /// The rows come in the order asked for.
    public var isOrdered: Bool

    public init(
        wanted: [Int] = [], settled: Set<Int> = [], estimatedCost: Double, estimatedRows: Int64,
        isOrdered: Bool = false
    ) {
        self.wanted = wanted
        self.settled = settled
        self.estimatedCost = estimatedCost
        self.estimatedRows = estimatedRows
        self.isOrdered = isOrdered
    }
}

/// One scan: the wanted constraints with their values.
public struct ScanRequest {
    public enum Operand: Hashable, Sendable {
        case value(SQLValue)
        case list([SQLValue])
    }

    public struct Constraint: Hashable {
        public let column: Int
        public let comparison: IndexRequest.Operator
        public let operand: Operand
        /// The same in every scan of the statement; false for values that come from other tables' rows.
        public let isConstant: Bool
    }

    public let constraints: [Constraint]
    public let columnsUsed: UInt64

    /// Whether the statement reads a column at all.
    public func uses(column: Int) -> Bool { columnsUsed & (1 << UInt64(min(column, 63))) != 0 }
}

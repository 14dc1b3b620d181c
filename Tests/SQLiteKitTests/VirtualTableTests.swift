import Base
import SQLiteKit
import Testing

/// The integers from 0 to `count` - 1 as (n, name), where `n` can be bounded from outside.
private final class Numbers: VirtualTable {
    let count: Int64
    var failure: FirnError?
    /// What each filter asked for.
    var filters: [[ScanRequest.Constraint]] = []
    var used: [UInt64] = []
    var rowsRead = 0

    init(_ count: Int64) { self.count = count }

    let columns = [
        VirtualColumn(name: "n", declaredType: "INTEGER"),
        VirtualColumn(name: "na\"me", declaredType: "TEXT", collation: "NOCASE"),
    ]

    func plan(_ request: IndexRequest) throws -> IndexPlan {
        let wanted = request.constraints.indices.filter { request.constraints[$0].column == 0 }
        return IndexPlan(wanted: wanted, estimatedCost: Double(count) / Double(wanted.count + 1), estimatedRows: count)
    }

    func open() -> any VirtualCursor { Cursor(self) }

    private final class Cursor: VirtualCursor {
        let table: Numbers
        var rowId: Int64 = 0
        var end: Int64 = 0

        init(_ table: Numbers) { self.table = table }

        func filter(_ request: ScanRequest) throws {
            table.filters.append(request.constraints)
            table.used.append(request.columnsUsed)
            rowId = 0
            end = table.count
            for constraint in request.constraints {
                guard case .value(.integer(let value)) = constraint.operand else { continue }
                switch constraint.comparison {
                case .equal: (rowId, end) = (max(rowId, value), min(end, value + 1))
                case .greaterOrEqual: rowId = max(rowId, value)
                case .lessOrEqual: end = min(end, value + 1)
                default: break
                }
            }
        }

        var isAtEnd: Bool { rowId >= end }

        func next() throws {
            rowId += 1
            if rowId == 5, let failure = table.failure { throw failure }
        }

        func column(_ index: Int, _ result: ResultSink) {
            table.rowsRead += 1
            if index == 0 { result.integer(rowId) } else { result.text("N\(rowId)") }
        }
    }
}

@Suite struct VirtualTableTests {
    private func make(_ count: Int64) throws -> (Database, Numbers) {
        let database = try Database(path: "", mode: .memory)
        let numbers = Numbers(count)
        try database.addVirtualTable("numbers$1", numbers)
        database.restrictToReads()
        return (database, numbers)
    }

    @Test func rowsAndColumnsArrive() throws {
        let (database, _) = try make(3)
        let rows = try database.query(#"SELECT "na""me", n, rowid FROM "numbers$1" ORDER BY n DESC"#)
        #expect(rows == [["N2", 2, 2], ["N1", 1, 1], ["N0", 0, 0]])
    }

    @Test func constraintsReachTheCursor() throws {
        let (database, numbers) = try make(1_000_000)
        let rows = try database.query(#"SELECT n FROM "numbers$1" WHERE n >= 7 AND n <= 1 + 8 AND n <> 8"#)
        #expect(rows == [[7], [9]])
        let filter = try #require(numbers.filters.first)
        #expect(
            Set(filter.map(\.operand)) == [.value(7), .value(9), .value(8)] && numbers.used == [1])
        #expect(numbers.rowsRead < 20)
    }

    @Test func listsArriveWhole() throws {
        let (database, numbers) = try make(10)
        #expect(try database.query(#"SELECT n FROM "numbers$1" WHERE n IN (3, 5, 99)"#) == [[3], [5]])
        #expect(numbers.filters.count == 1)
        #expect(numbers.filters[0].map(\.operand) == [.list([3, 5, 99])])
    }

    @Test func aLazyLimitStopsEarly() throws {
        let (database, numbers) = try make(1_000_000)
        #expect(try database.query(#"SELECT n FROM "numbers$1" LIMIT 2 OFFSET 1"#) == [[1], [2]])
        #expect(numbers.rowsRead < 5)
    }

    @Test func joinsFilterTheInnerTableForEachRow() throws {
        let (database, numbers) = try make(4)
        let rows = try database.query(
            #"SELECT a.n, b.n FROM "numbers$1" a JOIN "numbers$1" b ON b.n = a.n * 2 ORDER BY 1"#)
        #expect(rows == [[0, 0], [1, 2]])
        #expect(numbers.filters.contains { $0.contains { !$0.isConstant } })
    }

    @Test func theDeclaredCollationIsUsed() throws {
        let (database, _) = try make(4)
        #expect(try database.query(#"SELECT n FROM "numbers$1" WHERE "na""me" = 'n2'"#) == [[2]])
    }

    @Test func errorsComeThroughUnchanged() throws {
        let (database, numbers) = try make(10)
        numbers.failure = FirnError(.corrupted, "bad_page", "page 7", context: ["file": "x"])
        let thrown = error { try database.query(#"SELECT n FROM "numbers$1""#) }
        #expect(thrown?.kind == .corrupted && thrown?.code == "bad_page" && thrown?.context == ["file": "x"])
        numbers.failure = nil
        #expect(try database.query(#"SELECT count(*) FROM "numbers$1""#) == [[10]])
    }
}

import Base
import Glibc
import SQLiteKit
import Testing

/// A directory of its own for each test.
final class Scratch {
    let path: String

    init() {
        var template = Array("/tmp/firn-sqlite-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)!) }
    }

    deinit {
        let files = PosixFileSystem()
        for entry in (try? files.list(path)) ?? [] { try? files.remove(path + "/" + entry.name) }
        try? files.removeEmptyDirectory(path)
    }

    var file: String { path + "/test.db" }
}

func error<T>(of body: () throws -> T) -> FirnError? {
    do {
        _ = try body()
        return nil
    } catch { return error as? FirnError }
}

@Suite struct DatabaseTests {
    let scratch = Scratch()

    func open(busyTimeoutMs: Int = 30_000) throws -> Database {
        try Database(path: scratch.file, mode: .readWriteCreate, busyTimeoutMs: busyTimeoutMs)
    }

    @Test func filesAreWriteAheadLoggedAndSyncedInFull() throws {
        let database = try open()
        #expect(try database.query("PRAGMA journal_mode") == [["wal"]])
        #expect(try database.query("PRAGMA synchronous") == [[2]])
        #expect(try database.query("PRAGMA foreign_keys") == [[1]])
    }

    @Test func everyKindOfValueComesBack() throws {
        let database = try Database(path: "", mode: .memory)
        let values: [SQLValue] = [nil, .integer(.min), 0.5, "a\0ö", "", .blob([0, 255]), .blob([])]
        let row = try database.queryRow("SELECT ?, ?, ?, ?, ?, ?, ?", values)
        #expect(row == values)
    }

    @Test func preparedStatementsAreReusedOnlyWhenFree() throws {
        let database = try Database(path: "", mode: .memory)
        let first = try database.prepare("SELECT ?")
        try first.bind([1])
        #expect(try first.step())
        let second = try database.prepare("SELECT ?")
        try second.bind([2])
        #expect(try second.step())
        #expect(first.int(0) == 1 && second.int(0) == 2)
    }

    @Test func aReusedStatementForgetsItsBindings() throws {
        let database = try Database(path: "", mode: .memory)
        #expect(try database.query("SELECT ?", ["x"]) == [["x"]])
        let again = try database.prepare("SELECT ?")
        #expect(try again.step())
        #expect(again.isNull(0))
    }

    @Test func rollsBackWhenTheBodyThrows() throws {
        let database = try open()
        try database.execute("CREATE TABLE t (x INTEGER PRIMARY KEY)")
        let thrown = error {
            try database.transaction {
                try database.run("INSERT INTO t VALUES (1)")
                throw FirnError(.conflict, "mine", "stop")
            }
        }
        #expect(thrown?.code == "mine")
        #expect(!database.isInTransaction)
        #expect(try database.query("SELECT * FROM t") == [])
        try database.transaction { try database.run("INSERT INTO t VALUES (2)") }
        #expect(try open().query("SELECT * FROM t") == [[2]])
    }

    @Test func errorsAreMapped() throws {
        let database = try open()
        try database.execute(
            """
            CREATE TABLE t (x INTEGER PRIMARY KEY, y TEXT NOT NULL DEFAULT '' UNIQUE);
            CREATE TABLE child (x INTEGER REFERENCES t (x));
            INSERT INTO t VALUES (1, 'a')
            """)
        #expect(error { try database.run("INSERT INTO t VALUES (1, 'b')") }?.kind == .alreadyExists)
        #expect(error { try database.run("INSERT INTO t VALUES (2, 'a')") }?.kind == .alreadyExists)
        #expect(error { try database.run("INSERT INTO t VALUES (3, NULL)") }?.code == "constraint_violated")
        #expect(error { try database.run("INSERT INTO child VALUES (9)") }?.code == "constraint_foreign_key")
        let syntax = error { try database.run("SELECT nothing FROM t") }
        #expect(syntax?.kind == .invalidInput && syntax?.context["offset"] == "7")
        #expect(error { try database.run("SELECT 1; SELECT 2") }?.code == "several_statements")
        #expect(error { try database.run("  -- nothing") }?.code == "empty_statement")
        let missing = error { try Database(path: scratch.path + "/absent.db", mode: .readWrite) }
        #expect(missing?.kind == .notFound)
        try PosixFileSystem().writeAll(Array(repeating: 7, count: 4096), to: scratch.path + "/noise.db")
        let noise = error { try Database(path: scratch.path + "/noise.db", mode: .readWriteCreate) }
        #expect(noise?.kind == .corrupted)
    }

    @Test func aSecondWriterWaitsAndThenIsToldBusy() throws {
        let first = try open()
        try first.execute("CREATE TABLE t (x)")
        let second = try open(busyTimeoutMs: 20)
        try first.transaction {
            let busy = error { try second.transaction {} }
            #expect(busy?.kind == .overloaded && busy?.code == "catalog_busy")
        }
        try second.transaction { try second.run("INSERT INTO t VALUES (1)") }
    }

    @Test func aReaderThatWritesTooLateConflicts() throws {
        let first = try open()
        try first.execute("CREATE TABLE t (x)")
        let second = try open(busyTimeoutMs: 20)
        let late = error {
            try second.transaction(.deferred) {
                _ = try second.query("SELECT * FROM t")
                try first.run("INSERT INTO t VALUES (1)")
                try second.run("INSERT INTO t VALUES (2)")
            }
        }
        #expect(late?.kind == .conflict)
        #expect(try first.query("SELECT x FROM t") == [[1]])
    }

    @Test func migrationsRunOnceAndInOrder() throws {
        let database = try open()
        let one = Migrations.Migration(name: "0001-a", sql: "CREATE TABLE a (x); CREATE TABLE b (y)")
        let two = Migrations.Migration(name: "0002-b", sql: "INSERT INTO a VALUES (1)")
        #expect(try Migrations([one]).apply(to: database, nowMs: 5) == ["0001-a"])
        #expect(try Migrations([one, two]).apply(to: database, nowMs: 6) == ["0002-b"])
        #expect(try Migrations([one, two]).apply(to: open(), nowMs: 7) == [])
        #expect(try database.query("SELECT x FROM a") == [[1]])
        #expect(
            try database.query("SELECT name, applied_ms FROM firn_migrations ORDER BY name")
                == [["0001-a", 5], ["0002-b", 6]])
        #expect(error { try Migrations([one]).apply(to: database, nowMs: 8) }?.code == "newer_schema")
    }

    @Test func aFailedMigrationLeavesNothing() throws {
        let database = try open()
        let bad = Migrations([
            .init(name: "0001", sql: "CREATE TABLE a (x)"), .init(name: "0002", sql: "CREATE TABLE a (x)"),
        ])
        #expect(error { try bad.apply(to: database, nowMs: 1) } != nil)
        #expect(try database.query("SELECT name FROM sqlite_schema") == [])
    }
}

@Suite struct GuardTests {
    @Test(arguments: [
        "ATTACH '/etc/passwd' AS p", "PRAGMA writable_schema=ON", "CREATE TABLE u (x)", "INSERT INTO t VALUES (1)",
        "DELETE FROM t", "BEGIN", "SELECT load_extension('x')", "VACUUM INTO '/tmp/x'", "DROP TABLE t",
        "SELECT * FROM pragma_database_list",
    ])
    func aRestrictedConnectionOnlyReads(_ sql: String) throws {
        let database = try Database(path: "", mode: .memory)
        try database.execute("CREATE TABLE t (x); INSERT INTO t VALUES (3)")
        database.restrictToReads()
        #expect(error { try database.run(sql) }?.kind == .invalidInput)
        let rows = try database.query(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT sum(i), max(x) FROM n, t"
        )
        #expect(rows == [[6, 3]])
    }

    @Test func theProgressHandlerStopsAnEndlessStatement() throws {
        let database = try Database(path: "", mode: .memory)
        var calls = 0
        database.setProgressHandler(everyInstructions: 1000) {
            calls += 1
            return calls > 10
        }
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
        #expect(error { try database.query(endless) }?.kind == .cancelled)
        #expect(calls == 11)
        database.setProgressHandler(everyInstructions: 1000, nil)
        #expect(try database.query("SELECT 1") == [[1]])
    }

    @Test func limitsHold() throws {
        let database = try Database(path: "", mode: .memory)
        database.setLimit(.valueBytes, 1000)
        #expect(error { try database.query("SELECT zeroblob(2000)") }?.kind == .limitExceeded)
    }

    /// SQLite looks at the length of such a value only when it is complete, or does not fit into memory.
    @Test(arguments: ["json_group_array(h)", "json_group_object(x, h)"])
    func noValueGrowsWithoutBound(_ value: String) throws {
        let database = try Database(path: "", mode: .memory)
        database.setLimit(.valueBytes, 1 << 20)
        let rows = "SELECT 1 AS x, hex(zeroblob(500000)) AS h UNION ALL SELECT x + 1, h FROM c WHERE x < 600"
        let failure = error { try database.query("WITH RECURSIVE c AS (\(rows)) SELECT length(\(value)) FROM c") }
        #expect(failure?.kind == .limitExceeded && failure?.code == "out_of_memory")
        #expect(try database.query("SELECT length(hex(zeroblob(400000)))") == [[.integer(800_000)]])
    }

    @Test func aCollationOrdersTexts() throws {
        let database = try Database(path: "", mode: .memory)
        try database.addCollation("length") { $0.count - $1.count }
        let rows = try database.query(
            "SELECT column1 FROM (VALUES ('ccc'), ('a'), ('bb')) ORDER BY column1 COLLATE length DESC")
        #expect(rows == [["ccc"], ["bb"], ["a"]])
    }

    /// `instr` and `replace` are Firn's own; the answers are SQLite's.
    @Test func longTextsAreSearchedInLinearTime() throws {
        let ours = try Database(path: "", mode: .memory)
        try ours.addLinearTextSearch()
        let theirs = try Database(path: "", mode: .memory)
        let values = [
            "NULL", "''", "'a'", "'aab'", "'aabaaab'", "'ä€😀ä'", "'€'", "x''", "x'00'", "x'6100'", "x'c3a4'", "12.5",
            "1112111", "'aaaaaaab'", "'ababab'", "'abab'", "zeroblob(3)", "char(0)", "'x' || char(0) || 'y'",
        ]
        for a in values {
            for b in values {
                let instr = "SELECT instr(\(a), \(b))"
                #expect(try ours.query(instr) == theirs.query(instr), "\(instr)")
                for c in ["'-'", "''", "NULL", "7", b] {
                    let replace = "SELECT replace(\(a), \(b), \(c)), typeof(replace(\(a), \(b), \(c)))"
                    #expect(try ours.query(replace) == theirs.query(replace), "\(replace)")
                }
            }
        }
        ours.setLimit(.valueBytes, 1000)
        #expect(
            error { try ours.query("SELECT replace(hex(zeroblob(100)), '0', '0123456789')") }?.kind == .limitExceeded)
        ours.setLimit(.valueBytes, 1 << 30)
        #expect(
            try ours.query("SELECT instr(zeroblob(20000000), CAST(zeroblob(10000000) || x'01' AS BLOB))")
                == [[.integer(0)]])
    }
}

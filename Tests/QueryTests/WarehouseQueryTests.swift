import Base
import Catalog
import Columnar
import Query
import SQLiteKit
import Testing

@Suite struct WarehouseQueryTests {
    let data: QueryWarehouse

    init() throws { data = try QueryWarehouse() }

    /// Scripts in the form of sqllogictest: `query`, the statement, `----`, one line a row with `|` between columns.
    /// `$1` and `$2` stand for the ids of the two snapshots; `error` is followed by an error code.
    /// DuckDB 1.5.5 gives the same rows for `select` (but sorts NULL last and sums decimals exactly).
    @Test(arguments: ["select", "time-travel", "metadata"])
    func scriptsHold(_ name: String) throws {
        let folder = #filePath.parentDirectory.parentDirectory + "/slt/"
        let text = String(decoding: try PosixFileSystem().readAll(folder + name + ".slt"), as: UTF8.self)
        var ran = 0
        for record in text.split(separator: "\n\n") {
            let lines = record.split(separator: "\n").filter { !$0.hasPrefix("#") }
            guard let kind = lines.first else { continue }
            let split = lines.firstIndex(of: "----") ?? lines.endIndex
            let sql = filled(lines[1..<split].joined(separator: " "))
            ran += 1
            if kind.hasPrefix("error") {
                #expect(error { try data.rows(sql) }?.code == String(kind.dropFirst(6)), "\(sql)")
                continue
            }
            let rows = try data.rows(sql).map { $0.map(Self.text).joined(separator: "|") }
            #expect(rows == lines[min(split + 1, lines.endIndex)...].map { filled(String($0)) }, "\(sql)")
        }
        #expect(ran > 5)
    }

    private func filled(_ text: String) -> String {
        text.replacing("$1", with: String(data.snapshots[0])).replacing("$2", with: String(data.snapshots[1]))
    }

    private static func text(_ value: SQLValue) -> String {
        switch value {
        case .null: "NULL"
        case .integer(let value): String(value)
        case .real(let value): "\(value)"
        case .text(let value): value
        case .blob(let value): Hex.encode(value)
        }
    }

    @Test func filtersSkipFiles() throws {
        let all = try data.query("SELECT sum(id) FROM web.clicks")
        #expect(try all.rows() == [[19900]])
        #expect(all.counters.filesTotal == all.counters.filesRead && all.counters.filesSkipped == 0)
        #expect(all.counters.rowsRead == 200)
        for condition in ["country = 'CH'", "ts >= '2026-01-02' AND ts < '2026-01-03'", "id = 7", "price > 49"] {
            let result = try data.query("SELECT id FROM web.clicks WHERE \(condition)")
            _ = try result.rows()
            #expect(result.counters.filesSkipped > 0, "\(condition)")
            #expect(result.counters.filesSkipped + result.counters.filesRead == result.counters.filesTotal)
        }
    }

    @Test func countingReadsNoDataFile() throws {
        let result = try data.query("SELECT count(*) FROM web.clicks")
        #expect(try result.rows() == [[200]])
        #expect(result.counters.filesRead == 0 && result.counters.filesTotal > 0)
    }

    @Test func manifestsAnswerWhereTheyCan() throws {
        for (sql, rows) in [
            ("SELECT min(id), max(id), count(id), count(country) FROM web.clicks", [[0, 199, 200, 150]]),
            (
                "SELECT country, count(*), max(id) FROM web.clicks GROUP BY country ORDER BY 1",
                [[nil, 50, 199], ["CH", 50, 196], ["DE", 50, 197], ["FR", 50, 198]]
            ),
            (
                "SELECT min(ts), max(price) FROM web.clicks WHERE country = 'DE'",
                [["2026-01-01T00:15:00Z", "49.25"]]
            ),
            ("SELECT count(*) FROM web.clicks WHERE ts >= '2026-01-02' AND country IN ('CH', 'DE')", [[52]]),
        ] as [(String, [[SQLValue]])] {
            let result = try data.query(sql)
            #expect(try result.rows() == rows, "\(sql)")
            #expect(result.counters.filesRead == 0 && result.counters.filesAnswered > 0, "\(sql)")
        }
        // A filter that goes through files reads those alone.
        let cut = try data.query("SELECT count(*), max(id) FROM web.clicks WHERE id < 150")
        #expect(try cut.rows() == [[150, 149]])
        #expect(cut.counters.filesRead > 0 && cut.counters.filesAnswered > 0)
        // Sums and texts are not in manifests.
        for call in ["sum(id)", "max(country)", "count(DISTINCT id)", "max(score)", "count(score)"] {
            let result = try data.query("SELECT \(call) FROM web.clicks")
            _ = try result.rows()
            #expect(result.counters.filesAnswered == 0, "\(call)")
        }
    }

    @Test func explanationsTellWhatIsRead() throws {
        let sql = "SELECT id FROM web.clicks WHERE country = 'CH' AND ts >= '2026-01-02'"
        let planned = try data.query("EXPLAIN " + sql)
        let columns = planned.columns.map(\.name)
        func value(_ rows: [[SQLValue]], _ name: String) -> SQLValue { rows[0][columns.firstIndex(of: name)!] }
        let plan = try planned.rows()
        #expect(plan.count == 1 && value(plan, "table") == "web.clicks" && value(plan, "for") == "rows")
        #expect(value(plan, "filter") == "country = 'CH' AND ts >= '2026-01-02T00:00:00Z'")
        #expect(value(plan, "rows_read") == nil && value(plan, "snapshot_id") == .integer(data.snapshots[1]))
        let ran = try data.rows("EXPLAIN ANALYZE " + sql)
        for name in ["files", "files_skipped", "files_to_read", "bytes_to_read"] {
            #expect(value(ran, name) == value(plan, name), "\(name)")
        }
        #expect(value(ran, "rows_read") == 26)
        let counted = try data.rows("EXPLAIN SELECT count(*) FROM web.clicks")
        #expect(value(counted, "for") == "groups" && value(counted, "files_to_read") == 0)
        #expect(value(counted, "files") == value(counted, "files_from_metadata"))
    }

    @Test func changesAreAFunctionToo() throws {
        let range = "FROM web.clicks FOR CHANGES BETWEEN $1 AND $2"
        let changes = try data.rows(filled("SELECT count(*), min(id) \(range)"))
        #expect(changes == [[100, 100]])
        #expect(try data.rows(filled("SELECT count(*), min(c.id) FROM changes('web.clicks', $1, $2) c")) == changes)
        #expect(try data.rows(filled("SELECT count(*), min(id) FROM changes('web.clicks', $1)")) == changes)
        #expect(try data.rows("SELECT count(*) FROM changes('web.clicks')") == [[200]])
        #expect(error { try data.rows("SELECT * FROM changes(5)") }?.code == "bad_version")
        #expect(error { try data.rows("SELECT * FROM changes('clicks')") }?.code == "table_without_namespace")
    }

    @Test func limitReadsOneFile() throws {
        let result = try data.query("SELECT * FROM web.clicks LIMIT 3")
        #expect(try result.rows().count == 3)
        #expect(result.counters.filesRead == 1)
    }

    @Test func aStatementKeepsItsSnapshot() throws {
        let result = try data.query("SELECT count(*) FROM web.clicks WHERE id >= 0")
        try data.warehouse.dropTable(TableIdentifier(parsing: "web.clicks"), purge: false)
        #expect(try result.rows() == [[200]])
    }
}

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

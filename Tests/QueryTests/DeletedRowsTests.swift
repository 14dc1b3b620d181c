import Base
import Catalog
import Columnar
import Iceberg
import Query
import SQLiteKit
import Storage
import Testing

/// Queries of a table with deletes, and of where its rows are.
@Suite struct DeletedRowsTests {
    let data: QueryWarehouse

    init() throws { data = try QueryWarehouse() }

    /// Deletes the rows with these ids as another engine would, in files chosen by the rows' own hidden columns.
    private func delete(_ ids: [Int]) throws {
        let id = try TableIdentifier(parsing: "web.clicks")
        let committer = try data.warehouse.committer(for: id)
        let metadata = try committer.table().metadata
        let list = ids.map { String($0) }.joined(separator: ",")
        var positions: [String: RowPositions] = [:]
        for row in try data.rows("SELECT _file, _pos FROM web.clicks WHERE id IN (\(list))") {
            guard case .text(let path) = row[0], case .integer(let position) = row[1] else { continue }
            positions[path, default: RowPositions()].insert(position)
        }
        let plan = try ScanPlanner.plan(
            metadata: metadata, snapshot: metadata.currentSnapshot!, store: data.warehouse.store)
        let run = data.warehouse.environment.uuid()
        let writer = DeleteFileWriter(metadata: metadata, store: data.warehouse.store) { folder, index, kind in
            let location = "\(metadata.dataFolder)/\(folder)/\(run)-\(index)-deletes.\(kind)"
            try data.warehouse.ledger.record([location], table: metadata.tableUUID)
            return location
        }
        let targets = plan.tasks.compactMap { task in positions[task.dataFile.path].map { (task, $0) } }
        var delta = TableCommitter.RowDelta()
        (delta.addedDeletes, delta.removedDeletes) = try writer.write(targets)
        data.clock.advance(ms: 1000)
        _ = try committer.rowDelta(delta)
    }

    @Test(arguments: [2, 3]) func deletedRowsAreGone(version: Int) throws {
        if version == 3 {
            let id = try TableIdentifier(parsing: "web.clicks")
            _ = try data.warehouse.committer(for: id).upgrade(formatVersion: 3)
        }
        try delete(Array(stride(from: 0, to: 200, by: 7)))
        try delete([1, 2, 3, 199])
        let left = (0..<200).filter { $0 % 7 != 0 && ![1, 2, 3, 199].contains($0) }
        func ids(_ filter: String) throws -> [SQLValue] {
            try data.rows("SELECT id FROM web.clicks \(filter) ORDER BY id").map { $0[0] }
        }
        #expect(try ids("") == left.map { .integer(Int64($0)) })
        #expect(try data.rows("SELECT count(*) FROM web.clicks") == [[.integer(Int64(left.count))]])
        #expect(try ids("WHERE id < 20") == left.filter { $0 < 20 }.map { .integer(Int64($0)) })
        #expect(
            try ids("WHERE country = 'DE' OR id = 7 OR id = 8")
                == left.filter { $0 % 4 == 1 || $0 == 8 }.map {
                    .integer(Int64($0))
                })
        // The snapshots before still have them.
        #expect(
            try data.rows("SELECT count(*) FROM web.clicks FOR VERSION AS OF \(data.snapshots[1])")
                == [[.integer(200)]])
        // Joins look rows up in what is left.
        #expect(
            try data.rows("SELECT count(*) FROM web.clicks a JOIN web.clicks b ON a.id = b.id + 7")
                == [[.integer(Int64(left.filter { left.contains($0 - 7) }.count))]])
    }

    @Test func hiddenColumnsComeOnlyByName() throws {
        #expect(try data.query("SELECT * FROM web.clicks LIMIT 0").columns.map(\.name).first == "id")
        let files = try data.rows("SELECT DISTINCT _file FROM web.clicks").map { $0[0] }
        #expect(files.count > 4)
        for file in files {
            guard case .text(let path) = file else { continue }
            let rows = try data.rows("SELECT _pos FROM web.clicks WHERE _file = '\(path)' ORDER BY _pos")
            #expect(rows == (0..<rows.count).map { [.integer(Int64($0))] })
            let first = try data.rows("SELECT id FROM web.clicks WHERE _file = '\(path)' AND _pos = 0")
            #expect(first.count == 1)
        }
        let lineage = try data.rows("SELECT DISTINCT _row_id, _last_updated_sequence_number FROM web.clicks")
        #expect(lineage == [[.null, .null]])
        #expect(try data.rows("SELECT _file, _pos FROM web.empty").isEmpty)
    }
}

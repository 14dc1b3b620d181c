import Base
import Catalog
import Columnar
import Iceberg
import Parquet
import Storage

/// What other writers do to a table.
extension WarehouseFixture {
    func upgrade() throws { _ = try warehouse.committer(for: table).upgrade(formatVersion: 3) }

    /// Every data file with the positions of these ids.
    private func find(_ ids: Set<Int64>, _ metadata: TableMetadata) throws -> [DeleteFileWriter.Target] {
        let schema = Schema(fields: [metadata.currentSchema.fields[0], MetadataColumn.position.field])
        let plan = try ScanPlanner.plan(
            metadata: metadata, snapshot: metadata.currentSnapshot!, store: warehouse.store)
        return try plan.tasks.map { task in
            var positions = RowPositions()
            let reader = try DataFileReader(task, schema: schema, store: warehouse.store)
            while let batch = try reader.next() {
                for row in 0..<batch.rowCount {
                    guard case .long(let id) = batch.columns[0].value(at: row), ids.contains(id),
                        case .long(let position) = batch.columns[1].value(at: row)
                    else { continue }
                    positions.insert(position)
                }
            }
            return (task, positions)
        }
    }

    /// Deletes rows by id, through positions.
    func delete(_ ids: Set<Int64>) throws {
        let metadata = try warehouse.loadTable(table).metadata
        var delta = TableCommitter.RowDelta()
        let writer = DeleteFileWriter(metadata: metadata, store: warehouse.store) { folder, index, kind in
            try self.location(metadata, "\(index)-deletes.\(kind)")
        }
        (delta.addedDeletes, delta.removedDeletes) = try writer.write(try find(ids, metadata))
        try commit(delta)
    }

    /// Deletes rows by id by writing the rest of their files anew, as engines without delete files do.
    func deleteByCopy(_ ids: Set<Int64>) throws {
        let metadata = try warehouse.loadTable(table).metadata
        var delta = TableCommitter.RowDelta()
        let writer = try DataFileWriter(metadata: metadata, store: warehouse.store) { folder, index in
            try self.location(metadata, "copy-\(index).parquet")
        }
        for (task, positions) in try find(ids, metadata) where !positions.isEmpty {
            delta.removedData.insert(task.dataFile.path)
            let reader = try DataFileReader(task, schema: metadata.currentSchema, store: warehouse.store)
            while let batch = try reader.next() {
                let rows = (0..<batch.rowCount).map { row in batch.columns.map { $0.value(at: row) } }
                let rest = rows.filter { row in
                    guard case .long(let id) = row[0] else { return true }
                    return !ids.contains(id)
                }
                try writer.write(Self.batch(rest, schema: batch.schema))
            }
        }
        delta.addedData = try writer.finish()
        try commit(delta)
    }

    /// Deletes rows by id, through an equality delete file, as stream processors do.
    func deleteEqual(_ ids: [Int64]) throws {
        let metadata = try metadata()
        let schema = Schema(fields: [metadata.currentSchema.fields[0]])
        let builder = BatchBuilder(schema)
        for id in ids { builder.columns[0].append(.long(id)) }
        var bytes: [UInt8] = []
        let writer = ParquetFileWriter(schema: schema) { bytes += $0 }
        try writer.write(builder.finish())
        _ = try writer.close()
        let path = try location(metadata, "eq.parquet")
        try warehouse.store.put(path, bytes)
        var file = DataFile(
            content: .equalityDeletes, path: path, recordCount: Int64(ids.count), fileBytes: Int64(bytes.count))
        file.equalityIds = [1]
        var delta = TableCommitter.RowDelta()
        delta.addedDeletes = [file]
        try commit(delta)
    }

    /// Removes whole data files.
    func remove(_ files: [DataFile]) throws {
        clock.advance(ms: 10)
        _ = try warehouse.committer(for: table).deleteFiles(Set(files.map(\.path)))
    }

    private func location(_ metadata: TableMetadata, _ name: String) throws -> String {
        let location = "\(metadata.dataFolder)/\(warehouse.environment.uuid())-\(name)"
        try warehouse.ledger.record([location], table: metadata.tableUUID)
        return location
    }

    private func commit(_ delta: TableCommitter.RowDelta) throws {
        clock.advance(ms: 10)
        _ = try warehouse.committer(for: table).rowDelta(delta)
    }

    var deleteFiles: [DataFile] {
        get throws { try liveFiles().filter { $0.content != .data } }
    }

    /// Row ids and sequence numbers by id.
    func lineage() throws -> [Value: [Value]] {
        let metadata = try metadata()
        let schema = Schema(fields: [metadata.currentSchema.fields[0]] + MetadataColumn.lineage.map(\.field))
        var found: [Value: [Value]] = [:]
        let plan = try ScanPlanner.plan(
            metadata: metadata, snapshot: metadata.currentSnapshot!, store: warehouse.store)
        for task in plan.tasks {
            let reader = try DataFileReader(task, schema: schema, store: warehouse.store)
            while let batch = try reader.next() {
                for row in 0..<batch.rowCount {
                    found[batch.columns[0].value(at: row)] = batch.columns.dropFirst().map { $0.value(at: row) }
                }
            }
        }
        return found
    }

    /// The ids of all rows, ascending.
    func ids() throws -> [Int64] {
        try rows().map {
            guard case .long(let id) = $0[0] else { return -1 }
            return id
        }
    }
}

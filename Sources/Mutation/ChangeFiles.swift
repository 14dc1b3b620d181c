import Base
import Catalog
import Columnar
import Iceberg
import Storage

/// Writes the files of one change. Every path is in the ledger before its first byte is written (G9).
final class ChangeFiles {
    /// What takes the place of rows that were found.
    struct Replacement {
        var delta = TableCommitter.RowDelta()
        var filesMarked = 0
    }

    private let warehouse: Warehouse
    private let run: UUID
    private var count = 0
    /// Files of the new rows, and of the attempt at hand.
    private var kept: [String] = []
    private var attempt: [String] = []

    init(warehouse: Warehouse) {
        self.warehouse = warehouse
        run = warehouse.environment.uuid()
    }

    /// New rows as data files, which serve every attempt.
    func write(_ rows: [RecordBatch], table: Table) throws -> [DataFile] {
        guard rows.contains(where: { $0.rowCount > 0 }) else { return [] }
        let writer = try DataFileWriter(metadata: table.metadata, schema: rows[0].schema, store: warehouse.store) {
            folder, _ in
            try self.location(folder, "parquet", table, suffix: "") { self.kept.append($0) }
        }
        do {
            for batch in rows { try writer.write(batch) }
            return try writer.finish()
        } catch {
            writer.abort()
            throw error
        }
    }

    /// The files that take rows out of a table.
    func replacement(
        of found: FoundRows, in table: Table, operation: TableProperties.RowLevelOperation
    ) throws -> Replacement {
        var replacement = Replacement()
        var rest: [DeleteFileWriter.Target] = []
        for target in found.targets {
            if try liveRows(target.task) == Int64(target.positions.count) {
                replacement.delta.removedData.insert(target.task.dataFile.path)
            } else {
                rest.append(target)
            }
        }
        guard !rest.isEmpty else { return replacement }
        if table.metadata.tableProperties.copiesOnWrite(operation) || table.metadata.formatVersion < 2 {
            for target in rest { replacement.delta.removedData.insert(target.task.dataFile.path) }
            replacement.delta.addedData = try rewrite(rest, table)
            return replacement
        }
        let writer = DeleteFileWriter(
            metadata: table.metadata, store: warehouse.store
        ) { folder, _, fileExtension in
            try self.location(folder, fileExtension, table, suffix: "-deletes") { self.attempt.append($0) }
        }
        let (added, removed) = try writer.write(rest)
        replacement.delta.addedDeletes = added
        replacement.delta.removedDeletes = removed
        replacement.delta.referencedData = Set(rest.map(\.task.dataFile.path))
        replacement.filesMarked = rest.count
        return replacement
    }

    /// Rows of a data file that are not deleted; nil when equality deletes apply to it.
    private func liveRows(_ task: FileScanTask) throws -> Int64? {
        if let count = task.liveRecordCount { return count }
        guard task.deletes.allSatisfy({ $0.dataFile.content == .positionDeletes }) else { return nil }
        let deleted = try DeleteLoader(store: warehouse.store).positions(for: task)?.count ?? 0
        return task.dataFile.recordCount - Int64(deleted)
    }

    /// The rows of these files that stay, as new files; with their row ids where the table has them.
    private func rewrite(_ targets: [DeleteFileWriter.Target], _ table: Table) throws -> [DataFile] {
        let metadata = table.metadata
        var schema = metadata.currentSchema
        if metadata.formatVersion >= 3 { schema.fields += MetadataColumn.lineage.map(\.field) }
        var read = schema
        read.fields.append(MetadataColumn.position.field)
        let writer = try DataFileWriter(metadata: metadata, schema: schema, store: warehouse.store) { folder, _ in
            try self.location(folder, "parquet", table, suffix: "") { self.attempt.append($0) }
        }
        let loader = DeleteLoader(store: warehouse.store, nameMapping: metadata.nameMapping)
        do {
            for (task, positions) in targets {
                let reader = try DataFileReader(
                    task, schema: read, nameMapping: metadata.nameMapping, loader: loader, store: warehouse.store)
                while let batch = try reader.next() {
                    guard case .int64(let places) = batch.columns[batch.columns.count - 1].storage else {
                        preconditionFailure("positions are longs")
                    }
                    let stay = (0..<batch.rowCount).filter { !positions.contains(places[$0]) }.map { Int32($0) }
                    let rows = RecordBatch(
                        schema: schema, columns: Array(batch.columns.dropLast()), rowCount: batch.rowCount)
                    if !stay.isEmpty { try writer.write(rows.taking(stay)) }
                }
            }
            return try writer.finish()
        } catch {
            writer.abort()
            throw error
        }
    }

    private func location(
        _ folder: String, _ fileExtension: String, _ table: Table, suffix: String, _ note: (String) -> Void
    ) throws -> String {
        let data = table.metadata.dataFolder
        let number = String(count)
        count += 1
        let padded = String(repeating: "0", count: max(0, 5 - number.count)) + number
        let location =
            "\(folder.isEmpty ? data : data + "/" + folder)/\(padded)-change-\(run)\(suffix).\(fileExtension)"
        try warehouse.ledger.record([location], table: table.metadata.tableUUID)
        note(location)
        return location
    }

    /// Best effort: what stays is in the ledger and goes with the next recovery.
    func abandonReplacement() {
        try? warehouse.ledger.abandon(attempt)
        attempt = []
    }

    func abandonAll() {
        abandonReplacement()
        try? warehouse.ledger.abandon(kept)
        kept = []
    }
}

extension TableProperties {
    /// True when rows are taken out by writing the others anew: `write.delete.mode` and its like. Deletes are written
    /// beside the data by default, since a stream's tables change often and in few places.
    func copiesOnWrite(_ operation: RowLevelOperation) -> Bool {
        self["write.\(operation.rawValue).mode"]?.lowercased() == "copy-on-write"
    }
}

import Base
import Catalog
import Columnar
import Iceberg
import Storage

/// Turns one table's micro-batch into data files.
///
/// Every path is in the file ledger before its first byte is written, so that a crash leaves nothing unknown (G9).
/// Files are named `<first position>-<last position>-<process>-<attempt>-<n>.parquet`: two attempts never share a path,
/// and a file tells which part of the log it holds.
struct MicroBatchWriter {
    let warehouse: Warehouse
    let table: Table
    /// Names this process and attempt in file names.
    let tag: String

    /// Paths of everything written so far, for `discard`.
    let paths = PathLog()

    /// Writes the rows of a flush into data files. Throws what the store throws; then `discard` what was written.
    func write(_ chunks: [TableIngestor.Chunk], mark: IngestMark) throws -> [DataFile] {
        let schema = table.metadata.currentSchema
        let batches = try chunks.map { chunk in
            switch chunk.rows {
            case .batch(let batch): batch
            case .deadLetters(let letters): try letters.batch(schema: schema, position: chunk.position)
            }
        }
        return try write(batches.filter { $0.rowCount > 0 }, mark: mark)
    }

    /// One run of writers per schema: batches decoded before a schema change keep their own.
    private func write(_ batches: [RecordBatch], mark: IngestMark) throws -> [DataFile] {
        var files: [DataFile] = []
        var start = 0
        while start < batches.count {
            var end = start + 1
            while end < batches.count, batches[end].schema == batches[start].schema { end += 1 }
            let writer = try DataFileWriter(
                metadata: table.metadata, schema: batches[start].schema, store: warehouse.store
            ) { partitionPath, _ in
                let location = name(partitionPath, mark: mark, index: paths.count)
                paths.append(location)
                try warehouse.ledger.record([location], table: table.metadata.tableUUID)
                return location
            }
            do {
                for batch in batches[start..<end] { try writer.write(batch) }
                files += try writer.finish()
            } catch {
                writer.abort()
                throw error
            }
            start = end
        }
        return files
    }

    private func name(_ partitionPath: String, mark: IngestMark, index: Int) -> String {
        let data = table.metadata.dataFolder
        let folder = partitionPath.isEmpty ? data : data + "/" + partitionPath
        let range = Hex.encode(mark.expectedPosition + 1, width: 12) + "-" + Hex.encode(mark.position, width: 12)
        return "\(folder)/\(range)-\(tag)-\(index).parquet"
    }

    /// Best effort: what stays is in the ledger and goes with the next recovery.
    func discard() { try? warehouse.ledger.abandon(paths.all) }
}

/// The paths one attempt has opened, in order.
final class PathLog {
    private(set) var all: [String] = []
    var count: Int { all.count }
    func append(_ path: String) { all.append(path) }
}

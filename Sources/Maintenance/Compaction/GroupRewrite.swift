import Base
import Catalog
import Columnar
import Iceberg
import Storage

/// Writes the files of one plan anew and proves that no row was lost, doubled or changed (G6).
///
/// 1. Read the inputs one after the other, a row group at a time, with all columns of the current schema; add every
///    batch to the fingerprint of the inputs and hand it to the writer.
/// 2. Each output's path is in the ledger before its first byte is written, so a crash leaves nothing behind (G9).
/// 3. Read the outputs back from the store and compare row count and fingerprint. Unequal: the outputs are deleted and
///    the rewrite fails.
///
/// Memory is bounded by one decoded row group of an input and the open row group of the writer.
struct GroupRewrite {
    let warehouse: Warehouse
    let table: Table
    let plan: CompactionPlan
    /// Called with the bytes of input read so far.
    let progress: (Int64) -> Void
    let checkCancelled: () throws -> Void
    /// Changes batches on their way to the writer; identity but in tests of the proof.
    let transform: (RecordBatch) -> RecordBatch

    struct Output {
        let plan: CompactionPlan
        let files: [DataFile]
        let hash: RowHash
    }

    /// After a throw no output is left, or the ledger knows what is.
    func run() throws -> Output {
        var written: [String] = []
        do {
            let (files, inputHash) = try write(&written)
            try prove(files, inputHash)
            return Output(plan: plan, files: files, hash: inputHash)
        } catch {
            // What cannot be deleted now stays pending, and goes when this process has ended.
            try? warehouse.ledger.abandon(written)
            throw error
        }
    }

    private var schema: Schema { table.metadata.currentSchema }

    private func write(_ written: inout [String]) throws -> (files: [DataFile], hash: RowHash) {
        let paths = PathRecorder(warehouse: warehouse, table: table)
        defer { written = paths.recorded }
        let writer = try DataFileWriter(
            metadata: table.metadata, specId: plan.specId, store: warehouse.store, path: paths.next)
        var hash = RowHash()
        do {
            var bytesDone: Int64 = 0
            for input in plan.files {
                let before = hash.rowCount
                try forEachBatch(of: input.path, bytes: input.fileBytes, rows: input.recordCount, input) { batch in
                    hash.add(batch)
                    try writer.write(transform(batch))
                    let read = Int64(hash.rowCount - before)
                    progress(bytesDone + input.fileBytes * read / max(input.recordCount, 1))
                }
                guard Int64(hash.rowCount - before) == input.recordCount else {
                    throw FirnError(
                        .corrupted, "record_count_mismatch",
                        "the file holds \(hash.rowCount - before) rows, its manifest says \(input.recordCount)",
                        context: ["file": input.path])
                }
                bytesDone += input.fileBytes
                progress(bytesDone)
            }
            return (try writer.finish(), hash)
        } catch {
            writer.abort()
            throw error
        }
    }
}

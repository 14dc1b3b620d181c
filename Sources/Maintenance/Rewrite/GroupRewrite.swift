import Base
import Catalog
import Columnar
import Iceberg
import Parquet
import Storage

/// Writes the files of one plan anew, without deleted rows, and proves that no other row was lost, doubled or changed
/// (G6).
///
/// 1. Read the inputs one after the other, a row group at a time, with all columns of the current schema and the
///    deletes applied, and hand them to the writer: pages where they can stay as they are, else batches of rows. In
///    format version 3 the rows bring their ids and the sequence numbers of their last change.
/// 2. The fingerprint of the inputs is summed on the way, or comes from their footers, if Firn wrote them.
/// 3. Each output's path is in the ledger before its first byte is written, so a crash leaves nothing behind (G9).
/// 4. Read the outputs back from the store, decode all of them, and compare row count and fingerprint. Unequal: the
///    outputs are deleted and the rewrite fails.
///
/// Memory is bounded by some pages of an input, one word for each row of one of its row groups, and the open row group
/// of the writer.
struct GroupRewrite {
    let warehouse: Warehouse
    let table: Table
    let plan: CompactionPlan
    let deletes: DeleteIndex
    let loader: DeleteLoader
    /// Called about once a batch with the bytes of input read since the last call, which add up to those of the plan.
    /// It may wait, so that the rewrite leaves others room, and throws to end it.
    let checkpoint: (_ inputBytes: Int64) throws -> Void
    /// Changes batches on their way to the writer; only in tests of the proof.
    var transform: (@Sendable (RecordBatch) -> RecordBatch)?
    /// Damages pages on their way to the output; only in tests of the proof.
    var fault: MergeFault?

    struct Output {
        let plan: CompactionPlan
        let files: [DataFile]
        let hash: RowHash
    }

    /// After a throw no output is left, or the ledger knows what is.
    func run() throws -> Output {
        let paths = OutputPaths(warehouse: warehouse, table: table)
        do {
            let (files, hash) = try rewrite(paths)
            try warehouse.environment.faults.reach(.compactionOutputWritten)
            try prove(files, hash)
            return Output(plan: plan, files: files, hash: hash)
        } catch {
            // What cannot be deleted now stays pending, and goes when this process has ended.
            try? warehouse.ledger.abandon(paths.recorded)
            throw error
        }
    }

    private func rewrite(_ paths: OutputPaths) throws -> (files: [DataFile], hash: RowHash) {
        // A group is no larger than the target. The writer guesses the size of what it still buffers, and must not
        // split off a small rest because it guessed too high.
        var metadata = table.metadata
        let target = min(metadata.tableProperties.targetFileBytes, Int.max / 2)
        if plan.bytes <= target + target / 2 {
            metadata.properties["write.target-file-size-bytes"] = String(2 * target)
        }
        let sorted = try SortedRewrite(plan, metadata: metadata, schema: schema, forEachBatch: forEachInputBatch)
        let sorter = sorted?.sorter(carriesSums ? carryingSchema : schema, warehouse)
        let writer = try DataFileWriter(
            metadata: metadata, schema: schema, specId: plan.outputSpecId, sortOrderId: sorted?.sortOrderId,
            limits: sorted == nil ? .init() : SortedRewrite.limits, store: warehouse.store, path: paths.next)
        writer.mergeFault = fault
        do {
            var hash = RowHash()
            for input in plan.files {
                let reader = try reader(of: input.dataFile, sequenceNumber: input.sequenceNumber)
                try check(input, reader)
                var progress = InputProgress(input)
                if writer.mergesFiles, sorter == nil, transform == nil, plan.outputSpecId == plan.specId {
                    let proof = DataFileWriter.Proof(coversMetadataColumns: provesLineage)
                    hash =
                        hash
                        + (try writer.merge(reader, partition: plan.partition, proof: proof) {
                            try checkpoint(progress.bytes(after: $0))
                        })
                } else {
                    try forEachBatch(reader) { batch in
                        if let sorter, carriesSums {
                            let rows = RowSums.carried(by: batch, columns: provenColumns ?? batch.columns.count)
                            hash.add(carried: rows.columns[batch.columns.count], rows: 0..<rows.rowCount)
                            try sorter.add(rows)
                        } else {
                            hash.add(batch, rows: 0..<batch.rowCount, columns: provenColumns)
                            let rows = transform?(batch) ?? batch
                            if let sorter { try sorter.add(rows) } else { try writer.write(rows) }
                        }
                        try checkpoint(progress.bytes(after: batch.rowCount))
                    }
                }
                try checkpoint(progress.rest())
            }
            try sorter?.finish { batch in
                try checkpoint(0)
                try writer.write(batch)
            }
            return (try writer.finish(), hash)
        } catch {
            writer.abort()
            throw error
        }
    }

    /// Some columns of the inputs' rows.
    private func forEachInputBatch(_ schema: Schema, _ body: (RecordBatch) throws -> Void) throws {
        for input in plan.files {
            let reader = try reader(of: input.dataFile, sequenceNumber: input.sequenceNumber, schema)
            while let batch = try reader.next() {
                try checkpoint(0)
                try body(batch)
            }
        }
    }

    /// The columns of the outputs.
    private var schema: Schema {
        var schema = table.metadata.currentSchema
        if table.metadata.formatVersion >= 3 { schema.fields += MetadataColumn.lineage.map(\.field) }
        return schema
    }

    /// Whether rows that are sorted take their sums along, for the hashes of the outputs: those cover no row ids.
    private var carriesSums: Bool { transform == nil && !provesLineage }

    private var carryingSchema: Schema {
        var schema = schema
        schema.fields.append(RowSums.carriedField)
        return schema
    }

    /// Whether the fingerprint covers row ids. Rows of files from before version 3 have none yet, and get some with the
    /// commit.
    private var provesLineage: Bool {
        table.metadata.formatVersion >= 3 && plan.files.allSatisfy { $0.firstRowId != nil }
    }

    /// What the fingerprint covers; nil for all columns.
    private var provenColumns: Int? { provesLineage ? nil : table.metadata.currentSchema.fields.count }

    private func check(_ input: CompactionCandidate, _ reader: DataFileReader) throws(FirnError) {
        let rows = (0..<reader.rowGroupCount).reduce(Int64(0)) { $0 + Int64(reader.rowCount(rowGroup: $1)) }
        guard rows == input.recordCount else {
            throw FirnError(
                .corrupted, "record_count_mismatch",
                "the file holds \(rows) rows, its manifest says \(input.recordCount)", context: ["file": input.path])
        }
    }

    private func prove(_ files: [DataFile], _ expected: RowHash) throws {
        var actual = RowHash()
        var isAsStored = true
        for var file in files {
            // Only files with row ids are asked for stored ones; the commit will give it a range of its own.
            file.firstRowId = 0
            let task = FileScanTask(dataFile: file, sequenceNumber: 0, spec: try spec(of: file))
            let reader = try reader(task)
            let found = try reader.rowHash(columns: provenColumns) { try checkpoint(0) }
            // What the footer promises is what later merges rely on.
            isAsStored = isAsStored && (provesLineage || reader.storedRowHash == found)
            actual = actual + found
        }
        let recorded = files.reduce(0) { $0 + $1.recordCount }
        guard actual == expected, isAsStored, recorded == Int64(expected.rowCount) else {
            throw FirnError(
                .internal, "compaction_proof_failed",
                """
                the rewritten files do not hold the same rows (\(expected.rowCount) rows with hash \(expected) read, \
                \(actual.rowCount) with hash \(actual) written); they were discarded and the table is unchanged
                """, context: ["table": table.identifier.description, "file": plan.files[0].path])
        }
        guard files.allSatisfy({ plan.outputSpecId != plan.specId || $0.partition == plan.partition }) else {
            throw FirnError(
                .corrupted, "misplaced_rows", "files of a partition hold rows of another; they were left as they are",
                context: ["table": table.identifier.description, "file": plan.files[0].path])
        }
    }

    private func spec(of file: DataFile) throws(FirnError) -> PartitionSpec {
        guard let spec = table.metadata.spec(id: file.specId) else {
            throw FirnError(
                .corrupted, "unknown_partition_spec", "a file has the unknown spec \(file.specId)",
                context: ["file": file.path])
        }
        return spec
    }

    private func reader(
        of file: DataFile, sequenceNumber: Int64, _ schema: Schema? = nil
    ) throws -> DataFileReader {
        try reader(try deletes.task(file, sequenceNumber: sequenceNumber, spec: try spec(of: file)), schema)
    }

    private func reader(_ task: FileScanTask, _ schema: Schema? = nil) throws -> DataFileReader {
        try DataFileReader(
            task, schema: schema ?? self.schema, nameMapping: table.metadata.nameMapping, loader: loader,
            store: warehouse.store)
    }

    private func forEachBatch(_ reader: DataFileReader, _ body: (RecordBatch) throws -> Void) throws {
        while let batch = try reader.next() { try body(batch) }
    }
}

/// Chooses the locations of outputs and records them in the ledger before they are written.
private final class OutputPaths {
    private let warehouse: Warehouse
    private let table: Table
    private let run: UUID
    private(set) var recorded: [String] = []

    init(warehouse: Warehouse, table: Table) {
        self.warehouse = warehouse
        self.table = table
        run = warehouse.environment.uuid()
    }

    func next(partitionPath: String, fileIndex: Int) throws -> String {
        let number = String(fileIndex)
        let padded = String(repeating: "0", count: max(0, 5 - number.count)) + number
        let folder = table.metadata.dataFolder + (partitionPath.isEmpty ? "" : "/" + partitionPath)
        let location = "\(folder)/\(padded)-compact-\(run).parquet"
        try warehouse.ledger.record([location], table: table.metadata.tableUUID)
        recorded.append(location)
        try warehouse.environment.faults.reach(.compactionPathRecorded)
        return location
    }
}

/// How far an input has been read, in bytes of its file.
private struct InputProgress {
    private let fileBytes: Int64
    private let recordCount: Int64
    private var rows: Int64 = 0
    private var bytesDone: Int64 = 0

    init(_ input: CompactionCandidate) {
        fileBytes = input.fileBytes
        recordCount = max(input.recordCount, 1)
    }

    /// The bytes that came with some more rows.
    mutating func bytes(after count: Int) -> Int64 {
        rows += Int64(count)
        let bytes = Int64(Double(fileBytes) * min(Double(rows) / Double(recordCount), 1))
        defer { bytesDone = bytes }
        return bytes - bytesDone
    }

    /// What deleted rows took.
    func rest() -> Int64 { fileBytes - bytesDone }
}

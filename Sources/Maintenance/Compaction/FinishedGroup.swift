import Base
import Catalog
import Columnar
import Iceberg
import Storage

/// The state of the table that groups are rewritten from.
struct RunBase: Sendable {
    let table: Table
    let snapshotId: Int64
    /// Of that snapshot; data sequence number of the outputs.
    let sequenceNumber: Int64
    let deletes: DeleteIndex
    let loader: DeleteLoader

    /// Nil for a table without snapshots.
    init?(_ table: Table, deletes: DeleteIndex, store: any ObjectStore) {
        guard let snapshot = table.metadata.currentSnapshot else { return nil }
        self.table = table
        snapshotId = snapshot.snapshotId
        sequenceNumber = snapshot.sequenceNumber
        self.deletes = deletes
        loader = DeleteLoader(store: store, nameMapping: table.metadata.nameMapping)
    }

    /// The reading of a file as the rewrite did it.
    func task(_ input: CompactionCandidate) throws -> FileScanTask {
        let file = input.dataFile
        guard let spec = table.metadata.spec(id: file.specId) else {
            throw FirnError(
                .corrupted, "unknown_partition_spec", "a file has the unknown spec \(file.specId)",
                context: ["file": file.path])
        }
        return try deletes.task(file, sequenceNumber: input.sequenceNumber, spec: spec)
    }
}

/// A group that is rewritten and proven and waits for its commit.
struct FinishedGroup: Sendable {
    let output: GroupRewrite.Output
    let base: RunBase
    /// What the commit is to do; changes with what others commit meanwhile.
    var replacement: FileReplacement
    /// Rows of the outputs that `replacement.addedDeletes` deletes.
    var carriedRows: Int64 = 0
    /// Where rows of inputs went; made when it is first needed.
    var map: RowMap?

    init(_ output: GroupRewrite.Output, base: RunBase) {
        self.output = output
        self.base = base
        replacement = FileReplacement(
            removed: output.plan.files.map(\.path), added: output.files, readAt: base.sequenceNumber)
    }

    var plan: CompactionPlan { output.plan }

    /// Files that go when the group is not committed.
    var paths: [String] { output.files.map(\.path) + deletePaths }
    var deletePaths: [String] { Set(replacement.addedDeletes.map(\.path)).sorted() }
}

/// A group that others made void: it is planned anew.
struct LostGroup: Sendable {
    let plan: CompactionPlan
    let reason: FirnError
}

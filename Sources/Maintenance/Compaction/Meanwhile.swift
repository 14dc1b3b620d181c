import Base
import Catalog
import Columnar
import Iceberg
import Storage

/// What others committed while groups were rewritten, and what it means for each of them.
///
/// Of each input of a group, in this order:
/// 1. It is gone: rewritten or deleted by somebody else. Its rows in the output are deleted too.
/// 2. Rows of it were deleted by position since it was read. They are deleted in the output, at their new positions.
/// 3. Nothing: appends, deletes of other files and equality deletes (which apply to the output as they are) cost a
///    group nothing, whatever files their bounds may cover.
///
/// Deletes are carried over by delete files for the outputs, in the same commit. A group is lost when its order is not
/// that of its inputs, so that positions mean nothing, or when most of what it wrote would be deleted again.
struct Meanwhile {
    /// A group of which a larger share would be deleted at once is better rewritten.
    static let deletedShareMax = 0.5

    let warehouse: Warehouse
    let table: Table
    let checkpoint: (Int64) throws -> Void
    private let deletes: DeleteIndex
    /// Inputs that are still live, with their data sequence numbers.
    private let live: [String: Int64]
    let snapshotId: Int64?

    init(
        _ table: Table, _ plans: [CompactionPlan], warehouse: Warehouse, checkpoint: @escaping (Int64) throws -> Void
    ) throws {
        self.warehouse = warehouse
        self.table = table
        self.checkpoint = checkpoint
        snapshotId = table.metadata.currentSnapshotId
        let manifests = try table.metadata.currentSnapshot.map { try Manifests.list(of: $0, store: warehouse.store) }
        live = try Manifests.find(
            Set(plans.lazy.flatMap(\.files).map(\.path)), in: manifests ?? [], metadata: table.metadata,
            store: warehouse.store)
        deletes = try DeleteIndex(
            metadata: table.metadata,
            manifests: (manifests ?? []).filter { $0.content == .deletes && $0.mayHaveLiveFiles },
            store: warehouse.store)
    }

    func isLive(_ input: CompactionCandidate) -> Bool { live[input.path] == input.sequenceNumber }

    /// The group as it can be committed on this state of the table. Delete files that it had are abandoned.
    ///
    /// Throws `.conflict` (`file_not_live`, `deletes_added`, `history_changed`) when it is lost.
    func settle(_ group: FinishedGroup) throws -> FinishedGroup {
        var group = group
        let base = group.base
        let isDescendant = snapshotId.map { table.metadata.isAncestor(base.snapshotId, of: $0) } ?? false
        var gone: Set<Int> = []
        var touched: [Int: RowPositions] = [:]
        group.replacement.settledDeletes = []
        for (index, input) in group.plan.files.enumerated() {
            guard isLive(input) else {
                gone.insert(index)
                continue
            }
            let known = try base.task(input)
            let task = try deletes.task(input.dataFile, sequenceNumber: input.sequenceNumber, spec: known.spec)
            if !isDescendant { try checkSame(task, known, base) }
            var later = task.deletes.filter { ($0.sequenceNumber ?? 0) > base.sequenceNumber }
            let equality = later.count { $0.dataFile.content == .equalityDeletes }
            guard equality == 0 || group.plan.outputSpecId == group.plan.specId else {
                // They are about the partitions of another spec.
                throw conflict("deletes_added", "rows of a group that changes its partition were deleted", group)
            }
            later.removeAll { $0.dataFile.content == .equalityDeletes }
            group.replacement.settledDeletes.formUnion(later.lazy.map(\.dataFile.deleteKey))
            let positions = try DeleteLoader(store: warehouse.store).positions(
                for: FileScanTask(
                    dataFile: task.dataFile, sequenceNumber: task.sequenceNumber, spec: task.spec, deletes: later))
            if let positions, !positions.isEmpty { touched[index] = positions }
        }
        guard gone.count < group.plan.files.count else {
            throw conflict("file_not_live", "the files to remove are not live any more", group)
        }
        group.replacement.removed = group.plan.files.indices.filter { !gone.contains($0) }.map {
            group.plan.files[$0].path
        }
        try? warehouse.ledger.abandon(group.deletePaths)
        group.replacement.addedDeletes = []
        group.carriedRows = 0
        if !gone.isEmpty || !touched.isEmpty { try carry(touched, gone, into: &group) }
        return group
    }

    /// The snapshot that was read has expired, or history has changed: then the deletes from before must be the same.
    private func checkSame(_ task: FileScanTask, _ known: FileScanTask, _ base: RunBase) throws {
        func keys(_ task: FileScanTask) -> Set<DeleteFileKey> {
            Set(task.deletes.filter { ($0.sequenceNumber ?? 0) <= base.sequenceNumber }.map(\.dataFile.deleteKey))
        }
        guard keys(task) != keys(known) else { return }
        throw FirnError(
            .conflict, "history_changed", "other rows of a file were deleted before than when it was read",
            context: ["file": task.dataFile.path])
    }

    private func conflict(_ code: String, _ message: String, _ group: FinishedGroup) -> FirnError {
        FirnError(
            .conflict, code, message,
            context: ["table": table.identifier.description, "file": group.plan.files[0].path])
    }

    private func carry(_ touched: [Int: RowPositions], _ gone: Set<Int>, into group: inout FinishedGroup) throws {
        if group.map == nil {
            group.map = try RowMap(group.output, base: group.base, store: warehouse.store, checkpoint: checkpoint)
        }
        guard let map = group.map else {
            throw conflict("deletes_added", "rows of a sorted group were deleted meanwhile", group)
        }
        let positions = map.outputs(of: touched, andAllOf: gone)
        let count = positions.reduce(0) { $0 + Int64($1.count) }
        guard Double(count) <= Self.deletedShareMax * Double(map.outputRows) else {
            throw conflict("deletes_added", "most rows of the group were deleted meanwhile", group)
        }
        guard count > 0 else { return }
        let metadata = table.metadata
        let targets = try zip(group.output.files, positions).map { file, positions in
            guard let spec = metadata.spec(id: file.specId) else {
                throw conflict("history_changed", "the partition spec of the group is gone", group)
            }
            return (FileScanTask(dataFile: file, sequenceNumber: group.base.sequenceNumber, spec: spec), positions)
        }
        let name = warehouse.environment.uuid()
        var recorded: [String] = []
        let writer = DeleteFileWriter(metadata: metadata, store: warehouse.store) { folder, index, fileExtension in
            let place = metadata.dataFolder + (folder.isEmpty ? "" : "/" + folder)
            let location = "\(place)/\(index)-compact-\(name)-deletes.\(fileExtension)"
            try warehouse.ledger.record([location], table: metadata.tableUUID)
            recorded.append(location)
            return location
        }
        do {
            group.replacement.addedDeletes = try writer.write(targets).added
            try warehouse.environment.faults.reach(.compactionDeletesCarried)
        } catch {
            try? warehouse.ledger.abandon(recorded)
            throw error
        }
        group.carriedRows = count
    }
}

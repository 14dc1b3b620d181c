import Base
import Columnar
import Storage

/// Rows of one data file that a snapshot added to its table or took from it.
public struct ChangeTask: Sendable {
    public enum Kind: String, Sendable {
        case insert
        case delete
    }

    public let kind: Kind
    /// The snapshot that made the change.
    public let snapshot: Snapshot
    /// Counts the snapshots of the range that changed rows, from 0, oldest first.
    public let ordinal: Int
    /// The rows, as the file has them at the snapshot (insert) or at its parent (delete).
    public let task: FileScanTask
    /// The same file at the other side of the change: its rows are in both states and no change.
    public let unchanged: FileScanTask?

    public init(kind: Kind, snapshot: Snapshot, ordinal: Int, task: FileScanTask, unchanged: FileScanTask?) {
        self.kind = kind
        self.snapshot = snapshot
        self.ordinal = ordinal
        self.task = task
        self.unchanged = unchanged
    }
}

/// Finds what happened to the rows of a table between two snapshots.
///
/// Going from snapshot to snapshot along the parents:
/// 1. A replacement (compaction) holds the same rows as its parent and is passed over.
/// 2. Data files live in manifests of one of the two alone tell which files came and which went.
/// 3. Where delete files differ too, files of both states whose deletes differ have lost or regained rows.
///
/// So an append costs its own manifests however large the table is.
public enum ChangePlanner {
    /// The changes after `from`, up to and including `to`; oldest first, and of one snapshot deletes before inserts.
    ///
    /// - Parameters:
    ///   - from: nil for the beginning of the history.
    ///   - filter: changes of other rows may be left out.
    ///
    /// Throws `.invalidInput` (`not_an_ancestor`) when `from` is no ancestor of `to`, `.conflict`
    /// (`history_expired`) when a snapshot between them is gone, and as `ScanPlanner.plan`.
    public static func changes(
        metadata: TableMetadata, from: Snapshot?, to: Snapshot, filter: Expression = .alwaysTrue,
        store: any ObjectStore
    ) throws -> [ChangeTask] {
        var tasks: [ChangeTask] = []
        var ordinal = 0
        for (snapshot, parent) in try range(metadata, from, to) where snapshot.operation != "replace" {
            let step = Step(metadata: metadata, parent: parent, snapshot: snapshot, filter: filter, store: store)
            let found = try step.tasks(ordinal: ordinal)
            if try !found.isEmpty || step.changesOtherRows() { ordinal += 1 }
            tasks += found
        }
        return tasks
    }

    /// The files that appends after `from`, up to and including `to`, added, oldest first. Rows deleted since are still
    /// there; what other operations added is not.
    ///
    /// Throws as `changes`.
    public static func appends(
        metadata: TableMetadata, from: Snapshot?, to: Snapshot, filter: Expression = .alwaysTrue,
        store: any ObjectStore
    ) throws -> [FileScanTask] {
        var tasks: [FileScanTask] = []
        for (snapshot, parent) in try range(metadata, from, to) where snapshot.operation == "append" {
            let step = Step(metadata: metadata, parent: parent, snapshot: snapshot, filter: filter, store: store)
            tasks += try step.added().map { task in
                FileScanTask(dataFile: task.dataFile, sequenceNumber: task.sequenceNumber, spec: task.spec)
            }
        }
        return tasks
    }

    /// The snapshots of a range with their parents, oldest first.
    private static func range(
        _ metadata: TableMetadata, _ from: Snapshot?, _ to: Snapshot
    ) throws(FirnError) -> [(snapshot: Snapshot, parent: Snapshot?)] {
        let byId = Dictionary(metadata.snapshots.map { ($0.snapshotId, $0) }, uniquingKeysWith: { first, _ in first })
        var found: [(snapshot: Snapshot, parent: Snapshot?)] = []
        var current = to
        while current.snapshotId != from?.snapshotId {
            guard found.count <= metadata.snapshots.count else {
                throw FirnError(.corrupted, "bad_metadata", "the snapshots are their own ancestors")
            }
            guard let parentId = current.parentSnapshotId else {
                guard let from else {
                    found.append((current, nil))
                    break
                }
                throw FirnError(
                    .invalidInput, "not_an_ancestor",
                    "snapshot \(from.snapshotId) is not an ancestor of snapshot \(to.snapshotId)")
            }
            guard let parent = byId[parentId] else {
                throw FirnError(
                    .conflict, "history_expired",
                    "snapshot \(parentId), between the two, has expired; start from a younger one",
                    context: ["snapshot-id": String(parentId)])
            }
            found.append((current, parent))
            current = parent
        }
        return found.reversed()
    }

    /// One snapshot against its parent.
    private struct Step {
        let metadata: TableMetadata
        let parent: Snapshot?
        let snapshot: Snapshot
        let filter: Expression
        let store: any ObjectStore

        /// Whether the commit changed rows that the filter leaves out: it counts, whatever is asked for.
        func changesOtherRows() throws -> Bool {
            guard filter != .alwaysTrue else { return false }
            let whole = Step(metadata: metadata, parent: parent, snapshot: snapshot, filter: .alwaysTrue, store: store)
            return try !whole.tasks(ordinal: 0).isEmpty
        }

        func tasks(ordinal: Int) throws -> [ChangeTask] {
            let before = try parent.map { try Manifests.list(of: $0, store: store) } ?? []
            let after = try Manifests.list(of: snapshot, store: store)
            let (went, came) = (Self.only(in: before, not: after), Self.only(in: after, not: before))
            let hasDeletes = (went + came).contains { $0.content == .deletes && $0.mayHaveLiveFiles }
            // Without deletes that differ, no file in both can have changed.
            let old = try parent.map { try plan($0, hasDeletes ? nil : went) } ?? [:]
            let new = try plan(snapshot, hasDeletes ? nil : came)
            var tasks: [ChangeTask] = []
            func add(_ kind: ChangeTask.Kind, _ task: FileScanTask, unchanged: FileScanTask?) {
                tasks.append(
                    ChangeTask(kind: kind, snapshot: snapshot, ordinal: ordinal, task: task, unchanged: unchanged))
            }
            for (path, task) in old.sorted(by: { $0.key < $1.key }) {
                guard let other = new[path] else {
                    add(.delete, task, unchanged: nil)
                    continue
                }
                if Self.deletes(task) != Self.deletes(other) { add(.delete, task, unchanged: other) }
            }
            for (path, task) in new.sorted(by: { $0.key < $1.key }) {
                guard let other = old[path] else {
                    add(.insert, task, unchanged: nil)
                    continue
                }
                // Rows come back only where a delete went.
                if !Self.deletes(other).isSubset(of: Self.deletes(task)) { add(.insert, task, unchanged: other) }
            }
            return tasks
        }

        /// Data files that the snapshot has and its parent has not.
        func added() throws -> [FileScanTask] {
            let before = try parent.map { try Manifests.list(of: $0, store: store) } ?? []
            let after = try Manifests.list(of: snapshot, store: store)
            let old = try parent.map { try plan($0, Self.only(in: before, not: after)) } ?? [:]
            return try plan(snapshot, Self.only(in: after, not: before)).filter { old[$0.key] == nil }
                .sorted { $0.key < $1.key }.map(\.value)
        }

        private static func only(in manifests: [ManifestFile], not others: [ManifestFile]) -> [ManifestFile] {
            let known = Set(others.map(\.path))
            return manifests.filter { !known.contains($0.path) }
        }

        private func plan(_ snapshot: Snapshot, _ manifests: [ManifestFile]?) throws -> [String: FileScanTask] {
            let plan = try ScanPlanner.plan(
                metadata: metadata, snapshot: snapshot, filter: filter,
                dataManifests: manifests.map { Set($0.map(\.path)) }, store: store)
            return Dictionary(plan.tasks.map { ($0.dataFile.path, $0) }, uniquingKeysWith: { first, _ in first })
        }

        private static func deletes(_ task: FileScanTask) -> Set<String> {
            Set(task.deletes.map { "\($0.dataFile.path)#\($0.dataFile.contentOffset ?? 0)" })
        }
    }
}

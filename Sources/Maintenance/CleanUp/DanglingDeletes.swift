import Base
import Catalog
import Iceberg
import Storage

/// Takes delete files out of a table's current snapshot that apply to no row any more: position deletes and deletion
/// vectors whose data files are gone, equality deletes older than every data file of their partition.
///
/// Readers open such files for nothing, and some refuse a table with any equality delete. No row changes, and the files
/// themselves stay until the snapshots that name them expire.
public enum DanglingDeletes {
    /// What one run did.
    public struct Report: Hashable, Sendable {
        public let table: TableIdentifier
        /// Delete files and deletion vectors that were live when the run began.
        public var deletesBefore = 0
        public var positionDeletesRemoved = 0
        public var deletionVectorsRemoved = 0
        public var equalityDeletesRemoved = 0
        public var bytesRemoved: Int64 = 0
        public var commits = 0
        /// Times another writer made the run look again.
        public var conflicts = 0
        /// The last snapshot this run committed; nil when there was nothing to do.
        public var snapshotId: Int64?
        public var durationMs: Int64 = 0

        public init(table: TableIdentifier) { self.table = table }

        public var removed: Int { positionDeletesRemoved + deletionVectorsRemoved + equalityDeletesRemoved }

        public var json: JSONValue {
            .object([
                .init("table", .string(table.description)),
                .init("deletes-before", .integer(Int64(deletesBefore))),
                .init("position-deletes-removed", .integer(Int64(positionDeletesRemoved))),
                .init("deletion-vectors-removed", .integer(Int64(deletionVectorsRemoved))),
                .init("equality-deletes-removed", .integer(Int64(equalityDeletesRemoved))),
                .init("bytes-removed", .integer(bytesRemoved)),
                .init("commits", .integer(Int64(commits))),
                .init("conflicts", .integer(Int64(conflicts))),
                .init("snapshot-id", snapshotId.map { .integer($0) } ?? .null),
                .init("duration-ms", .integer(durationMs)),
            ])
        }
    }

    /// Delete files looked at in one pass over the data manifests.
    static let deletesMax = 500_000
    /// What one position delete file may name, and what all that are opened may take together.
    fileprivate static let targetMax = 16 << 20
    fileprivate static let openedMax: Int64 = 256 << 20

    /// Removes the delete files that apply to no row of the current snapshot; one commit, none when there are none.
    ///
    /// Throws `.notFound` (`table_not_found`), `.unsupported` (`format_version`), `.conflict` when other writers kept
    /// winning, and the store's errors.
    public static func run(
        _ warehouse: Warehouse, table: TableIdentifier, hooks: CleanUpHooks = .init()
    ) throws -> Report {
        try run(warehouse, table: table, hooks: hooks, deletesMax: deletesMax)
    }

    static func run(
        _ warehouse: Warehouse, table: TableIdentifier, hooks: CleanUpHooks, deletesMax: Int,
        beforeCommit: () throws -> Void = {}
    ) throws -> Report {
        let clock = warehouse.environment.clock
        let started = clock.monotonicNanos()
        var report = Report(table: table)
        var attempt = 1
        while true {
            do {
                try remove(warehouse, table, hooks, deletesMax, beforeCommit, &report)
                break
            } catch let error as FirnError where error.kind == .conflict && attempt < CleanUpCommit.triesMax {
                attempt += 1
                report.conflicts += 1
            }
        }
        report.durationMs = (clock.monotonicNanos() - started) / 1_000_000
        return report
    }

    private static func remove(
        _ warehouse: Warehouse, _ table: TableIdentifier, _ hooks: CleanUpHooks, _ deletesMax: Int,
        _ beforeCommit: () throws -> Void, _ report: inout Report
    ) throws {
        let current = try warehouse.loadTable(table)
        try CleanUpCommit.requireWritable(current)
        guard let snapshot = current.metadata.currentSnapshot else { return }
        let search = DanglingSearch(
            metadata: current.metadata, manifests: try Manifests.list(of: snapshot, store: warehouse.store),
            store: warehouse.store, hooks: hooks, deletesMax: deletesMax)
        let found = try search.run()
        if report.commits == 0 { report.deletesBefore = search.deleteCount }
        guard !found.isEmpty else { return }
        try beforeCommit()
        let committer = try warehouse.committer(for: table)
        report.snapshotId = try CleanUpCommit.settled(committer) {
            try committer.removeDeletes(found, known: search.known)
        }
        report.commits += 1
        for candidate in found {
            let file = candidate.entry.dataFile
            report.bytesRemoved += file.isDeletionVector ? file.contentBytes ?? file.fileBytes : file.fileBytes
            switch file.content {
            case .equalityDeletes: report.equalityDeletesRemoved += 1
            case _ where file.isDeletionVector: report.deletionVectorsRemoved += 1
            default: report.positionDeletesRemoved += 1
            }
        }
    }
}

/// Finds the delete files of one snapshot that apply to nothing.
///
/// 1. Delete files are read, a bounded number at a time.
/// 2. The data manifests are read once for each such number, statistics left aside.
/// 3. Position delete files of a whole partition that may still apply are opened, as far as they are small: if none of
///    the data files they name is live they apply to nothing. That takes another pass.
private final class DanglingSearch {
    private let metadata: TableMetadata
    private let data: [ManifestFile]
    private let deletes: [ManifestFile]
    private let store: any ObjectStore
    private let hooks: CleanUpHooks
    private let deletesMax: Int
    private var openedBytes: Int64 = 0
    private var found: [DeleteUse.Candidate] = []
    private(set) var deleteCount = 0

    init(
        metadata: TableMetadata, manifests: [ManifestFile], store: any ObjectStore, hooks: CleanUpHooks,
        deletesMax: Int
    ) {
        self.metadata = metadata
        data = manifests.filter { $0.content == .data && $0.mayHaveLiveFiles }
        deletes = manifests.filter { $0.content == .deletes && $0.mayHaveLiveFiles }
        self.store = store
        self.hooks = hooks
        self.deletesMax = deletesMax
    }

    var known: Set<String> { Set(data.map(\.path)) }

    func run() throws -> [DeleteUse.Candidate] {
        var window: [ManifestEntry] = []
        let pathColumn: Set<Int> = [DeleteUse.pathFieldId]
        for manifest in deletes {
            try Manifests.forEachEntry(of: manifest, metadata: metadata, statisticsOf: pathColumn, store: store) {
                guard $0.isLive else { return true }
                window.append($0)
                deleteCount += 1
                if window.count >= deletesMax { try judge(&window) }
                return true
            }
            try hooks.checkpoint(manifest.length)
        }
        try judge(&window)
        return found
    }

    private func judge(_ window: inout [ManifestEntry]) throws {
        guard !window.isEmpty else { return }
        var use = DeleteUse(metadata: metadata)
        for entry in window { use.add(DeleteUse.Candidate(entry)) }
        window = []
        try see(&use)
        found += use.unused
        let undecided = use.undecided
        var named = DeleteUse(metadata: metadata)
        for candidate in undecided where openedBytes < DanglingDeletes.openedMax {
            let file = candidate.entry.dataFile
            openedBytes += file.fileBytes
            guard let targets = try DeleteUse.targets(of: file, bytesMax: DanglingDeletes.targetMax, store: store)
            else { continue }
            named.add(DeleteUse.Candidate(candidate.entry, targets: targets))
            try hooks.checkpoint(file.fileBytes)
        }
        guard named.count > 0 else { return }
        try see(&named)
        found += named.unused
    }

    private func see(_ use: inout DeleteUse) throws {
        for (index, manifest) in data.enumerated() {
            hooks.onProgress(CleanUpProgress("manifests", done: index, total: data.count))
            try Manifests.forEachEntry(of: manifest, metadata: metadata, statistics: false, store: store) {
                if $0.isLive { use.see($0) }
                return true
            }
            try hooks.checkpoint(manifest.length)
        }
    }
}

import Base
import Columnar
import Storage

/// Files of a table and what takes their place with the same rows: one group of a compaction.
public struct FileReplacement: Sendable {
    /// Locations of live data files.
    public var removed: [String]
    public var added: [DataFile]
    /// Deletes of rows of the added files: those rows of the removed ones that went after they were read.
    public var addedDeletes: [DataFile] = []
    /// The sequence number of the snapshot at which the rows were read. The added files get it as theirs, so that
    /// equality deletes committed since still apply. Nil gives them the commit's own.
    public var readAt: Int64?
    /// Position deletes committed since then that need no look any more: `addedDeletes` repeats them, or they name no
    /// row of a removed file.
    public var settledDeletes: Set<DeleteFileKey> = []

    public init(removed: [String], added: [DataFile], readAt: Int64?) {
        self.removed = removed
        self.added = added
        self.readAt = readAt
    }

    /// True when a delete of rows of a removed file needs no look. An equality delete applies to the added files as it
    /// is when they are older, and where it applies at all.
    fileprivate func hasSettled(_ delete: ManifestEntry, of target: ManifestEntry, _ base: TableMetadata) -> Bool {
        if let readAt {
            if (delete.sequenceNumber ?? 0) <= readAt { return true }
            if delete.dataFile.content == .equalityDeletes {
                let place = PartitionKey(target.dataFile)
                return DeleteFiles.isGlobal(delete.dataFile, base) || added.allSatisfy { PartitionKey($0) == place }
            }
        }
        return settledDeletes.contains(delete.dataFile.deleteKey)
    }
}

extension SnapshotProducer {
    /// Replaces files by others with the same rows: compaction. Delete files that apply to no live data file any more
    /// go with them.
    ///
    /// - Parameters:
    ///   - removed: locations of live data files.
    ///   - dataSequenceNumber: given to the added files, so that equality deletes committed since the rows were read
    ///     still apply; the sequence number of the snapshot that was read. Nil gives them the commit's own.
    ///
    /// Throws `.conflict` with code `file_not_live` when a file to remove is no longer live, or `deletes_added` when
    /// deletes that apply to one of them came after `dataSequenceNumber`; `.invalidInput` (`replace_adds_records`) when
    /// more records are added than removed.
    public static func replace(
        base: TableMetadata, baseLocation: String, branch: String = TableMetadata.mainBranch, removed: Set<String>,
        added: [DataFile], dataSequenceNumber: Int64?, context: CommitContext, store: any ObjectStore
    ) throws -> PreparedCommit {
        try replace(
            base: base, baseLocation: baseLocation, branch: branch,
            [FileReplacement(removed: removed.sorted(), added: added, readAt: dataSequenceNumber)], context: context,
            store: store)
    }

    /// Several groups in one commit, each read at a snapshot of its own. Throws as for one group, and `.invalidInput`
    /// (`file_twice`) when two groups remove the same file.
    public static func replace(
        base: TableMetadata, baseLocation: String, branch: String = TableMetadata.mainBranch,
        _ groups: [FileReplacement], context: CommitContext, store: any ObjectStore
    ) throws -> PreparedCommit {
        var groupOf: [String: Int] = [:]
        for (index, group) in groups.enumerated() {
            if let number = group.readAt, number > base.lastSequenceNumber {
                throw FirnError(.invalidInput, "bad_sequence_number", "sequence number \(number) lies in the future")
            }
            for path in group.removed where groupOf.updateValue(index, forKey: path) != nil {
                throw FirnError(.invalidInput, "file_twice", "a file is replaced twice", context: ["file": path])
            }
        }
        guard !groupOf.isEmpty else {
            throw FirnError(.invalidInput, "empty_commit", "a replacement needs files to remove")
        }
        var builder = try SnapshotBuilder(
            base: base, baseLocation: baseLocation, branch: branch, context: context, store: store)
        let (rewritten, removedFiles) = try builder.removing(Set(groupOf.keys))
        try builder.checkDeletes(removedFiles, of: groups, groupOf)
        // A manifest's sequence numbers are one: those that the files bring, or that of the commit.
        var added: [ManifestFile] = []
        for number in Set(groups.map(\.readAt)).sorted(by: { $0 ?? .max < $1 ?? .max }) {
            let files = groups.lazy.filter { $0.readAt == number }.flatMap(\.added)
            added += try builder.addedManifests(Array(files), dataSequenceNumber: number)
        }
        let addedDeletes = groups.flatMap(\.addedDeletes)
        let deleted = addedDeletes.reduce(0) { $1.content == .positionDeletes ? $0 + $1.recordCount : $0 }
        guard builder.summary.addedRecords <= builder.summary.removedRecords + deleted else {
            throw FirnError(
                .invalidInput, "replace_adds_records",
                "\(builder.summary.addedRecords) records would replace \(builder.summary.removedRecords)")
        }
        let data = added + rewritten
        let deletes =
            try builder.addedDeleteManifests(addedDeletes) + builder.deleteManifests(after: data, removed: removedFiles)
        return try builder.commit(operation: "replace", manifests: try builder.merge(data + deletes))
    }
}

extension SnapshotBuilder {
    /// As `checkDeletes(_:since:)`, for groups read at different times, in one pass over the delete manifests.
    fileprivate func checkDeletes(
        _ removed: [ManifestEntry], of groups: [FileReplacement], _ groupOf: [String: Int]
    ) throws {
        let oldest = groups.map { $0.readAt ?? -1 }.min() ?? -1
        var byPath: [String: ManifestEntry] = [:]
        var byPartition: [PartitionKey: [ManifestEntry]] = [:]
        for entry in removed {
            byPath[entry.dataFile.path] = entry
            byPartition[PartitionKey(entry.dataFile), default: []].append(entry)
        }
        for manifest in current where manifest.content == .deletes && manifest.sequenceNumber > oldest {
            try Manifests.read(manifest, base, .fields([DeleteFiles.pathFieldId]), store) { delete in
                guard delete.isLive, (delete.sequenceNumber ?? 0) > oldest else { return true }
                let candidates: [ManifestEntry]
                if let path = delete.dataFile.onlyDataFile {
                    candidates = [byPath[path]].compactMap(\.self)
                } else if delete.dataFile.content == .positionDeletes {
                    candidates = byPartition[PartitionKey(delete.dataFile)] ?? []
                } else {
                    candidates = removed
                }
                for target in candidates {
                    guard let index = groupOf[target.dataFile.path] else { continue }
                    guard !groups[index].hasSettled(delete, of: target, base),
                        DeleteFiles.applies(delete, to: target, base)
                    else { continue }
                    throw FirnError(
                        .conflict, "deletes_added", "deletes were added for a file to be replaced",
                        context: [
                            "file": target.dataFile.path, "deletes": delete.dataFile.path,
                            "snapshot-id": String(delete.snapshotId ?? 0),
                        ])
                }
                return true
            }
        }
    }
}

extension Manifests {
    /// Those of the wanted data files that are live in these manifests, with their data sequence numbers.
    ///
    /// Only paths are decoded, and nothing after the last file that is wanted.
    public static func find(
        _ wanted: Set<String>, in manifests: [ManifestFile], metadata: TableMetadata, store: any ObjectStore
    ) throws -> [String: Int64] {
        var found: [String: Int64] = [:]
        for manifest in manifests where manifest.content == .data && manifest.mayHaveLiveFiles {
            guard found.count < wanted.count else { break }
            try read(manifest, metadata, .pathsOnly, store) { entry in
                if entry.isLive, wanted.contains(entry.dataFile.path) {
                    found[entry.dataFile.path] = entry.sequenceNumber ?? 0
                }
                return found.count < wanted.count
            }
        }
        return found
    }
}

import Base

/// Turns changed metadata into the next metadata file.
///
/// 1. `last-updated-ms` moves on: to the new snapshot's time where that is later, else to max(now, previous + 1); so
///    logs stay sorted whatever the clock does.
/// 2. The base file joins the metadata log, stamped with its own time; the log is trimmed to
///    `write.metadata.previous-versions-max`.
/// 3. The file's number is the base file's plus one.
public enum MetadataCommit {
    /// Applies updates to a table.
    ///
    /// - Parameter objects: manifests and manifest lists of the snapshots that the updates add.
    ///
    /// Throws what `TableMetadata.apply` does, and `.unsupported` (`format_version`) for tables that Firn only reads.
    public static func prepare(
        applying updates: [TableUpdate], to base: TableMetadata, baseLocation: String, context: CommitContext,
        objects: [(location: String, bytes: [UInt8])] = [], snapshot: Snapshot? = nil
    ) throws(FirnError) -> PreparedCommit {
        var changed = base
        try changed.apply(updates, nowMs: snapshot?.timestampMs ?? context.nowMs)
        var commit = try finish(changed, base, baseLocation, context, objects, snapshot)
        commit.updates = updates
        commit.requirements = TableRequirement.derived(from: base, updates)
        return commit
    }

    /// A change that was made in place; its updates are found by comparing.
    ///
    /// - Parameter baseLocation: where `base` is stored; nil for a table's first file.
    ///
    /// Throws `.unsupported` (`format_version`) for tables that Firn only reads.
    public static func prepare(
        _ changed: TableMetadata, base: TableMetadata?, baseLocation: String?, context: CommitContext,
        objects: [(location: String, bytes: [UInt8])] = [], snapshot: Snapshot? = nil
    ) throws(FirnError) -> PreparedCommit {
        var commit = try finish(changed, base, baseLocation, context, objects, snapshot)
        commit.updates = TableUpdate.difference(from: base, to: changed)
        commit.requirements = TableRequirement.derived(from: base, commit.updates)
        return commit
    }

    private static func finish(
        _ changed: TableMetadata, _ base: TableMetadata?, _ baseLocation: String?, _ context: CommitContext,
        _ objects: [(location: String, bytes: [UInt8])], _ snapshot: Snapshot?
    ) throws(FirnError) -> PreparedCommit {
        var metadata = changed
        var removed: [String] = []
        if let base, let baseLocation {
            dropPassing(&metadata, base)
            if metadata.lastUpdatedMs <= base.lastUpdatedMs {
                metadata.lastUpdatedMs = stamp(context.nowMs, after: base)
            }
            metadata.metadataLog.append(
                MetadataLogEntry(timestampMs: base.lastUpdatedMs, metadataFile: baseLocation))
            let excess = metadata.metadataLog.count - metadata.tableProperties.previousMetadataFilesMax
            if excess > 0 {
                if metadata.tableProperties.deletesMetadataFiles {
                    removed = metadata.metadataLog.prefix(excess).map(\.metadataFile)
                }
                metadata.metadataLog.removeFirst(excess)
            }
        }
        let number = String((baseLocation.flatMap(version(of:)) ?? -1) + 1)
        let padded = String(repeating: "0", count: max(0, 5 - number.count)) + number
        let isCompressed = metadata.wantsCompression
        let suffix = isCompressed ? "gz.metadata.json" : "metadata.json"
        let location = "\(metadata.metadataFolder)/\(padded)-\(context.metadataUUID).\(suffix)"
        let bytes = try isCompressed ? metadata.serializeCompressed() : metadata.serialize()
        return PreparedCommit(
            metadata: metadata, metadataLocation: location, objects: objects + [(location, bytes)], snapshot: snapshot,
            removedMetadataFiles: removed)
    }

    /// A snapshot added and superseded in one commit never was the state of the table: it leaves the log.
    private static func dropPassing(_ metadata: inout TableMetadata, _ base: TableMetadata) {
        // Only what comes after the base's last entry is new, however long the log is.
        let known = base.snapshotLog.last.flatMap { metadata.snapshotLog.lastIndex(of: $0) }.map { $0 + 1 } ?? 0
        let current = metadata.currentSnapshotId
        let passing = metadata.snapshotLog[known...].filter { entry in
            entry.snapshotId != current && base.snapshot(id: entry.snapshotId) == nil
        }
        guard !passing.isEmpty else { return }
        metadata.snapshotLog.removeAll { passing.contains($0) }
    }

    /// The time of a change on top of `base`.
    static func stamp(_ nowMs: Int64, after base: TableMetadata) -> Int64 { max(nowMs, base.lastUpdatedMs + 1) }

    /// The number in `00012-….metadata.json` or `v12.metadata.json`; nil for other names.
    public static func version(of location: String) -> Int? {
        var name = location.lastPathComponent[...]
        if name.hasPrefix("v") { name = name.dropFirst() }
        let digits = name.prefix { $0.isASCII && $0.isNumber }
        let rest = name.dropFirst(digits.count)
        guard rest.hasPrefix("-") || rest.hasPrefix(".") else { return nil }
        return Int(digits).flatMap { $0 < Int(Int32.max) ? $0 : nil }
    }
}

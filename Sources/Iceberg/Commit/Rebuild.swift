import Base
import Storage

extension SnapshotProducer {
    /// A snapshot over manifests that stay and fresh ones made of corrected entries: a repair.
    ///
    /// 1. Fresh manifests are written entry by entry, by content and partition spec: live entries as existing with
    ///    their own sequence numbers, deleted ones as deleted by this snapshot.
    /// 2. The manifest list, fresh too, holds them and `kept`, whose rows are written as given.
    /// 3. The summary's totals become `totals`.
    ///
    /// - Parameters:
    ///   - kept: rows of manifests of the current snapshot.
    ///   - entries: with explicit sequence numbers; a deleted one counts as removed.
    ///   - totals: of the new snapshot, by summary key.
    ///
    /// Throws `.invalidInput` (`bad_entry`) for an entry that no manifest can hold, `.unsupported` (`format_version`).
    public static func rebuild(
        base: TableMetadata, baseLocation: String, keeping kept: [ManifestFile], entries: [ManifestEntry],
        operation: String, totals: [String: Int64], context: CommitContext, store: any ObjectStore
    ) throws -> PreparedCommit {
        // The parent's summary may be wrong. These say what its files really amount to.
        var before = totals
        for entry in entries where entry.status == .deleted { entry.dataFile.count(into: &before) }
        var builder = try SnapshotBuilder(base: base, baseLocation: baseLocation, context: context, store: store)
        var manifests: [ManifestFile] = []
        for content in [ManifestFile.Content.data, .deletes] {
            let group = entries.filter { ($0.dataFile.content == .data) == (content == .data) }
            for specId in Set(group.map(\.dataFile.specId)).sorted() {
                manifests += try builder.rebuilt(group.filter { $0.dataFile.specId == specId }, specId, content)
            }
        }
        return try builder.commit(
            operation: operation, manifests: manifests + kept, totals: before.mapValues { String($0) })
    }
}

extension SnapshotBuilder {
    fileprivate mutating func rebuilt(
        _ entries: [ManifestEntry], _ specId: Int, _ content: ManifestFile.Content
    ) throws(FirnError) -> [ManifestFile] {
        let spec = try spec(specId)
        let bytesTarget = base.tableProperties.manifestBytesTarget
        var writer = writer(spec, content)
        var manifests: [ManifestFile] = []
        for entry in entries {
            guard entry.dataFile.partition.count == spec.fields.count, entry.sequenceNumber != nil else {
                throw FirnError(
                    .invalidInput, "bad_entry", "the entry lacks its partition tuple or sequence number",
                    context: ["file": entry.dataFile.path])
            }
            if writer.byteCount >= bytesTarget, writer.entryCount > 0 {
                manifests.append(try finish(&writer))
                writer = self.writer(spec, content)
            }
            var entry = entry
            if entry.status == .deleted {
                entry.snapshotId = context.snapshotId
                summary.remove(entry.dataFile, spec: spec)
            } else {
                entry.status = .existing
            }
            try writer.append(entry)
        }
        manifests.append(try finish(&writer))
        return manifests
    }
}

extension DataFile {
    /// Adds the file to totals of a snapshot's summary.
    public func count(into totals: inout [String: Int64]) {
        func add(_ key: String, _ value: Int64) { totals[key] = (totals[key] ?? 0) &+ value }
        add("total-files-size", isDeletionVector ? contentBytes ?? fileBytes : fileBytes)
        switch content {
        case .data:
            add("total-data-files", 1)
            add("total-records", recordCount)
        case .positionDeletes:
            add("total-delete-files", 1)
            add("total-position-deletes", recordCount)
        case .equalityDeletes:
            add("total-delete-files", 1)
            add("total-equality-deletes", recordCount)
        }
    }
}

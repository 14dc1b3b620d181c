import Base
import Columnar
import Storage

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
        guard !removed.isEmpty else {
            throw FirnError(.invalidInput, "empty_commit", "a replacement needs files to remove")
        }
        if let number = dataSequenceNumber, number > base.lastSequenceNumber {
            throw FirnError(.invalidInput, "bad_sequence_number", "sequence number \(number) lies in the future")
        }
        var builder = try SnapshotBuilder(
            base: base, baseLocation: baseLocation, branch: branch, context: context, store: store)
        let (rewritten, removedFiles) = try builder.removing(removed)
        try builder.checkDeletes(removedFiles, since: dataSequenceNumber)
        let data = try builder.addedManifests(added, dataSequenceNumber: dataSequenceNumber) + rewritten
        guard builder.summary.addedRecords <= builder.summary.removedRecords else {
            throw FirnError(
                .invalidInput, "replace_adds_records",
                "\(builder.summary.addedRecords) records would replace \(builder.summary.removedRecords)")
        }
        let deletes = try builder.deleteManifests(after: data, removed: removedFiles)
        return try builder.commit(operation: "replace", manifests: try builder.merge(data + deletes))
    }
}

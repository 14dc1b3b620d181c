import Base
import Catalog
import Iceberg
import Storage

/// The live files of a table at one snapshot.
public struct LiveFiles: Sendable {
    /// Nil for a table without snapshots.
    public let snapshotId: Int64?
    /// The data files.
    public let state: CompactionState
    /// The delete files; empty without any.
    public let deletes: DeleteIndex
    public let manifestCount: Int

    /// All live data files.
    public var fileCount: Int { state.totals.files }
    public var bytes: Int64 { state.totals.bytes }

    /// Data files below the target and those with deletes, of a format that can be rewritten.
    public var candidates: [CompactionCandidate] { state.candidates }

    /// The state of a table, read afresh.
    ///
    /// - Parameter keepsAll: makes candidates of files of any size.
    public static func read(_ table: Table, store: any ObjectStore, keepsAll: Bool = false) throws -> LiveFiles {
        var scan = LiveFileScan(keepsAll: keepsAll)
        return try scan.read(table, store: store)
    }

    /// Throws `.unsupported` (`format_version`) for tables that Firn only reads.
    public func requireRewritable(_ table: Table) throws(FirnError) {
        guard (2...3).contains(table.metadata.formatVersion) else {
            throw FirnError(
                .unsupported, "format_version",
                "tables of format version \(table.metadata.formatVersion) are not compacted",
                context: ["table": table.identifier.description])
        }
    }
}

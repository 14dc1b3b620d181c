import Base
import Catalog

/// What one compaction run did.
public struct CompactionReport: Hashable, Sendable {
    public let table: TableIdentifier
    /// Data files that were merged, and that came of them.
    public var filesBefore = 0
    public var filesAfter = 0
    public var bytesBefore: Int64 = 0
    public var bytesAfter: Int64 = 0
    /// Rows rewritten, each proven to be there before and after.
    public var rows: Int64 = 0
    public var groups = 0
    public var commits = 0
    /// Groups rewritten in vain because of what other writers did to their inputs meanwhile.
    public var conflicts = 0
    /// Rows that others deleted meanwhile, deleted in the outputs too.
    public var deletesCarried: Int64 = 0
    public var durationMs: Int64 = 0
    /// The last snapshot this run committed; nil when there was nothing to do.
    public var snapshotId: Int64?
    /// All live data files of the table when the run began, and when it ended.
    public var tableFilesBefore = 0
    public var tableFilesAfter = 0
    public var tableBytesBefore: Int64 = 0
    public var tableBytesAfter: Int64 = 0

    public init(table: TableIdentifier) { self.table = table }

    public var json: JSONValue {
        .object([
            .init("table", .string(table.description)),
            .init("files-before", .integer(Int64(filesBefore))),
            .init("files-after", .integer(Int64(filesAfter))),
            .init("bytes-before", .integer(bytesBefore)),
            .init("bytes-after", .integer(bytesAfter)),
            .init("rows", .integer(rows)),
            .init("groups", .integer(Int64(groups))),
            .init("commits", .integer(Int64(commits))),
            .init("conflicts", .integer(Int64(conflicts))),
            .init("deletes-carried", .integer(deletesCarried)),
            .init("duration-ms", .integer(durationMs)),
            .init("snapshot-id", snapshotId.map { .integer($0) } ?? .null),
            .init("table-files-before", .integer(Int64(tableFilesBefore))),
            .init("table-files-after", .integer(Int64(tableFilesAfter))),
            .init("table-bytes-before", .integer(tableBytesBefore)),
            .init("table-bytes-after", .integer(tableBytesAfter)),
        ])
    }
}

/// How far a compaction run is, for a progress bar.
public struct CompactionProgress: Hashable, Sendable {
    /// Bytes of input files read, of all plans; a conflict adds the plans made anew to both.
    public var bytesDone: Int64
    public var bytesTotal: Int64
    public var groupsDone: Int
    public var groupsTotal: Int
}

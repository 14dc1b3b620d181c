import Base
import Catalog
import Iceberg
import Logging

/// One flush: the micro-batches of one table, or of several that some request has tied together, become data files and
/// one catalog transaction.
///
/// 1. The tables are those that the uncommitted batches of the first one name as partners, and theirs in turn.
/// 2. Each is written; then all are committed at once (G3), or none.
/// 3. After a failure every table keeps its batches, and the log still holds everything.
struct TableFlush {
    private let members: [(ingestor: TableIngestor, work: TableIngestor.Work)]

    /// Takes the batches of `first` and of all tables tied to it. Nil when there is nothing to flush, or when one of
    /// them is busy; then nothing was taken.
    ///
    /// - Parameter find: the open ingestor of a table; nil for one that is gone, and its part of the request with it.
    init?(_ first: TableIngestor, find: (UUID) -> TableIngestor?) {
        var tied = [first]
        var next = 0
        while next < tied.count {
            for uuid in tied[next].partners where !tied.contains(where: { $0.tableUUID == uuid }) {
                if let partner = find(uuid), partner.condition != .dropped { tied.append(partner) }
            }
            next += 1
        }
        var taken: [(TableIngestor, TableIngestor.Work)] = []
        for ingestor in tied {
            guard let work = ingestor.beginFlush() else {
                // A partner that has committed its part alone cannot be: it is busy, or has nothing.
                if ingestor.oldestUncommitted == nil, ingestor !== first { continue }
                for (other, _) in taken { other.putBack() }
                return nil
            }
            taken.append((ingestor, work))
        }
        members = taken
    }

    /// Writes and commits; false when it failed. `committed` is called before anybody hears of the commit.
    func run(_ warehouse: Warehouse, committed: (FlushReport) -> Void = { _ in }) -> Bool {
        let clock = warehouse.environment.clock
        let began = clock.monotonicNanos()
        let writers = members.map { MicroBatchWriter(warehouse: warehouse, table: $0.work.table, tag: $0.work.tag) }
        do {
            var parts: [JointPart] = []
            for (writer, member) in zip(writers, members) {
                let files = try writer.write(member.work.chunks, mark: member.work.mark)
                let committer = try warehouse.committer(for: member.work.table.identifier)
                guard committer.tableUUID == member.ingestor.tableUUID else {
                    throw FirnError(
                        .conflict, "table_replaced", "\(member.work.table.identifier) is another table than before")
                }
                parts.append(committer.appending(files, ingest: member.work.mark))
            }
            let written = clock.monotonicNanos()
            let results = try warehouse.commit(jointly: parts)
            let report = FlushReport(
                tables: members.count, rows: members.reduce(0) { $0 + $1.work.chunks.reduce(0) { $0 + $1.rows.count } },
                writeNanos: written - began, times: results[0].times)
            // Whoever waits for the flush may look at the figures next.
            committed(report)
            for (member, result) in zip(members, results) {
                member.ingestor.finish(
                    member.work.chunks, mark: member.work.mark, table: result.table, snapshotId: result.snapshotId)
            }
            return true
        } catch {
            // While the outcome is unknown the files may be live.
            if (error as? FirnError)?.kind != .outcomeUnknown { for writer in writers { writer.discard() } }
            for member in members { member.ingestor.fail(error) }
            return false
        }
    }
}

/// What one successful flush did and where its time went.
public struct FlushReport: Sendable {
    public let tables: Int
    public let rows: Int
    /// Encoding and writing data files.
    public let writeNanos: Int64
    public let times: CommitTimes
}

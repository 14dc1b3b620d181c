import Base
import SQLiteKit

extension Warehouse {
    /// Throws `.alreadyExists` (`job_exists`).
    public func insertJob(_ job: JobRow) throws {
        try core.database.write { database in
            do {
                try database.run(
                    """
                    INSERT INTO firn_jobs (table_name, kind, state, owner, epoch, created_ms, started_ms,
                        finished_ms, detail, error, id)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """, job.values)
            } catch let error as FirnError where error.kind == .alreadyExists {
                throw FirnError(.alreadyExists, "job_exists", "there is a job \(job.id) already")
            }
        }
    }

    /// Stores a job's new state. Throws `.fenced` (`job_taken_over`) when the stored epoch is newer, `.notFound`
    /// (`job_not_found`).
    public func updateJob(_ job: JobRow) throws {
        try core.database.write { database in
            let changed = try database.run(
                """
                UPDATE firn_jobs SET table_name = ?, kind = ?, state = ?, owner = ?, epoch = ?, created_ms = ?,
                    started_ms = ?, finished_ms = ?, detail = ?, error = ?
                WHERE id = ? AND epoch <= ?
                """, job.values + [.integer(job.epoch)])
            guard changed == 0 else { return }
            guard try database.queryRow("SELECT 1 FROM firn_jobs WHERE id = ?", [.text(job.id)]) != nil else {
                throw FirnError(.notFound, "job_not_found", "there is no job \(job.id)")
            }
            throw FirnError(.fenced, "job_taken_over", "the job \(job.id) has a newer run")
        }
    }

    /// Jobs newest first, narrowed by table and state.
    public func listJobs(table: String? = nil, state: JobRow.State? = nil, limit: Int = 100) throws -> [JobRow] {
        try core.database.read { database in
            try database.query(
                """
                SELECT table_name, kind, state, owner, epoch, created_ms, started_ms, finished_ms, detail, error, id
                FROM firn_jobs WHERE (?1 IS NULL OR table_name = ?1) AND (?2 IS NULL OR state = ?2)
                ORDER BY created_ms DESC, id LIMIT ?3
                """, [SQLValue(table), SQLValue(state?.rawValue), SQLValue(limit)]
            ).map(JobRow.init(row:))
        }
    }

    /// Drops finished jobs older than a time; answers how many.
    @discardableResult
    public func forgetJobs(olderThanMs: Int64) throws -> Int {
        try core.database.write {
            try $0.run(
                "DELETE FROM firn_jobs WHERE state IN ('done', 'failed', 'cancelled') AND created_ms < ?",
                [.integer(olderThanMs)])
        }
    }
}

extension JobRow {
    /// In the order of the statements above: everything, the id last.
    fileprivate var values: [SQLValue] {
        [
            .text(table), .text(kind), .text(state.rawValue), SQLValue(owner), .integer(epoch), .integer(createdMs),
            SQLValue(startedMs), SQLValue(finishedMs), .text(detail), SQLValue(error), .text(id),
        ]
    }

    fileprivate init(row: [SQLValue]) throws {
        guard let table = row[0].textValue, let kind = row[1].textValue,
            let state = row[2].textValue.flatMap(State.init(rawValue:)), let epoch = row[4].integerValue,
            let created = row[5].integerValue, let detail = row[8].textValue, let id = row[10].textValue
        else { throw MarkStore.malformed("firn_jobs") }
        self.init(
            id: id, table: table, kind: kind, state: state, owner: row[3].textValue, epoch: epoch, createdMs: created,
            startedMs: row[6].integerValue, finishedMs: row[7].integerValue, detail: detail, error: row[9].textValue)
    }
}

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
                        finished_ms, detail, error, attempts, id)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """, job.values)
            } catch let error as FirnError where error.kind == .alreadyExists {
                throw FirnError(.alreadyExists, "job_exists", "there is a job \(job.id) already")
            }
        }
    }

    /// Stores a job's new state. Throws `.fenced` (`job_taken_over`) when the stored epoch is newer, `.notFound`
    /// (`job_not_found`).
    public func updateJob(_ job: JobRow) throws {
        try core.database.write { try Self.update(job, in: $0) }
    }

    /// Stores the last states of jobs and gives the lease back, in one transaction. A job that is gone or has a newer
    /// run is left as it is.
    public func closeJobs(_ jobs: [JobRow], lease: Lease) throws {
        try core.database.write { database in
            for job in jobs {
                do {
                    try Self.update(job, in: database)
                } catch let error as FirnError where ["job_taken_over", "job_not_found"].contains(error.code) {}
            }
            try Self.release(lease, in: database)
        }
    }

    /// Jobs newest first, narrowed by table, kind and state.
    public func listJobs(
        table: String? = nil, kind: String? = nil, state: JobRow.State? = nil, limit: Int = 100
    ) throws -> [JobRow] {
        try core.database.read { database in
            try database.query(
                Self.jobColumns + """
                     WHERE (?1 IS NULL OR table_name = ?1) AND (?2 IS NULL OR state = ?2) AND (?3 IS NULL OR kind = ?3)
                    ORDER BY created_ms DESC, id LIMIT ?4
                    """, [SQLValue(table), SQLValue(state?.rawValue), SQLValue(kind), SQLValue(limit)]
            ).map(JobRow.init(row:))
        }
    }

    /// The job whose id is this or, when only one does, begins with it. Throws `.notFound` (`job_not_found`),
    /// `.invalidInput` (`job_ambiguous`).
    public func job(_ id: String) throws -> JobRow {
        let found = try core.database.read { database in
            try database.query(
                Self.jobColumns + " WHERE id = ?1 OR (length(?1) >= 4 AND substr(id, 1, length(?1)) = ?1) LIMIT 3",
                [.text(id)]
            ).map(JobRow.init(row:))
        }
        if let exact = found.first(where: { $0.id == id }) { return exact }
        guard let first = found.first else { throw Self.jobMissing(id) }
        guard found.count == 1 else {
            throw FirnError(.invalidInput, "job_ambiguous", "several jobs begin with \(id); write more of the id")
        }
        return first
    }

    /// When each table last had a job of a kind, in milliseconds since 1970.
    public func lastJobs(kind: String) throws -> [String: Int64] {
        let rows = try core.database.read { database in
            try database.query(
                "SELECT table_name, max(created_ms) FROM firn_jobs WHERE kind = ? GROUP BY table_name", [.text(kind)])
        }
        return Dictionary(
            rows.compactMap { row in row[0].textValue.map { ($0, row[1].integerValue ?? 0) } },
            uniquingKeysWith: max)
    }

    /// Asks that a job stop, and answers it as it is then. One that nobody runs, because it waits or because its
    /// process died, is cancelled at once; a running one at its next checkpoint, in whatever process.
    ///
    /// Throws `.notFound` (`job_not_found`), `.conflict` (`job_finished`).
    public func cancelJob(_ id: String) throws -> JobRow {
        let known = try job(id)
        let isDead = try known.state == .running && !isAlive(owner: known.owner)
        let now = environment.clock.nowMs()
        return try core.database.write { database in
            guard let job = try Self.job(known.id, in: database) else { throw Self.jobMissing(id) }
            switch job.state {
            case .done, .failed, .cancelled:
                throw FirnError(
                    .conflict, "job_finished", "the job \(job.id) has ended already: it is \(job.state.rawValue)")
            case .running where !isDead || job.owner != known.owner:
                try database.run(
                    "UPDATE firn_jobs SET cancel_ms = coalesce(cancel_ms, ?) WHERE id = ?",
                    [.integer(now), .text(job.id)])
            case .planned, .running:
                try database.run(
                    """
                    UPDATE firn_jobs SET state = 'cancelled', cancel_ms = coalesce(cancel_ms, ?1),
                        finished_ms = ?1 WHERE id = ?2
                    """, [.integer(now), .text(job.id)])
            }
            return try Self.job(job.id, in: database) ?? job
        }
    }

    /// Whether somebody wants the job to stop, or has forgotten it.
    public func isCancelRequested(_ jobId: String) throws -> Bool {
        try core.database.read { database in
            guard let row = try database.queryRow("SELECT cancel_ms FROM firn_jobs WHERE id = ?", [.text(jobId)])
            else { return true }
            return row[0].integerValue != nil
        }
    }

    /// Jobs that wait for a process: planned ones, and running ones whose process has died. Oldest first.
    public func openJobs(limit: Int = 100) throws -> [JobRow] {
        let jobs = try core.database.read { database in
            try database.query(
                Self.jobColumns + " WHERE state IN ('planned', 'running') ORDER BY created_ms, id LIMIT ?",
                [SQLValue(limit)]
            ).map(JobRow.init(row:))
        }
        return try jobs.filter { try $0.state == .planned || !isAlive(owner: $0.owner) }
    }

    /// Drops finished jobs older than a time, and of the rest all but the newest `countMax`; answers how many.
    @discardableResult
    public func forgetJobs(olderThanMs: Int64, countMax: Int = .max) throws -> Int {
        let finished = "state IN ('done', 'failed', 'cancelled')"
        let isNeeded = try core.database.read { database in
            try database.queryRow(
                """
                SELECT 1 WHERE EXISTS (SELECT 1 FROM firn_jobs WHERE \(finished) AND created_ms < ?1)
                    OR (SELECT count(*) FROM firn_jobs WHERE \(finished)) > ?2
                """, [.integer(olderThanMs), SQLValue(countMax)]) != nil
        }
        guard isNeeded else { return 0 }
        return try core.database.write { database in
            try database.run(
                "DELETE FROM firn_jobs WHERE \(finished) AND created_ms < ?", [.integer(olderThanMs)])
                + (try database.run(
                    """
                    DELETE FROM firn_jobs WHERE id IN (
                        SELECT id FROM firn_jobs WHERE \(finished) ORDER BY created_ms DESC, id LIMIT -1 OFFSET ?)
                    """, [SQLValue(countMax)]))
        }
    }

    private static let jobColumns = """
        SELECT table_name, kind, state, owner, epoch, created_ms, started_ms, finished_ms, detail, error, attempts, id,
            cancel_ms FROM firn_jobs
        """

    private static func job(_ id: String, in database: Database) throws -> JobRow? {
        try database.queryRow(jobColumns + " WHERE id = ?", [.text(id)]).map(JobRow.init(row:))
    }

    private static func update(_ job: JobRow, in database: Database) throws {
        let changed = try database.run(
            """
            UPDATE firn_jobs SET table_name = ?, kind = ?, state = ?, owner = ?, epoch = ?, created_ms = ?,
                started_ms = ?, finished_ms = ?, detail = ?, error = ?, attempts = ?
            WHERE id = ? AND epoch <= ?
            """, job.values + [.integer(job.epoch)])
        guard changed == 0 else { return }
        guard try database.queryRow("SELECT 1 FROM firn_jobs WHERE id = ?", [.text(job.id)]) != nil else {
            throw jobMissing(job.id)
        }
        throw FirnError(.fenced, "job_taken_over", "the job \(job.id) has a newer run")
    }

    private static func jobMissing(_ id: String) -> FirnError {
        FirnError(.notFound, "job_not_found", "there is no job \(id)")
    }
}

extension JobRow {
    /// In the order of the statements above: everything that a run may change, the id last.
    fileprivate var values: [SQLValue] {
        [
            .text(table), .text(kind), .text(state.rawValue), SQLValue(owner), .integer(epoch), .integer(createdMs),
            SQLValue(startedMs), SQLValue(finishedMs), .text(detail), SQLValue(error), SQLValue(attempts), .text(id),
        ]
    }

    fileprivate init(row: [SQLValue]) throws {
        guard let table = row[0].textValue, let kind = row[1].textValue,
            let state = row[2].textValue.flatMap(State.init(rawValue:)), let epoch = row[4].integerValue,
            let created = row[5].integerValue, let detail = row[8].textValue, let attempts = row[10].integerValue,
            let id = row[11].textValue
        else { throw MarkStore.malformed("firn_jobs") }
        self.init(
            id: id, table: table, kind: kind, state: state, owner: row[3].textValue, epoch: epoch, createdMs: created,
            startedMs: row[6].integerValue, finishedMs: row[7].integerValue, detail: detail, error: row[9].textValue,
            attempts: Int(attempts), cancelMs: row[12].integerValue)
    }
}

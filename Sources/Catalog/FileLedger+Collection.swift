import Base
import SQLiteKit
import Storage

extension FileLedger {
    private static let pageRows = 500

    /// Deletes the files that dead processes recorded and never committed.
    ///
    /// Their row is still there, so no commit made them live; their process is gone, so none will.
    @discardableResult
    public func recover() throws -> CollectionReport {
        var report = CollectionReport()
        for dead in try owner.takeDead(in: database) {
            let failed = try clear(
                where: "state = 'pending' AND owner = ?", [.text(dead.id)], into: &report)
            // With files left over the owner stays, for the next recovery.
            guard !failed else { continue }
            try owner.bury(dead, in: database)
            report.recoveredOwners += 1
        }
        return report
    }

    /// Recovers dead processes, then deletes garbage: files that expiry or a drop made unreachable.
    @discardableResult
    public func collectGarbage() throws -> CollectionReport {
        var report = try recover()
        _ = try clear(where: "state = 'garbage'", [], into: &report)
        return report
    }

    /// Records files as garbage, for the next collection. Only for files that nothing can reach any more; one that is
    /// recorded already keeps its state.
    public func condemn(_ paths: [String], table: UUID) throws {
        let now = environment.clock.nowMs()
        var rest = paths[...]
        while !rest.isEmpty {
            let page = rest.prefix(Self.pageRows)
            rest = rest.dropFirst(Self.pageRows)
            try database.write { database in
                for path in page {
                    try database.run(
                        """
                        INSERT INTO firn_ledger (path, table_uuid, owner, state, created_ms)
                        VALUES (?, ?, NULL, 'garbage', ?) ON CONFLICT (path) DO NOTHING
                        """, [.text(path), .text(table.description), .integer(now)])
                }
            }
        }
    }

    /// Deletes these garbage files and forgets them, page by page; paths that are not garbage are left alone. What
    /// cannot be deleted stays recorded.
    ///
    /// - Parameter checkpoint: called before each page; its throw leaves the rest to the next collection.
    @discardableResult
    public func collect(
        _ paths: [String], checkpoint: (CollectionReport) throws -> Void = { _ in }
    ) throws -> CollectionReport {
        var report = CollectionReport()
        var rest = paths[...]
        while !rest.isEmpty {
            try checkpoint(report)
            let page = Array(rest.prefix(Self.pageRows))
            rest = rest.dropFirst(Self.pageRows)
            let garbage = try database.read { database in
                try page.filter { path in
                    try database.queryRow(
                        "SELECT 1 FROM firn_ledger WHERE path = ? AND state = 'garbage'", [.text(path)]) != nil
                }
            }
            let gone = deleteFiles(garbage)
            report.deleted += gone.count
            report.failed += garbage.count - gone.count
            try forget(gone)
        }
        return report
    }

    /// What `collectGarbage` would delete now.
    public func collectable() throws -> [LedgerEntry] {
        let dead = try owner.deadIds(in: database)
        return try entries().filter { entry in
            entry.state == .garbage || entry.owner.map(dead.contains) ?? true
        }
    }

    /// Deletes the files of the matching rows, then the rows, page by page. Answers whether any file is left.
    private func clear(
        where condition: String, _ arguments: [SQLValue], into report: inout CollectionReport
    ) throws -> Bool {
        var last = ""
        var failed = false
        while true {
            let page = try database.read { database in
                try database.query(
                    "SELECT path FROM firn_ledger WHERE \(condition) AND path > ? ORDER BY path LIMIT \(Self.pageRows)",
                    arguments + [.text(last)]
                ).compactMap { $0[0].textValue }
            }
            guard let end = page.last else { return failed }
            last = end
            let gone = deleteFiles(page)
            report.deleted += gone.count
            report.failed += page.count - gone.count
            failed = failed || gone.count < page.count
            try forget(gone)
        }
    }

    /// The paths whose files are certainly gone.
    private func deleteFiles(_ paths: [String]) -> [String] {
        try? environment.faults.reach(.collectionListed)
        if (try? store.deleteAll(paths)) != nil { return paths }
        return paths.filter { path in (try? store.delete(path)) != nil }
    }

    /// Drops rows whose files are gone, whatever their state.
    private func forget(_ paths: [String]) throws {
        guard !paths.isEmpty else { return }
        try environment.faults.reach(.collectionFilesDeleted)
        try database.write { database in
            for path in paths { try database.run("DELETE FROM firn_ledger WHERE path = ?", [.text(path)]) }
        }
        try environment.faults.reach(.collectionForgotten)
    }
}

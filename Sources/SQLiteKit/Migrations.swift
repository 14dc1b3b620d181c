import Base

/// The history of a database's schema: named SQL scripts, each run once and in order.
///
/// What ran is kept in the table `firn_migrations`. All scripts that are missing run in one transaction, so a crash
/// leaves either the old schema or the new one.
public struct Migrations: Sendable {
    public struct Migration: Sendable, Hashable {
        /// Unique and stable; usually the script's file name without its extension.
        public let name: String
        public let sql: String

        public init(name: String, sql: String) {
            self.name = name
            self.sql = sql
        }
    }

    public let migrations: [Migration]

    public init(_ migrations: [Migration]) {
        precondition(Set(migrations.map(\.name)).count == migrations.count, "two migrations share a name")
        self.migrations = migrations
    }

    /// Brings the database up to date; answers the names of the scripts that ran now.
    ///
    /// - Throws: `.unsupported` (`newer_schema`) when the database has a migration that this version does not know.
    @discardableResult
    public func apply(to database: Database, nowMs: Int64) throws -> [String] {
        if let done = try appliedNames(database), done == Set(migrations.map(\.name)) { return [] }
        return try database.transaction {
            try database.execute(
                """
                CREATE TABLE IF NOT EXISTS firn_migrations (
                    name TEXT PRIMARY KEY NOT NULL,
                    applied_ms INTEGER NOT NULL
                ) STRICT
                """)
            let done = try appliedNames(database) ?? []
            if let unknown = done.subtracting(migrations.map(\.name)).sorted().first {
                throw FirnError(
                    .unsupported, "newer_schema",
                    "the database was written by a newer version: it has the migration \(unknown)",
                    context: ["file": database.path])
            }
            var ran: [String] = []
            for migration in migrations where !done.contains(migration.name) {
                try database.execute(migration.sql)
                try database.run(
                    "INSERT INTO firn_migrations (name, applied_ms) VALUES (?, ?)",
                    [.text(migration.name), .integer(nowMs)])
                ran.append(migration.name)
            }
            return ran
        }
    }

    /// Nil when nothing was ever applied.
    private func appliedNames(_ database: Database) throws -> Set<String>? {
        let exists = try database.queryRow(
            "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'firn_migrations'")
        guard exists != nil else { return nil }
        return Set(try database.query("SELECT name FROM firn_migrations").compactMap { $0[0].textValue })
    }
}

import Base
import SQLiteKit

extension Warehouse {
    /// This process's id. A lease owner that begins with it and a slash loses its leases when the process is found
    /// dead, without waiting for them to run out.
    public func processId() throws -> String { try ledger.owner.id(in: core.database) }

    /// Takes a lease that is free, expired or already this owner's; nil while another owner holds it, or was first to
    /// wait for it.
    ///
    /// The holder that takes it over from another, or again after it ran out, gets a higher epoch.
    ///
    /// - Parameter isWaiting: the caller will ask again, every second at least: the lease is kept for the first who
    ///   does, and a holder that keeps it without need gives it away (`isLeaseWanted`).
    public func acquireLease(_ name: String, owner: String, ttlMs: Int64, isWaiting: Bool = false) throws -> Lease? {
        let now = environment.clock.nowMs()
        return try core.database.write { database in
            let row = try database.queryRow(
                "SELECT owner, epoch, expires_ms, wanted_ms, wanted_by FROM firn_leases WHERE name = ?", [.text(name)])
            let holder = row?[0].textValue
            let isLive = holder != nil && (row?[2].integerValue ?? 0) > now
            let asked = row?[3].integerValue ?? 0
            let first = (0..<Self.waiterMs).contains(now - asked) ? row?[4].textValue : nil
            guard isLive ? holder == owner : first == nil || first == owner else {
                if isWaiting, first == nil || first == owner && now - asked >= Self.waiterMs / 4 {
                    try database.run(
                        "UPDATE firn_leases SET wanted_ms = ?, wanted_by = ? WHERE name = ?",
                        [.integer(now), .text(owner), .text(name)])
                }
                return nil
            }
            let epoch = (row?[1].integerValue ?? 0) + (isLive ? 0 : 1)
            try database.run(
                "INSERT OR REPLACE INTO firn_leases (name, owner, epoch, expires_ms) VALUES (?, ?, ?, ?)",
                [.text(name), .text(owner), .integer(epoch), .integer(now + ttlMs)])
            return Lease(name: name, owner: owner, epoch: epoch, expiresMs: now + ttlMs)
        }
    }

    /// Who has not asked for so long waits no more.
    private static let waiterMs: Int64 = 2000

    /// Extends a lease that nobody has taken over. Throws `.fenced` (`lease_lost`).
    public func renewLease(_ lease: Lease, ttlMs: Int64) throws -> Lease {
        let expires = environment.clock.nowMs() + ttlMs
        let changed = try core.database.write {
            try $0.run(
                "UPDATE firn_leases SET expires_ms = ? WHERE name = ? AND owner = ? AND epoch = ?",
                [.integer(expires), .text(lease.name), .text(lease.owner), .integer(lease.epoch)])
        }
        guard changed == 1 else {
            throw FirnError(.fenced, "lease_lost", "the lease '\(lease.name)' has another holder")
        }
        return Lease(name: lease.name, owner: lease.owner, epoch: lease.epoch, expiresMs: expires)
    }

    /// Whether somebody waits for the lease, or has taken it.
    public func isLeaseWanted(_ lease: Lease) throws -> Bool {
        try core.database.read { database in
            let row = try database.queryRow(
                "SELECT wanted_ms FROM firn_leases WHERE name = ? AND owner = ? AND epoch = ?",
                [.text(lease.name), .text(lease.owner), .integer(lease.epoch)])
            return row.map { $0[0].integerValue != nil } ?? true
        }
    }

    /// Gives a lease back; one that somebody took over stays theirs. The epoch is kept for the next holder.
    public func releaseLease(_ lease: Lease) throws {
        try core.database.write { try Self.release(lease, in: $0) }
    }

    static func release(_ lease: Lease, in database: Database) throws {
        try database.run(
            """
            UPDATE firn_leases SET owner = NULL, expires_ms = 0
            WHERE name = ? AND owner = ? AND epoch = ?
            """, [.text(lease.name), .text(lease.owner), .integer(lease.epoch)])
    }

    /// Whether the process of a lease's or job's owner still runs. An owner is a process id, or begins with one and a
    /// slash.
    public func isAlive(owner: String?) throws -> Bool {
        guard let process = owner?.split(separator: "/").first.map(String.init) else { return false }
        let isKnown = try core.database.read { database in
            try database.queryRow("SELECT 1 FROM firn_owners WHERE id = ?", [.text(process)]) != nil
        }
        return try isKnown && !ledger.owner.deadIds(in: core.database).contains(process)
    }

    /// Where every table's current metadata is: what tells which tables were committed to.
    public func tableLocations() throws -> [TableIdentifier: String] {
        try core.database.read { database in
            Dictionary(
                try TablePointers.locations(in: database).map { ($0.id, $0.location) },
                uniquingKeysWith: { first, _ in first })
        }
    }
}

import Base
import SQLiteKit

extension Warehouse {
    /// This process's id. A lease owner that begins with it and a slash loses its leases when the process is found
    /// dead, without waiting for them to run out.
    public func processId() throws -> String { try ledger.owner.id(in: core.database) }

    /// Takes a lease that is free, expired or already this owner's; nil while another owner holds it.
    ///
    /// The holder that takes it over from another, or again after it ran out, gets a higher epoch.
    public func acquireLease(_ name: String, owner: String, ttlMs: Int64) throws -> Lease? {
        let now = environment.clock.nowMs()
        return try core.database.write { database in
            let row = try database.queryRow(
                "SELECT owner, epoch, expires_ms FROM firn_leases WHERE name = ?", [.text(name)])
            let holder = row?[0].textValue
            let isLive = holder != nil && (row?[2].integerValue ?? 0) > now
            if isLive, holder != owner { return nil }
            let epoch = (row?[1].integerValue ?? 0) + (isLive ? 0 : 1)
            try database.run(
                "INSERT OR REPLACE INTO firn_leases (name, owner, epoch, expires_ms) VALUES (?, ?, ?, ?)",
                [.text(name), .text(owner), .integer(epoch), .integer(now + ttlMs)])
            return Lease(name: name, owner: owner, epoch: epoch, expiresMs: now + ttlMs)
        }
    }

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

    /// Gives a lease back; one that somebody took over stays theirs. The epoch is kept for the next holder.
    public func releaseLease(_ lease: Lease) throws {
        try core.database.write {
            try $0.run(
                "UPDATE firn_leases SET owner = NULL, expires_ms = 0 WHERE name = ? AND owner = ? AND epoch = ?",
                [.text(lease.name), .text(lease.owner), .integer(lease.epoch)])
        }
    }
}

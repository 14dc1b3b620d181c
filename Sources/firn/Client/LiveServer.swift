import Base
import Catalog
import Glibc
import Ingest
import Server
import Synchronization

/// The server that works on a warehouse right now, if there is one.
///
/// A record in `wal/server.json` counts only while the process it names holds the lock of the warehouse's log, so that
/// what a killed server left behind, or another server on its old port, is never asked.
struct LiveServer {
    private static let flushSeconds = 60
    private static let hasTold = Mutex(false)

    let url: String

    /// A server that takes no connections is only starting, or stopping, and commits all it has by itself. One that
    /// answers slowly is a server all the same.
    static func find(warehouse directory: String) -> LiveServer? {
        guard let record = ServerRecord.read(warehouse: directory, files: Environment.live.files),
            holdsLock(record.pid, directory + "/wal/lock"),
            (try? FirnClient(record.url).open()) != nil
        else { return nil }
        return LiveServer(url: record.url)
    }

    /// Commits what the server has acknowledged, of all tables or of one, so that a reader of the warehouse sees it
    /// (G5).
    func flush(_ table: TableIdentifier? = nil) throws {
        let path = table.map { "/v1/tables/\($0.namespaceText)/\($0.name)/flush" } ?? "/v1/flush"
        try FirnClient(url, timeoutSeconds: Self.flushSeconds).call("POST", path, retry: false)
    }

    /// Says on standard error, once, when a server that was killed has left records in the log that their tables do not
    /// have: whoever looks at the tables now does not see them. Best effort.
    static func tellOfWhatWaits(in warehouse: Warehouse) {
        // One that stopped cleanly has removed its record, and told on its way what it could not commit.
        guard ServerRecord.read(warehouse: warehouse.directory, files: Environment.live.files) != nil,
            hasTold.withLock({ hasTold in
                defer { hasTold = true }
                return !hasTold
            })
        else { return }
        var committed: [UUID: UInt64] = [:]
        let waits = try? LogInspector.holdsRecords(
            in: warehouse.directory + "/wal", environment: warehouse.environment
        ) { table, position in
            if committed[table] == nil {
                // Records of a table that was dropped went with it.
                committed[table] = try warehouse.findTable(table) == nil ? .max : warehouse.logPosition(table)
            }
            return position > committed[table] ?? .max
        }
        guard waits == true else { return }
        Console.error(
            "firn: the log has acknowledged records that are not in their tables yet, and no server is there to commit "
                + "them; start one with \"firn serve\"")
    }

    /// Looks into the kernel's list of locks. Trying the lock instead could keep a starting server from getting it.
    private static func holdsLock(_ pid: Int, _ path: String) -> Bool {
        var info = stat()
        guard stat(path, &info) == 0, kill(pid_t(pid), 0) == 0 || errno == EPERM else { return false }
        guard let file = try? Environment.live.files.open("/proc/locks", .read) else { return true }
        defer { file.close() }
        guard let bytes = try? file.read(at: 0, count: 4 << 20) else { return true }
        // "1: FLOCK  ADVISORY  WRITE 4711 08:01:131082 0 EOF"
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count >= 6, words[1] == "FLOCK", words[4] == String(pid) else { continue }
            if words[5].split(separator: ":").last == "\(info.st_ino)" { return true }
        }
        return false
    }
}

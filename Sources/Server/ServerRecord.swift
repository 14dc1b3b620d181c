import Base
import Catalog
import Glibc

/// `DIR/wal/server.json`: where the warehouse's server listens, so that commands beside it can find it.
///
/// Written once the server listens, removed when it stops cleanly. A process that was killed leaves it behind: a reader
/// believes it only while the process it names holds the log.
public struct ServerRecord: Sendable {
    public let url: String
    public let pid: Int

    /// A server on every address is reached on the loopback one.
    init(host: String, port: Int) {
        let name =
            switch host {
            case "0.0.0.0": "127.0.0.1"
            case "::": "[::1]"
            default: host.contains(":") ? "[\(host)]" : host
            }
        url = "http://\(name):\(port)"
        pid = Int(getpid())
    }

    private static func path(_ directory: String) -> String { directory + "/wal/server.json" }

    /// Nil when there is none, or it cannot be understood.
    public static func read(warehouse directory: String, files: any FileSystem) -> ServerRecord? {
        guard let bytes = try? files.readAll(path(directory), limit: 1 << 16),
            let json = try? JSONValue(parsing: bytes, source: "server.json"),
            let url = json["url"]?.stringValue, let pid = json["pid"]?.intValue
        else { return nil }
        return ServerRecord(url: url, pid: Int(pid))
    }

    private init(url: String, pid: Int) {
        self.url = url
        self.pid = pid
    }

    /// Atomic: a reader sees the whole record or none.
    func write(_ warehouse: Warehouse) throws {
        let files = warehouse.environment.files
        let temporary = warehouse.directory + "/wal/server.tmp"
        var bytes = JSONValue.object([.init("url", .string(url)), .init("pid", .integer(Int64(pid)))]).serialize()
        bytes.append(UInt8(ascii: "\n"))
        try files.writeAll(bytes, to: temporary)
        try files.rename(temporary, to: Self.path(warehouse.directory))
    }

    static func remove(_ warehouse: Warehouse) {
        try? warehouse.environment.files.remove(path(warehouse.directory))
    }
}

import Base
import Catalog
import Iceberg
import Storage

/// Subtracts what is known from a set of suspects.
///
/// Locations are compared as paths without scheme and with percent signs decoded, since some writers store the encoded
/// form of a name and some the name. Of a known file that lies elsewhere as far as its location says, its name counts:
/// the folder may have several paths. Memory grows with the suspects.
struct OrphanSearch {
    private let warehouse: Warehouse
    private let hooks: CleanUpHooks
    /// Suspects by their decoded paths, and how often each name occurs among them.
    private var suspects: Set<String> = []
    private var names: [String: [String]] = [:]
    private var seen = 0

    init(warehouse: Warehouse, hooks: CleanUpHooks) {
        self.warehouse = warehouse
        self.hooks = hooks
    }

    mutating func suspect(_ locations: [String]) {
        for location in locations {
            let key = Self.key(location)
            if suspects.insert(key).inserted { names[key.lastPathComponent, default: []].append(key) }
        }
    }

    func isUnknown(_ location: String) -> Bool { suspects.contains(Self.key(location)) }

    mutating func subtractLedger() throws {
        for entry in try warehouse.ledger.entries() { know(entry.path) }
    }

    /// All that a table needs now, and what the metadata files of its log needed as far as it is still there.
    mutating func subtract(_ id: TableIdentifier) throws {
        guard !suspects.isEmpty else { return }
        let table: Table
        do {
            table = try warehouse.loadTable(id)
        } catch let error as FirnError where error.code == "table_not_found" {
            // Dropped meanwhile: its files are garbage in the ledger, or stay and are nobody's.
            return
        }
        know(table.metadataLocation)
        var walk = ReachableWalk()
        try self.walk(table.metadata, &walk, toleratesMissing: false)
        for entry in table.metadata.metadataLog.reversed() {
            guard let old = try Self.former(entry.metadataFile, warehouse.store) else { continue }
            try self.walk(old, &walk, toleratesMissing: true)
        }
    }

    private mutating func walk(
        _ metadata: TableMetadata, _ walk: inout ReachableWalk, toleratesMissing: Bool
    ) throws {
        let (store, hooks) = (warehouse.store, hooks)
        try walk.walk(
            metadata, store: store, toleratesMissing: toleratesMissing, checkpoint: { try hooks.checkpoint($0) },
            { know($0) })
    }

    /// A metadata file of the log; nil when it is gone or cannot be read, which is no reason to stop.
    private static func former(_ location: String, _ store: any ObjectStore) throws -> TableMetadata? {
        do {
            return try TableMetadata.parse(try store.get(location), source: location)
        } catch let error as FirnError where [.notFound, .corrupted, .unsupported, .invalidInput].contains(error.kind) {
            return nil
        }
    }

    private mutating func know(_ location: String) {
        seen += 1
        if seen % 10_000 == 0 { hooks.onProgress(CleanUpProgress("files", done: seen, total: seen)) }
        let key = Self.key(location)
        if suspects.remove(key) != nil { return }
        guard let sameName = names[key.lastPathComponent] else { return }
        let folder = ObjectLocation.file(warehouse.directory) + "/"
        // Below the warehouse a path is what it says; anything else may be another way to the same file.
        guard !key.hasPrefix(String(folder.dropFirst(7))) else { return }
        suspects.subtract(sameName)
    }

    /// The path of a location, decoded.
    static func key(_ location: String) -> String {
        var path = location[...]
        if let colon = path.firstIndex(of: ":"), path[..<colon].lowercased() == "file" {
            path = path[colon...].dropFirst()
            if path.hasPrefix("//") {
                // An authority, mostly empty.
                path = path.dropFirst(2).drop { $0 != "/" }
            }
        }
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            if part == ".." { _ = parts.popLast() } else { parts.append(part) }
        }
        return PercentText.decode("/" + parts.joined(separator: "/"))
    }
}

/// Percent-encoding, as far as paths need it.
enum PercentText {
    /// Sequences that are none stay as they are.
    static func decode(_ text: String) -> String {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return text }
        let bytes = Array(text.utf8)
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count, let high = digit(bytes[index + 1]),
                let low = digit(bytes[index + 2])
            {
                out.append(high << 4 | low)
                index += 3
            } else {
                out.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }
}

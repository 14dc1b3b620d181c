import Base
import Iceberg
import SQLiteKit
import Storage

/// Where tables and their files may lie when somebody without an account on this machine says so: in the warehouse,
/// but not in its log; and where a table lies already, wherever its operator put it.
struct AllowedFolders {
    private let warehouse: String
    private let others: [String]

    init(warehouse: String, table: TableMetadata? = nil) {
        self.warehouse = warehouse
        others = table.map { [$0.location, $0.dataFolder, $0.metadataFolder] } ?? []
    }

    /// A file of a table. Throws `.invalidInput` (`bad_location`).
    func check(_ path: String) throws(FirnError) {
        guard isInWarehouse(path) || others.contains(where: { ObjectLocation.isBelow(path, folder: $0) }) else {
            throw bad(path, "the file lies outside the warehouse")
        }
    }

    /// A table's folder, spelled in the one way that all engines compare. Throws `.invalidInput` (`bad_location`).
    func checkTable(_ location: String) throws(FirnError) {
        var folder = location
        while folder.hasSuffix("/") { folder.removeLast() }
        guard isInWarehouse(folder), (try? ObjectLocation.normalized(folder)) == folder else {
            throw bad(location, "a table needs a file:/// folder inside the warehouse")
        }
    }

    private func isInWarehouse(_ path: String) -> Bool {
        ObjectLocation.isBelow(path, folder: warehouse)
            && !ObjectLocation.isBelow(path + "/x", folder: warehouse + "/wal")
            && !path.hasPrefix(ObjectLocation.file(warehouse) + "/catalog.db")
    }

    private func bad(_ location: String, _ reason: String) -> FirnError {
        FirnError(.invalidInput, "bad_location", reason, context: ["location": location])
    }
}

extension Warehouse {
    /// Throws `.invalidInput` (`bad_location`) unless the table may lie here: in the warehouse, and not in the
    /// folder of another table or around it, since each would take the other's files for litter.
    func requireFree(_ location: String, for id: TableIdentifier) throws {
        try AllowedFolders(warehouse: directory).checkTable(location)
        try NameRules.checkLength(of: location, id)
        for (other, metadata) in try core.database.read({ try TablePointers.locations(in: $0) }) where other != id {
            let file = try? ObjectLocation.path(metadata)
            guard let folder = file.map({ $0.parentDirectory.parentDirectory }) else { continue }
            guard
                ObjectLocation.isBelow(location + "/x", folder: folder)
                    || ObjectLocation.isBelow(folder + "/x", folder: location)
            else { continue }
            throw FirnError(
                .invalidInput, "bad_location", "the table \(other) lies there already: leave the location out",
                context: ["location": location])
        }
    }
}

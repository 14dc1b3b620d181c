import Base
import Iceberg
import Storage

/// Which files a table may delete. Paths in metadata were written by anybody; this is the one gate between them and
/// the ledger's garbage.
struct TableFolders {
    private let warehouse: String
    private let isAttached: Bool
    private let folders: [String]

    init(_ metadata: TableMetadata, warehouse: String, isAttached: Bool = false) {
        self.warehouse = warehouse
        self.isAttached = isAttached
        folders = [metadata.location, metadata.dataFolder, metadata.metadataFolder]
    }

    init(_ metadata: ViewMetadata, warehouse: String) {
        self.warehouse = warehouse
        isAttached = false
        folders = [metadata.location, metadata.metadataFolder]
    }

    /// True for files in the table's own folders inside the warehouse. Others were registered by somebody who keeps
    /// them. An attached table's folders are outside.
    func owns(_ path: String) -> Bool {
        guard folders.contains(where: { ObjectLocation.isBelow(path, folder: $0) }) else { return false }
        guard !isAttached else { return !ObjectLocation.isBelow(path, folder: warehouse) }
        return ObjectLocation.isBelow(path, folder: warehouse)
            && !ObjectLocation.isBelow(path, folder: warehouse + "/wal")
    }
}

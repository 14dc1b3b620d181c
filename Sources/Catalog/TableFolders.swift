import Base
import Iceberg
import Storage

/// Which files a table may delete. Paths in metadata were written by anybody; this is the one gate between them and
/// the ledger's garbage.
struct TableFolders {
    private let warehouse: String
    private let folders: [String]

    init(_ metadata: TableMetadata, warehouse: String) {
        self.warehouse = warehouse
        folders = [metadata.location, metadata.dataFolder, metadata.metadataFolder]
    }

    init(_ metadata: ViewMetadata, warehouse: String) {
        self.warehouse = warehouse
        folders = [metadata.location, metadata.metadataFolder]
    }

    /// True for files in the table's own folders inside the warehouse. Others were registered by somebody who keeps
    /// them.
    func owns(_ path: String) -> Bool {
        ObjectLocation.isBelow(path, folder: warehouse)
            && !ObjectLocation.isBelow(path, folder: warehouse + "/wal")
            && folders.contains { ObjectLocation.isBelow(path, folder: $0) }
    }
}

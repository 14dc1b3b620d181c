import Base
import Catalog
import Iceberg
import Storage

/// The files below one table's folders that may be orphans, before anything is known of their use.
///
/// Left out: folders behind links, tables inside the folder, whether registered or not, hidden files and folders, and
/// the metadata files of the table's own past.
struct FolderListing {
    let table: Table
    /// Locations, sorted.
    private(set) var candidates: [String] = []
    private(set) var count = 0
    private(set) var skipped = 0
    private(set) var kept: String?

    private let warehouse: Warehouse

    /// - Parameter others: all tables of the warehouse.
    init(_ table: Table, others: [Table], warehouse: Warehouse) throws {
        self.table = table
        self.warehouse = warehouse
        let folders = Self.folders(of: table)
        let outside = folders.filter { !ObjectLocation.isBelow($0, folder: warehouse.directory) }
        if !outside.isEmpty { kept = "outside" }
        for folder in folders where !outside.contains(folder) {
            guard try !isBehindLink(folder) else {
                kept = "link"
                continue
            }
            candidates += try warehouse.store.list(folder)
        }
        candidates = Array(Set(candidates)).sorted()
        count = candidates.count
        let foreign = Set(
            others.filter { $0.metadata.tableUUID != table.metadata.tableUUID }.flatMap(Self.folders))
        leaveOut(foreign.union(nestedTables()))
        try leaveOutMetadata()
    }

    /// Folders of a table, none below another.
    private static func folders(of table: Table) -> [String] {
        let all = [table.metadata.location, table.metadata.dataFolder, table.metadata.metadataFolder]
        let normal = Set(all.compactMap { try? ObjectLocation.normalized($0) })
        return normal.filter { folder in !normal.contains { ObjectLocation.isBelow(folder, folder: $0) } }.sorted()
    }

    /// True when a folder between the warehouse and this one, itself included, is a link.
    private func isBehindLink(_ folder: String) throws -> Bool {
        var path = try ObjectLocation.path(folder)
        while path.utf8.count > warehouse.directory.utf8.count {
            if try warehouse.store.status(ObjectLocation.file(path))?.isForeign ?? false { return true }
            path = path.parentDirectory
        }
        return false
    }

    /// Folders below that look like tables: they hold a folder with metadata files.
    private func nestedTables() -> Set<String> {
        let own = try? ObjectLocation.normalized(table.metadata.metadataFolder)
        var found: Set<String> = []
        for path in candidates where path.hasSuffix(".metadata.json") {
            let folder = path.parentDirectory
            guard folder != own else { continue }
            found.insert(folder)
            if folder.hasSuffix("/metadata") { found.insert(folder.parentDirectory) }
        }
        return found
    }

    /// Only folders below one of the table's own: where a table encloses this one, this one's files are its own.
    private mutating func leaveOut(_ folders: Set<String>) {
        let own = Self.folders(of: table)
        let inside = folders.filter { folder in own.contains { ObjectLocation.isBelow(folder, folder: $0) } }
        if own.contains(where: folders.contains) { kept = "shared" }
        let roots = own.map { $0.utf8.count }.min() ?? 0
        candidates.removeAll { path in
            let isInside = inside.contains { path.hasPrefix($0 + "/") }
            // The part below the table's folder: what lies above is none of the files' choice.
            if isInside || Self.isHidden(path.utf8.dropFirst(roots)) {
                skipped += 1
                return true
            }
            return path.hasPrefix(ObjectLocation.file(warehouse.directory) + "/catalog.db")
        }
    }

    /// As other engines have it: names that begin with a dot or an underscore, but for partitions.
    private static func isHidden(_ path: Substring.UTF8View) -> Bool {
        path.split(separator: UInt8(ascii: "/")).contains { name in
            (name.first == UInt8(ascii: ".") || name.first == UInt8(ascii: "_")) && !name.contains(UInt8(ascii: "="))
        }
    }

    /// Metadata files of the table's past are `MetadataFiles`' matter, but for attempts whose number another file has.
    /// One of another table means that the folder has two owners.
    private mutating func leaveOutMetadata() throws {
        let own = try ObjectLocation.normalized(table.metadata.metadataFolder)
        let listed = Set(
            ([table.metadataLocation] + table.metadata.metadataLog.map(\.metadataFile)).compactMap {
                try? ObjectLocation.normalized($0)
            })
        let numbers = Set(listed.compactMap(MetadataFiles.version))
        var dropped: Set<String> = []
        for path in candidates where path.parentDirectory == own {
            if path.hasSuffix("/version-hint.text") { dropped.insert(path) }
            guard path.hasSuffix(".metadata.json") || path.hasSuffix(".metadata.json.gz"), !listed.contains(path)
            else { continue }
            if try MetadataFiles.tableUUID(path, store: warehouse.store) ?? table.metadata.tableUUID
                != table.metadata.tableUUID
            {
                kept = "shared"
            }
            if !(MetadataFiles.version(path).map(numbers.contains) ?? false) { dropped.insert(path) }
        }
        candidates.removeAll(where: dropped.contains)
    }
}

import Base
import Catalog
import Iceberg
import Storage

/// Deletes metadata files of a table's past.
///
/// Every commit leaves the metadata file of the state before it. The table's log names the last ones
/// (`write.metadata.previous-versions-max`), and Firn's own commits delete what falls off it. Other writers may not,
/// and a table whose `write.metadata.delete-after-commit.enabled` was set late has a long past.
///
/// A file goes when its number is smaller than any of the log's and the current file's, and it says that it is this
/// table's. Writers at work use larger numbers, so none of theirs is touched.
public enum MetadataFiles {
    /// What one run did.
    public struct Report: Hashable, Sendable {
        public let table: TableIdentifier
        /// Metadata files in the table's folder.
        public var found = 0
        /// Those that the table's log no longer names.
        public var unlisted = 0
        public var bytesUnlisted: Int64 = 0
        public var deleted = 0
        /// Files that could not be deleted; they stay in the ledger.
        public var failed = 0
        /// Why nothing was deleted, when something was there: `disabled`, `shared` …
        public var kept: String?
        public var durationMs: Int64 = 0

        public init(table: TableIdentifier) { self.table = table }

        public var json: JSONValue {
            .object([
                .init("table", .string(table.description)),
                .init("metadata-files", .integer(Int64(found))),
                .init("unlisted", .integer(Int64(unlisted))),
                .init("bytes-unlisted", .integer(bytesUnlisted)),
                .init("deleted", .integer(Int64(deleted))),
                .init("failed", .integer(Int64(failed))),
                .init("kept", kept.map { .string($0) } ?? .null),
                .init("duration-ms", .integer(durationMs)),
            ])
        }
    }

    /// Deletes former metadata files that fell off the table's log, when
    /// `write.metadata.delete-after-commit.enabled` says that they may go.
    ///
    /// Throws `.notFound` (`table_not_found`) and the store's errors; `.corrupted` (`metadata_unreadable`) never: what
    /// cannot be read is not deleted.
    public static func run(
        _ warehouse: Warehouse, table id: TableIdentifier, hooks: CleanUpHooks = .init()
    ) throws -> Report {
        let clock = warehouse.environment.clock
        let started = clock.monotonicNanos()
        var report = Report(table: id)
        guard try warehouse.attachment(of: id) == nil else {
            report.kept = "attached"
            return report
        }
        // Listed first: a file that is written later has a higher number than those that may go.
        let folder = try ObjectLocation.normalized(warehouse.loadTable(id).metadata.metadataFolder)
        let files = try warehouse.store.list(folder).filter { $0.parentDirectory == folder && version($0) != nil }
        let table = try warehouse.loadTable(id)
        let listed = ([table.metadataLocation] + table.metadata.metadataLog.map(\.metadataFile)).compactMap {
            try? ObjectLocation.normalized($0)
        }
        report.found = files.count
        var garbage: [String] = []
        if let oldest = listed.compactMap(version).min() {
            let known = Set(listed)
            for path in files where version(path)! < oldest && !known.contains(path) {
                try hooks.checkpoint(0)
                guard warehouse.owns(path, of: table), let status = try warehouse.store.status(path),
                    !status.isForeign
                else { continue }
                guard let uuid = try tableUUID(path, store: warehouse.store), uuid == table.metadata.tableUUID else {
                    report.kept = "shared"
                    continue
                }
                garbage.append(path)
                report.unlisted += 1
                report.bytesUnlisted += Int64(status.bytes)
            }
        }
        if !garbage.isEmpty {
            if !table.metadata.tableProperties.deletesMetadataFiles {
                report.kept = "disabled"
            } else {
                try warehouse.ledger.condemn(garbage, table: table.metadata.tableUUID)
                let collected = try warehouse.ledger.collect(garbage) { _ in try hooks.checkpoint(0) }
                report.deleted = collected.deleted
                report.failed = collected.failed
            }
        }
        report.durationMs = (clock.monotonicNanos() - started) / 1_000_000
        return report
    }

    /// The number in the name of a metadata file; nil for other names.
    static func version(_ location: String) -> Int? {
        guard location.hasSuffix(".metadata.json") || location.hasSuffix(".metadata.json.gz") else { return nil }
        return MetadataCommit.version(of: location)
    }

    /// The table that a metadata file belongs to; nil when it cannot be read.
    static func tableUUID(_ location: String, store: any ObjectStore) throws -> UUID? {
        do {
            let json = try TableMetadata.json(try store.get(location), source: location)
            return json["table-uuid"]?.stringValue.flatMap { UUID($0) }
        } catch let error as FirnError where [.notFound, .corrupted, .invalidInput, .unsupported].contains(error.kind) {
            return nil
        }
    }
}

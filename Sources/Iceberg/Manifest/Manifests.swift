import Base
import Columnar
import Storage

/// Manifest lists and manifests, read through a store.
public enum Manifests {
    /// The manifests of a snapshot. Throws `.unsupported` (`inline_manifests`) for old version 1 snapshots without
    /// list.
    public static func list(of snapshot: Snapshot, store: any ObjectStore) throws -> [ManifestFile] {
        guard !snapshot.manifestList.isEmpty else {
            throw FirnError(
                .unsupported, "inline_manifests", "snapshot \(snapshot.snapshotId) has no manifest list")
        }
        return try ManifestList.read(try store.get(snapshot.manifestList), source: snapshot.manifestList)
    }

    /// Rows of a manifest list from its bytes.
    public static func readList(_ bytes: [UInt8], source: String) throws(FirnError) -> [ManifestFile] {
        try ManifestList.read(bytes, source: source)
    }

    /// Calls `body` with every entry of a manifest until it returns false; entries have what they inherit.
    ///
    /// - Parameter statistics: false leaves counts and bounds of columns empty, which is several times faster.
    public static func forEachEntry(
        of manifest: ManifestFile, metadata: TableMetadata, statistics: Bool = true, store: any ObjectStore,
        _ body: (ManifestEntry) throws -> Bool
    ) throws {
        try read(manifest, metadata, statistics ? .all : .none, store, body)
    }

    /// The same with counts and bounds of some columns.
    public static func forEachEntry(
        of manifest: ManifestFile, metadata: TableMetadata, statisticsOf fieldIds: Set<Int>, store: any ObjectStore,
        _ body: (ManifestEntry) throws -> Bool
    ) throws {
        try read(manifest, metadata, .fields(fieldIds), store, body)
    }

    /// All entries of a manifest.
    public static func entries(
        of manifest: ManifestFile, metadata: TableMetadata, store: any ObjectStore
    ) throws -> [ManifestEntry] {
        var entries: [ManifestEntry] = []
        try forEachEntry(of: manifest, metadata: metadata, store: store) {
            entries.append($0)
            return true
        }
        return entries
    }

    /// The live files of a snapshot with their entries, data files before delete files.
    public static func liveEntries(
        of snapshot: Snapshot, metadata: TableMetadata, statistics: Bool = true, store: any ObjectStore
    ) throws -> [ManifestEntry] {
        var entries: [ManifestEntry] = []
        let manifests = try list(of: snapshot, store: store).filter(\.mayHaveLiveFiles)
        for manifest in manifests.filter({ $0.content == .data }) + manifests.filter({ $0.content == .deletes }) {
            try forEachEntry(of: manifest, metadata: metadata, statistics: statistics, store: store) {
                if $0.isLive { entries.append($0) }
                return true
            }
        }
        return entries
    }

    static func read(
        _ manifest: ManifestFile, _ metadata: TableMetadata, _ statistics: ManifestReader.Statistics,
        _ store: any ObjectStore, _ body: (ManifestEntry) throws -> Bool
    ) throws {
        guard let spec = metadata.spec(id: manifest.specId) else {
            throw FirnError(
                .corrupted, "bad_manifest", "a manifest has the unknown partition spec \(manifest.specId)",
                context: ["file": manifest.path])
        }
        guard manifest.keyMetadata == nil else {
            throw FirnError(
                .unsupported, "encryption", "the manifest is encrypted", context: ["file": manifest.path])
        }
        var reader = try ManifestReader(
            try store.get(manifest.path), manifest: manifest, partitionFields: metadata.partitionFields(of: spec),
            statistics: statistics)
        try reader.readEntries(body)
    }
}

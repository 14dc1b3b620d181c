import Base
import Storage

/// Every file that a table needs, but for the current metadata file itself: manifest lists and manifests of all
/// snapshots, data and delete files live in any of them, statistics, and the files of the metadata log.
public func reachableFiles(_ metadata: TableMetadata, store: any ObjectStore) throws -> Set<String> {
    var files: Set<String> = []
    var walk = ReachableWalk()
    try walk.walk(metadata, store: store) { files.insert($0) }
    return files
}

/// Walks from metadata files down to every file that they need, each manifest and list once.
///
/// Memory holds the paths of manifests and lists, not those of data files.
public struct ReachableWalk {
    private var seen: Set<String> = []

    public init() {}

    /// Calls `body` with each file, some more than once.
    ///
    /// - Parameters:
    ///   - toleratesMissing: former states of a table name files that are gone by now.
    ///   - checkpoint: called with the bytes of metadata read since the last call; its throw ends the walk.
    public mutating func walk(
        _ metadata: TableMetadata, store: any ObjectStore, toleratesMissing: Bool = false,
        checkpoint: (Int64) throws -> Void = { _ in }, _ body: (String) -> Void
    ) throws {
        for entry in metadata.metadataLog { body(entry.metadataFile) }
        for entry in metadata.statisticsFiles { body(entry.path) }
        for snapshot in metadata.snapshots where seen.insert(snapshot.manifestList).inserted {
            body(snapshot.manifestList)
            let manifests = try Self.tolerating(toleratesMissing, []) { try Manifests.list(of: snapshot, store: store) }
            try checkpoint(Int64(manifests.count) * 100)
            for manifest in manifests where seen.insert(manifest.path).inserted {
                body(manifest.path)
                guard manifest.mayHaveLiveFiles else { continue }
                try Self.tolerating(toleratesMissing, ()) {
                    try Manifests.read(manifest, metadata, .pathsOnly, store) {
                        if $0.isLive { body($0.dataFile.path) }
                        return true
                    }
                }
                try checkpoint(manifest.length)
            }
        }
    }

    private static func tolerating<Result>(
        _ tolerates: Bool, _ fallback: Result, _ body: () throws -> Result
    ) throws -> Result {
        do {
            return try body()
        } catch let error as FirnError where tolerates && error.kind == .notFound {
            return fallback
        }
    }
}

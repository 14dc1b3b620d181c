import Base
import Iceberg
import Storage

/// Which table properties a client may set.
enum PropertyRules {
    /// Set in new tables: readers and other writers find them in the metadata instead of having defaults of their own.
    static let defaults = [
        "write.parquet.compression-codec": "zstd",
        "write.metadata.delete-after-commit.enabled": "true",
        "write.metadata.previous-versions-max": "100",
        // A stream commits every second; Iceberg's default of five days would keep 432,000 snapshots in every metadata
        // file (decision 8).
        "history.expire.max-snapshot-age-ms": "3600000",
        "history.expire.min-snapshots-to-keep": "10",
    ]
    /// Properties that send files elsewhere.
    private static let folders = ["write.data.path", "write.metadata.path"]

    /// The version of the table format: given like a property, kept as the metadata's own.
    static let formatVersion = "format-version"

    /// Throws `.invalidInput` (`bad_property`).
    static func check(_ properties: [String: String], directory: String) throws {
        for (key, value) in properties {
            if key == formatVersion {
                guard value == "2" || value == "3" else { throw bad(key, "tables are written in version 2 or 3") }
                continue
            }
            guard !key.isEmpty, !TableProperties.reserved.contains(key) else {
                throw bad(key, "the name is reserved")
            }
            if let problem = TableProperties.problem(key, value) { throw bad(key, problem) }
            guard folders.contains(key) else { continue }
            // Whoever may set a property must not thereby write or delete outside the warehouse, or in its log.
            guard ObjectLocation.isBelow(value, folder: directory), value.hasPrefix("file:///"),
                !ObjectLocation.isBelow(value + "/x", folder: directory + "/wal")
            else { throw bad(key, "the folder must be a file:/// location inside the warehouse") }
        }
    }

    private static func bad(_ key: String, _ reason: String) -> FirnError {
        FirnError(
            .invalidInput, "bad_property", "the property cannot be set: \(reason)", context: ["property": key])
    }
}

import Base
import Iceberg

/// A view at one state: its name, its current metadata file and what that file says.
public struct View: Sendable {
    public let identifier: TableIdentifier
    public let metadataLocation: String
    public let metadata: ViewMetadata

    /// As clients load it (LoadViewResult).
    public var json: JSONValue {
        ["metadata-location": .string(metadataLocation), "metadata": metadata.json, "config": [:]]
    }
}

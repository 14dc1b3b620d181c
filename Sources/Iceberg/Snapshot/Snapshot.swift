import Base
import Synchronization

/// The state of a table at one time. Spec: https://iceberg.apache.org/spec/#snapshots
public struct Snapshot: Hashable, Sendable {
    public var snapshotId: Int64 { didSet { text = SnapshotText() } }
    public var parentSnapshotId: Int64? { didSet { text = SnapshotText() } }
    /// Order of the change; 0 in version 1 tables.
    public var sequenceNumber: Int64 { didSet { text = SnapshotText() } }
    public var timestampMs: Int64 { didSet { text = SnapshotText() } }
    /// Location of the manifest list; empty for a version 1 snapshot that lists its manifests inline.
    public var manifestList: String { didSet { text = SnapshotText() } }
    /// `operation` and the counts of the change.
    public var summary: [String: String] { didSet { text = SnapshotText() } }
    public var schemaId: Int? { didSet { text = SnapshotText() } }
    /// Version 3: the table's next row id when the snapshot was made; nil for snapshots from before the upgrade.
    public var firstRowId: Int64? { didSet { text = SnapshotText() } }
    /// Version 3: how many row ids the snapshot took, at least one a row that it added.
    public var addedRows: Int64? { didSet { text = SnapshotText() } }
    /// Members of the JSON object that Firn does not interpret (`key-id` …), kept as read.
    public var preserved: [JSONValue.Member] { didSet { text = SnapshotText() } }
    /// Shared by all copies of this state; a change starts a new one.
    private(set) var text = SnapshotText()

    public init(
        snapshotId: Int64, parentSnapshotId: Int64?, sequenceNumber: Int64, timestampMs: Int64, manifestList: String,
        summary: [String: String], schemaId: Int?, firstRowId: Int64? = nil, addedRows: Int64? = nil,
        preserved: [JSONValue.Member] = []
    ) {
        self.snapshotId = snapshotId
        self.parentSnapshotId = parentSnapshotId
        self.sequenceNumber = sequenceNumber
        self.timestampMs = timestampMs
        self.manifestList = manifestList
        self.summary = summary
        self.schemaId = schemaId
        self.firstRowId = firstRowId
        self.addedRows = addedRows
        self.preserved = preserved
    }

    /// `append`, `replace`, `overwrite` or `delete`; nil in old version 1 snapshots.
    public var operation: String? { summary["operation"] }
}

/// The text of a snapshot in a metadata file, made once: every commit writes all snapshots, and all but one are those
/// of the commit before. Part of no comparison.
final class SnapshotText: Hashable, Sendable {
    private static let count = Atomic<UInt64>(0)

    /// Differs from that of every other text.
    let serial = SnapshotText.count.wrappingAdd(1, ordering: .relaxed).newValue
    private let bytes = Mutex<[UInt8]?>(nil)

    /// Appends the text, made by `make` unless it is known.
    func append(to out: inout [UInt8], _ make: (inout [UInt8]) -> Void) {
        let text = bytes.withLock { bytes in
            if let bytes { return bytes }
            var text: [UInt8] = []
            make(&text)
            bytes = text
            return text
        }
        out.append(contentsOf: text)
    }

    static func == (_: SnapshotText, _: SnapshotText) -> Bool { true }
    func hash(into hasher: inout Hasher) {}
}

/// A branch or tag. Spec: https://iceberg.apache.org/spec/#snapshot-references
public struct SnapshotReference: Hashable, Sendable {
    public enum Kind: String, Sendable { case branch, tag }

    public var snapshotId: Int64
    public var kind: Kind
    /// Branches only.
    public var minSnapshotsToKeep: Int?
    /// Branches only.
    public var maxSnapshotAgeMs: Int64?
    public var maxReferenceAgeMs: Int64?

    public init(
        snapshotId: Int64, kind: Kind, minSnapshotsToKeep: Int? = nil, maxSnapshotAgeMs: Int64? = nil,
        maxReferenceAgeMs: Int64? = nil
    ) {
        self.snapshotId = snapshotId
        self.kind = kind
        self.minSnapshotsToKeep = minSnapshotsToKeep
        self.maxSnapshotAgeMs = maxSnapshotAgeMs
        self.maxReferenceAgeMs = maxReferenceAgeMs
    }
}

/// When a snapshot became the head of `main`.
public struct SnapshotLogEntry: Hashable, Sendable {
    public var timestampMs: Int64
    public var snapshotId: Int64

    public init(timestampMs: Int64, snapshotId: Int64) {
        self.timestampMs = timestampMs
        self.snapshotId = snapshotId
    }
}

/// A former metadata file and the time of its state.
public struct MetadataLogEntry: Hashable, Sendable {
    public var timestampMs: Int64
    public var metadataFile: String

    public init(timestampMs: Int64, metadataFile: String) {
        self.timestampMs = timestampMs
        self.metadataFile = metadataFile
    }
}

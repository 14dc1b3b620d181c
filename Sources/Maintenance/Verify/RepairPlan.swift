import Base
import Iceberg

/// What a repair would do to the current state of a table. Made by `TableDoctor.plan`, shown before it is carried out.
public struct RepairPlan: Sendable {
    /// One thing that changes.
    public struct Step: Sendable, Hashable {
        /// The fault it mends.
        public let code: FindingCode
        public let subject: String
        public let action: String

        public var json: JSONValue {
            ["code": .string(code.rawValue), "subject": .string(subject), "action": .string(action)]
        }
    }

    public internal(set) var steps: [Step] = []
    /// Records of files that are missing and that the repair gives up.
    public internal(set) var recordsLost: Int64 = 0
    /// Findings that stay, with their next steps.
    public internal(set) var remaining: [Finding] = []
    /// `replace`, or `delete` when entries of missing files go; nil when no snapshot is made.
    public internal(set) var operation: String?

    /// The state that was examined; a repair of any other is refused.
    var metadataLocation = ""
    var isMetadataReadable = true
    /// Members of the metadata are missing or wrong.
    var changesMetadata = false
    var setsNameMapping = false
    /// Rows of manifests that stay, corrected.
    var kept: [ManifestFile] = []
    /// Entries of the manifests that are written anew.
    var entries: [ManifestEntry] = []
    /// Of the repaired snapshot.
    var totals: [String: Int64] = [:]
    /// Corrected totals of snapshots that stay.
    var snapshotTotals: [Int64: [String: String]] = [:]

    public var isEmpty: Bool { steps.isEmpty }

    public var json: JSONValue {
        [
            "operation": operation.map { .string($0) } ?? .null, "records-lost": .integer(recordsLost),
            "steps": .array(steps.map(\.json)), "remaining": .array(remaining.map(\.json)),
        ]
    }
}

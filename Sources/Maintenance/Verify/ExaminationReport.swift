import Base

/// How closely a table is looked at.
public struct ExaminationOptions: Sendable {
    public enum Depth: Sendable {
        /// Metadata, and that files exist with their sizes.
        case metadata
        /// Their footers too.
        case footers
        /// All rows too.
        case rows
    }

    public enum Scope: Sendable {
        /// Every retained snapshot.
        case retained
        /// The current snapshot, and the heads of other branches and tags.
        case heads
    }

    public var depth: Depth = .footers
    public var scope: Scope = .retained
    /// The share of files whose rows are read under `.rows`, 0 to 1; the same files each time.
    public var sample = 1.0
    /// Also tell what is legal, or nearly, and known to trip other readers.
    public var includesPeers = false
    /// List files in the table's folders that nothing accounts for; looks at every retained snapshot.
    public var findsOrphans = false
    /// Findings of one code that are spelled out; further ones are counted.
    public var findingsPerCodeMax = 1000

    public init() {}
}

/// What an examination found, and how much it looked at.
public struct ExaminationReport: Sendable {
    /// Table name or metadata file.
    public let subject: String
    public let metadataLocation: String
    public internal(set) var findings: [Finding] = []
    /// All findings by code, those that were not spelled out included.
    public internal(set) var counts: [FindingCode: Int] = [:]
    public internal(set) var snapshots = 0
    public internal(set) var manifests = 0
    /// Distinct live files.
    public internal(set) var files = 0
    /// Files whose rows were read.
    public internal(set) var filesRead = 0
    public internal(set) var durationMs: Int64 = 0

    /// True when nothing is wrong; information is no fault.
    public var isClean: Bool { counts.allSatisfy { $0.key.facts.severity == .info } }

    public var json: JSONValue {
        let counts = counts.sorted { $0.key.rawValue < $1.key.rawValue }.map {
            JSONValue.Member($0.key.rawValue, .integer(Int64($0.value)))
        }
        return [
            "subject": .string(subject), "metadata": .string(metadataLocation), "clean": .bool(isClean),
            "snapshots": .integer(Int64(snapshots)), "manifests": .integer(Int64(manifests)),
            "files": .integer(Int64(files)), "files-read": .integer(Int64(filesRead)),
            "duration-ms": .integer(durationMs), "counts": .object(counts),
            "findings": .array(findings.map(\.json)),
        ]
    }
}

/// How far an examination has come.
public struct ExaminationProgress: Sendable {
    public let filesDone: Int
    /// As the manifest lists count them.
    public let filesTotal: Int
    public let findings: Int
}

import Base

/// One fault of a table: where it is, what was found, what was expected.
public struct Finding: Hashable, Sendable {
    public enum Severity: String, Sendable, CaseIterable {
        /// Some reader fails or returns wrong rows, or will.
        case error
        /// Against the spec, or costly, but rows come out right.
        case warning
        /// Worth knowing; no fault.
        case info
    }

    public let code: FindingCode
    /// A file's location, or what part of the metadata.
    public let subject: String
    /// The snapshot that it was found in; nil for what concerns the table.
    public let snapshotId: Int64?
    /// The manifest whose entry or row it is about.
    public let manifest: String?
    public let found: String
    public let expected: String

    public init(
        _ code: FindingCode, _ subject: String, found: String, expected: String, snapshotId: Int64? = nil,
        manifest: String? = nil
    ) {
        self.code = code
        self.subject = subject
        self.snapshotId = snapshotId
        self.manifest = manifest
        self.found = found
        self.expected = expected
    }

    public var severity: Severity { code.facts.severity }

    /// The same finding, of a snapshot.
    func of(snapshot: Int64?, manifest: String? = nil) -> Finding {
        Finding(
            code, subject, found: found, expected: expected, snapshotId: snapshotId ?? snapshot,
            manifest: self.manifest ?? manifest)
    }

    /// The members of its JSON form, in order.
    public static let columns = [
        "severity", "code", "subject", "snapshot-id", "found", "expected", "next-step", "readers", "repairable",
    ]

    public var json: JSONValue {
        let facts = code.facts
        return [
            "severity": .string(facts.severity.rawValue), "code": .string(code.rawValue), "subject": .string(subject),
            "snapshot-id": snapshotId.map { .integer($0) } ?? .null, "found": .string(found),
            "expected": .string(expected), "next-step": .string(facts.next), "readers": .string(facts.readers),
            "repairable": .bool(facts.isRepairable),
        ]
    }
}

/// Findings in the order they came, bounded: a table with a million faults of one kind is told by the first of them
/// and their number.
struct FindingLog: Sendable {
    private let perCodeMax: Int
    private(set) var findings: [Finding] = []
    private(set) var counts: [FindingCode: Int] = [:]

    init(perCodeMax: Int) { self.perCodeMax = perCodeMax }

    mutating func add(_ finding: Finding) {
        let count = counts[finding.code, default: 0] + 1
        counts[finding.code] = count
        if count <= perCodeMax { findings.append(finding) }
    }

    mutating func add(_ findings: some Sequence<Finding>) { for finding in findings { add(finding) } }
}

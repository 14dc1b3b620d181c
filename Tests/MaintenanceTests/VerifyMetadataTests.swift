import Base
import Catalog
import Columnar
import Storage
import TestSupport
import Testing

@testable import Iceberg
@testable import Maintenance

/// Faults of the metadata file by itself.
@Suite struct VerifyMetadataTests {
    struct Break: CustomTestStringConvertible, Sendable {
        let code: FindingCode
        /// Of the members, and of each snapshot.
        var members: @Sendable (inout [String: JSONValue]) -> Void = { _ in }
        var snapshot: @Sendable (Int, inout [JSONValue.Member]) -> Void = { _, _ in }
        var testDescription: String { code.rawValue }
    }

    private static func remove(_ key: String) -> Break {
        Break(code: .metadataMemberMissing, members: { $0[key] = nil })
    }

    private static func set(_ code: FindingCode, _ key: String, _ value: JSONValue) -> Break {
        Break(code: code, members: { $0[key] = value })
    }

    private static func replacing(_ key: String, by value: JSONValue?, in members: inout [JSONValue.Member]) {
        members.removeAll { $0.key == key }
        if let value { members.append(JSONValue.Member(key, value)) }
    }

    /// Mended from what the rest of the file says.
    static let repairable: [Break] = [
        remove("last-column-id"), remove("current-schema-id"), remove("sort-orders"), remove("default-sort-order-id"),
        remove("last-partition-id"), remove("last-sequence-number"), remove("last-updated-ms"),
        remove("default-spec-id"), set(.lastColumnIdLow, "last-column-id", 2),
        set(.currentSchemaUnknown, "current-schema-id", 9), set(.defaultSpecUnknown, "default-spec-id", 9),
        set(.defaultSortOrderUnknown, "default-sort-order-id", 9), set(.lastPartitionIdLow, "last-partition-id", 7),
        Break(
            code: .referenceUnknownSnapshot,
            members: {
                let refs = $0["refs"]!.objectValue!
                let lost = JSONValue.Member("lost", ["snapshot-id": 5, "type": "tag"])
                $0["refs"] = .object(refs + [lost])
            }),
        Break(
            code: .mainNotCurrent,
            members: {
                let first = $0["snapshots"]!.arrayValue![0]["snapshot-id"]!
                $0["refs"] = ["main": ["snapshot-id": first, "type": "branch"]]
                $0["snapshot-log"] = []
            }),
        Break(
            code: .snapshotLogWrong,
            members: {
                let log = $0["snapshot-log"]!.arrayValue!
                let first: JSONValue = ["timestamp-ms": 9_999_999_999_999, "snapshot-id": log[0]["snapshot-id"]!]
                $0["snapshot-log"] = .array([first] + log.dropFirst())
            }),
        Break(code: .snapshotMemberMissing, snapshot: { _, members in replacing("schema-id", by: nil, in: &members) }),
        Break(code: .snapshotMemberMissing, snapshot: { _, members in replacing("summary", by: nil, in: &members) }),
        Break(code: .snapshotSchemaUnknown, snapshot: { _, members in replacing("schema-id", by: 8, in: &members) }),
    ]

    @Test(arguments: repairable) func isFoundAndRepaired(broken: Break) throws {
        let fixture = try VerifyFixture(partitioned: true)
        let rows = try fixture.ids()
        try fixture.changeMetadata(broken.members)
        try fixture.changeSnapshots(broken.snapshot)
        // A warehouse that never read the file, as any other process.
        let fresh = try Warehouse(
            directory: fixture.base.warehouse.directory, environment: fixture.base.warehouse.environment, create: false,
            store: fixture.store)
        let doctor = TableDoctor(table: fixture.table, warehouse: fresh)
        #expect(Set(try doctor.examine().counts.keys) == [broken.code])
        let repair = try doctor.repair(dropsMissing: false)
        #expect(repair.snapshotId == nil)
        #expect(repair.plan.steps.count >= 1)
        #expect(try doctor.examine().findings == [])
        let now = try fixture.freshMetadata()
        #expect(now.snapshots.count == 2)
        #expect(now.metadataLog.count == 3)
        if broken.code != .mainNotCurrent { #expect(try fixture.ids() == rows) }
        // The next commit builds on it.
        _ = try fresh.committer(for: fixture.table).setProperties(["a": "b"])
        #expect(try doctor.examine().findings == [])
    }

    /// Told, and left to people.
    static let others: [Break] = [
        set(.currentSnapshotUnknown, "current-snapshot-id", 77),
        Break(
            code: .snapshotIdDuplicate,
            members: {
                let snapshots = $0["snapshots"]!.arrayValue!
                $0["snapshots"] = .array(snapshots + [snapshots[0]])
            }),
        Break(
            code: .snapshotSequenceNumber,
            snapshot: { _, members in replacing("sequence-number", by: 2, in: &members) }),
        Break(
            code: .snapshotParentCycle,
            members: {
                let snapshots = $0["snapshots"]!.arrayValue!
                let last = snapshots[1]["snapshot-id"]!
                var first = snapshots[0].objectValue!
                replacing("parent-snapshot-id", by: last, in: &first)
                $0["snapshots"] = [.object(first), snapshots[1]]
            }),
        Break(
            code: .fieldIdDuplicate,
            members: {
                var schema = $0["schemas"]!.arrayValue![0].objectValue!
                let fields = JSONValue.object(schema)["fields"]!.arrayValue!
                replacing("fields", by: .array(fields + [fields[0]]), in: &schema)
                $0["schemas"] = [.object(schema)]
            }),
    ]

    @Test(arguments: others) func isFound(broken: Break) throws {
        let fixture = try VerifyFixture()
        try fixture.changeMetadata(broken.members)
        try fixture.changeSnapshots(broken.snapshot)
        #expect(try fixture.codes { $0.scope = .retained }.contains(broken.code))
        let (_, plan) = try fixture.doctor().plan(dropsMissing: false)
        #expect(plan.remaining.contains { $0.code == broken.code })
    }

    @Test func unreadableMetadataIsAFinding() throws {
        for bytes in [[], Array("{".utf8), Array("[]".utf8), Array("{}".utf8), [0x1f, 0x8b, 1, 2, 3]] as [[UInt8]] {
            let fixture = try VerifyFixture()
            try fixture.overwrite(try fixture.location, bytes)
            #expect(try !fixture.doctor().examine().isClean)
            #expect(try fixture.doctor().plan(dropsMissing: true).report.isClean == false)
        }
        let fixture = try VerifyFixture()
        try fixture.store.delete(try fixture.location)
        #expect(try fixture.codes() == [.metadataUnreadable])
    }

    /// Every byte of the metadata cut off, every file cut in half: findings, never a crash.
    @Test func damageNeverCrashes() throws {
        let fixture = try VerifyFixture(partitioned: true)
        let location = try fixture.location
        let whole = try fixture.store.get(location)
        let list = try fixture.metadata.currentSnapshot!.manifestList
        for path in [location, list, try fixture.manifests()[0].path] {
            let bytes = try fixture.store.get(path)
            let random = SeededRandom(seed: 5)
            for round in 0..<60 {
                var damaged = bytes
                if round % 3 == 0 {
                    damaged.removeLast(Int(random.next() % UInt64(bytes.count)))
                } else {
                    for _ in 0...round % 5 {
                        let place = Int(random.next() % UInt64(bytes.count))
                        damaged[place] = path == location ? UInt8(ascii: "9") : UInt8(random.next() & 0xff)
                    }
                }
                try fixture.overwrite(path, damaged)
                let (report, _) = try fixture.doctor { $0.includesPeers = true }.plan(dropsMissing: true)
                _ = report.json.serialize()
            }
            try fixture.overwrite(path, bytes)
        }
        #expect(try fixture.store.get(location) == whole)
        #expect(try fixture.codes() == [])
    }

    @Test func wrongTotalsAreSetRight() throws {
        let fixture = try VerifyFixture()
        try fixture.changeSnapshots { index, members in
            guard index == 1 else { return }
            let summary = JSONValue.object(members)["summary"]!.objectValue!.map {
                $0.key == "total-records" ? JSONValue.Member($0.key, "7") : $0
            }
            Self.replacing("summary", by: .object(summary), in: &members)
        }
        #expect(try fixture.codes() == [.summaryTotalsWrong])
        let repair = try fixture.doctor().repair(dropsMissing: false)
        #expect(repair.snapshotId == nil)
        #expect(try fixture.codes() == [])
        #expect(try fixture.freshMetadata().currentSnapshot!.summary["total-records"] == "200")
    }

    @Test func statisticsFilesAreLookedAt() throws {
        let fixture = try VerifyFixture()
        let path = try fixture.metadata.metadataFolder + "/stats.puffin"
        let id = try fixture.metadata.currentSnapshotId!
        try fixture.changeMetadata {
            $0["statistics"] = [
                [
                    "snapshot-id": .integer(id), "statistics-path": .string(path), "file-size-in-bytes": 10,
                    "file-footer-size-in-bytes": 4, "blob-metadata": [],
                ]
            ]
        }
        #expect(try fixture.codes() == [.statisticsFileMissing])
        try fixture.overwrite(path, [1, 2, 3])
        #expect(try fixture.codes() == [.statisticsSizeWrong])
        try fixture.overwrite(path, Array(repeating: 1, count: 10))
        #expect(try fixture.codes { $0.findsOrphans = true } == [])
    }

    @Test func aForeignMetadataFileIsExaminedOnly() throws {
        let fixture = try VerifyFixture()
        let copy = try fixture.metadata.metadataFolder + "/00009-copy.metadata.json"
        try fixture.overwrite(copy, try fixture.store.get(try fixture.location))
        var doctor = try TableDoctor(
            metadataFile: copy, warehouse: fixture.base.warehouse, store: fixture.store, clock: fixture.base.clock)
        #expect(doctor.table == nil)
        #expect(try doctor.examine().findings == [])
        doctor.options.includesPeers = true
        #expect(Set(try doctor.examine().counts.keys) == [.metadataNameUnknown])
        let refused = #expect(throws: FirnError.self) { _ = try doctor.repair(dropsMissing: false) }
        #expect(refused?.code == "not_registered")
        let own = try TableDoctor(
            metadataFile: try fixture.location, warehouse: fixture.base.warehouse, store: fixture.store,
            clock: fixture.base.clock)
        #expect(own.table == fixture.table)
        let none = #expect(throws: FirnError.self) {
            _ = try TableDoctor(
                metadataFile: "/nowhere/v1.metadata.json", warehouse: nil, store: fixture.store,
                clock: fixture.base.clock
            ).examine()
        }
        #expect(none?.code == "metadata_not_found")
    }

    @Test func everyCodeHasItsFacts() {
        for code in FindingCode.allCases {
            #expect(!code.facts.readers.isEmpty && !code.facts.next.isEmpty)
        }
        #expect(Set(FindingCode.allCases.map(\.rawValue)).count == FindingCode.allCases.count)
    }
}

import Base
import Columnar
import Testing

@testable import Iceberg

@Suite struct ActionTests {
    private func days(_ table: TestTable, _ days: ClosedRange<Int32>, prefix: String = "day") -> [DataFile] {
        days.map { table.file("\(prefix)\($0)", partition: [.date($0)]) }
    }

    @Test func fastAppendNeverMerges() throws {
        let table = try TestTable(properties: ["commit.manifest.min-count-to-merge": "2"])
        for name in ["a", "b", "c"] {
            try table.run {
                try SnapshotProducer.fastAppend(
                    base: $0, baseLocation: $1, files: [table.file(name)], context: $2, store: $3)
            }
        }
        #expect(try table.manifests().count == 3)
        try table.append([table.file("d")])
        #expect(try table.manifests().count == 1)
    }

    @Test func filtersDeleteWholeFiles() throws {
        let table = try TestTable(spec: TestTable.byDay)
        try table.append(days(table, 1...4))
        func delete(_ filter: Predicate) throws -> PreparedCommit? {
            try SnapshotProducer.delete(
                base: table.metadata, baseLocation: table.location, filter: filter, context: table.context(),
                store: table.store)
        }
        let cut = Predicate.compare(fieldId: 2, .less, .timestamptz(3 * 86_400_000_000))
        try table.put(try #require(try delete(cut)))
        #expect(try table.data().keys.sorted() == ["day3", "day4"])
        #expect(table.lastSummary["operation"] == "delete" && table.lastSummary["deleted-records"] == "20")
        #expect(try delete(cut) == nil)
        #expect(code { _ = try delete(.compare(fieldId: 1, .equal, .long(5))) } == "rows_partially_match")
        try table.put(try #require(try delete(.alwaysTrue)))
        #expect(try table.data().isEmpty && table.lastSummary["total-data-files"] == "0")
        #expect(try table.manifests().allSatisfy { $0.deletedFilesCount == 2 })
    }

    /// What an entry proves about all of its file's rows.
    @Test func matchesOfWholeFiles() throws {
        let table = try TestTable(spec: TestTable.byDay)
        let metadata = table.metadata
        var file = table.file(
            "x", partition: [.date(1)], bounds: [1: (.long(5), .long(9)), 4: (.string("b"), .string("d"))])
        file.valueCounts[4] = 10
        file.nullValueCounts[4] = 0
        let one = Predicate.compare(fieldId: 1, .greaterOrEqual, .long(5))
        let name = Predicate.compare(fieldId: 4, .less, .string("e"))
        for (filter, expected) in [
            (one, .all), (.compare(fieldId: 1, .greater, .long(5)), .some),
            (.compare(fieldId: 1, .less, .long(5)), .none),
            (.not(one), .none), (.not(.compare(fieldId: 1, .less, .long(5))), .all), (name, .all),
            (.and(one, name), .all), (.or(.isNull(fieldId: 4), one), .all), (.isNull(fieldId: 4), .none),
            (.notNull(fieldId: 4), .all), (.alwaysTrue, .all), (.alwaysFalse, .none),
            (.not(.and(one, name)), .none), (.isIn(fieldId: 1, [.long(7)]), .some), (.isIn(fieldId: 1, []), .none),
            // Nothing is known of the nulls of `price`, and a NaN passes no comparison.
            (.compare(fieldId: 3, .less, .double(.infinity)), .some), (.not(.isNull(fieldId: 3)), .some),
            // The time of the whole day: a null time would be in the null partition.
            (
                .and(
                    .compare(fieldId: 2, .greaterOrEqual, .timestamptz(86_400_000_000)),
                    .compare(fieldId: 2, .less, .timestamptz(2 * 86_400_000_000))), .all
            ),
        ] as [(Predicate, FilterMatch)] {
            #expect(FilterMatch.of(filter, file, metadata) == expected, "\(filter)")
        }
        let identity = try TestTable(
            spec: PartitionSpec(fields: [PartitionField(sourceId: 4, name: "n", transform: .identity)]))
        let named = identity.file("y", partition: [.string("b")])
        let listed = Predicate.isIn(fieldId: 4, [.string("a"), .string("b")])
        #expect(FilterMatch.of(listed, named, identity.metadata) == .all)
        #expect(FilterMatch.of(.not(listed), named, identity.metadata) == .some)
        #expect(FilterMatch.of(.isIn(fieldId: 4, [.string("a")]), named, identity.metadata) == .none)
    }

    @Test func partitionsAreReplaced() throws {
        let table = try TestTable(spec: TestTable.byDay)
        let files = days(table, 1...3)
        try table.append(files)
        try table.rowDelta(deletes: [
            table.deletes("d2", partition: [.date(2)]), table.deletes("d3", partition: [.date(3)]),
        ])
        let start = table.head
        func replace(_ name: String, _ start: Int64?) throws {
            try table.run {
                try SnapshotProducer.replacePartitions(
                    base: $0, baseLocation: $1, added: [table.file(name, partition: [.date(2)])],
                    validation: CommitValidation(startSnapshotId: start), context: $2, store: $3)
            }
        }
        try replace("n", start)
        #expect(try table.data().keys.sorted() == ["day1", "day3", "n"] && table.deleteNames() == ["d3"])
        #expect(table.lastSummary["replace-partitions"] == "true" && table.lastSummary["removed-delete-files"] == "1")
        #expect(code { try replace("m", start) } == "data_files_added")
        try table.append([table.file("other", partition: [.date(1)])])
        try replace("m", table.snapshots[table.snapshots.count - 2].snapshotId)
        #expect(try table.data().keys.sorted() == ["day1", "day3", "m", "other"])
    }

    @Test func manifestsAreSorted() throws {
        let table = try TestTable(spec: TestTable.byDay)
        let files = days(table, 1...3)
        for day in [2, 0, 1] { try table.append([files[day]]) }
        try table.rowDelta(deletes: [table.deletes("d", of: files[0])])
        let before = Set(
            try table.live().map { [$0.dataFile.path, "\($0.sequenceNumber!)", "\($0.fileSequenceNumber!)"] })
        try table.run { try SnapshotProducer.rewriteManifests(base: $0, baseLocation: $1, context: $2, store: $3)! }
        let after = try table.live()
        #expect(Set(after.map { [$0.dataFile.path, "\($0.sequenceNumber!)", "\($0.fileSequenceNumber!)"] }) == before)
        #expect(after.map(\.dataFile.partition) == [[.date(1)], [.date(2)], [.date(3)], [.date(1)]])
        #expect(table.lastSummary["operation"] == "replace" && table.lastSummary["entries-processed"] == "3")
        #expect(table.lastSummary["manifests-created"] == "1" && table.lastSummary["manifests-kept"] == "1")
        #expect(table.lastSummary["total-data-files"] == "3")
        let again = try SnapshotProducer.rewriteManifests(
            base: table.metadata, baseLocation: table.location, context: table.context(), store: table.store)
        #expect(again == nil)
    }

    @Test func branchesAndFastForward() throws {
        let table = try TestTable()
        try table.append([table.file("a")])
        let first = table.head
        // A branch that does not exist starts at main.
        try table.run {
            try SnapshotProducer.append(
                base: $0, baseLocation: $1, branch: "audit", files: [table.file("b")], context: $2, store: $3)
        }
        let ahead = table.snapshots.last!
        #expect(table.head == first && ahead.parentSnapshotId == first)
        #expect(try table.data("audit").keys.sorted() == ["a", "b"] && table.data().keys.sorted() == ["a"])
        #expect(table.metadata.snapshotLog.map(\.snapshotId) == [first])
        func forward(_ branch: String, _ source: String) throws {
            try table.change {
                try SnapshotProducer.fastForward(base: $0, baseLocation: $1, branch: branch, to: source, context: $2)
            }
        }
        try forward("main", "audit")
        #expect(table.head == ahead.snapshotId && table.metadata.snapshotLog.count == 2)
        try forward("copy", "main")
        #expect(table.metadata.refs["copy"]?.snapshotId == ahead.snapshotId)
        try table.append([table.file("c")])
        #expect(code { try forward("main", "audit") } == "not_an_ancestor")
        #expect(code { try forward("main", "nothing") } == "unknown_reference")
        try table.change {
            try SnapshotProducer.setReference(
                base: $0, baseLocation: $1, name: "tag", reference: SnapshotReference(snapshotId: first, kind: .tag),
                context: $2)
        }
        #expect(code { try forward("tag", "main") } == "bad_reference")
        #expect(code { try table.rowDelta(add: [table.file("z")], branch: "tag") } == "bad_reference")
    }

    @Test func cherryPicking() throws {
        let table = try TestTable.version3()
        try table.append([table.file("a")])
        func pick(_ id: Int64) throws {
            try table.run {
                try SnapshotProducer.cherryPick(base: $0, baseLocation: $1, snapshotId: id, context: $2, store: $3)
            }
        }
        try table.rowDelta(add: [table.file("b")], branch: "audit")
        let onHead = table.snapshots.last!.snapshotId
        try table.rowDelta(add: [table.file("c")], branch: "audit")
        let later = table.snapshots.last!.snapshotId
        let rowId = try table.data("audit")["c"]?.dataFile.firstRowId
        try pick(onHead)
        #expect(table.head == onHead)
        try table.append([table.file("m")])
        try pick(later)
        #expect(try table.data().keys.sorted() == ["a", "b", "c", "m"])
        #expect(table.lastSummary["source-snapshot-id"] == String(later) && table.lastSummary["operation"] == "append")
        #expect(try table.data()["c"]?.dataFile.firstRowId == rowId && rowId != nil)
        #expect(code { try pick(later) } == "already_picked")
        #expect(code { try pick(onHead) } == "already_picked")
        #expect(code { try pick(12345) } == "unknown_snapshot")
        try table.rowDelta(deletes: [table.vector("v", of: table.file("b"))], branch: "audit")
        #expect(code { try pick(table.snapshots.last!.snapshotId) } == "bad_cherry_pick")
    }

    @Test func metadataActions() throws {
        let table = try TestTable()
        var schema = table.metadata.currentSchema
        schema.fields.append(Field(id: 5, name: "extra", required: false, type: .int))
        try table.change { try SnapshotProducer.setSchema(base: $0, baseLocation: $1, schema: schema, context: $2) }
        let spec = PartitionSpec(fields: [PartitionField(sourceId: 5, name: "e", transform: .truncate(10))])
        let commit = try table.change {
            try SnapshotProducer.setSpec(base: $0, baseLocation: $1, spec: spec, context: $2)
        }
        let wanted: [TableRequirement] = [
            .assertTableUUID(table.metadata.tableUUID), .assertLastAssignedPartitionId(999), .assertDefaultSpecId(0),
        ]
        #expect(commit.requirements == wanted)
        let order = SortOrder(fields: [SortField(sourceId: 5)])
        try table.change { try SnapshotProducer.setSortOrder(base: $0, baseLocation: $1, order: order, context: $2) }
        try table.change {
            try SnapshotProducer.setLocation(base: $0, baseLocation: $1, location: "file:///w/new", context: $2)
        }
        let metadata = table.metadata
        #expect(metadata.currentSchemaId == 1 && metadata.defaultSpecId == 1 && metadata.defaultSortOrderId == 1)
        #expect(table.location.hasPrefix("file:///w/new/metadata/00004-") && metadata.metadataLog.count == 4)
    }
}

import Base
import Columnar
import Testing

@testable import Iceberg

@Suite struct TableUpdateTests {
    /// The shapes of the protocol, as other clients send them.
    @Test(arguments: [
        #"{"action":"assign-uuid","uuid":"01234567-89ab-cdef-0123-456789abcdef"}"#,
        #"{"action":"upgrade-format-version","format-version":3}"#,
        #"{"action":"add-schema","schema":{"type":"struct","schema-id":0,"fields":[{"id":1,"name":"a","required":true,"type":"long"}]}}"#,
        #"{"action":"set-current-schema","schema-id":-1}"#,
        #"{"action":"add-spec","spec":{"spec-id":1,"fields":[{"source-id":1,"field-id":1000,"name":"a_bucket","transform":"bucket[8]"}]}}"#,
        #"{"action":"set-default-spec","spec-id":-1}"#,
        #"{"action":"add-sort-order","sort-order":{"order-id":1,"fields":[{"transform":"identity","source-id":1,"direction":"asc","null-order":"nulls-last"}]}}"#,
        #"{"action":"set-default-sort-order","sort-order-id":-1}"#,
        #"{"action":"add-snapshot","snapshot":{"sequence-number":3,"snapshot-id":7,"parent-snapshot-id":6,"timestamp-ms":9,"summary":{"operation":"append"},"manifest-list":"file:///l.avro","schema-id":0,"first-row-id":5,"added-rows":2}}"#,
        #"{"action":"set-snapshot-ref","ref-name":"b","snapshot-id":7,"type":"branch","min-snapshots-to-keep":2,"max-snapshot-age-ms":3,"max-ref-age-ms":4}"#,
        #"{"action":"set-snapshot-ref","ref-name":"t","snapshot-id":7,"type":"tag"}"#,
        #"{"action":"remove-snapshots","snapshot-ids":[2,3]}"#,
        #"{"action":"remove-snapshot-ref","ref-name":"t"}"#,
        #"{"action":"set-location","location":"file:///w/u"}"#,
        #"{"action":"set-properties","updates":{"a":"1","b":"2"}}"#,
        #"{"action":"remove-properties","removals":["a","b"]}"#,
        #"{"action":"set-statistics","snapshot-id":7,"statistics":{"snapshot-id":7,"statistics-path":"file:///s","file-size-in-bytes":1,"file-footer-size-in-bytes":1,"blob-metadata":[]}}"#,
        #"{"action":"remove-statistics","snapshot-id":7}"#,
        #"{"action":"set-partition-statistics","partition-statistics":{"snapshot-id":7,"statistics-path":"file:///p","file-size-in-bytes":43}}"#,
        #"{"action":"remove-partition-statistics","snapshot-id":7}"#,
        #"{"action":"remove-partition-specs","spec-ids":[1,2]}"#, #"{"action":"remove-schemas","schema-ids":[1,2]}"#,
        #"{"action":"add-encryption-key","encryption-key":{"key-id":"k","encrypted-key-metadata":"AA=="}}"#,
        #"{"action":"remove-encryption-key","key-id":"k"}"#,
    ])
    func everyUpdateSurvives(text: String) throws {
        let json = try JSONValue(parsing: text, source: "test")
        #expect(try TableUpdate(json: json).json == json)
    }

    @Test func olderAndOddForms() throws {
        func update(_ text: String) throws -> TableUpdate {
            try TableUpdate(json: try JSONValue(parsing: text, source: "test"))
        }
        #expect(try update(#"{"action":"set-properties","updated":{"a":"1"}}"#) == .setProperties(["a": "1"]))
        #expect(
            try update(#"{"action":"set-properties","updates":{"a":"1"},"updated":{"z":"9"}}"#)
                == .setProperties(["a": "1"]))
        #expect(try update(#"{"action":"remove-properties","removed":["a"]}"#) == .removeProperties(["a"]))
        #expect(
            try update(
                #"{"action":"set-snapshot-ref","ref-name":"b","snapshot-id":1,"type":"bRaNch","max-ref-age-ms":null}"#)
                == .setSnapshotRef("b", SnapshotReference(snapshotId: 1, kind: .branch)))
        // DuckDB adds a type to specs; fields without ids get theirs later.
        #expect(
            try update(
                #"{"action":"add-spec","spec":{"type":"struct","spec-id":0,"fields":[{"source-id":1,"name":"a","transform":"identity"}]}}"#
            ) == .addSpec(PartitionSpec(fields: [PartitionField(sourceId: 1, name: "a", transform: .identity)])))
        for (text, code) in [
            (#"{"action":null,"format-version":2}"#, "bad_update"), (#"{"format-version":2}"#, "bad_update"),
            (#"{"action":"add-view-version"}"#, "unknown_update"), (#"{"action":"set-location"}"#, "bad_update"),
            (#"{"action":"set-properties","updates":{"a":null}}"#, "bad_update"),
            (#"{"action":"remove-snapshots","snapshot-ids":["x"]}"#, "bad_update"),
            (#"{"action":"assign-uuid","uuid":"x"}"#, "bad_update"),
            (#"{"action":"set-statistics","statistics":{"snapshot-id":7}}"#, "bad_update"),
        ] {
            let error = #expect(throws: FirnError.self) { try update(text) }
            #expect(error?.code == code && error?.kind == .invalidInput, "\(text)")
        }
    }

    @Test(arguments: [
        #"{"type":"assert-create"}"#,
        #"{"type":"assert-table-uuid","uuid":"01234567-89ab-cdef-0123-456789abcdef"}"#,
        #"{"type":"assert-ref-snapshot-id","ref":"main","snapshot-id":7}"#,
        #"{"type":"assert-ref-snapshot-id","ref":"main","snapshot-id":null}"#,
        #"{"type":"assert-last-assigned-field-id","last-assigned-field-id":5}"#,
        #"{"type":"assert-current-schema-id","current-schema-id":4}"#,
        #"{"type":"assert-last-assigned-partition-id","last-assigned-partition-id":4}"#,
        #"{"type":"assert-default-spec-id","default-spec-id":4}"#,
        #"{"type":"assert-default-sort-order-id","default-sort-order-id":4}"#,
    ])
    func everyRequirementSurvivesAndFails(text: String) throws {
        let json = try JSONValue(parsing: text, source: "test")
        let requirement = try TableRequirement(json: json)
        #expect(requirement.json == json)
        let table = try TestTable()
        if json["snapshot-id"]?.isNull == true {
            #expect(code { try requirement.check(table.metadata) } == "")
            try table.append([table.file("a")])
        }
        #expect(code { try requirement.check(table.metadata) } == "requirement_failed")
        #expect(code { try requirement.check(nil) } == (requirement == .assertCreate ? "" : "requirement_failed"))
    }

    @Test func unknownRequirementsAreRefused() {
        for (json, expected) in [
            (["type": "assert-weather"], "unknown_requirement"), (["uuid": "x"], "bad_requirement"),
            (["type": "assert-default-spec-id", "default-spec-id": "x"], "bad_requirement"),
        ] as [(JSONValue, String)] {
            #expect(code { _ = try TableRequirement(json: json) } == expected)
        }
    }

    @Test func lastAddedIds() throws {
        var metadata = try TestTable().metadata
        var schema = metadata.currentSchema
        schema.fields.append(Field(id: 5, name: "extra", required: false, type: .string))
        // A spec on the new column comes before the schema is current, as DuckDB sends it.
        try metadata.apply(
            [
                .addSchema(schema),
                .addSpec(PartitionSpec(fields: [PartitionField(sourceId: 5, name: "extra", transform: .identity)])),
                .addSortOrder(SortOrder(orderId: 9, fields: [SortField(sourceId: 5)])), .setCurrentSchema(-1),
                .setDefaultSpec(-1), .setDefaultSortOrder(-1),
            ], nowMs: 5)
        #expect(metadata.currentSchema.field(id: 5)?.name == "extra" && metadata.lastColumnId == 5)
        #expect(metadata.defaultSpec.fields.map(\.fieldId) == [1000] && metadata.lastPartitionId == 1000)
        #expect(metadata.defaultSortOrder == SortOrder(orderId: 1, fields: [SortField(sourceId: 5)]))
        // Defaults too may come before the schema, but not without it.
        var other = try TestTable().metadata
        let bound: [TableUpdate] = [
            .addSchema(schema),
            .addSpec(PartitionSpec(fields: [PartitionField(sourceId: 5, name: "extra", transform: .identity)])),
            .setDefaultSpec(-1), .addSortOrder(SortOrder(orderId: 1, fields: [SortField(sourceId: 5)])),
            .setDefaultSortOrder(-1),
        ]
        try other.apply(bound + [.setCurrentSchema(-1)], nowMs: 5)
        #expect(other.defaultSpec == metadata.defaultSpec && other.defaultSortOrder == metadata.defaultSortOrder)
        for unfinished in [Array(bound.prefix(3)), bound.prefix(1) + bound.suffix(2)] {
            var metadata = try TestTable().metadata
            #expect(throws: FirnError.self) { try metadata.apply(unfinished, nowMs: 5) }
        }
        // What is there already counts as added.
        try metadata.apply([.addSchema(TestTable.schema), .setCurrentSchema(1)], nowMs: 5)
        for update in [TableUpdate.setCurrentSchema(-1), .setDefaultSpec(-1), .setDefaultSortOrder(-1)] {
            #expect(code { try metadata.apply(update, nowMs: 5) } == "nothing_added")
        }
        #expect(code { try metadata.apply(.removeSchemas([1]), nowMs: 5) } == "schema_in_use")
        #expect(code { try metadata.apply(.removePartitionSpecs([1]), nowMs: 5) } == "partition_spec_in_use")
        try metadata.apply([.removePartitionSpecs([0, 77]), .removeSchemas([0])], nowMs: 5)
        #expect(metadata.partitionSpecs.map(\.specId) == [1] && metadata.schemas.map(\.schemaId) == [1])
    }

    @Test func statisticsAndKeys() throws {
        let table = try TestTable()
        try table.append([table.file("a")])
        var metadata = table.metadata
        func file(_ path: String) -> JSONValue {
            ["snapshot-id": .integer(table.head), "statistics-path": .string(path), "file-size-in-bytes": 1]
        }
        try metadata.apply(
            [
                .setStatistics(file("x")), .setStatistics(file("y")), .setPartitionStatistics(file("p")),
                .addEncryptionKey(["key-id": "k"]), .addEncryptionKey(["key-id": "l"]), .removeEncryptionKey("k"),
            ], nowMs: 5)
        #expect(metadata.preservedItems("statistics") == [file("y")])
        #expect(metadata.preservedItems("encryption-keys") == [["key-id": "l"]])
        #expect(try TableMetadata.parse(metadata.serialize(), source: "test") == metadata)
        try metadata.apply(
            [.removeStatistics(snapshotId: table.head), .removePartitionStatistics(snapshotId: table.head)], nowMs: 5)
        #expect(metadata.statisticsFiles.isEmpty)
    }

    @Test func removingSnapshotsTakesTheirReferences() throws {
        let table = try TestTable()
        try table.append([table.file("a")])
        let first = table.head
        try table.append([table.file("b")])
        var metadata = table.metadata
        try metadata.apply(
            [
                .setSnapshotRef("t", SnapshotReference(snapshotId: first, kind: .tag)), .removeSnapshots([first]),
            ], nowMs: 5)
        #expect(metadata.refs.keys.sorted() == ["main"])
        #expect(metadata.snapshotLog.map(\.snapshotId) == [table.head])
        #expect(code { try metadata.apply(.assignUUID(UUID(high: 8, low: 8)), nowMs: 5) } == "uuid_change")
        #expect(code { try metadata.apply(.setLocation("/"), nowMs: 5) } == "bad_location")
        #expect(code { try metadata.apply(.upgradeFormatVersion(1), nowMs: 5) } == "format_version_lowered")
        #expect(code { try metadata.apply(.upgradeFormatVersion(4), nowMs: 5) } == "format_version")
    }

    /// Readers that compare the log with a time must find a snapshot there as soon as by its own time, also after a
    /// change that was stamped later, as by an expiry while the snapshot's records waited.
    @Test func theLogHasTheTimeOfAnAddedSnapshot() throws {
        let table = try TestTable()
        try table.append([table.file("a")])
        var metadata = table.metadata
        let first = metadata.currentSnapshot!
        var next = first
        (next.snapshotId, next.parentSnapshotId) = (first.snapshotId ^ 1, first.snapshotId)
        (next.sequenceNumber, next.timestampMs) = (first.sequenceNumber + 1, first.timestampMs + 10)
        metadata.lastUpdatedMs = first.timestampMs + 100
        let main = { SnapshotReference(snapshotId: $0, kind: .branch) }
        try metadata.apply([.addSnapshot(next), .setSnapshotRef("main", main(next.snapshotId))], nowMs: 5)
        #expect(metadata.snapshotLog.last?.timestampMs == next.timestampMs)
        #expect(metadata.lastUpdatedMs == first.timestampMs + 100)
        // One that was there before becomes current now.
        try metadata.apply(.setSnapshotRef("main", main(first.snapshotId)), nowMs: first.timestampMs + 200)
        #expect(metadata.snapshotLog.last?.timestampMs == first.timestampMs + 200)
        // And the log stays sorted.
        var late = next
        (late.snapshotId, late.sequenceNumber) = (first.snapshotId ^ 2, next.sequenceNumber + 1)
        try metadata.apply([.addSnapshot(late), .setSnapshotRef("main", main(late.snapshotId))], nowMs: 5)
        #expect(metadata.snapshotLog.last?.timestampMs == first.timestampMs + 200)
    }

    /// Whatever changed a table in place, its updates do the same.
    @Test func differencesRepeatTheChange() throws {
        let table = try TestTable(properties: ["gone": "1"])
        try table.append([table.file("a")])
        let first = table.head
        try table.append([table.file("b")])
        let base = table.metadata
        var changed = base
        var schema = changed.currentSchema
        schema.fields.append(Field(id: 5, name: "extra", required: false, type: .string))
        try changed.setCurrentSchema(try changed.addSchema(schema))
        try changed.setDefaultSpec(
            try changed.addSpec(
                PartitionSpec(fields: [PartitionField(sourceId: 5, name: "e", transform: .bucket(4))])))
        try changed.setDefaultSortOrder(
            try changed.addSortOrder(SortOrder(fields: [SortField(sourceId: 1, direction: .descending)])))
        try changed.setProperties(["new": "2"], removing: ["gone"])
        try changed.setReference("main", SnapshotReference(snapshotId: first, kind: .branch), nowMs: 9_000)
        try changed.removeSnapshots([table.head])
        try changed.setLocation("file:///w/elsewhere")
        try changed.upgrade(to: 3)
        let updates = TableUpdate.difference(from: base, to: changed)
        var again = base
        try again.apply(updates, nowMs: 9_000)
        again.lastUpdatedMs = changed.lastUpdatedMs
        #expect(again == changed)
        #expect(try updates.map { try TableUpdate(json: $0.json) } == updates)
        let requirements = TableRequirement.derived(from: base, updates)
        for requirement in requirements { try requirement.check(base) }
        #expect(requirements.filter { r in code { try r.check(changed) } != "" }.count == 6)

        let created = TableUpdate.difference(from: nil, to: table.metadata)
        #expect(TableRequirement.derived(from: nil, created) == [.assertCreate])
        var fresh = try TableMetadata(creating: created, uuid: UUID(high: 9, low: 9), nowMs: 1000)
        #expect(fresh.tableUUID == base.tableUUID && fresh.schemas == base.schemas && fresh.refs == base.refs)
        (fresh.snapshotLog, fresh.metadataLog) = (base.snapshotLog, base.metadataLog)
        fresh.lastUpdatedMs = base.lastUpdatedMs
        #expect(fresh == base)
    }

    /// The commits of all actions say what they did.
    @Test func commitsCarryTheirUpdates() throws {
        let table = try TestTable()
        let base = table.metadata
        let commit = try table.append([table.file("a")])
        var again = base
        try again.apply(commit.updates, nowMs: commit.snapshot!.timestampMs)
        again.metadataLog = commit.metadata.metadataLog
        #expect(again == commit.metadata)
        #expect(
            commit.requirements == [
                .assertTableUUID(base.tableUUID), .assertRefSnapshotId(ref: "main", snapshotId: nil),
            ])
        #expect(commit.updates.map { $0.json["action"]?.stringValue } == ["add-snapshot", "set-snapshot-ref"])
    }

    /// As DuckDB sends the creation of a table.
    @Test func creationInAnyOrder() throws {
        let uuid = UUID(high: 5, low: 5)
        let spec = PartitionSpec(fields: [PartitionField(sourceId: 1, fieldId: 1000, name: "p", transform: .bucket(2))])
        let metadata = try TableMetadata(
            creating: [
                .assignUUID(uuid), .upgradeFormatVersion(3), .addSpec(spec), .setDefaultSpec(-1),
                .addSortOrder(.unsorted), .setDefaultSortOrder(-1), .addSchema(TestTable.schema),
                .setLocation("file:///w/n/"), .setProperties(["a": "b", "format-version": "3"]), .setCurrentSchema(-1),
            ], uuid: UUID(high: 1, low: 1), nowMs: 77)
        #expect(metadata.tableUUID == uuid && metadata.formatVersion == 3 && metadata.nextRowId == 0)
        #expect(metadata.location == "file:///w/n" && metadata.defaultSpec.fields == spec.fields)
        #expect(metadata.lastColumnId == 4 && metadata.lastPartitionId == 1000 && metadata.properties == ["a": "b"])
        #expect(try TableMetadata.parse(metadata.serialize(), source: "test") == metadata)
        for (updates, expected) in [
            ([.setLocation("file:///x")], "no_schema"),
            ([.addSchema(TestTable.schema), .setCurrentSchema(-1)], "bad_location"),
        ] as [([TableUpdate], String)] {
            #expect(code { _ = try TableMetadata(creating: updates, uuid: uuid, nowMs: 1) } == expected)
        }
    }
}

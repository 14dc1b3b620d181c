import Base
import Columnar
import Iceberg
import Testing

@testable import Catalog

@Suite struct SchemaEvolutionCatalogTests {
    private static func add(_ name: String, _ type: DataType = .string) -> SchemaChange {
        SchemaChange([.addColumn(parent: .root, field: Field(id: 0, name: name, required: false, type: type))])
    }

    @Test func evolvesInOneVersion() throws {
        let scratch = try ScratchWarehouse()
        let table = try scratch.makeTable()
        let uuid = table.metadata.tableUUID
        let change = Self.add("name").merging(Self.add("n", .int))
        let evolved = try scratch.warehouse.evolve(table.identifier, uuid: uuid, change: change)
        #expect(evolved.metadata.currentSchema.fields.map(\.name) == ["id", "name", "n"])
        #expect(evolved.metadata.currentSchema.fields.map(\.id) == [1, 2, 3])
        #expect(evolved.metadata.currentSchemaId == 1 && evolved.metadata.schemas.count == 2)
        #expect(evolved.metadata.lastColumnId == 3)
        // Again, and from another process: nothing to do, no new version.
        let again = try scratch.another().evolve(table.identifier, uuid: uuid, change: change)
        #expect(again.metadataLocation == evolved.metadataLocation)
        #expect(
            fails(.conflict, "table_replaced") {
                _ = try scratch.warehouse.evolve(table.identifier, uuid: Environment.live.uuid(), change: change)
            })
    }

    @Test func idsAreNeverGivenTwice() throws {
        let scratch = try ScratchWarehouse()
        let table = try scratch.makeTable()
        _ = try scratch.warehouse.evolve(table.identifier, change: Self.add("a"))
        // Another engine drops the column; its id is spent.
        _ = try scratch.warehouse.committer(for: table.identifier).update { metadata in
            var metadata = metadata
            try metadata.setCurrentSchema(metadata.addSchema(ScratchWarehouse.schema))
            return metadata
        }
        let evolved = try scratch.warehouse.evolve(table.identifier, change: Self.add("a"))
        #expect(evolved.metadata.currentSchema.fields.map(\.id) == [1, 3])
    }

    @Test func partialChangesLeaveOutWhatCannotBe() throws {
        let scratch = try ScratchWarehouse()
        let table = try scratch.makeTable()
        let change = Self.add("a").merging(Self.add("ID")).merging(Self.add("t", .timestampNs)).merging(Self.add("b"))
        #expect(
            fails(.invalidInput, "duplicate_column") {
                _ = try scratch.warehouse.evolve(table.identifier, change: change)
            })
        #expect(
            fails(.unsupported, "bad_type") {
                _ = try scratch.warehouse.evolve(table.identifier, change: Self.add("t", .timestampNs))
            })
        let evolved = try scratch.warehouse.evolve(table.identifier, change: change, partially: true)
        #expect(evolved.metadata.currentSchema.fields.map(\.name) == ["id", "a", "b"])
        #expect(evolved.metadata.schemas.count == 2)
        let same = try scratch.warehouse.evolve(table.identifier, change: Self.add("ID"), partially: true)
        #expect(same.metadataLocation == evolved.metadataLocation)
    }

    @Test func partitionsAreKept() throws {
        let scratch = try ScratchWarehouse()
        try scratch.warehouse.createNamespace(["shop"], ifNotExists: true)
        let definition = try TableDefinition(
            identifier: TableIdentifier(parsing: "shop.parts"), schema: "n int, p decimal(9,2), f float, ts timestamp",
            partition: "bucket(4, n), truncate(10, p), identity(f), day(ts)", sort: nil)
        let table = try scratch.warehouse.createTable(definition, ifNotExists: false)
        let wider = SchemaChange([
            .widen(ColumnPath(dotted: "n"), to: .long), .widen(ColumnPath(dotted: "f"), to: .double),
            .widen(ColumnPath(dotted: "p"), to: .decimal(precision: 20, scale: 2)),
        ])
        let evolved = try scratch.warehouse.evolve(table.identifier, change: wider)
        #expect(
            evolved.metadata.currentSchema.fields.map(\.type).prefix(2) == [.long, .decimal(precision: 20, scale: 2)])
        #expect(evolved.metadata.partitionSpecs == table.metadata.partitionSpecs)
        // A column with the name of a partition field could not be told from it in the `$partitions` of many readers.
        #expect(
            fails(.invalidInput, "duplicate_column") {
                _ = try scratch.warehouse.evolve(table.identifier, change: Self.add("TS_day"))
            })
        var strange = evolved.metadata
        strange.partitionSpecs[0].fields[0].transform = .unknown("zorder")
        let widest = SchemaChange([.widen(ColumnPath(dotted: "n"), to: .long)])
        #expect(throws: Never.self) { try strange.evolved(by: widest, partially: false) }
        strange.schemas = [table.metadata.currentSchema]
        strange.currentSchemaId = table.metadata.currentSchemaId
        let error = #expect(throws: FirnError.self) { try strange.evolved(by: widest, partially: false) }
        #expect(error?.code == "partition_source")
    }

    // MARK: - Proposals

    @Test func equalProposalsAreOne() throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        let uuid = try scratch.makeTable().metadata.tableUUID
        let both = Self.add("a").merging(Self.add("b", .long))
        let first = try warehouse.propose(uuid, change: both, records: 3, sample: Array(#"{"a":1}"#.utf8))
        #expect(first.map(\.change) == [Self.add("a"), Self.add("b", .long)])
        let second = try warehouse.propose(uuid, change: Self.add("b", .long), records: 4, sample: [0xff])
        #expect(second.map(\.id) == [first[1].id])
        let all = try warehouse.schemaProposals(uuid)
        #expect(all.map(\.records) == [3, 7])
        #expect(all.map(\.sample) == [#"{"a":1}"#, #"{"a":1}"#])
        #expect(all.allSatisfy { $0.state == .open && $0.decidedMs == nil })
        #expect(try warehouse.schemaProposals(Environment.live.uuid()) == [])
        #expect(fails(.notFound, "proposal_not_found") { _ = try warehouse.schemaProposal(uuid, id: 99) })
    }

    @Test func approvalEvolvesAndMayBeRepeated() throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        let table = try scratch.makeTable()
        let uuid = table.metadata.tableUUID
        let change = Self.add("n", .int).merging(Self.add("n", .long)).merging(Self.add("other"))
        let ids = try warehouse.propose(uuid, change: change, records: 1, sample: []).map(\.id)
        let (approved, evolved) = try warehouse.approveProposal(table.identifier, id: ids[1])
        #expect(approved.state == .approved && approved.decidedMs != nil)
        #expect(evolved.metadata.currentSchema.field(named: "n")?.type == .long)
        // An int fits the long column, so nobody needs to be asked about it any more.
        #expect(try warehouse.schemaProposals(uuid, state: .open).map(\.id) == [ids[2]])
        let (again, same) = try warehouse.approveProposal(table.identifier, id: ids[1])
        #expect(again == approved && same.metadataLocation == evolved.metadataLocation)
        #expect(
            fails(.conflict, "proposal_approved") {
                _ = try warehouse.rejectProposal(table.identifier, id: ids[1])
            })
    }

    @Test func rejectedChangesAreNotProposedAgain() throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        let table = try scratch.makeTable()
        let uuid = table.metadata.tableUUID
        let id = try warehouse.propose(uuid, change: Self.add("a"), records: 1, sample: [])[0].id
        #expect(try warehouse.rejectProposal(table.identifier, id: id).state == .rejected)
        let again = try warehouse.propose(uuid, change: Self.add("a"), records: 2, sample: [])
        #expect(again.map(\.id) == [id] && again[0].state == .rejected && again[0].records == 3)
        #expect(try warehouse.schemaProposals(uuid, state: .open) == [])
        // Minds change.
        #expect(try warehouse.approveProposal(table.identifier, id: id).proposal.state == .approved)
        #expect(fails(.notFound, "proposal_not_found") { _ = try warehouse.rejectProposal(table.identifier, id: 99) })
    }

    @Test func openProposalsAreBoundedAndGoWithTheTable() throws {
        let scratch = try ScratchWarehouse()
        let warehouse = scratch.warehouse
        let table = try scratch.makeTable()
        let uuid = table.metadata.tableUUID
        let many = (0...Warehouse.openProposalsMax).reduce(into: [SchemaChange.Operation]()) {
            $0 += Self.add("c\($1)").operations
        }
        let long = [UInt8](repeating: UInt8(ascii: "x"), count: 100_000)
        let made = try warehouse.propose(uuid, change: SchemaChange(many), records: 1, sample: long)
        #expect(made.count == Warehouse.openProposalsMax)
        #expect(made[0].sample.utf8.count == 1000)
        try warehouse.dropTable(table.identifier, purge: true)
        #expect(try warehouse.schemaProposals(uuid) == [])
    }

    // MARK: - Watermarks

    @Test func watermarksMoveForwardWithACommit() throws {
        let scratch = try ScratchWarehouse()
        let table = try scratch.makeTable()
        let uuid = table.metadata.tableUUID
        let committer = try scratch.warehouse.committer(for: table.identifier)
        func commit(_ position: UInt64, _ marks: [WatermarkMark]) throws {
            let expected = try scratch.warehouse.logPosition(uuid)
            _ = try committer.append(
                [], ingest: IngestMark(expectedPosition: expected, position: position, watermarks: marks))
        }
        try commit(
            1,
            [
                WatermarkMark(producer: "", eventMicros: 5, seenMs: 1),
                WatermarkMark(producer: "a", eventMicros: -9, seenMs: 2),
            ])
        try commit(
            2,
            [
                WatermarkMark(producer: "", eventMicros: 4, seenMs: 3),
                WatermarkMark(producer: "a", eventMicros: -8, seenMs: 1),
            ])
        #expect(
            try scratch.warehouse.watermarks(uuid) == [
                WatermarkMark(producer: "", eventMicros: 5, seenMs: 3),
                WatermarkMark(producer: "a", eventMicros: -8, seenMs: 2),
            ])
        try scratch.warehouse.dropTable(table.identifier, purge: true)
        #expect(try scratch.warehouse.watermarks(uuid) == [])
    }

    @Test func summariesCarryWatermarks() throws {
        let mark = IngestMark(
            expectedPosition: 0, position: 1,
            producers: [
                ProducerMark(producer: "a", epoch: 1, sequence: 2, position: 3, accepted: 4, answer: []),
                ProducerMark(producer: "b", epoch: 1, sequence: 2, position: 3, accepted: 4, answer: []),
            ], watermarks: [WatermarkMark(producer: "a", eventMicros: 77, seenMs: 0)], watermark: 1_500_000)
        let entries = SnapshotSummary.entries(of: mark, version: "1")
        #expect(entries["firn.watermark"] == "1500000")
        #expect(entries["firn.watermark-time"] == "1970-01-01T00:00:01.500000Z")
        #expect(
            entries["firn.producers"]
                == #"{"a":{"epoch":1,"sequence":2,"position":3,"event-micros":77},"#
                + #""b":{"epoch":1,"sequence":2,"position":3}}"#)
    }
}

import Base
import Columnar
import Testing

@testable import Iceberg

@Suite struct PartitionEvolutionTests {
    private func change(_ metadata: TableMetadata, _ operations: [PartitionChange.Operation]) throws -> TableMetadata {
        try metadata.partitioned(by: PartitionChange(operations))
    }

    private func terms(_ text: String) throws -> [PartitionTerm] { try ShortSchema.parsePartition(text) }

    private func described(_ spec: PartitionSpec) -> [String] {
        spec.fields.map { "\($0.fieldId) \($0.name) \($0.transform)(\($0.sourceId))" }
    }

    /// Names and ids as Java's `UpdatePartitionSpec` gives them.
    @Test func fieldsComeGoAndComeBack() throws {
        let table = try TestTable(spec: TestTable.byDay).metadata
        let added = try change(table, [.add(terms("bucket(16, id)")[0]), .add(terms("truncate(4, name)")[0])])
        #expect(added.defaultSpecId == 1 && added.partitionSpecs.count == 2)
        #expect(
            described(added.defaultSpec) == [
                "1000 ts_day day(2)", "1001 id_bucket_16 bucket[16](1)", "1002 name_trunc_4 truncate[4](4)",
            ])
        // Twice is once.
        #expect(try change(added, [.add(terms("bucket(16, id)")[0])]) == added)
        let dropped = try change(added, [.drop("day(ts)"), .drop("name_trunc_4")])
        #expect(described(dropped.defaultSpec) == ["1001 id_bucket_16 bucket[16](1)"] && dropped.defaultSpecId == 2)
        // The ids of equal fields are used again, whatever happened in between.
        let back = try change(dropped, [.set(terms("day(ts), bucket(16, id), name"))])
        #expect(
            described(back.defaultSpec) == [
                "1000 ts_day day(2)", "1001 id_bucket_16 bucket[16](1)", "1003 name identity(4)",
            ])
        #expect(back.lastPartitionId == 1003)
        // An equal spec is used again.
        let again = try change(back, [.set(terms("day(ts)"))])
        #expect(again.defaultSpecId == 0 && again.partitionSpecs.count == back.partitionSpecs.count)
        #expect(try change(again, [.set([])]).defaultSpec.fields.isEmpty)
    }

    @Test func renames() throws {
        let table = try TestTable(spec: TestTable.byDay).metadata
        let renamed = try change(table, [.rename("ts_day", to: "when")])
        #expect(described(renamed.defaultSpec) == ["1000 when day(2)"] && renamed.defaultSpecId == 1)
        #expect(try change(renamed, [.rename("ts_day", to: "when")]) == renamed)
        #expect(try change(renamed, [.set(terms("day(ts)"))]) == renamed)
        #expect(described(try change(renamed, [.set(terms("day(ts) as d"))]).defaultSpec) == ["1000 d day(2)"])
    }

    @Test(
        arguments: [
            ([.drop("nope")], "unknown_partition_field"), ([.drop("hour(ts)")], "unknown_partition_field"),
            ([.rename("nope", to: "x")], "unknown_partition_field"),
            ([.add(PartitionTerm(transform: "day", column: "nope"))], "unknown_column"),
            ([.add(PartitionTerm(transform: "day", column: "name"))], "bad_partition"),
            ([.add(PartitionTerm(transform: "day", column: "ts", name: "other"))], "bad_partition"),
            // A partition field must not look like a column that it is not.
            ([.add(PartitionTerm(transform: "hour", column: "ts", name: "price"))], "bad_partition_spec"),
            ([.add(PartitionTerm(transform: "hour", column: "ts", name: "TS_DAY"))], "bad_partition_spec"),
        ] as [([PartitionChange.Operation], String)])
    func refuses(_ operations: [PartitionChange.Operation], code: String) throws {
        let table = try TestTable(spec: TestTable.byDay).metadata
        let error = #expect(throws: FirnError.self) { try change(table, operations) }
        #expect(error?.code == code)
    }

    @Test func readsJSON() throws {
        func parse(_ text: String) throws -> [PartitionChange.Operation] {
            try PartitionChange(json: JSONValue(parsing: text, source: "test")).operations
        }
        #expect(
            try parse(#"{"add": "bucket(4, id), name", "drop": "truncate(4, name), ts_day", "rename": {"a": "b"}}"#)
                == [
                    .rename("a", to: "b"), .drop("truncate(4, name)"), .drop("ts_day"),
                    .add(PartitionTerm(transform: "bucket", argument: 4, column: "id")),
                    .add(PartitionTerm(transform: "identity", column: "name")),
                ])
        #expect(try parse(#"{"set": ""}"#) == [.set([])])
        for text in ["{}", "[]", #"{"set": "a", "add": "b"}"#, #"{"drop": ""}"#, #"{"add": 1}"#, #"{"x": "y"}"#] {
            #expect(throws: FirnError.self) { try parse(text) }
        }
    }

    /// A writer that loaded the table before the change commits under the old spec; readers find each file's own.
    @Test func filesOfTheOldSpecStayAndCome() throws {
        let table = try TestTable(spec: TestTable.byDay)
        try table.append([table.file("before", partition: [.date(1)])])
        let changed = try change(table.metadata, [.set(terms("bucket(4, id)"))])
        try table.put(
            MetadataCommit.prepare(
                changed, base: table.metadata, baseLocation: table.location, context: table.context()))
        var late = table.file("late", partition: [.date(2)])
        late.specId = 0
        var new = table.file("new", partition: [.int(3)])
        new.specId = table.metadata.defaultSpecId
        try table.append([late, new])
        let live = Dictionary(
            uniqueKeysWithValues: try table.live().map { ($0.dataFile.path.lastPathComponent, $0.dataFile) })
        #expect(live["late.parquet"]?.specId == 0 && live["late.parquet"]?.partition == [.date(2)])
        #expect(live["new.parquet"]?.specId == 1 && live["new.parquet"]?.partition == [.int(3)])
        #expect(live["before.parquet"]?.partition == [.date(1)])
    }

    @Test func sortOrders() throws {
        let table = try TestTable().metadata
        let sorted = try table.sorted(by: "ts desc nulls last, bucket(16, id)")
        #expect(sorted.defaultSortOrderId == 1 && sorted.sortOrders.count == 2)
        #expect(
            sorted.defaultSortOrder.text(sorted.currentSchema)
                == "ts desc nulls last, bucket(16, id) asc nulls first")
        let other = try sorted.sorted(by: "id")
        #expect(other.defaultSortOrderId == 2)
        let none = try other.sorted(by: "none")
        #expect(none.defaultSortOrderId == 0 && none.defaultSortOrder.text(none.currentSchema) == "none")
        // An equal order is used again.
        #expect(try none.sorted(by: "ts desc, bucket(16, id)").defaultSortOrderId == 1)
        #expect(try none.sorted(by: "") == none)
        for text in ["nope", "day(name)", "id, id", "void(id)", "ts sideways"] {
            #expect(throws: FirnError.self) { try table.sorted(by: text) }
        }
    }
}

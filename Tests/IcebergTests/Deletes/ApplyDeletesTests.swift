import Base
import Columnar
import Storage
import Testing

@testable import Iceberg

@Suite struct ApplyDeletesTests {
    private static func row(_ id: Int64, _ name: String? = nil, _ v: Double? = nil, a: Int32? = nil) -> [Value] {
        DeleteFixture.row(id, name, v, a: a)
    }

    // MARK: Positions

    @Test(arguments: [true, false], [true, false]) func positionDeletes(isReferenced: Bool, bounds: Bool) throws {
        let fixture = try DeleteFixture()
        let a = try fixture.add((0..<10).map { Self.row($0) }).path
        let b = try fixture.add((10..<20).map { Self.row($0) }).path
        // Neither sorted nor free of duplicates; positions beyond the file do no harm.
        try fixture.deletePositions(
            [(a, 9), (a, 0), (a, 9), (a, 4), (a, 99)], isReferenced: isReferenced, bounds: bounds)
        if !isReferenced { try fixture.deletePositions([(b, 1), (a, 2), (b, 0)], bounds: bounds) }
        let gone: Set<Int64> = isReferenced ? [9, 0, 4] : [9, 0, 4, 11, 2, 10]
        #expect(try fixture.ids() == (0..<20).filter { !gone.contains($0) })
    }

    @Test func positionDeletesCountFromTheStartOfTheFile() throws {
        let fixture = try DeleteFixture()
        let path = try fixture.add((0..<1000).map { Self.row($0) }, rowGroupRows: 100).path
        let gone = (0..<1000).filter { $0 % 7 == 0 || (300..<400).contains($0) }.map { Int64($0) }
        try fixture.deletePositions(gone.map { (path, $0) })
        let left = (0..<1000).filter { !gone.contains($0) }
        #expect(try fixture.ids() == left)
        let filter = Predicate.compare(fieldId: 1, .greaterOrEqual, .long(250))
        #expect(try fixture.ids(filter: filter) == left.filter { $0 >= 250 })
        // A row group without rows is not read.
        let reader = try DataFileReader(
            try fixture.tasks()[0], schema: fixture.metadata.currentSchema, store: fixture.store)
        #expect(try reader.matchingRowGroups() == [0, 1, 2, 4, 5, 6, 7, 8, 9])
    }

    /// Files too large for the cache are read for each data file by itself.
    @Test func positionDeletesOfManyFiles() throws {
        let fixture = try DeleteFixture()
        let paths = try (0..<5).map { file in
            try fixture.add((0..<50).map { Self.row(Int64(file * 50 + $0)) }).path
        }
        try fixture.deletePositions(paths.flatMap { path in stride(from: 0, to: 50, by: 2).map { (path, Int64($0)) } })
        let left = (0..<250).filter { $0 % 2 == 1 }.map { Int64($0) }
        for bytes in [1, 1 << 20] {
            let loader = DeleteLoader(store: fixture.store, cacheBytesMax: bytes)
            #expect(try fixture.ids(loader: loader) == left)
        }
    }

    @Test func vectorsReplacePositionDeletes() throws {
        let fixture = try DeleteFixture(version: 3)
        let a = try fixture.add((0..<10).map { Self.row($0) }).path
        let b = try fixture.add((10..<20).map { Self.row($0) }).path
        try fixture.deletePositions([(a, 0), (b, 0)])
        try fixture.deleteVector(RowPositions([1, 2]), of: a, sequence: 3)
        #expect(try fixture.ids() == [0] + Array(3..<10) + Array(11..<20))
        #expect(try fixture.tasks().map(\.liveRecordCount) == [8, nil])
    }

    @Test func contradictionsAreRefused() throws {
        let fixture = try DeleteFixture(version: 3)
        let path = try fixture.add((0..<10).map { Self.row($0) }).path
        var vector = try fixture.deleteVector(RowPositions([1, 2]), of: path)
        var index = fixture.index
        let again = fixture.entry(vector, sequence: 4)
        #expect(throws: FirnError.self) { try index.add(again) }
        vector.recordCount = 3
        let task = FileScanTask(
            dataFile: fixture.data[0].dataFile, sequenceNumber: 1, spec: .unpartitioned,
            deletes: [fixture.entry(vector, sequence: 2)])
        let error = #expect(throws: FirnError.self) {
            try DeleteLoader(store: fixture.store).positions(for: task)
        }
        #expect(error?.code == "bad_deletion_vector")
    }

    // MARK: Equality

    @Test func equalityDeletesOfOneNumber() throws {
        let fixture = try DeleteFixture()
        try fixture.add((0..<10).map { Self.row($0, "x") }, sequence: 1)
        try fixture.add((5..<15).map { Self.row($0, "y") }, sequence: 2)
        try fixture.add((0..<3).map { Self.row($0, "z") }, sequence: 3)
        let id = fixture.metadata.currentSchema.fields[0]
        try fixture.deleteEqual([[.long(7)], [.long(0)]], ids: [1], fields: [id], sequence: 2)
        try fixture.deleteEqual([[.long(8)], [.long(1)]], ids: [1], fields: [id], sequence: 3)
        // A delete applies to rows that are older than itself only.
        #expect(try fixture.ids() == [2, 3, 4, 5, 6, 9] + [5, 6, 7, 9, 10, 11, 12, 13, 14] + [0, 1, 2])
        let loader = DeleteLoader(store: fixture.store)
        #expect(try fixture.ids(loader: loader) == fixture.ids())
    }

    @Test func nullsAndNaNsAreEqual() throws {
        let fixture = try DeleteFixture()
        try fixture.add([
            Self.row(1, nil, .nan), Self.row(2, nil, 0.0), Self.row(3, "", nil), Self.row(4, "a", nil),
            Self.row(5, nil, nil), Self.row(6, nil, -0.0),
        ])
        let fields = Array(fixture.metadata.currentSchema.fields[1...2])
        try fixture.deleteEqual(
            [[.null, .double(-.nan)], [.string(""), .null], [.null, .double(0)]], ids: [3, 2], fields: fields)
        #expect(try fixture.ids() == [4, 5, 6])
        try fixture.deleteEqual([[.null]], ids: [2], fields: [fields[0]])
        #expect(try fixture.ids() == [4])
    }

    @Test func nestedColumnsAndPromotedOnes() throws {
        let fixture = try DeleteFixture()
        let s = fixture.metadata.currentSchema.fields[3]
        try fixture.add([Self.row(1, a: 5), Self.row(2, a: 6), Self.row(3), Self.row(4, a: 7)])
        guard case .structure(let type) = s.type else { return }
        let a = type.fields[0]
        // The struct of a delete file may hold nothing but the key.
        var pruned = s
        pruned.type = .structure(StructType(fields: [a]))
        try fixture.deleteEqual(
            [[.structure([.int(6)])], [.null]], ids: [a.id], fields: [pruned])
        #expect(try fixture.ids() == [1, 4])
        // By now the column is a long, and the delete file is still of ints.
        var schema = fixture.metadata.currentSchema
        var wide = type
        wide.fields[0].type = .long
        schema.fields[3].type = .structure(wide)
        schema.schemaId = 1
        fixture.metadata.schemas.append(schema)
        fixture.metadata.currentSchemaId = 1
        #expect(try fixture.ids() == [1, 4])
        let filter = Predicate.compare(fieldId: 1, .less, .long(4))
        #expect(try fixture.ids(filter: filter) == [1])
    }

    @Test func droppedColumnsStillDelete() throws {
        let fixture = try DeleteFixture()
        try fixture.add([Self.row(1, "a"), Self.row(2, "b")])
        let name = fixture.metadata.currentSchema.fields[1]
        var schema = fixture.metadata.currentSchema
        schema.fields.remove(at: 1)
        schema.schemaId = 1
        fixture.metadata.schemas.append(schema)
        fixture.metadata.currentSchemaId = 1
        fixture.reindex()
        try fixture.deleteEqual([[.string("b")]], ids: [2], fields: [name])
        #expect(try fixture.ids() == [1])
        #expect(try fixture.rows().map(\.count) == [3])
    }

    /// A column that the data file lacks is null there, or has its default.
    @Test func missingColumnsAreCompared() throws {
        let fixture = try DeleteFixture(version: 3)
        let first = Schema(fields: [fixture.metadata.currentSchema.fields[0]])
        try fixture.add([[.long(1)], [.long(2)]], schema: first)
        try fixture.deleteEqual([[.null]], ids: [2], fields: [fixture.metadata.currentSchema.fields[1]])
        #expect(try fixture.ids() == [])
        fixture.metadata.schemas[0].fields[1].initialDefault = .string("d")
        fixture.reindex()
        try fixture.deleteEqual([[.null]], ids: [2], fields: [fixture.metadata.currentSchema.fields[1]])
        #expect(try fixture.rows().map { $0[1] } == [.string("d"), .string("d")])
        try fixture.deleteEqual([[.string("d")]], ids: [2], fields: [fixture.metadata.currentSchema.fields[1]])
        #expect(try fixture.ids() == [])
    }

    @Test func boundsLeaveOutDeletes() throws {
        let fixture = try DeleteFixture()
        try fixture.add((0..<10).map { Self.row($0) })
        try fixture.add((100..<110).map { Self.row($0, "n") })
        let fields = fixture.metadata.currentSchema.fields
        try fixture.deleteEqual([[.long(101)], [.long(103)]], ids: [1], fields: [fields[0]])
        // All names of the first file are null, none of the second's.
        try fixture.deleteEqual([[.string("x")]], ids: [2], fields: [fields[1]])
        try fixture.deleteEqual([[.null]], ids: [2], fields: [fields[1]])
        #expect(try fixture.tasks().map(\.deletes.count) == [1, 1])
        #expect(try fixture.ids() == [100, 102] + Array(104..<110))
    }

    @Test func partitionsBoundEqualityDeletes() throws {
        let spec = PartitionSpec(fields: [
            PartitionField(sourceId: 2, fieldId: 1000, name: "name", transform: .identity)
        ])
        let fixture = try DeleteFixture(spec: spec)
        var global = PartitionSpec.unpartitioned
        global.specId = 7
        fixture.metadata.partitionSpecs.append(global)
        fixture.reindex()
        try fixture.add((0..<5).map { Self.row($0, "a") }, partition: [.string("a")])
        try fixture.add((0..<5).map { Self.row($0, "b") }, partition: [.string("b")])
        let id = fixture.metadata.currentSchema.fields[0]
        try fixture.deleteEqual([[.long(1)]], ids: [1], fields: [id], partition: [.string("a")])
        #expect(try fixture.ids() == [0, 2, 3, 4, 0, 1, 2, 3, 4])
        try fixture.deleteEqual([[.long(2)]], ids: [1], fields: [id], specId: 7)
        #expect(try fixture.ids() == [0, 3, 4, 0, 1, 3, 4])
    }

    // MARK: Metadata columns and defaults

    @Test func metadataColumns() throws {
        let fixture = try DeleteFixture(version: 3)
        let path = try fixture.add((0..<8).map { Self.row($0) }, sequence: 5, firstRowId: 100, rowGroupRows: 3).path
        try fixture.deleteVector(RowPositions([0, 4]), of: path, sequence: 6)
        let fields = MetadataColumn.allCases.map(\.field)
        let left: [Int64] = [1, 2, 3, 5, 6, 7]
        #expect(
            try fixture.rows(fields)
                == left.map { [.string(path), .long($0), .long(100 + $0), .long(5)] })
        for filter in [
            Predicate.compare(fieldId: MetadataColumn.position.fieldId, .greater, .long(4)),
            .and(
                .compare(fieldId: MetadataColumn.rowId.fieldId, .greater, .long(104)),
                .compare(fieldId: 1, .notEqual, .long(1))),
            .and(
                .isIn(fieldId: MetadataColumn.position.fieldId, [.long(5), .long(6), .long(7)]),
                .compare(fieldId: MetadataColumn.file.fieldId, .equal, .string(path))),
        ] {
            #expect(try fixture.ids(filter: filter) == [5, 6, 7])
        }
        let elsewhere = Predicate.compare(fieldId: MetadataColumn.file.fieldId, .equal, .string("other"))
        #expect(try fixture.ids(filter: elsewhere) == [])
        let recent = Predicate.compare(fieldId: MetadataColumn.lastUpdatedSequenceNumber.fieldId, .greater, .long(4))
        #expect(try fixture.ids(filter: recent) == left)
    }

    @Test func storedRowIdsWin() throws {
        let fixture = try DeleteFixture(version: 3)
        let lineage = MetadataColumn.lineage.map(\.field)
        let schema = Schema(fields: [fixture.metadata.currentSchema.fields[0]] + lineage)
        let rows: [[Value]] = [
            [.long(0), .long(7), .long(2)], [.long(1), .null, .null], [.long(2), .long(9), .null],
        ]
        try fixture.add(rows, schema: schema, sequence: 4, firstRowId: 50)
        #expect(
            try fixture.rows(lineage) == [
                [.long(7), .long(2)], [.long(51), .long(4)], [.long(9), .long(4)],
            ])
        // Without ids in the entry there are none.
        let old = try DeleteFixture(version: 3)
        try old.add(rows, schema: schema)
        #expect(try old.rows(lineage) == [[Value]](repeating: [.null, .null], count: 3))
    }

    @Test func defaultsInsideColumns() throws {
        let fixture = try DeleteFixture(
            "id long required, s struct<a int>, l list<struct<x int>>, m map<string, struct<x int>>", version: 3)
        try fixture.add([
            [.long(1), .structure([.int(5)]), .list([.structure([.int(1)]), .null]), .map([])],
            [.long(2), .null, .null, .map([.init(key: .string("k"), value: .structure([.int(2)]))])],
        ])
        var schema = fixture.metadata.currentSchema
        func add(_ type: inout DataType, _ id: Int, required: Bool = false) {
            guard case .structure(var inner) = type else { return }
            inner.fields.append(
                Field(id: id, name: "d", required: required, type: .long, initialDefault: .long(Int64(id))))
            type = .structure(inner)
        }
        add(&schema.fields[1].type, 50, required: true)
        guard case .list(var list) = schema.fields[2].type, case .map(var map) = schema.fields[3].type else { return }
        add(&list.element, 51)
        add(&map.value, 52)
        schema.fields[2].type = .list(list)
        schema.fields[3].type = .map(map)
        schema.fields.append(
            Field(
                id: 60, name: "n", required: false,
                type: .structure(
                    StructType(fields: [
                        Field(id: 61, name: "e", required: false, type: .int, initialDefault: .int(3))
                    ])), initialDefault: .structure([])))
        fixture.metadata.schemas[0] = schema
        #expect(
            try fixture.rows() == [
                [
                    .long(1), .structure([.int(5), .long(50)]), .list([.structure([.int(1), .long(51)]), .null]),
                    .map([]), .structure([.int(3)]),
                ],
                [
                    .long(2), .null, .null,
                    .map([.init(key: .string("k"), value: .structure([.int(2), .long(52)]))]), .structure([.int(3)]),
                ],
            ])
        // The default is a value for filters too, where the struct is there.
        func ids(_ filter: Predicate) throws -> [Value] { try fixture.rows(filter: filter).map { $0[0] } }
        #expect(try ids(.compare(fieldId: 50, .equal, .long(50))) == [.long(1)])
        #expect(try ids(.isNull(fieldId: 50)) == [.long(2)])
        #expect(try ids(.compare(fieldId: 61, .equal, .int(3))) == [.long(1), .long(2)])
    }
}

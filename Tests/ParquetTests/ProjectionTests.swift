import Base
import Columnar
import Testing

@testable import Parquet

@Suite struct ProjectionTests {
    private let schema = Schema(fields: [
        Field(id: 1, name: "a", required: true, type: .int),
        Field(id: 2, name: "f", required: false, type: .float),
        Field(id: 3, name: "d", required: false, type: .decimal(precision: 9, scale: 2)),
        Field(
            id: 4, name: "s", required: false,
            type: .structure(
                StructType(fields: [
                    Field(id: 5, name: "x", required: false, type: .int),
                    Field(
                        id: 6, name: "tags", required: false,
                        type: .list(ListType(elementId: 7, element: .string, elementRequired: false))),
                ]))),
    ])
    private let values: [[Value]] = [
        [.int(-1), .float(1.5), .decimal(-123, scale: 2), .structure([.int(7), .list([.string("a"), .null])])],
        [.int(2), .null, .null, .null],
        [.int(3), .float(.infinity), .decimal(5, scale: 2), .structure([.null, .list([])])],
    ]

    private func read(_ fields: [Field]) throws -> [[Value]] {
        try readAll(try write(schema, values).bytes, Schema(fields: fields))
    }

    @Test func promotesRenamesAndReorders() throws {
        let found = try read([
            Field(id: 3, name: "wide", required: false, type: .decimal(precision: 30, scale: 2)),
            Field(id: 2, name: "g", required: false, type: .double),
            Field(id: 1, name: "b", required: true, type: .long),
        ])
        #expect(
            found == [
                [.decimal(-123, scale: 2), .double(1.5), .long(-1)], [.null, .null, .long(2)],
                [.decimal(5, scale: 2), .double(.infinity), .long(3)],
            ])
    }

    @Test func takesPartOfAStruct() throws {
        let tags = schema.field(id: 6)!
        let found = try read([
            Field(id: 4, name: "s", required: false, type: .structure(StructType(fields: [tags])))
        ])
        #expect(
            found == [[.structure([.list([.string("a"), .null])])], [.null], [.structure([.list([])])]])
    }

    @Test func fieldsTheFileLacksAreNull() throws {
        let added = Field(
            id: 20, name: "new", required: false,
            type: .structure(
                StructType(fields: [Field(id: 21, name: "n", required: true, type: .uuid)])))
        let found = try read([
            added, Field(id: 4, name: "s", required: false, type: .structure(StructType(fields: [added]))),
        ])
        // The struct keeps its own nulls though none of its members is in the file.
        #expect(found == [[.null, .structure([.null])], [.null, .null], [.null, .structure([.null])]])
        #expect(try read([]) == [[], [], []])
        let error = #expect(throws: FirnError.self) {
            try read([Field(id: 30, name: "must", required: true, type: .int)])
        }
        #expect(error?.code == "missing_column")
    }

    @Test func refusesOtherTypes() throws {
        for (id, type): (Int, DataType) in [
            (1, .string), (1, .date), (2, .int), (3, .decimal(precision: 9, scale: 3)),
            (3, .decimal(precision: 8, scale: 2)), (4, .int),
            (
                6,
                .map(
                    MapType(
                        keyId: 7, key: .string, valueId: 8, value: .int, valueRequired: false))
            ),
        ] {
            let field = Field(id: id, name: "x", required: false, type: type)
            let wanted =
                id == 6
                ? Field(id: 4, name: "s", required: false, type: .structure(StructType(fields: [field]))) : field
            let error = #expect(throws: FirnError.self) { try read([wanted]) }
            #expect(error?.code == "column_type_mismatch")
        }
    }
}

import Base
import Columnar
import Testing

@testable import Iceberg

@Suite struct NameMappingTests {
    private func schema(_ text: String) throws -> Schema { try ShortSchema.parse(text) }

    private func change(_ schema: Schema, _ operations: [SchemaChange.Operation]) throws -> Schema {
        try SchemaChange(operations).apply(to: schema, lastColumnId: 20).schema
    }

    private func path(_ text: String) -> ColumnPath { ColumnPath(dotted: text) }

    @Test func namesEveryColumn() throws {
        let mapping = NameMapping(try schema("id long, tags list<int>, m map<string, struct<a int>>, s struct<b int>"))
        #expect(
            mapping.json.text
                == #"[{"field-id":1,"names":["id"]},"#
                + #"{"field-id":2,"names":["tags"],"fields":[{"field-id":5,"names":["element"]}]},"#
                + #"{"field-id":3,"names":["m"],"fields":[{"field-id":6,"names":["key"]},"#
                + #"{"field-id":7,"names":["value"],"fields":[{"field-id":8,"names":["a"]}]}]},"#
                + #"{"field-id":4,"names":["s"],"fields":[{"field-id":9,"names":["b"]}]}]"#)
        #expect(try NameMapping(parsing: mapping.json.text) == mapping)
    }

    /// As Java's `MappingUtil.update` does it.
    @Test func followsTheSchema() throws {
        let before = try schema("id long, a int, b int, s struct<x int, y int>, l list<struct<u int>>")
        let after = try change(
            before,
            [
                .rename(path("a"), to: "c"), .rename(path("s.x"), to: "z"), .drop(path("b")),
                // The name that `a` had belongs to another column from now on.
                .addColumn(parent: .root, field: Field(id: 0, name: "a", required: false, type: .string)),
                .addColumn(parent: path("l"), field: Field(id: 0, name: "v", required: false, type: .int)),
            ])
        let mapping = NameMapping(before).updated(from: before, to: after)
        let roots = try #require(mapping.json.arrayValue)
        let names = Dictionary(
            uniqueKeysWithValues: roots.map { ($0["field-id"]?.intValue ?? 0, $0["names"]?.text ?? "") })
        #expect(names == [1: #"["id"]"#, 2: #"["c"]"#, 3: #"["b"]"#, 4: #"["s"]"#, 5: #"["l"]"#, 21: #"["a"]"#])
        #expect(roots[3]["fields"]?.arrayValue?.first?["names"]?.text == #"["x","z"]"#)
        #expect(roots[4]["fields"]?.arrayValue?.first?["fields"]?.arrayValue?.count == 2)
        // Names that somebody gave by hand stay, and a change of something else adds none.
        let own = try NameMapping(parsing: #"[{"field-id":1,"names":["ID","Id"]}]"#)
        #expect(own.updated(from: before, to: try change(before, [.widen(path("a"), to: .long)])) == own)
        let renamed = own.updated(from: before, to: try change(before, [.rename(path("id"), to: "key")]))
        #expect(renamed.json.text == #"[{"field-id":1,"names":["ID","Id","key"]}]"#)
    }
}

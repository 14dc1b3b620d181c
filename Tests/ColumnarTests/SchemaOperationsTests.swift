import Base
import Columnar
import TestSupport
import Testing

/// Drop, rename, move, required, descriptions, defaults and identifier columns.
@Suite struct SchemaOperationsTests {
    private static let base = """
        id long required, n int, name string, day date,
        device struct<os string required, v int, model string>, tags list<int>,
        attrs map<string, struct<a int, b int>>, lines list<struct<sku string, qty int>>
        """

    private static func path(_ text: String) -> ColumnPath { ColumnPath(dotted: text) }

    private func apply(
        _ operations: [SchemaChange.Operation], identifiers: [Int] = []
    ) throws -> Schema {
        var schema = try ShortSchema.parse(Self.base)
        schema.identifierFieldIds = identifiers
        return try SchemaChange(operations).apply(to: schema, lastColumnId: 50).schema
    }

    private func names(_ schema: Schema, _ path: String = "") -> [String] {
        guard !path.isEmpty else { return schema.fields.map(\.name) }
        switch schema.field(path: path)?.type {
        case .structure(let type): return type.fields.map(\.name)
        default: return []
        }
    }

    @Test func dropsAtAnyDepth() throws {
        let schema = try apply([
            .drop(Self.path("n")), .drop(Self.path("device.v")), .drop(Self.path("lines.qty")),
            .drop(Self.path("attrs.value.a")), .drop(Self.path("tags")),
        ])
        #expect(names(schema) == ["id", "name", "day", "device", "attrs", "lines"])
        #expect(names(schema, "device") == ["os", "model"])
        #expect(names(schema, "lines.element") == ["sku"])
        #expect(names(schema, "attrs.value") == ["b"])
        // What is left keeps its ids.
        let before = try ShortSchema.parse(Self.base)
        for (path, field) in schema.allFields { #expect(before.field(path: path)?.id == field.id) }
    }

    /// A dropped column's name may come back, its id may not.
    @Test func droppedColumnsComeBackAsOthers() throws {
        let schema = try apply([
            .drop(Self.path("n")),
            .addColumn(
                parent: .root, field: Field(id: 0, name: "n", required: false, type: .string), position: .first),
        ])
        #expect(schema.fields[0] == Field(id: 51, name: "n", required: false, type: .string))
    }

    @Test func renames() throws {
        let schema = try apply([
            .rename(Self.path("name"), to: "Name"), .rename(Self.path("n"), to: "count"),
            .rename(Self.path("device.os"), to: "system"), .rename(Self.path("lines.sku"), to: "article"),
            // The name is free again by now.
            .rename(Self.path("day"), to: "n"),
        ])
        #expect(names(schema) == ["id", "count", "Name", "n", "device", "tags", "attrs", "lines"])
        #expect(
            schema.field(path: "device.system")?.id == (try ShortSchema.parse(Self.base)).field(path: "device.os")?.id)
        #expect(names(schema, "lines.element") == ["article", "qty"])
    }

    @Test func moves() throws {
        let schema = try apply([
            .move(Self.path("day"), .first), .move(Self.path("id"), .after("name")),
            .move(Self.path("lines"), .before("tags")), .move(Self.path("device.os"), .after("model")),
            .move(Self.path("lines.qty"), .first), .move(Self.path("attrs.value.a"), .after("b")),
        ])
        #expect(names(schema) == ["day", "n", "name", "id", "device", "lines", "tags", "attrs"])
        #expect(names(schema, "device") == ["v", "model", "os"])
        #expect(names(schema, "lines.element") == ["qty", "sku"])
        #expect(names(schema, "attrs.value") == ["b", "a"])
        #expect(try apply([.move(Self.path("n"), .after("id"))]) == apply([]))
    }

    @Test func addsAtAPosition() throws {
        let new = Field(id: 0, name: "new", required: false, type: .int)
        let schema = try apply([
            .addColumn(parent: .root, field: new, position: .after("id")),
            .addColumn(parent: Self.path("lines"), field: new, position: .before("qty")),
            .addColumn(parent: Self.path("device"), field: new, position: .first),
            // Later ones find what earlier ones made.
            .addColumn(
                parent: .root, field: Field(id: 0, name: "newer", required: false, type: .int), position: .after("new")),
        ])
        #expect(names(schema).prefix(4) == ["id", "new", "newer", "n"])
        #expect(names(schema, "lines.element") == ["sku", "new", "qty"])
        #expect(names(schema, "device") == ["new", "os", "v", "model"])
    }

    @Test func addsWithDefaults() throws {
        let required = Field(
            id: 0, name: "region", required: true, type: .string, initialDefault: .string("eu"),
            writeDefault: .string("eu"))
        let schema = try apply([
            .addColumn(parent: .root, field: required), .setDefault(Self.path("region"), "us"),
            .setDefault(Self.path("n"), 7), .setDefault(Self.path("device.v"), 8),
        ])
        let region = try #require(schema.field(named: "region"))
        #expect(region.required && region.initialDefault == .string("eu") && region.writeDefault == .string("us"))
        // Rows of older files keep what they had: null.
        #expect(schema.field(path: "n")?.initialDefault == nil && schema.field(path: "n")?.writeDefault == .int(7))
        #expect(schema.field(path: "device.v")?.writeDefault == .int(8))
    }

    @Test func promotionsOfVersion3() throws {
        let schema = try apply([
            .setDefault(Self.path("day"), "1970-01-02"), .widen(Self.path("day"), to: .timestamp),
            .addColumn(parent: .root, field: Field(id: 0, name: "u", required: false, type: .unknown)),
            .widen(Self.path("u"), to: .decimal(precision: 5, scale: 2)),
        ])
        #expect(schema.field(path: "day")?.type == .timestamp)
        #expect(schema.field(path: "day")?.writeDefault == .timestamp(86_400_000_000))
        #expect(schema.field(path: "u")?.type == .decimal(precision: 5, scale: 2))
        #expect(!DataType.date.promotes(to: .timestamptz) && !DataType.timestamp.promotes(to: .timestampNs))
        #expect(DataType.date.promotes(to: .timestampNs) && !DataType.date.widens(to: .timestamp))
    }

    @Test func identifiersAndDescriptions() throws {
        let schema = try apply(
            [
                .makeRequired(Self.path("name"), allowIncompatible: true),
                .makeRequired(Self.path("device"), allowIncompatible: true),
                .identify([Self.path("name"), Self.path("device.os")]), .drop(Self.path("id")),
                .document(Self.path("name"), "who"), .document(Self.path("device.os"), "which"),
                .document(Self.path("device.os"), nil),
            ], identifiers: [1])
        #expect(schema.identifierFieldIds.compactMap { schema.path(id: $0) } == ["name", "device.os"])
        #expect(schema.field(path: "name")?.doc == "who" && schema.field(path: "device.os")?.doc == nil)
        #expect(try apply([.identify([])], identifiers: [1]).identifierFieldIds.isEmpty)
        // An identifier column may become optional once it identifies nothing.
        #expect(
            try apply([.identify([]), .makeOptional(Self.path("id"))], identifiers: [1]).fields[0].required == false)
    }

    @Test(
        arguments: [
            ([.drop(path("nope"))], "unknown_column"), ([.drop(.root)], "unknown_column"),
            ([.drop(path("tags.element"))], "unknown_column"), ([.drop(path("attrs.key"))], "unknown_column"),
            ([.drop(path("id"))], "identifier_field"),
            ([.drop(path("lines.sku")), .drop(path("lines.qty"))], "empty_struct"),
            ([.rename(path("n"), to: "NAME")], "duplicate_column"), ([.rename(path("n"), to: "")], "bad_column_name"),
            ([.rename(path("nope"), to: "x")], "unknown_column"),
            ([.rename(path("device.os"), to: "V")], "duplicate_column"),
            ([.move(path("n"), .after("nope"))], "bad_position"),
            ([.move(path("device.os"), .after("n"))], "bad_position"),
            (
                [
                    .addColumn(
                        parent: .root, field: Field(id: 0, name: "x", required: false, type: .int),
                        position: .before("y"))
                ],
                "bad_position"
            ),
            ([.makeRequired(path("n"), allowIncompatible: false)], "incompatible_change"),
            ([.document(path("tags.element"), "x")], "not_a_column"),
            ([.setDefault(path("tags.element"), 1)], "not_a_column"),
            ([.setDefault(path("n"), "x")], "bad_default"), ([.setDefault(path("device"), 1)], "bad_default"),
            ([.identify([path("n")])], "bad_identifier_field"),
            ([.identify([path("device.os")])], "bad_identifier_field"),
            ([.identify([path("tags.element")])], "unknown_column"), ([.identify([path("nope")])], "unknown_column"),
            ([.widen(path("day"), to: .timestamptz)], "bad_promotion"),
        ] as [([SchemaChange.Operation], String)])
    func refuses(_ operations: [SchemaChange.Operation], code: String) throws {
        let error = #expect(throws: FirnError.self) { try apply(operations, identifiers: [1]) }
        #expect(error?.code == code)
    }

    @Test func hasAJSONForm() throws {
        let text = """
            {"operations": [
              {"op": "add", "column": "device.price", "type": "decimal(9, 2)", "default": "1.50", "required": true, "after": "os"},
              {"op": "add", "column": "first", "type": "int", "first": true}, {"op": "drop", "column": "n"},
              {"op": "rename", "column": ["a.b", "c"], "to": "d"}, {"op": "move", "column": "x.y", "before": ["z.z"]},
              {"op": "move", "column": "x.y", "after": "x.z"}, {"op": "required", "column": "n", "allow-incompatible": true},
              {"op": "doc", "column": "n", "doc": null}, {"op": "doc", "column": "n", "doc": "text"},
              {"op": "default", "column": "n", "default": 5}, {"op": "identifier", "columns": ["id", ["a.b"]]}]}
            """
        let change = try SchemaChange(json: JSONValue(parsing: text, source: "test"))
        #expect(
            change.operations == [
                .addColumn(
                    parent: Self.path("device"),
                    field: Field(
                        id: 0, name: "price", required: true, type: .decimal(precision: 9, scale: 2),
                        initialDefault: .decimal(150, scale: 2), writeDefault: .decimal(150, scale: 2)),
                    position: .after("os")),
                .addColumn(
                    parent: .root, field: Field(id: 0, name: "first", required: false, type: .int), position: .first),
                .drop(Self.path("n")), .rename(ColumnPath(["a.b", "c"]), to: "d"),
                .move(Self.path("x.y"), .before("z.z")), .move(Self.path("x.y"), .after("z")),
                .makeRequired(Self.path("n"), allowIncompatible: true), .document(Self.path("n"), nil),
                .document(Self.path("n"), "text"), .setDefault(Self.path("n"), 5),
                .identify([Self.path("id"), ColumnPath(["a.b"])]),
            ])
        #expect(try SchemaChange(json: JSONValue(parsing: change.json.serialize(), source: "test")) == change)
    }

    @Test(arguments: [
        #"{"op":"rename","column":"a"}"#, #"{"op":"move","column":"a"}"#,
        #"{"op":"move","column":"a.b","after":"c.d"}"#,
        #"{"op":"move","column":"a","first":true,"after":"b"}"#, #"{"op":"doc","column":"a"}"#,
        #"{"op":"default","column":"a"}"#, #"{"op":"identifier"}"#, #"{"op":"identifier","columns":[1]}"#,
        #"{"op":"add","column":"a","type":"int","required":true}"#, #"{"op":"move","column":"a","first":1}"#,
        #"{"op":"add","column":"a","type":"int","default":"x"}"#,
    ])
    func refusesOtherJSON(_ text: String) throws {
        let json: JSONValue = ["operations": .array([try JSONValue(parsing: text, source: "test")])]
        let error = #expect(throws: FirnError.self) { try SchemaChange(json: json) }
        #expect(error?.kind == .invalidInput)
    }

    /// Random renames, moves, drops and adds: ids stay with their columns, siblings keep different names.
    @Test(arguments: 0..<200) func keepsIdsWhateverTheChange(_ seed: Int) throws {
        let random = SeededRandom(seed: UInt64(seed))
        var schema = try ShortSchema.parse(Self.base)
        var last = schema.highestFieldId
        var types = Dictionary(uniqueKeysWithValues: schema.allFields.map { ($0.field.id, $0.field.type.isPrimitive) })
        for step in 0..<20 {
            let paths = schema.allFields.map(\.path)
            let target = Self.path(paths[random.next(below: paths.count)])
            let sibling = schema.fields[random.next(below: schema.fields.count)].name
            let operation: SchemaChange.Operation =
                switch random.next(below: 4) {
                case 0: .drop(target)
                case 1: .rename(target, to: "r\(random.next(below: 6))")
                case 2: .move(target, random.chance(1, in: 2) ? .first : .after(sibling))
                default:
                    .addColumn(
                        parent: random.chance(1, in: 2) ? .root : target,
                        field: Field(id: 0, name: "a\(step)", required: false, type: .int),
                        position: random.chance(1, in: 2) ? .before(sibling) : nil)
                }
            guard let (after, newLast) = try? SchemaChange([operation]).apply(to: schema, lastColumnId: last) else {
                continue
            }
            let ids = after.allFields.map(\.field.id)
            #expect(Set(ids).count == ids.count && newLast >= last)
            for (_, field) in after.allFields {
                if let known = types[field.id] {
                    #expect(field.id <= newLast && known == field.type.isPrimitive)
                } else {
                    #expect(field.id > last)
                    types[field.id] = field.type.isPrimitive
                }
            }
            #expect(Set(after.allFields.map { $0.path.lowercased() }).count == ids.count)
            (schema, last) = (after, newLast)
        }
    }
}

import Base
import Columnar
import TestSupport
import Testing

@Suite struct SchemaEvolutionTests {
    private static let base = """
        id long required, n int, f float, price decimal(9, 2), name string required,
        device struct<os string required, v int>, tags list<int required>, attrs map<string, int required>,
        lines list<struct<sku string, qty int required>>
        """

    private func apply(
        _ operations: [SchemaChange.Operation], to text: String = base, identifiers: [Int] = [], last: Int = 0
    ) throws -> Schema {
        var schema = try ShortSchema.parse(text)
        schema.identifierFieldIds = identifiers
        return try SchemaChange(operations).apply(to: schema, lastColumnId: last).schema
    }

    private static func path(_ text: String) -> ColumnPath { ColumnPath(dotted: text) }

    private static func add(_ parent: String, _ name: String, _ type: DataType) -> SchemaChange.Operation {
        .addColumn(
            parent: parent.isEmpty ? .root : path(parent), field: Field(id: 77, name: name, required: true, type: type))
    }

    @Test func addsColumnsWithNewIdsAtTheEnd() throws {
        let nested = try ShortSchema.parse("c struct<a int, l list<struct<x long>>, m map<string, date>>").fields[0]
            .type
        let schema = try apply(
            [
                Self.add("", "new", nested), Self.add("device", "model", .string), Self.add("lines", "price", .double),
                Self.add("lines.element", "note", .string), Self.add("tags2", "x", .int),
            ].dropLast(), last: 100)
        // Ids as Java's SchemaUpdate gives them: the column, then the fields of each struct before what they nest.
        let added = schema.allFields.filter { $0.field.id > 100 }.map {
            "\($0.field.id) \($0.path) \($0.field.required)"
        }
        #expect(
            added.sorted() == [
                "101 new false", "102 new.a false", "103 new.l false", "104 new.m false", "105 new.l.element false",
                "106 new.l.element.x false", "107 new.m.key true", "108 new.m.value false", "109 device.model false",
                "110 lines.element.price false", "111 lines.element.note false",
            ])
        #expect(schema.fields.map(\.name).last == "new")
        let before = try ShortSchema.parse(Self.base)
        for (path, field) in before.allFields { #expect(schema.path(id: field.id) == path) }
    }

    @Test func widensAndMakesOptional() throws {
        let schema = try apply([
            .widen(Self.path("n"), to: .long), .widen(Self.path("f"), to: .double),
            .widen(Self.path("price"), to: .decimal(precision: 12, scale: 2)),
            .widen(Self.path("device.v"), to: .long), .widen(Self.path("tags.element"), to: .long),
            .widen(Self.path("attrs.value"), to: .long), .widen(Self.path("lines.element.qty"), to: .long),
            .makeOptional(Self.path("name")), .makeOptional(Self.path("device.os")),
            .makeOptional(Self.path("tags.element")), .makeOptional(Self.path("attrs.value")),
            .makeOptional(Self.path("lines.element.qty")),
        ])
        let expected = try ShortSchema.parse(
            """
            id long required, n long, f double, price decimal(12, 2), name string,
            device struct<os string, v long>, tags list<long>, attrs map<string, long>,
            lines list<struct<sku string, qty long>>
            """)
        #expect(schema == expected)
    }

    @Test func whatIsTrueAlreadyIsSkipped() throws {
        let change: [SchemaChange.Operation] = [
            Self.add("", "x", .int), Self.add("device", "v", .int), .widen(Self.path("n"), to: .long),
            .makeOptional(Self.path("name")),
        ]
        let once = try apply(change)
        let twice = try SchemaChange(change).apply(to: once, lastColumnId: 50)
        #expect(twice.schema == once)
        #expect(twice.lastColumnId == 50)
        // A column that is wider than planned holds what was planned; a struct gets the members it lacks.
        #expect(try apply([Self.add("", "id", .int)]) == ShortSchema.parse(Self.base))
        #expect(
            try apply([.widen(Self.path("price"), to: .decimal(precision: 7, scale: 2))])
                == ShortSchema.parse(Self.base))
        let device = try ShortSchema.parse("d struct<v int, model struct<a int>>").fields[0].type
        let grown = try apply([Self.add("", "device", device)])
        #expect(grown.field(path: "device.model.a")?.type == .int)
        #expect(grown.field(path: "device")?.required == false)
        #expect(grown.allFields.count == (try ShortSchema.parse(Self.base)).allFields.count + 2)
    }

    @Test(arguments: [
        (SchemaChange.Operation.widen(path("id"), to: .string), "bad_promotion"),
        (.widen(path("name"), to: .binary), "bad_promotion"), (.widen(path("n"), to: .double), "bad_promotion"),
        (.widen(path("price"), to: .decimal(precision: 12, scale: 3)), "bad_promotion"),
        (.widen(path("device"), to: .long), "bad_promotion"), (.widen(path("nope"), to: .long), "unknown_column"),
        (.widen(path("device.nope"), to: .long), "unknown_column"), (.widen(path("n.x"), to: .long), "unknown_column"),
        (.widen(.root, to: .long), "unknown_column"), (.makeOptional(.root), "unknown_column"),
        (.widen(path("attrs.key"), to: .string), "map_key"), (.makeOptional(path("attrs.key")), "map_key"),
        (.makeOptional(path("id")), "identifier_field"), (.makeOptional(path("Name")), "unknown_column"),
        (add("", "NAME", .int), "duplicate_column"), (add("", "", .int), "bad_column_name"),
        (add("", "a\u{1}", .int), "bad_column_name"), (add("", "name", .int), "column_exists"),
        (add("n", "x", .int), "not_a_struct"), (add("attrs.value", "x", .int), "not_a_struct"),
        (add("", "price", .decimal(precision: 9, scale: 3)), "column_exists"),
        (
            add(
                "", "s",
                .structure(
                    StructType(fields: [
                        Field(id: 0, name: "a", required: false, type: .int),
                        Field(id: 0, name: "A", required: false, type: .int),
                    ]))), "duplicate_column"
        ),
    ])
    func refuses(_ operation: SchemaChange.Operation, code: String) throws {
        let error = #expect(throws: FirnError.self) { try apply([operation], identifiers: [1]) }
        #expect(error?.code == code)
    }

    @Test func structsAroundIdentifiersStayRequired() throws {
        let schema = "key struct<a long required, b int required> required"
        let error = #expect(throws: FirnError.self) {
            try apply([.makeOptional(Self.path("key"))], to: schema, identifiers: [2])
        }
        #expect(error?.code == "identifier_field")
        #expect(try apply([.makeOptional(Self.path("key.b"))], to: schema, identifiers: [2]).identifierFieldIds == [2])
    }

    @Test func bounds() throws {
        let many = (0..<Limits.columnsMax).map { Self.add("", "c\($0)", .int) }
        let error = #expect(throws: FirnError.self) { try apply(many) }
        #expect(error?.code == "too_many_columns")
        var deep = DataType.int
        for _ in 0..<60 {
            deep = .structure(StructType(fields: [Field(id: 0, name: "a", required: false, type: deep)]))
        }
        let nested = #expect(throws: FirnError.self) { try apply([Self.add("", "deep", deep)]) }
        #expect(nested?.code == "nesting_too_deep")
        // A table's metadata with the deepest schema that passes can be read again.
        var type = DataType.int
        for _ in 0..<38 {
            type = .structure(StructType(fields: [Field(id: 0, name: "a", required: false, type: type)]))
        }
        let schema = try apply([Self.add("", "deep", type)])
        let metadata: JSONValue = ["schemas": .array([schema.json])]
        #expect(try JSONValue(parsing: metadata.serialize(), source: "test") == metadata)
    }

    @Test func hasAJSONForm() throws {
        let text = """
            {"operations": [{"op": "add", "column": "device.os", "type": "list<struct<a int, b decimal(9,2)>>", "doc": "d"},
              {"op": "widen", "column": ["a.b", "c"], "type": "long"}, {"op": "optional", "column": "id"}]}
            """
        let change = try SchemaChange(json: JSONValue(parsing: text, source: "test"))
        #expect(
            change.description
                == "add column device.os list<struct<a int, b decimal(9, 2)>>; widen column a.b.c to long; "
                + "make column id optional")
        #expect(try SchemaChange(json: change.json) == change)
        #expect(change.operations[1] == .widen(ColumnPath(["a.b", "c"]), to: .long))
    }

    @Test(arguments: [
        "{}", #"{"operations":[]}"#, #"{"operations":[{"op":"truncate","column":"a"}]}"#,
        #"{"operations":[{"op":"add","column":"a"}]}"#, #"{"operations":[{"op":"add","type":"int"}]}"#,
        #"{"operations":[{"op":"add","column":"a","type":"int, b int"}]}"#,
        #"{"operations":[{"op":"add","column":"a","type":"int required"}]}"#,
        #"{"operations":[{"op":"add","column":[],"type":"int"}]}"#,
        #"{"operations":[{"op":"add","column":[1],"type":"int"}]}"#, #"{"operations":[{"op":"widen","column":"a"}]}"#,
        #"{"operations":[{"op":"add","column":"a","type":"nope"}]}"#,
    ])
    func refusesOtherJSON(_ text: String) throws {
        let json = try JSONValue(parsing: text, source: "test")
        let error = #expect(throws: FirnError.self) { try SchemaChange(json: json) }
        #expect(error?.kind == .invalidInput)
    }

    /// Random changes of random schemas: nothing that was there moves, ids are new, and repeating changes nothing.
    @Test(arguments: 0..<200) func keepsTheRulesWhateverTheChange(_ seed: Int) throws {
        let random = SeededRandom(seed: UInt64(seed))
        let schema = Schema(fields: RandomSchema.fields(random, depth: 0)).numbered()
        let last = schema.highestFieldId + random.next(below: 5)
        let paths = schema.allFields
        var operations: [SchemaChange.Operation] = []
        for number in 0..<(1 + random.next(below: 6)) {
            let (text, field) = paths[random.next(below: paths.count)]
            switch random.next(below: 3) {
            case 0:
                operations.append(
                    .addColumn(
                        parent: random.chance(1, in: 2) ? .root : Self.path(text),
                        field: Field(
                            id: 0, name: "n\(number % 3)", required: true, type: RandomSchema.type(random, depth: 1))))
            case 1:
                let wider: DataType =
                    switch field.type {
                    case .int: .long
                    case .float: .double
                    case .decimal(let precision, let scale): .decimal(precision: min(38, precision + 3), scale: scale)
                    default: field.type
                    }
                operations.append(.widen(Self.path(text), to: wider))
            default: operations.append(.makeOptional(Self.path(text)))
            }
        }
        // What the schema refuses, it refuses whole.
        var change = SchemaChange()
        for operation in operations {
            let longer = change.merging(SchemaChange([operation]))
            if (try? longer.apply(to: schema, lastColumnId: last)) != nil { change = longer }
        }
        let (after, newLast) = try change.apply(to: schema, lastColumnId: last)
        let ids = after.allFields.map(\.field.id)
        #expect(Set(ids).count == ids.count)
        #expect(newLast == max(last, after.highestFieldId))
        let fresh = after.allFields.filter { schema.field(id: $0.field.id) == nil }
        #expect(fresh.allSatisfy { $0.field.id > last })
        for (path, field) in schema.allFields {
            let now = try #require(after.field(id: field.id))
            #expect(after.path(id: field.id) == path)
            #expect(field.required || !now.required)
            #expect(field.type.isPrimitive ? field.type.widens(to: now.type) : !now.type.isPrimitive)
        }
        #expect(after.fields.prefix(schema.fields.count).map(\.id) == schema.fields.map(\.id))
        let again = try change.apply(to: after, lastColumnId: newLast)
        #expect(again.schema == after && again.lastColumnId == newLast)
        #expect(
            try change.isEmpty || SchemaChange(json: JSONValue(parsing: change.json.serialize(), source: "t")) == change
        )
    }
}

/// Small random schemas with every kind of nesting.
private enum RandomSchema {
    static func fields(_ random: SeededRandom, depth: Int) -> [Field] {
        (0..<(1 + random.next(below: 4))).map {
            Field(id: 0, name: "c\($0)", required: random.chance(1, in: 2), type: type(random, depth: depth))
        }
    }

    static func type(_ random: SeededRandom, depth: Int) -> DataType {
        switch random.next(below: depth < 3 ? 10 : 7) {
        case 0: .int
        case 1: .float
        case 2: .decimal(precision: 1 + random.next(below: 36), scale: 0)
        case 3: .long
        case 4: .string
        case 5: .timestamptz
        case 6: .boolean
        case 7: .structure(StructType(fields: fields(random, depth: depth + 1)))
        case 8:
            .list(
                ListType(
                    elementId: 0, element: type(random, depth: depth + 1), elementRequired: random.chance(1, in: 2)))
        default:
            .map(
                MapType(
                    keyId: 0, key: .string, valueId: 0, value: type(random, depth: depth + 1),
                    valueRequired: random.chance(1, in: 2)))
        }
    }
}

import Base
import Columnar
import Testing

@Suite struct ShortSchemaTests {
    @Test func parsesEveryType() throws {
        let schema = try ShortSchema.parse(
            """
            a boolean, b int, c long, d float, e double, f decimal(10,2), g date, h time, i timestamp, j timestamptz,
            k string, l uuid, m fixed(16), n binary, o fixed[4], p DECIMAL( 38 , 0 ),
            q timestamp_ns, r timestamptz_ns
            """)
        #expect(
            schema.fields.map(\.type) == [
                .boolean, .int, .long, .float, .double, .decimal(precision: 10, scale: 2), .date, .time, .timestamp,
                .timestamptz, .string, .uuid, .fixed(16), .binary, .fixed(4), .decimal(precision: 38, scale: 0),
                .timestampNs, .timestamptzNs,
            ])
        #expect(schema.fields.map(\.id) == Array(1...18))
        #expect(schema.fields.allSatisfy { !$0.required })
    }

    @Test func numbersNestedFieldsAsIcebergDoes() throws {
        // pyiceberg.schema.assign_fresh_schema_ids of the same schema.
        let schema = try ShortSchema.parse(
            "id long required, device struct<os string not null, v: struct<major int>>, tags list<string required>, "
                + "attrs map<string, struct<x long required>>, last Date")
        #expect(
            schema.allFields.map { "\($0.field.id) \($0.path) \($0.field.required)" } == [
                "1 id true", "2 device false", "6 device.os true", "7 device.v false", "8 device.v.major false",
                "3 tags false", "9 tags.element true", "4 attrs false", "10 attrs.key true", "11 attrs.value false",
                "12 attrs.value.x true", "5 last false",
            ])
    }

    @Test func takesQuotedNamesAndDocs() throws {
        let schema = try ShortSchema.parse(
            "`order` long, \"a \"\"b\"\"\" int null, `x``y` string optional doc 'it''s text', "
                + "größe double, list string, 2nd int"
        )
        #expect(schema.fields.map(\.name) == ["order", "a \"b\"", "x`y", "größe", "list", "2nd"])
        #expect(schema.fields[2].doc == "it's text")
        #expect(try ShortSchema.parse("  ").fields.isEmpty)
    }

    @Test(arguments: [
        ("id", "expected a type for 'id'", 3), ("id lon", "unknown type 'lon'", 4),
        ("id bigint", "did you mean long?", 4), ("id long,", "expected a column name", 9),
        ("id long name string", "expected ',' or the end", 9), ("id long, id int", "named twice", 10),
        ("p decimal", "expected '(' after 'decimal'", 10), ("p decimal(39,1)", "a precision from 1 to 38", 11),
        ("p decimal(5,6)", "a scale from 0 to 5", 13), ("s struct<a int", "expected '>'", 15),
        ("s struct<>", "expected a column name", 10), ("l list<>", "expected a type", 8),
        ("m map<string>", "expected ','", 13), ("f fixed(0)", "a length from 1", 9),
        ("id long not", "expected 'null'", 12),
        ("`id long", "a quote that is not closed", 1), ("a int; b int", "found ';'", 6),
        ("'a' int", "a column name", 1),
        ("a int doc x", "single quotes", 11),
    ])
    func saysWhatIsWrongAndWhere(_ text: String, _ words: String, _ position: Int) throws {
        let error = try #require(throws: FirnError.self) { try ShortSchema.parse(text) }
        #expect(error.code == "bad_schema" && error.kind == .invalidInput)
        #expect(error.message.contains(words), "\(error.message)")
        #expect(error.context["position"] == String(position), "\(error.message)")
    }

    @Test func boundsNesting() throws {
        let text = "a " + String(repeating: "list<", count: 10_000) + "int" + String(repeating: ">", count: 10_000)
        #expect(throws: FirnError.self) { try ShortSchema.parse(text) }
        let unknown = try #require(throws: FirnError.self) { try ShortSchema.parse("a xml") }
        #expect(unknown.message.contains("timestamptz"))
    }

    @Test func parsesPartitions() throws {
        #expect(try ShortSchema.parsePartition("") == [])
        #expect(
            try ShortSchema.parsePartition(
                "day(ts), bucket(16, id), country, Truncate(name, 4) as n4, days(a.b), `x y`")
                == [
                    PartitionTerm(transform: "day", column: "ts"),
                    PartitionTerm(transform: "bucket", argument: 16, column: "id"),
                    PartitionTerm(transform: "identity", column: "country"),
                    PartitionTerm(transform: "truncate", argument: 4, column: "name", name: "n4"),
                    PartitionTerm(transform: "day", column: "a.b"), PartitionTerm(transform: "identity", column: "x y"),
                ])
        for bad in [
            "day", "day(", "day()", "bucket(id)", "bucket(0, id)", "bucket(99999999999, id)", "week(ts)", "day(ts),",
            "day(ts) hour(ts)", "bucket(16 id)", "`day`(ts)", "day(1, ts)", ",", "a.", "a as",
        ] where bad != "day" {
            let error = #expect(throws: FirnError.self, "\(bad)") { try ShortSchema.parsePartition(bad) }
            #expect(error?.code == "bad_partition")
        }
    }

    @Test func parsesSortOrders() throws {
        #expect(
            try ShortSchema.parseSort(
                "ts desc nulls last, id, bucket(4, id) DESC NULLS FIRST, a.b asc nulls last, x desc")
                == [
                    SortTerm(column: "ts", descending: true, nullsFirst: false), SortTerm(column: "id"),
                    SortTerm(transform: "bucket", argument: 4, column: "id", descending: true, nullsFirst: true),
                    SortTerm(column: "a.b", nullsFirst: false),
                    SortTerm(column: "x", descending: true, nullsFirst: false),
                ])
        for bad in ["ts down", "ts nulls", "ts desc asc", "ts,", "desc desc desc"] {
            let error = #expect(throws: FirnError.self, "\(bad)") { try ShortSchema.parseSort(bad) }
            #expect(error?.code == "bad_sort")
        }
    }
}

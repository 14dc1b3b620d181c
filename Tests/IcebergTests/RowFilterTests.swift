import Base
import Columnar
import Testing

@testable import Iceberg

@Suite struct RowFilterTests {
    private static let schema = Schema(fields: [
        Field(id: 1, name: "i", required: false, type: .int),
        Field(id: 2, name: "l", required: false, type: .long),
        Field(id: 3, name: "f", required: false, type: .float),
        Field(id: 4, name: "d", required: false, type: .double),
        Field(id: 5, name: "dec", required: false, type: .decimal(precision: 9, scale: 2)),
        Field(id: 6, name: "day", required: false, type: .date),
        Field(id: 7, name: "time", required: false, type: .time),
        Field(id: 8, name: "ts", required: false, type: .timestamp),
        Field(id: 9, name: "tz", required: false, type: .timestamptz),
        Field(id: 10, name: "ns", required: false, type: .timestampNs),
        Field(id: 11, name: "s", required: false, type: .string),
        Field(id: 12, name: "u", required: false, type: .uuid),
        Field(id: 13, name: "b", required: false, type: .binary),
        Field(id: 14, name: "flag", required: false, type: .boolean),
        Field(
            id: 15, name: "device", required: false,
            type: .structure(StructType(fields: [Field(id: 16, name: "os", required: false, type: .string)]))),
        Field(
            id: 17, name: "tags", required: false,
            type: .list(ListType(elementId: 18, element: .string, elementRequired: false))),
        Field(id: 19, name: "I", required: false, type: .int),
        Field(id: 20, name: "City", required: false, type: .string),
    ])

    private func parse(_ text: String, caseSensitive: Bool = true) throws -> RowFilter {
        var parser = RowFilterParser(ColumnNames(Self.schema, caseSensitive: caseSensitive))
        return try parser.parse(try JSONValue(parsing: text, source: "test"))
    }

    private func expression(_ text: String) throws -> Predicate { try parse(text).expression }

    private func compare(_ type: String, _ column: String, _ value: String) -> String {
        "{\"type\":\"\(type)\",\"term\":\"\(column)\",\"value\":\(value)}"
    }

    /// The forms in which PyIceberg 0.12 and Java's `ExpressionParser` write literals.
    @Test(
        arguments: [
            ("i", "5", .int(5)), ("l", "5", .long(5)), ("l", "5.0", .long(5)), ("f", "1.5", .float(1.5)),
            ("d", "2", .double(2)), ("dec", "\"14.20\"", .decimal(1420, scale: 2)),
            ("dec", "\"14.2\"", .decimal(1420, scale: 2)), ("dec", "\"-3.1400\"", .decimal(-314, scale: 2)),
            ("dec", "14", .decimal(1400, scale: 2)), ("dec", "0.5", .decimal(50, scale: 2)),
            ("day", "\"2017-11-16\"", .date(17486)), ("day", "17486", .date(17486)),
            ("time", "\"22:31:08\"", .time(81_068_000_000)), ("time", "81068000000", .time(81_068_000_000)),
            ("ts", "\"2017-11-16T22:31:08.000001\"", .timestamp(1_510_871_468_000_001)),
            ("ts", "1510871468000000", .timestamp(1_510_871_468_000_000)),
            ("tz", "\"2017-11-16T22:31:08+00:00\"", .timestamptz(1_510_871_468_000_000)),
            ("tz", "\"2017-11-16T14:31:08-08:00\"", .timestamptz(1_510_871_468_000_000)),
            ("tz", "\"2017-11-17T04:01:08+05:30\"", .timestamptz(1_510_871_468_000_000)),
            ("ns", "\"2017-11-16T22:31:08.000000001\"", .timestampNs(1_510_871_468_000_000_001)),
            ("ns", "1510871468000000", .timestampNs(1_510_871_468_000_000_000)),
            ("s", "\"é\"", .string("é")),
            ("u", "\"f79c3e09-677c-4bbd-a479-3f349cb785e7\"", .uuid(UUID("f79c3e09-677c-4bbd-a479-3f349cb785e7")!)),
            ("b", "\"01fF\"", .binary([1, 255])), ("flag", "true", .boolean(true)),
        ] as [(String, String, Value)])
    func literals(column: String, json: String, value: Value) throws {
        let id = Self.schema.field(named: column)!.id
        #expect(try expression(compare("lt", column, json)) == .compare(fieldId: id, .less, value))
    }

    /// Values beyond a column's type have a place in its order, and none is equal to one.
    @Test(
        arguments: [
            ("lt", "i", "3000000000", .notNull(fieldId: 1)), ("gt-eq", "i", "-3000000000", .notNull(fieldId: 1)),
            ("gt", "i", "3000000000", .alwaysFalse), ("eq", "i", "3000000000", .alwaysFalse),
            ("not-eq", "i", "3000000000", .alwaysTrue), ("lt", "l", "1e30", .notNull(fieldId: 2)),
            ("gt", "l", "-1e30", .notNull(fieldId: 2)), ("eq", "l", "5.5", .alwaysTrue),
            ("eq", "f", "1e300", .alwaysTrue), ("eq", "dec", "\"1.234\"", .alwaysTrue),
            ("eq", "ts", "\"2017-11-16T22:31:08.000000001\"", .alwaysTrue),
        ] as [(String, String, String, Predicate)])
    func valuesBeyondTheType(type: String, column: String, json: String, expected: Predicate) throws {
        #expect(try expression(compare(type, column, json)) == expected)
    }

    @Test(
        arguments: [
            ("i", "\"5\""), ("i", "true"), ("s", "5"), ("flag", "1"), ("day", "\"yesterday\""), ("day", "true"),
            ("ts", "\"2017-11-16T22:31:08+00:00\""), ("tz", "\"2017-11-16T22:31:08+0000\""), ("time", "\"25:00:00\""),
            ("u", "\"x\""), ("b", "\"0\""), ("dec", "\"a\""), ("dec", "true"), ("i", "null"), ("i", "[1]"), ("i", "{}"),
            ("device", "1"), ("tags.element", "\"x\""),
        ])
    func literalsOfAnotherKind(column: String, json: String) {
        #expect(code { _ = try parse(compare("eq", column, json)) } == "bad_filter")
    }

    /// Whatever a client makes of nulls, no row that may pass is pruned.
    @Test func nullsMayDiffer() throws {
        #expect(
            try expression(compare("not-eq", "i", "5"))
                == .or(.isNull(fieldId: 1), .compare(fieldId: 1, .notEqual, .int(5))))
        #expect(
            try expression("{\"type\":\"not-in\",\"term\":\"i\",\"values\":[1,2]}")
                == .or(
                    .isNull(fieldId: 1),
                    .and(.compare(fieldId: 1, .notEqual, .int(1)), .compare(fieldId: 1, .notEqual, .int(2)))))
        #expect(try expression(compare("not-starts-with", "s", "\"x\"")) == .alwaysTrue)
        #expect(try expression("{\"type\":\"not-nan\",\"term\":\"d\"}") == .alwaysTrue)
        #expect(try expression("{\"type\":\"is-nan\",\"term\":\"d\"}") == .notNull(fieldId: 4))
        #expect(try expression(compare("not-eq", "d", "0")) == .or(.isNull(fieldId: 4), .alwaysTrue))
    }

    @Test func lists() throws {
        #expect(
            try expression("{\"type\":\"in\",\"term\":\"i\",\"values\":[1,3000000000]}")
                == .isIn(fieldId: 1, [.int(1)]))
        #expect(try expression("{\"type\":\"in\",\"term\":\"i\",\"values\":[]}") == .alwaysFalse)
        #expect(try parse("{\"type\":\"not-in\",\"term\":\"i\",\"values\":[]}") == .alwaysTrue)
        let many = (0..<5000).map { String(5000 - $0) }.joined(separator: ",")
        #expect(
            try expression("{\"type\":\"in\",\"term\":\"i\",\"values\":[\(many)]}")
                == .and(
                    .compare(fieldId: 1, .greaterOrEqual, .int(1)), .compare(fieldId: 1, .lessOrEqual, .int(5000))))
        #expect(try expression("{\"type\":\"not-in\",\"term\":\"i\",\"values\":[\(many)]}") == .alwaysTrue)
    }

    @Test func negationsMoveDown() throws {
        let less = compare("lt", "i", "5")
        let isNull = "{\"type\":\"is-null\",\"term\":\"s\"}"
        let both = "{\"type\":\"and\",\"left\":\(less),\"right\":\(isNull)}"
        #expect(
            try parse("{\"type\":\"not\",\"child\":\(both)}").json.text
                == """
                {"type":"or","left":{"type":"gt-eq","term":"i","value":5},"right":{"type":"not-null","term":"s"}}
                """)
        #expect(try parse("{\"type\":\"not\",\"child\":{\"type\":\"not\",\"child\":\(less)}}") == parse(less))
        #expect(try parse("{\"type\":\"not\",\"child\":true}") == .alwaysFalse)
        // NaN is not less, and greater for some.
        let floating = try parse("{\"type\":\"not\",\"child\":\(compare("lt", "d", "5"))}")
        #expect(floating.expression == .notNull(fieldId: 4))
        #expect(floating.json["type"] == "not")
        #expect(
            try expression("{\"type\":\"not\",\"child\":\(compare("gt", "i", "3000000000"))}") == .notNull(fieldId: 1))
    }

    /// Both generations of the protocol, and whatever either leaves open.
    @Test(
        arguments: [
            #"{"type":"eq","term":"device.os","value":"x"}"#,
            #"{"type":"EQ","term":{"type":"reference","term":"device.os"},"value":{"type":"literal","value":"x"}}"#,
            #"{"type":"eq","left":{"type":"reference","name":"device.os"},"right":"x"}"#,
            #"{"type":"eq","left":{"type":"reference","id":16},"right":{"type":"literal","value":"x"}}"#,
            #"{"type":"eq","left":"x","right":{"type":"reference","id":16}}"#,
        ])
    func forms(text: String) throws {
        let filter = try parse(text)
        #expect(filter.expression == .compare(fieldId: 16, .equal, .string("x")))
        #expect(filter.json.text == #"{"type":"eq","term":"device.os","value":"x"}"#)
    }

    @Test func moreForms() throws {
        #expect(
            try expression(#"{"type":"gt","left":5,"right":{"type":"reference","name":"i"}}"#)
                == .compare(fieldId: 1, .less, .int(5)))
        #expect(
            try expression(#"{"type":"not_null","child":{"type":"reference","name":"i"}}"#) == .notNull(fieldId: 1))
        #expect(
            try expression(
                """
                {"type":"in","child":{"type":"reference","name":"i"},
                 "values":{"type":"literals","values":[1],"data-type":"int"}}
                """
            ) == .isIn(fieldId: 1, [.int(1)]))
        for (text, value) in [
            ("true", true), (#"{"type":"true"}"#, true), (#"{"type":"literal","value":false}"#, false),
            (#"{"type":"and","left":true,"right":{"type":"false"}}"#, false),
            (#"{"type":"or","left":true,"right":{"type":"false"}}"#, true),
        ] {
            #expect(try parse(text).json == .bool(value))
        }
    }

    /// What Firn does not evaluate goes back to the client as it came, and prunes nothing.
    @Test(
        arguments: [
            #"{"type":"eq","term":{"type":"transform","transform":"bucket[4]","term":"i"},"value":3}"#,
            #"{"type":"eq","left":{"type":"apply","function":"lower","arguments":[]},"right":"x"}"#,
            #"{"type":"lt","left":{"type":"reference","name":"i"},"right":{"type":"reference","name":"l"}}"#,
            #"{"type":"is-null","child":{"type":"apply","function":"lower","arguments":[]}}"#,
        ])
    func unknownTerms(text: String) throws {
        let filter = try parse(text)
        #expect(filter.expression == .alwaysTrue)
        #expect(filter.json.text == text)
        #expect(try parse("{\"type\":\"not\",\"child\":\(text)}").json["child"]?.text == text)
    }

    @Test(
        arguments: [
            ("5", "bad_filter"), ("null", "bad_filter"), ("{}", "bad_filter"), (#"{"type":"like"}"#, "bad_filter"),
            (#"{"type":"and","left":true}"#, "bad_filter"), (#"{"type":"not"}"#, "bad_filter"),
            (#"{"type":"eq","term":"i"}"#, "bad_filter"), (#"{"type":"eq","value":1}"#, "bad_filter"),
            (#"{"type":"in","term":"i","values":1}"#, "bad_filter"), (#"{"type":"in","term":"i"}"#, "bad_filter"),
            (#"{"type":"eq","term":"nothing","value":1}"#, "unknown_column"),
            (#"{"type":"is-null","child":{"type":"reference","id":99}}"#, "unknown_column"),
            (#"{"type":"eq","term":{"type":"transform","transform":"day","term":"x"},"value":1}"#, "unknown_column"),
            (#"{"type":"eq","term":{"type":"what"},"value":1}"#, "bad_filter"),
            (#"{"type":"is-nan","term":"i"}"#, "bad_filter"),
            (#"{"type":"is-null","term":"tags.element"}"#, "bad_filter"),
            (#"{"type":"starts-with","term":"i","value":"x"}"#, "bad_filter"),
            (#"{"type":"starts-with","term":"s","value":1}"#, "bad_filter"),
        ])
    func nonsense(text: String, expected: String) {
        #expect(code { _ = try parse(text) } == expected)
    }

    @Test func caseMayNotCount() throws {
        let filter = try parse(#"{"type":"is-null","term":"cITY"}"#, caseSensitive: false)
        #expect(filter.json.text == #"{"type":"is-null","term":"City"}"#)
        #expect(code { _ = try parse(#"{"type":"is-null","term":"cITY"}"#) } == "unknown_column")
        #expect(code { _ = try parse(#"{"type":"is-null","term":"i"}"#, caseSensitive: false) } == "ambiguous_column")
    }

    @Test func knownValuesDecide() throws {
        func residual(_ text: String, _ id: Int, _ value: Value) throws -> JSONValue {
            try parse(text).residual(of: [id: value]).json
        }
        let list = #"{"type":"in","term":"s","values":["a","b"]}"#
        let cases: [(String, Int, Value, JSONValue?)] = [
            (compare("eq", "s", "\"a\""), 11, .string("a"), true),
            (compare("eq", "s", "\"a\""), 11, .string("b"), false),
            (compare("eq", "s", "\"a\""), 11, .null, false), (compare("not-eq", "s", "\"a\""), 11, .null, nil),
            (compare("not-eq", "s", "\"a\""), 11, .string("b"), true), (compare("gt", "i", "5"), 1, .int(6), true),
            (compare("lt-eq", "i", "5"), 1, .int(6), false), (list, 11, .string("b"), true), (list, 11, .null, false),
            (compare("starts-with", "s", "\"ab\""), 11, .string("abc"), true),
            (compare("not-starts-with", "s", "\"ab\""), 11, .string("abc"), false),
            (compare("gt", "d", "5"), 4, .double(.nan), nil),
            (#"{"type":"is-nan","term":"d"}"#, 4, .double(.nan), true),
            (#"{"type":"is-null","term":"s"}"#, 11, .null, true),
            (#"{"type":"not-null","term":"s"}"#, 11, .null, false),
            (compare("eq", "s", "\"a\""), 1, .int(1), nil),
        ]
        for (text, id, value, expected) in cases {
            let whole = try JSONValue(parsing: text, source: "test")
            #expect(try residual(text, id, value) == expected ?? whole, "\(text) with \(value)")
        }
        let left = compare("eq", "s", "\"a\"")
        let right = compare("gt", "i", "5")
        let both = "{\"type\":\"and\",\"left\":\(left),\"right\":\(right)}"
        #expect(try residual(both, 11, .string("a")).text == right)
        #expect(try residual(both, 11, .string("b")) == false)
        #expect(try residual(both.replacing("and", with: "or"), 11, .string("a")) == true)
    }

    /// A predicate costs time for every file, so that only so many prune; the others are still in the filter.
    @Test func onlySoManyPredicatesPrune() throws {
        var text = compare("eq", "i", "0")
        var level = (1...1500).map { compare("eq", "i", "\($0)") }
        while level.count > 1 {
            level = stride(from: 0, to: level.count, by: 2).map {
                $0 + 1 < level.count ? "{\"type\":\"or\",\"left\":\(level[$0]),\"right\":\(level[$0 + 1])}" : level[$0]
            }
        }
        #expect(try parse(level[0]).json.text == level[0])
        #expect(Pruning.mayMatch(try expression(level[0])) { _ in FieldStatistics(exactly: .int(-1)) })
        text = "{\"type\":\"and\",\"left\":\(text),\"right\":\(level[0])}"
        #expect(!Pruning.mayMatch(try expression(text)) { _ in FieldStatistics(exactly: .int(-1)) })
    }
}

import Base
import Columnar
import TestSupport
import Testing

@testable import Ingest

@Suite struct SchemaPlannerTests {
    private static let base = """
        id long required, n int, f float, price decimal(5, 2), name string, device struct<os string, v int required>,
        lines list<struct<sku string, qty int>>, attrs map<string, struct<x int>>, tags list<int required>
        """

    private func plan(
        _ body: String, _ schema: String = base, format: RecordFormat = .ndjson,
        settings: DecodeSettings = .standard
    ) throws -> String? {
        try SchemaPlanner.plan(
            Array(body.utf8), format: format, schema: try ShortSchema.parse(schema), settings: settings)?.description
    }

    @Test(arguments: [
        (#"{"id":1,"new":true}"#, "add column new boolean"),
        (
            #"{"id":1,"a":1,"b":1.5,"c":"x","d":"2026-01-01","e":"2026-01-01T00:00:00Z"}"#,
            "add column a long; add column b double; add column c string; add column d date; add column e timestamptz"
        ),
        (#"{"id":1,"s":{"a":[{"b":1}]}}"#, "add column s struct<a list<struct<b long>>>"),
        (
            #"{"id":1,"x":null,"y":[],"z":{}}"#,
            "add column x string; add column y list<string>; add column z map<string, string>"
        ),
        (#"{"id":1,"device":{"v":1,"model":"m"}}"#, "add column device.model string"),
        (#"{"id":1,"lines":[{"sku":"a"},{"sku":"b","price":1.5}]}"#, "add column lines.element.price double"),
        (#"{"id":1,"attrs":{"k":{"x":1,"y":"z"}}}"#, "add column attrs.value.y string"),
        (#"{"id":1,"n":3000000000}"#, "widen column n to long"), (#"{"id":1,"n":-3e9}"#, "widen column n to long"),
        (#"{"id":1,"lines":[{"qty":3000000000}]}"#, "widen column lines.element.qty to long"),
        (#"{"id":1,"f":1e39}"#, "widen column f to double"),
        (#"{"id":1,"price":12345.67}"#, "widen column price to decimal(7, 2)"),
        (#"{"id":1,"price":"12345.6"}"#, "widen column price to decimal(7, 2)"),
        (#"{"id":null}"#, "make column id optional"), (#"{}"#, "make column id optional"),
        (#"{"id":1,"device":{"os":"x"}}"#, "make column device.v optional"),
        (#"{"id":1,"tags":[1,null]}"#, "make column tags.element optional"),
        (#"{"n":3000000000,"k":1}"#, "make column id optional; widen column n to long; add column k long"),
        ("{\"id\":1,\"caf\\u00e9\":1}", "add column café long"),
    ])
    func plansWhatRecordsNeed(_ record: String, change: String) throws {
        #expect(try plan(record) == change)
        #expect(try plan("\n{\"id\":1}\r\n  \(record) \r\n{\"id\":2}") == change)
        #expect(try plan("[{\"id\":1},\n\(record)\n,{\"id\":2}]", format: .json) == change)
        #expect(try plan("\(record)", format: .json) == change)
    }

    @Test(arguments: [
        #"{"id":1}"#, #"{"id":1,"n":1.5}"#, #"{"id":1.5}"#, #"{"id":99999999999999999999}"#,
        #"{"id":1,"n":"3000000000"}"#,
        #"{"id":1,"f":1e400}"#, #"{"id":1,"price":1.234}"#, #"{"id":1,"price":1e40}"#, #"{"id":1,"name":1}"#,
        #"{"id":1,"new":1,"name":2}"#, #"{"id":1,"new":1"#, #"{"id":1,"new":1,"new":2}"#, #"{"id":1,"NAME":"x"}"#,
        #"{"id":1,"":1}"#, #"{"id":1,"a":1,"A":2}"#, #"{"id":1,"s":{"a":1,"A":2}}"#, #"{"id":1,"s":[1,"x"]}"#,
        #"{"id":1,"new":[1,{"a":1}]}"#, #"{"id":1,"new":1} x"#, "[]", "1", "", #"{"id":1,"a-b":1,"a_x2Db":2}"#,
        #"{"id":1,"n":1e99}"#, "{\"id\":1,\"\u{1}\":1}",
    ])
    func othersContributeNothing(_ record: String) throws {
        #expect(try plan(record) == nil)
        #expect(try plan(record + "\n" + #"{"id":1,"good":1}"#) == "add column good long")
        #expect(try plan(#"{"id":1,"good":1}"# + "\n" + record) == "add column good long")
    }

    @Test func recordsOfABodyAreMerged() throws {
        let body = #"""
            {"id":1,"x":1,"s":{"a":1}}
            {"id":2,"x":2.5,"s":{"b":"2026-01-01"}}
            {"id":3,"x":"no","y":1}
            {"id":4,"s":{"b":"text"},"price":1234567.00,"x":null}
            {"id":5,"price":123456}
            """#
        #expect(
            try plan(body) == "widen column price to decimal(9, 2); add column x double; "
                + "add column s struct<a long, b string>")
    }

    /// A bad record's claim on a new column does not stand in the way of the good ones behind it.
    @Test func badRecordsClaimNothing() throws {
        let body = #"""
            {"id":1,"x":"text","name":5}
            {"id":2,"x":7}
            """#
        #expect(try plan(body) == "add column x long")
        // Text that looks like a time decides nothing when its record is bad.
        let times = #"""
            {"id":1,"at":"2026-01-01T00:00:00Z"}
            {"id":2,"at":"hello","n":"bad"}
            """#
        #expect(try plan(times) == "add column at timestamptz")
    }

    @Test func identifiersAndKeysNeverChange() throws {
        var schema = try ShortSchema.parse("id long required, k struct<a long required> required, m map<int, int>")
        schema.identifierFieldIds = [1, schema.field(path: "k.a")!.id]
        func plan(_ body: String) throws -> SchemaChange? {
            try SchemaPlanner.plan(Array(body.utf8), format: .ndjson, schema: schema, settings: .standard)
        }
        for body in [#"{"k":{"a":1},"x":1}"#, #"{"id":1,"x":1}"#, #"{"id":1,"k":{},"x":1}"#, #"{"id":1,"k":null}"#] {
            #expect(try plan(body) == nil)
        }
        #expect(try plan(#"{"id":1,"k":{"a":1},"m":{"3000000000":1},"x":1}"#) == nil)
        #expect(try plan(#"{"id":1,"k":{"a":1},"m":{"3":3000000000}}"#)?.description == "widen column m.value to long")
    }

    @Test func ignoredColumnsAreNotAdded() throws {
        let settings = DecodeSettings(unknownColumns: .ignore)
        #expect(try plan(#"{"id":1,"x":1}"#, settings: settings) == nil)
        #expect(try plan(#"{"id":1,"x":1,"n":3000000000}"#, settings: settings) == "widen column n to long")
    }

    @Test func columnsAreBounded() throws {
        func record(_ columns: Range<Int>) -> String {
            "{" + columns.map { "\"c\($0)\":1" }.joined(separator: ",") + "}"
        }
        let most = record(0..<Limits.columnsMax - 1)
        let body = most + "\n" + record(20_000..<20_002) + "\n{\"c1\":2,\"s\":{\"a\":1}}\n{\"last\":1}\n{\"beyond\":1}"
        let change = try #require(
            try SchemaPlanner.plan(
                Array(body.utf8), format: .ndjson, schema: Schema(fields: []), settings: .standard))
        #expect(change.operations.count == Limits.columnsMax)
        #expect(change.operations.last?.description == "add column last long")
        let deep = #"{"id":1,"d":"# + String(repeating: #"{"a":"#, count: 60) + "1" + String(repeating: "}", count: 61)
        #expect(try plan(deep) == nil)
        #expect(try plan(String(repeating: #"{"id":"#, count: 500)) == nil)
    }

    @Test func comparesTheSchemaOfAFile() throws {
        let table = """
            id long required, n int, f float, price decimal(5, 2), d struct<a int>, l list<struct<a int>>,
            m map<string, int>, must string required
            """
        func plan(_ file: String) throws -> String? {
            SchemaPlanner.plan(inferred: try ShortSchema.parse(file), current: try ShortSchema.parse(table))?
                .description
        }
        #expect(try plan(table) == nil)
        #expect(try plan("id int, must string") == nil)
        #expect(
            try plan(
                """
                id long, n long, f double, price decimal(9, 2), d struct<a long, b string>,
                l list<struct<a int, t timestamptz_ns>>, m map<string, long>, new struct<x timestamp_ns required>
                """)
                == "widen column n to long; widen column f to double; widen column price to decimal(9, 2); "
                + "widen column d.a to long; add column d.b string; add column l.element.t timestamptz; "
                + "widen column m.value to long; add column new struct<x timestamp required>; "
                + "make column must optional")
        #expect(try plan("id long, must string, N int, n double, price decimal(9, 3), f string") == nil)
    }

    @Test func plansForCSVByWhatItsRecordsNeed() throws {
        func plan(_ body: String) throws -> SchemaPlanner.Plan? {
            try SchemaPlanner.planned(
                Array(body.utf8), format: .csv, schema: try ShortSchema.parse("id long required, n int, f float"),
                settings: .standard)
        }
        #expect(try plan("id,n,f\n1,2,1.5\n")?.change == nil)
        #expect(try plan("id,n,f\n1,2,x\n")?.change == nil)
        #expect(try plan("id,n,new\n1,2,2026-01-01\n")?.change.description == "add column new date")
        let wide = try plan("id,n,f,new\n1,3000000000,1,a\n2,3,1,b\n3,4000000000,1,b\n")
        #expect(wide?.change.description == "add column new string; widen column n to long")
        #expect(wide?.records == 2)
        #expect(try plan("id,n\n,2\n")?.change.description == "make column id optional")
        #expect(try plan("n\n2\n")?.change.description == "make column id optional")
    }

    @Test func saysWhoAsks() throws {
        let body = #"""
            {"id":1}
            {"id":1,"x":"bad"}
            {"id":1,"x":1,"n":"bad"}
            {"id":1,"x":"bad"}
            {"id":2,"name":3}
            """#
        let plan = try SchemaPlanner.planned(
            Array(body.utf8), format: .ndjson, schema: try ShortSchema.parse(Self.base), settings: .standard)
        #expect(plan?.change.description == "add column x string")
        #expect(plan?.records == 2)
        #expect(plan?.sample == Array(#"{"id":1,"x":"bad"}"#.utf8))
    }

    // MARK: - Properties

    /// Records grow at random beside a schema. What is planned lets in every record that is like it, what was decoded
    /// before still is, and nothing is left to plan.
    @Test(arguments: 0..<150) func plansConverge(_ seed: Int) throws {
        let random = SeededRandom(seed: UInt64(seed))
        let schema = try ShortSchema.parse(Self.base)
        let body = (0..<30).map { _ in RandomRecord.make(random) }.joined(separator: "\n")
        let bytes = Array(body.utf8)
        let before = try decode(bytes, format: .ndjson, schema: schema)
        let change = try SchemaPlanner.plan(bytes, format: .ndjson, schema: schema, settings: .standard)
        let again = try SchemaPlanner.plan(bytes, format: .ndjson, schema: schema, settings: .standard)
        #expect(again == change)
        guard let change else { return }
        let (evolved, _) = try change.apply(to: schema, lastColumnId: schema.highestFieldId)
        let after = try decode(bytes, format: .ndjson, schema: evolved)
        #expect(after.batch.rowCount > before.batch.rowCount)
        let stillBad = Set(after.rejections.map(\.line))
        #expect(stillBad.isSubset(of: Set(before.rejections.map(\.line))))
        #expect(try SchemaPlanner.plan(bytes, format: .ndjson, schema: evolved, settings: .standard) == nil)
        // The body as one array plans the same, where no record breaks it.
        guard body.split(separator: "\n").allSatisfy({ JSONScan.validate(Array($0.utf8)) == nil }) else { return }
        let array = Array(("[" + body.replacing("\n", with: ",") + "]").utf8)
        #expect(try SchemaPlanner.plan(array, format: .json, schema: schema, settings: .standard) == change)
    }
}

/// Records that mostly fit the test's schema, with too much, too large, missing and wrong here and there.
private enum RandomRecord {
    static func make(_ random: SeededRandom) -> String {
        var members: [String] = []
        if !random.chance(1, in: 12) { members.append(#""id":\#(random.next(below: 100))"#) }
        let pieces = [
            #""n":1"#, #""n":4000000000"#, #""n":"x""#, #""f":1.5"#, #""f":1e300"#, #""price":1.25"#,
            #""price":"123456789.5""#, #""price":1.001"#, #""name":"a""#, #""name":null"#,
            #""device":{"os":"l","v":1}"#, #""device":{"os":"l"}"#, #""device":{"v":1,"model":{"a":1}}"#,
            #""lines":[{"sku":"a","qty":1},{"sku":"b","extra":[1.5]}]"#, #""attrs":{"k":{"x":1},"l":{"y":true}}"#,
            #""tags":[1,2]"#, #""tags":[null]"#, #""tags":[5000000000]"#, #""new1":1"#, #""new1":1.5"#,
            #""new1":"text""#, #""new2":{"a":1}"#, #""new2":{"b":[{"c":"2026-01-01"}]}"#, #""new2":{"b":[]}"#,
            #""new2":[1]"#, #""New1":1"#, #""new3":null"#, #""new3":[null]"#,
        ]
        var seen: Set<Substring> = []
        for _ in 0..<random.next(below: 5) {
            let piece = pieces[random.next(below: pieces.count)]
            if seen.insert(piece.prefix { $0 != ":" }).inserted { members.append(piece) }
        }
        let text = "{" + members.joined(separator: ",") + "}"
        return random.chance(1, in: 30) ? String(text.dropLast()) : text
    }
}

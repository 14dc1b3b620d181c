import Arrow
import Base
import Columnar
import Glibc
import Parquet
import SQLiteKit
import Testing

@testable import Query

@Suite struct ResultFileTests {
    private func engine(_ batch: RecordBatch) -> QueryEngine {
        var source = FakeSource()
        source.add("a.t", batch)
        return source.engine()
    }

    private func batches(_ sql: String, of table: RecordBatch? = nil) throws -> ResultBatches {
        let one = batch([("x", .long)], [[.long(1)]])
        return try ResultBatches(engine(table ?? one).execute(sql))
    }

    private func rows(_ batches: ResultBatches) throws -> [[Value]] {
        var rows: [[Value]] = []
        while let batch = try batches.next() {
            for row in 0..<batch.rowCount { rows.append(batch.columns.map { $0.value(at: row) }) }
        }
        return rows
    }

    // MARK: Types

    private static let typed: [(String, DataType, [Value])] = [
        ("b", .boolean, [.boolean(true), .boolean(false)]), ("i", .int, [.int(.min), .int(.max)]),
        ("l", .long, [.long(.min), .long(.max)]), ("f", .float, [.float(0.1), .float(-.infinity)]),
        ("d", .double, [.double(0.1), .double(1e300)]),
        ("d9", .decimal(precision: 9, scale: 2), [.decimal(-5, scale: 2), .decimal(999_999_999, scale: 2)]),
        (
            "d38", .decimal(precision: 38, scale: 10),
            [.decimal(-(1 << 120), scale: 10), .decimal(1, scale: 10)]
        ),
        ("day", .date, [.date(-719_162), .date(20_000)]), ("t", .time, [.time(0), .time(86_399_999_999)]),
        ("ts", .timestamp, [.timestamp(-1), .timestamp(1_767_225_600_000_000)]),
        ("tz", .timestamptz, [.timestamptz(1), .timestamptz(1_767_225_600_000_000)]),
        ("tn", .timestampNs, [.timestampNs(-1), .timestampNs(1_767_225_600_000_000_000)]),
        ("tzn", .timestamptzNs, [.timestamptzNs(7), .timestamptzNs(1_767_225_600_000_000_000)]),
        ("s", .string, [.string(""), .string("é\u{0}\"")]), ("u", .uuid, [.uuid(UUID(high: 1, low: 2)), .null]),
        ("fx", .fixed(2), [.binary([0, 255]), .null]), ("bin", .binary, [.binary([]), .binary([1])]),
    ]

    @Test func columnsOfATableKeepTheirTypesAndValues() throws {
        let columns = Self.typed.map { ($0.0, $0.1) }
        let values = [Self.typed.map { $0.2[0] }, Self.typed.map { $0.2[1] }, Self.typed.map { _ in Value.null }]
        let found = try batches("SELECT * FROM a.t", of: batch(columns, values))
        #expect(found.schema.fields.map(\.type) == columns.map(\.1))
        #expect(try rows(found) == values)
    }

    @Test func nestedColumnsKeepTheirTypesAndValues() throws {
        let inner = DataType.structure(
            StructType(fields: [
                Field(id: 90, name: "n", required: true, type: .decimal(precision: 20, scale: 1)),
                Field(id: 91, name: "when", required: false, type: .timestamptz),
                Field(id: 92, name: "raw", required: false, type: .binary),
                Field(id: 93, name: "f", required: false, type: .float),
            ]))
        let list = DataType.list(ListType(elementId: 94, element: inner, elementRequired: false))
        let map = DataType.map(MapType(keyId: 95, key: .string, valueId: 96, value: .long, valueRequired: false))
        let dates = DataType.map(MapType(keyId: 97, key: .date, valueId: 98, value: .boolean, valueRequired: false))
        let one = Value.structure([.decimal(123, scale: 1), .timestamptz(5), .binary([10]), .float(.infinity)])
        let values: [[Value]] = [
            [
                one, .list([one, .null]), .map([.init(key: .string("a\"b"), value: .long(.max))]),
                .map([.init(key: .date(3), value: .null)]),
            ],
            [.null, .list([]), .map([]), .null],
        ]
        let found = try batches(
            "SELECT * FROM a.t", of: batch([("s", inner), ("l", list), ("m", map), ("dm", dates)], values))
        #expect(try rows(found) == values)
        let ids = found.schema.allFields.map(\.field.id)
        #expect(Set(ids).count == ids.count)
    }

    @Test func expressionsTakeTheTypesOfTheirValues() throws {
        let found = try batches(
            """
            SELECT 1 AS i, 1.5 AS r, 'x' AS t, x'00ff' AS b, NULL AS n
            UNION ALL SELECT NULL, NULL, NULL, NULL, NULL
            """)
        #expect(found.schema.fields.map(\.type) == [.long, .double, .string, .binary, .string])
        #expect(try rows(found)[0] == [.long(1), .double(1.5), .string("x"), .binary([0, 255]), .null])
    }

    @Test func longsBecomeDoublesWhereFirstRowsHoldBoth() throws {
        let found = try batches("SELECT 1 AS v UNION ALL SELECT 2.5 UNION ALL SELECT 3")
        #expect(found.schema.fields[0].type == .double)
        #expect(try rows(found) == [[.double(1)], [.double(2.5)], [.double(3)]])
    }

    /// Past the rows by which types are decided, `series` gives what `last` is.
    private func late(_ usual: String, _ last: String) -> String {
        """
        WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < 20001)
        SELECT CASE WHEN n <= 20000 THEN \(usual) ELSE \(last) END AS v FROM series
        """
    }

    @Test func laterValuesFitOrSayWhatToDo() throws {
        #expect(try rows(batches(late("n", "2.0"))).last == [.long(2)])
        #expect(try rows(batches(late("n + 0.5", "7"))).last == [.double(7)])
        for (usual, last, advice) in [
            ("n", "2.5", "REAL"), ("n", "'x'", "TEXT"), ("'x'", "1", "TEXT"), ("NULL", "1", "TEXT"),
            ("n + 0.5", "9007199254740993", "REAL"),
        ] {
            let found = try batches(late(usual, last))
            let error = error { try rows(found) }
            #expect(error?.code == "mixed_types")
            #expect(error?.context["row"] == "20001")
            #expect(error?.message.contains("CAST(… AS \(advice))") == true, "\(usual), \(last): \(error!)")
        }
    }

    @Test func mixedFirstRowsAndNamesInCommonAreRefused() throws {
        #expect(error { try batches("SELECT 1 AS v UNION ALL SELECT 'x'") }?.code == "mixed_types")
        #expect(error { try batches("SELECT x, x FROM a.t") }?.code == "duplicate_column")
        #expect(error { try batches("SELECT x FROM a.t UNION ALL SELECT 'text'") }?.code == "mixed_types")
    }

    // MARK: Bytes

    private func encoded(_ sql: String, _ format: ResultFormat) throws -> [UInt8] {
        let stream = ResultStream(try engine(batch([("x", .long)], [])).execute(sql), format: format)
        var bytes: [UInt8] = []
        while let piece = try stream.next() { bytes += piece }
        return bytes
    }

    private static let series =
        "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 30000) "
        + "SELECT n, 'row ' || n AS t FROM s"

    @Test func parquetHoldsAllRows() throws {
        let bytes = try encoded(Self.series, .parquet)
        let reader = try ParquetFileReader(fileBytes: bytes.count, source: "result") { Array(bytes[$0]) }
        #expect((0..<reader.rowGroupCount).reduce(0) { $0 + reader.rowCount(rowGroup: $1) } == 30_000)
        let batch = try reader.readRowGroup(0, projection: try reader.fileSchema())
        #expect(batch.columns[0].value(at: 17_000) == .long(17_001))
        #expect(batch.columns[1].value(at: 29_999) == .string("row 30000"))
    }

    @Test(arguments: [ResultFormat.arrow, .arrowStream]) func arrowHoldsAllRows(format: ResultFormat) throws {
        let bytes = try encoded(Self.series, format)
        try bytes.withUnsafeBytes { bytes in
            var reader = try ArrowReader(bytes, bytesMax: 1 << 26)
            var count = 0
            while let batch = try reader.next(columns: [0, 1]) {
                for row in 0..<batch.rowCount {
                    count += 1
                    #expect(batch.columns[0].value(at: row) == .long(Int64(count)))
                }
            }
            #expect(count == 30_000)
        }
    }

    @Test func aResultWithoutRowsIsAFileWithColumns() throws {
        let bytes = try encoded("SELECT x, x + 1 AS y FROM a.t", .parquet)
        let reader = try ParquetFileReader(fileBytes: bytes.count, source: "result") { Array(bytes[$0]) }
        #expect(try reader.fileSchema().fields.map(\.name) == ["x", "y"])
        #expect(reader.rowGroupCount == 0)
    }

    // MARK: Files

    private func inFolder(_ body: (String) throws -> Void) throws {
        var template = Array("/tmp/firn-result-XXXXXX".utf8CString)
        let folder = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)!) }
        let files = Environment.live.files
        defer {
            for entry in (try? files.list(folder)) ?? [] { try? files.remove(folder + "/" + entry.name) }
            try? files.removeEmptyDirectory(folder)
        }
        try body(folder)
    }

    private func names(_ folder: String) throws -> [String] { try Environment.live.files.list(folder).map(\.name) }

    @Test func aFileAppearsWhole() throws {
        try inFolder { folder in
            let file = try ResultFile(folder + "/a", overwrite: false, environment: .live)
            try file.write([1, 2])
            #expect(try names(folder) == [file.temporaryPath.lastPathComponent])
            try file.write([3])
            try file.finish()
            #expect(try names(folder) == ["a"])
            #expect(try Environment.live.files.readAll(folder + "/a") == [1, 2, 3])
            let other = try ResultFile(folder + "/a", overwrite: true, environment: .live)
            try other.write([4])
            try other.finish()
            #expect(try Environment.live.files.readAll(folder + "/a") == [4])
        }
    }

    @Test func nothingIsReplacedUnasked() throws {
        try inFolder { folder in
            let files = Environment.live.files
            let late = try ResultFile(folder + "/a", overwrite: false, environment: .live)
            try files.writeAll([9], to: folder + "/a")
            #expect(error { try late.finish() }?.code == "file_exists")
            late.abort()
            #expect(
                error { try ResultFile(folder + "/a", overwrite: false, environment: .live) }?.code == "file_exists")
            #expect(try names(folder) == ["a"])
            #expect(try files.readAll(folder + "/a") == [9])
            for path in [folder, "/dev/null"] {
                #expect(error { try ResultFile(path, overwrite: true, environment: .live) }?.code == "not_a_file")
            }
            #expect(
                error { try ResultFile(folder + "/no/a", overwrite: false, environment: .live) }?.code
                    == "folder_not_found")
        }
    }

    @Test func namesSayFormats() throws {
        #expect(try ResultFormat(fileName: "/a/b.PARQUET") == .parquet)
        #expect(try ResultFormat(fileName: "b.arrow") == .arrow)
        #expect(try ResultFormat(fileName: "b.jsonl") == .text(.ndjson))
        for name in ["b", "b.xlsx", "/a.parquet/b", "."] {
            #expect(error { try ResultFormat(fileName: name) }?.code == "unknown_extension", "\(name)")
        }
    }
}

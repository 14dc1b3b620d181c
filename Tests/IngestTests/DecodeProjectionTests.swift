import Avro
import Base
import Columnar
import Parquet
import Testing

@testable import Ingest

/// The projection from a body's own columns to a table's, mostly through Parquet files made here; other writers' files
/// of every format are read by the tests of the finished binary.
@Suite struct DecodeProjectionTests {
    private func parquet(_ schema: Schema, _ rows: [[Value]]) throws -> [UInt8] {
        let builders = schema.fields.map { ColumnBuilder($0.type) }
        for row in rows { for (builder, value) in zip(builders, row) { builder.append(value) } }
        var bytes: [UInt8] = []
        let writer = ParquetFileWriter(schema: schema, options: ParquetWriteOptions()) { bytes += $0 }
        try writer.write(RecordBatch(schema: schema, columns: builders.map { $0.finish() }, rowCount: rows.count))
        _ = try writer.close()
        return bytes
    }

    /// One column `v` of `from` read as `to`: the values as JSON, or the codes of their rejections.
    private func convert(_ from: String, _ to: String, _ values: [Value]) throws -> [String] {
        var schema = try ShortSchema.parse("v " + from)
        // Ids of other origin must not matter.
        schema.fields[0].id += 70
        let body = try parquet(schema, values.map { [$0] })
        let result = try decode(body, format: .parquet, schema: try ShortSchema.parse("v " + to))
        var found = result.rows.map { String($0.dropFirst(5).dropLast()) }
        for rejection in result.rejections { found.insert(rejection.code, at: rejection.line - 1) }
        return found
    }

    @Test func convertsNumbers() throws {
        #expect(try convert("int", "long", [.int(-1), .null]) == ["-1", "null"])
        #expect(
            try convert("long", "int", [.long(7), .long(1 << 31), .long(-1 << 31)]) == [
                "7", "out_of_range", "-2147483648",
            ])
        #expect(
            try convert("long", "double", [.long(1 << 53), .long((1 << 53) + 1)]) == ["9007199254740992.0", "inexact"])
        #expect(try convert("int", "float", [.int(16_777_216), .int(16_777_217)]) == ["16777216.0", "inexact"])
        #expect(try convert("float", "double", [.float(0.5), .float(.nan)]) == ["0.5", "\"NaN\""])
        #expect(
            try convert("double", "float", [.double(0.1), .double(1e300), .double(-.infinity)]) == [
                "0.1", "out_of_range", "\"-Infinity\"",
            ])
        #expect(
            try convert("double", "long", [.double(-3), .double(0.5), .double(1e30), .double(.nan)]) == [
                "-3", "wrong_type", "out_of_range", "out_of_range",
            ])
    }

    @Test func convertsDecimals() throws {
        let values = [Value.decimal(1250, scale: 3), .decimal(1251, scale: 3), .decimal(99_999_000, scale: 3)]
        #expect(try convert("decimal(9,3)", "decimal(5,2)", values) == ["\"1.25\"", "decimal_scale", "out_of_range"])
        #expect(try convert("decimal(9,3)", "decimal(38,10)", [values[0]]) == ["\"1.2500000000\""])
        #expect(try convert("long", "decimal(4,2)", [.long(99), .long(100)]) == ["\"99.00\"", "out_of_range"])
        #expect(
            try convert("decimal(9,3)", "int", [.decimal(5000, scale: 3), .decimal(5, scale: 3)]) == [
                "5", "wrong_type",
            ])
        #expect(try convert("decimal(20,0)", "long", [.decimal(1 << 64 - 1, scale: 0)]) == ["out_of_range"])
    }

    @Test func convertsBytesAndText() throws {
        #expect(
            try convert("binary", "string", [.binary([0x61]), .binary([0xc3]), .null]) == [
                "\"a\"", "invalid_utf8", "null",
            ])
        #expect(try convert("binary", "fixed[2]", [.binary([1, 2]), .binary([1])]) == ["\"0102\"", "wrong_length"])
        #expect(
            try convert("fixed[2]", "binary", [.binary([1, 2]), .null, .binary([3, 4])]) == [
                "\"0102\"", "null", "\"0304\"",
            ])
        let uuid = "f79c3e09-677c-4bbd-a479-3f349cb785e7"
        #expect(try convert("string", "uuid", [.string(uuid), .string("x")]) == ["\"\(uuid)\"", "invalid_uuid"])
        #expect(try convert("fixed[16]", "uuid", [.binary(UUID(uuid)!.bytes)]) == ["\"\(uuid)\""])
    }

    @Test func epochUnitsTakeIntegers() throws {
        let schema = try ShortSchema.parse("at timestamptz")
        let settings = DecodeSettings(properties: ["firn.column.at.epoch-unit": "ms"], schema: schema)
        let body = try parquet(ShortSchema.parse("at long"), [[.long(1500)], [.long(.max)]])
        let result = try decode(body, format: .parquet, schema: schema, settings: settings)
        #expect(result.rows == [#"{"at":"1970-01-01T00:00:01.500000Z"}"#])
        #expect(result.rejections.map(\.code) == ["out_of_range"])
        let error = #expect(throws: FirnError.self) { try decode(body, format: .parquet, schema: schema) }
        #expect(error?.code == "wrong_type")
    }

    /// A fault deep inside takes the whole record along, and only that.
    @Test func findsTheRecordOfANestedFault() throws {
        let source = try ShortSchema.parse("id long, l list<struct<a long, m map<string, long>>>")
        func item(_ a: Int64, _ m: Int64?) -> Value {
            .structure([
                .long(a),
                m.map { .map([Value.MapEntry(key: .string("k"), value: .long($0))]) } ?? .null,
            ])
        }
        let rows: [[Value]] = [
            [.long(1), .list([item(1, 1), item(2, nil)])], [.long(2), .list([])], [.long(3), .null],
            [.long(4), .list([item(1, 1), item(5, 1 << 40)])], [.long(5), .list([item(1 << 40, 1)])],
            [.long(6), .list([item(6, 6)])],
        ]
        let target = try ShortSchema.parse("id long, l list<struct<a int, m map<string, int>>>")
        var options = DecoderOptions()
        options.keepsRejected = true
        let result = try decode(try parquet(source, rows), format: .parquet, schema: target, options: options)
        #expect(
            result.rows == [
                #"{"id":1,"l":[{"a":1,"m":{"k":1}},{"a":2,"m":null}]}"#, #"{"id":2,"l":[]}"#, #"{"id":3,"l":null}"#,
                #"{"id":6,"l":[{"a":6,"m":{"k":6}}]}"#,
            ])
        #expect(result.rejections.map(\.line) == [4, 5])
        #expect(result.rejections.map(\.column) == ["l.element.m.value", "l.element.a"])
        #expect(
            String(decoding: result.rejected[0].payload, as: UTF8.self)
                == #"{"id":4,"l":[{"a":1,"m":{"k":1}},{"a":5,"m":{"k":1099511627776}}]}"#)
    }

    @Test func requiredMembersOfNullStructs() throws {
        let source = try ShortSchema.parse("id long, o struct<a long>")
        let rows: [[Value]] = [
            [.long(1), .structure([.long(1)])], [.long(2), .null], [.long(3), .structure([.null])],
        ]
        let target = try ShortSchema.parse("id long, o struct<a long required>")
        let result = try decode(try parquet(source, rows), format: .parquet, schema: target)
        #expect(result.rows == [#"{"id":1,"o":{"a":1}}"#, #"{"id":2,"o":null}"#])
        #expect(result.rejections.map(\.column) == ["o.a"] && result.rejections[0].code == "missing_required")
    }

    @Test func duplicateMapKeys() throws {
        let source = try ShortSchema.parse("m map<string, long>")
        let twice = Value.map([.init(key: .string("a"), value: .long(1)), .init(key: .string("a"), value: .long(2))])
        let result = try decode(try parquet(source, [[twice], [.map([])]]), format: .parquet, schema: source)
        #expect(result.rows == [#"{"m":{}}"#] && result.rejections.map(\.code) == ["duplicate_key"])
    }

    @Test func matchesColumns() throws {
        let source = try ShortSchema.parse("a long, b string")
        let body = try parquet(source, [[.long(1), .string("x")]])
        func read(_ schema: String, _ settings: DecodeSettings = .standard) throws -> [String] {
            try decode(body, format: .parquet, schema: try ShortSchema.parse(schema), settings: settings).rows
        }
        #expect(try read("b string, c int, a long") == [#"{"b":"x","c":null,"a":1}"#])
        #expect(try read("a long", DecodeSettings(unknownColumns: .ignore)) == [#"{"a":1}"#])
        // The second column was renamed: its id tells.
        #expect(try read("a long, renamed string") == [#"{"a":1,"renamed":"x"}"#])
        for (schema, code) in [
            ("a long", "unknown_column"), ("a long, b string, c int required", "missing_required"),
            ("a string, b string", "wrong_type"), ("a list<long>, b string", "wrong_type"),
            ("renamed string, a long", "unknown_column"),
        ] {
            let error = #expect(throws: FirnError.self, "\(schema)") { try read(schema) }
            #expect(error?.code == code && error?.kind == .invalidInput)
        }
    }

    @Test func joinsBatches() throws {
        let source = try ShortSchema.parse("id long, s string, l list<int>")
        let rows = (0..<20_000).map { (row: Int) -> [Value] in
            let id: Int64 = row == 17_000 ? 1 << 40 : Int64(row)
            let text: Value = row % 3 == 0 ? .null : .string("s\(row)")
            return [.long(id), text, .list([.int(Int32(row)), .null])]
        }
        let target = try ShortSchema.parse("id int, s string, l list<long>")
        let result = try decode(try parquet(source, rows), format: .parquet, schema: target)
        #expect(result.batch.rowCount == 19_999)
        #expect(result.rejections.map { $0.line } == [17_001])
        #expect(result.rows[19_998] == #"{"id":19999,"s":"s19999","l":[19999,null]}"#)
        #expect(result.rows[17_000] == #"{"id":17001,"s":null,"l":[17001,null]}"#)
    }

    @Test func refusesDamagedBodies() throws {
        let schema = try ShortSchema.parse("id long")
        let body = try parquet(schema, (0..<100).map { [.long($0)] })
        for format in [RecordFormat.avro, .arrow, .parquet] {
            for bytes in [[], [1, 2, 3], Array(body.dropLast(5)), Array(body.dropFirst(9))] as [[UInt8]] {
                let error = #expect(throws: FirnError.self) { try decode(bytes, format: format, schema: schema) }
                #expect(error?.kind == .invalidInput && error?.code == "malformed_body")
                // A Parquet file's types stand at its end.
                if format == .parquet, bytes.count > 3, bytes.last == body.last { continue }
                #expect(throws: FirnError.self) { try SchemaInference.infer(bytes, format: format) }
            }
        }
    }

    @Test func infersFromTheFile() throws {
        let source = try ShortSchema.parse(
            "a long required, o struct<x int required, at timestamptz>, m map<string, int>")
        let body = try parquet(source, [])
        let expected = try ShortSchema.parse("a long, o struct<x int, at timestamptz>, m map<string, int>")
        #expect(try SchemaInference.infer(body, format: .parquet) == expected)
    }
}

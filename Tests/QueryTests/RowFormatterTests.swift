import Base
import Testing

@testable import Query

@Suite struct RowFormatterTests {
    private func output(
        _ columns: [OutputColumn], _ rows: [[Cell]], _ format: OutputFormat = .table, _ style: TableStyle = TableStyle()
    ) throws -> String {
        let collected = Collected()
        var formatter = RowFormatter(columns: columns, format: format, style: style) { collected.bytes += $0 }
        for row in rows { try formatter.append(row) }
        try formatter.finish()
        return String(decoding: collected.bytes, as: UTF8.self)
    }

    private final class Collected {
        var bytes: [UInt8] = []
    }

    private func column(_ name: String, _ type: String? = nil) -> OutputColumn {
        OutputColumn(name: name, typeName: type)
    }

    @Test func decimalsAreNumbersThoughTheyAreText() throws {
        let text = try output(
            [column("price", "decimal(9, 2)"), column("code", "string"), column("n")],
            [[.text("1.50"), .text("7"), .integer(1)], [.text("100.25"), .text("10"), .integer(20)]])
        #expect(
            text == """
                 price  code   n
                ------  ----  --
                  1.50  7      1
                100.25  10    20
                (2 rows)

                """)
    }

    @Test func valuesDecideWhereNoTypeDoes() throws {
        #expect(try output([column("x")], [[.null], [.real(1.5)]]) == "   x\n----\nNULL\n 1.5\n(2 rows)\n")
        #expect(try output([column("x")], [[.null], [.text("b")]]) == "x\n----\nNULL\nb\n(2 rows)\n")
        // Even without a value, a number's heading stands where numbers would.
        #expect(try output([column("xyz", "long"), column("t")], []) == "xyz  t\n---  -\n(0 rows)\n")
    }

    @Test func nullIsDimmedAndTheTextIsNot() throws {
        let text = try output(
            [column("a")], [[.null], [.text("NULL")]], .table, TableStyle(isColored: true, hasFooter: false))
        #expect(text == "a\n----\n\u{1b}[2mNULL\u{1b}[0m\nNULL\n")
    }

    @Test func textsCannotBreakTheTableOrDriveTheTerminal() throws {
        let text = try output(
            [column("a\nb"), column("z")],
            [
                [.text("x\r\ny\tz"), .text("1")], [.text("\u{1b}[2J\u{9b}1m\u{7f}"), .text("2")],
                [.text("\u{202e}a"), .null],
            ])
        #expect(
            text.split(separator: "\n") == [
                #"a\nb               z"#,
                #"-----------------  ----"#,
                #"x\r\ny\tz          1"#,
                #"\x1b[2J\x9b1m\x7f  2"#,
                #"\u202ea            NULL"#,
                "(3 rows)",
            ])
    }

    @Test(arguments: [
        ("abc", 3), ("日本語", 6), ("ｶﾞ", 2), ("한국", 4), ("e\u{301}", 1), ("👩‍👩‍👧", 2), ("🇨🇭", 2), ("👍🏽", 2), ("❤️", 2),
        ("©", 1), ("ä", 1), ("\u{1112}\u{1161}\u{11ab}", 2), ("１", 2), ("", 0), ("𠮷", 2), ("😀x", 3), ("—", 1),
    ])
    func widths(text: String, width: Int) {
        #expect(DisplayWidth.of(text) == width)
    }

    @Test func wideTextsStayAligned() throws {
        let text = try output(
            [column("city"), column("n", "int")],
            [[.text("東京"), .integer(1)], [.text("Zürich"), .integer(2)], [.text("🇨🇭 e\u{301}"), .integer(30)]])
        #expect(
            text.split(separator: "\n") == [
                "city     n", "------  --", "東京     1", "Zürich   2", "🇨🇭 e\u{301}    30", "(3 rows)",
            ])
    }

    @Test func prefixesEndBeforeACharacterThatDoesNotFit() {
        #expect(DisplayWidth.prefix(of: "日本語", columns: 5).text == "日本")
        #expect(DisplayWidth.prefix(of: "日本語", columns: 5).width == 4)
        #expect(DisplayWidth.prefix(of: "ab", columns: 0).text == "")
    }

    // MARK: Widths

    private func fit(_ natural: [Int], numbers: Set<Int> = [], _ width: Int?) -> [Int] {
        ColumnWidths.fit(
            natural.enumerated().map { .init(heading: 1, values: $1, isNumeric: numbers.contains($0)) }, into: width)
    }

    @Test func widestColumnsShrinkFirst() {
        #expect(fit([10, 50], nil) == [10, 50])
        #expect(fit([10, 50], 62) == [10, 50])
        #expect(fit([10, 50], 40) == [10, 28])
        #expect(fit([10, 50, 50], 44) == [10, 15, 15])
        #expect(fit([10, 50, 50], 45) == [10, 16, 15])
        // Numbers keep their digits while texts have any room to give.
        #expect(fit([20, 50], numbers: [0], 40) == [20, 18])
        #expect(fit([20, 50], numbers: [0], 30) == [20, 8])
        #expect(fit([20, 50], numbers: [0], 29) == [14, 13])
        #expect(fit([], 10) == [])
    }

    @Test func manyColumnsCostNoMoreThanFewTimesTheirNumber() {
        #expect(fit(Array(repeating: 20, count: 10_000), 80).count == 10)
        #expect(fit(Array(repeating: 1, count: 10_000), 80).count == 27)
    }

    @Test func headingsOfNumbersGiveWay() {
        let wishes = [
            ColumnWidths.Wish(heading: 30, values: 3, isNumeric: true),
            ColumnWidths.Wish(heading: 5, values: 25, isNumeric: false),
        ]
        #expect(ColumnWidths.fit(wishes, into: 42) == [20, 20])
    }

    @Test func whatDoesNotFitIsLeftOutAndCounted() throws {
        #expect(fit([20, 20, 20], 14) == [6, 6])
        #expect(fit([20, 20, 20], 5) == [5])
        let text = try output(
            [column("first"), column("second"), column("third")], [[.text("aaaaaaaaaa"), .text("b"), .text("c")]],
            .table,
            TableStyle(width: 14, wideHint: "--wide"))
        #expect(
            text.split(separator: "\n") == [
                "first   second", "------  ------", "aaaaa…  b", "(1 row, 2 of 3 columns; --wide shows all)",
            ])
    }

    @Test func noLineIsWiderThanTheTerminal() throws {
        let cells: [Cell] = [
            .text(String(repeating: "日本", count: 40)), .integer(.min),
            .text("\u{7}" + String(repeating: "x", count: 500)),
        ]
        for width in 1...120 {
            let text = try output(
                [column("a"), column("b", "long"), column("c")], [cells, cells], .table,
                TableStyle(width: width, hasFooter: false))
            for line in text.split(separator: "\n") where !line.hasPrefix("(") {
                #expect(DisplayWidth.of(line) <= width, "width \(width): \(line)")
            }
        }
    }

    @Test func withoutATerminalNothingIsLost() throws {
        let long = String(repeating: "x", count: 300)
        let rows =
            Array(repeating: [Cell.text("a"), .text("b")], count: AlignedTable.sampleRows) + [
                [.text(long), .text("b")]
            ]
        let text = try output([column("t"), column("u")], rows)
        #expect(text.contains("\n\(long)  b\n"))
    }

    @Test func aTableStartsBeforeItHoldsMuch() throws {
        let collected = Collected()
        var formatter = RowFormatter(columns: [column("t")], format: .table) { collected.bytes += $0 }
        let row = [Cell.text(String(repeating: "x", count: 1 << 20))]
        for _ in 0..<5 { try formatter.append(row) }
        #expect(collected.bytes.count > 4 << 20)
    }

    // MARK: Markdown

    @Test func markdown() throws {
        let text = try output(
            [column("a|b"), column("n"), column("d", "decimal(9, 2)"), column("dep_delay")],
            [
                [.text("x|y\nz"), .integer(1), .text("1.50"), .text("*_a_b_*")],
                [.null, .null, .null, .text(#"<b>\[l]`"#)],
            ], .markdown)
        #expect(
            text.split(separator: "\n") == [
                #"| a\|b | n | d | dep_delay |"#,
                "| --- | ---: | ---: | --- |",
                #"| x\|y\\nz | 1 | 1.50 | \*\_a_b\_\* |"#,
                #"| NULL | NULL | NULL | \<b>\\\[l]\` |"#,
            ])
        #expect(try output([column("a"), column("n", "int")], [], .markdown) == "| a | n |\n| --- | ---: |\n")
    }

    @Test func otherFormatsKeepTextsAsTheyAre() throws {
        let row: [Cell] = [.text("a\n\"b\""), .null, .json("[1]")]
        let columns = [column("x"), column("y"), column("z")]
        #expect(try output(columns, [row], .csv) == "x,y,z\r\n\"a\n\"\"b\"\"\",,[1]\r\n")
        #expect(try output(columns, [row], .ndjson) == #"{"x":"a\n\"b\"","y":null,"z":[1]}"# + "\n")
    }

    // MARK: The header that tells of columns

    @Test func columnsTravelInAHeader() {
        let columns = [column("id", "long"), column("größe \u{1f600}\n\u{7f}\"", "decimal(10, 2)"), column("count(*)")]
        let header = OutputColumn.header(columns)!
        #expect(header.utf8.allSatisfy { (0x20..<0x7f).contains($0) })
        #expect(OutputColumn.parse(header: header) == columns)
        #expect(OutputColumn.header(Array(repeating: column(String(repeating: "x", count: 100)), count: 100)) == nil)
        #expect(OutputColumn.parse(header: "[{}]") == nil)
        #expect(OutputColumn.parse(header: "nonsense") == nil)
    }
}

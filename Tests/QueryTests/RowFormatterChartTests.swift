import Base
import Testing

@testable import Query

@Suite struct RowFormatterChartTests {
    private func chart(_ rows: [[Cell]], type: String? = nil, width: Int = 40) throws -> [Substring] {
        var chart = try BarChart(
            columns: [OutputColumn(name: "k"), OutputColumn(name: "v", typeName: type)], width: width)
        for row in rows {
            guard try chart.append(row) else { break }
        }
        return String(decoding: chart.bytes(), as: UTF8.self).split(separator: "\n")
    }

    private func blocks(_ count: Int) -> String { String(repeating: "█", count: count) }

    @Test func barsGrowByEighths() throws {
        // 40 columns: 1 for the label, 4 for numbers, 4 between; 31 for bars.
        let lines = try chart([
            [.text("a"), .integer(33)], [.text("b"), .real(16.5)], [.text("c"), .integer(0)], [.text("d"), .null],
            [.text("e"), .integer(1)], [.text("f"), .real(0.1)],
        ])
        let expected = [
            "k  v", "a    33  \(blocks(31))", "b  16.5  \(blocks(15))▌", "c     0", "d  NULL", "e     1  █",
            "f   0.1  ▏", "(6 rows)",
        ]
        #expect(lines.map(String.init) == expected)
        #expect(lines.allSatisfy { DisplayWidth.of($0) <= 40 })
    }

    @Test func negativeNumbersGrowToTheLeft() throws {
        let lines = try chart([[.text("a"), .integer(10)], [.text("b"), .integer(-10)], [.text("c"), .integer(-5)]])
        let expected = [
            "k  v", "a   10                  │\(blocks(15))", "b  -10   \(blocks(15))│",
            "c   -5          ▐\(blocks(7))│",
            "(3 rows)",
        ]
        #expect(lines.map(String.init) == expected)
    }

    @Test func decimalsAreNumbers() throws {
        #expect(try chart([[.text("a"), .text("1.50")]], type: "decimal(9, 2)")[1].hasSuffix("█"))
        #expect(error { try chart([[.text("a"), .text("1.50")]]) }?.code == "not_a_chart")
    }

    @Test func resultsOfAnotherShapeAreRefused() throws {
        for count in [0, 1, 3] {
            let columns = (0..<count).map { OutputColumn(name: "c\($0)") }
            #expect(error { try BarChart(columns: columns, width: 80) }?.code == "not_a_chart")
        }
        let texts = [OutputColumn(name: "a"), OutputColumn(name: "b", typeName: "string")]
        #expect(error { try BarChart(columns: texts, width: 80) }?.message.contains("b, is of type string") == true)
        #expect(error { try chart([[.text("a"), .text("x")]]) }?.message.contains("the text 'x'") == true)
        #expect(error { try chart([[.text("a"), .boolean(true)]]) }?.code == "not_a_chart")
    }

    @Test func moreRowsThanAreShownAreToldOf() throws {
        let rows = (0..<500).map { [Cell.integer(Int64($0)), .integer(1)] }
        let lines = try chart(rows)
        #expect(lines.count == BarChart.rowsMax + 2)
        #expect(lines.last?.hasPrefix("(the first 200 rows; there are more") == true)
        #expect(try chart([]).last == "(0 rows)")
    }

    @Test(arguments: [
        [Double.infinity, -Double.infinity, Double.nan],
        [Double.greatestFiniteMagnitude, -Double.greatestFiniteMagnitude], [Double.leastNonzeroMagnitude, 0],
        [-Double.leastNonzeroMagnitude, 0], [-3, -2], [1e300, -1e-300],
    ])
    func noNumberPassesTheWidth(values: [Double]) throws {
        for width in [1, 20, 80] {
            let lines = try chart(values.map { [.text("label"), .real($0)] }, width: width)
            let numbers = values.map { "\($0)".count }.max()!
            for line in lines.dropLast() { #expect(DisplayWidth.of(line) <= max(width, 20 + numbers)) }
        }
    }

    @Test func longLabelsAreCut() throws {
        let lines = try chart([[.text(String(repeating: "日", count: 50) + "\n"), .integer(1)]])
        #expect(lines[1].hasPrefix("日日日日日日…"))
        #expect(DisplayWidth.of(lines[1]) <= 40)
    }
}

import Base
import Columnar
import Testing

@Suite struct ConcatenationTests {
    private static let schema = try! ShortSchema.parse(
        "a boolean, b int, c long, d float, e double, f decimal(30,2), g string, h binary, i uuid, j fixed[3], "
            + "k timestamptz, l struct<x int, y string>, m list<string>, n map<string, list<int>>")

    /// A row by its number; every third value is null.
    private static func batch(_ rows: Range<Int>) -> RecordBatch {
        let builder = BatchBuilder(schema)
        for row in rows {
            for (place, column) in builder.columns.enumerated() {
                column.append((row + place) % 3 == 0 ? .null : value(place, row))
            }
        }
        return builder.finish()
    }

    private static func value(_ place: Int, _ row: Int) -> Value {
        let text = String(repeating: "x", count: row % 20) + String(row)
        return switch place {
        case 0: .boolean(row % 2 == 0)
        case 1: .int(Int32(row))
        case 2: .long(Int64(row) << 33)
        case 3: .float(Float(row) / 7)
        case 4: .double(Double(row) / 7)
        case 5: .decimal(Int128(row) << 70, scale: 2)
        case 6: .string(text)
        case 7: .binary(Array(text.utf8))
        case 8: .uuid(UUID(high: UInt64(row), low: 7))
        case 9: .binary([1, 2, UInt8(truncatingIfNeeded: row)])
        case 10: .timestamptz(Int64(row))
        case 11: .structure([.int(Int32(row)), row % 2 == 0 ? .null : .string(text)])
        case 12: .list((0..<row % 4).map { $0 == 1 ? .null : .string("\(text)-\($0)") })
        default:
            .map(
                (0..<row % 3).map {
                    Value.MapEntry(key: .string("k\($0)"), value: .list([.int(Int32(row)), .int(Int32($0))]))
                })
        }
    }

    private static func lines(_ batch: RecordBatch) -> [String] {
        (0..<batch.rowCount).map { row in
            var out: [UInt8] = []
            batch.appendJSON(row: row, into: &out)
            return String(decoding: out, as: UTF8.self)
        }
    }

    @Test func rowsComeOneAfterTheOther() {
        let whole = Self.lines(Self.batch(0..<60))
        #expect(Set(whole).count == 60)
        for cuts in [[0, 60], [0, 1, 60], [0, 0, 25, 25, 59, 60], Array(0...60)] {
            let parts = zip(cuts, cuts.dropFirst()).map { Self.batch($0..<$1) }
            let joined = RecordBatch.concatenating(parts)
            #expect(Self.lines(joined) == whole)
            #expect(joined.columns.map(\.nullCount) == Self.batch(0..<60).columns.map(\.nullCount))
        }
    }

    @Test func aPartWithoutNullsHasValidRows() {
        // Rows 1 and 4 have a value in the first column, row 0 has none.
        let joined = RecordBatch.concatenating([Self.batch(1..<2), Self.batch(0..<1), Self.batch(4..<5)])
        #expect((0..<3).map { joined.columns[0].isNull($0) } == [false, true, false])
        #expect(joined.columns[0].nullCount == 1)
    }
}

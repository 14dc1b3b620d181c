import Base
import Columnar
import Testing

@testable import Iceberg

/// Expected values are those of the spec's appendix B and of PyIceberg.
@Suite struct TransformTests {
    @Test(
        arguments: [
            (.int(34), 2_017_239_379), (.long(34), 2_017_239_379), (.long(-1), 1_651_860_712),
            (.long(0), 1_669_671_676),
            (.long(.max), -2_106_506_049), (.decimal(1420, scale: 2), -500_754_589),
            (.decimal(-1420, scale: 2), 667_775_751), (.decimal(0, scale: 0), 1_364_076_727),
            (.decimal(128, scale: 0), 1_544_076_949), (.date(17486), -653_330_422),
            (.time(81_068_000_000), -662_762_989),
            (.timestamp(1_510_871_468_000_000), -2_047_944_441), (.timestamptz(1_510_871_468_000_001), -1_207_196_810),
            // Nanoseconds hash as the microseconds they round down to.
            (.timestampNs(1_510_871_468_000_000_999), -2_047_944_441),
            (.timestamptzNs(1_510_871_468_000_001_001), -1_207_196_810),
            (.string("iceberg"), 1_210_000_089), (.string(""), 0), (.string("é"), 269_551_495),
            (.string("34"), -427_558_391), (.binary([0, 1, 2, 3]), -188_683_207),
            (.uuid(UUID("f79c3e09-677c-4bbd-a479-3f349cb785e7")!), 1_488_055_340),
        ] as [(Value, Int32)])
    func bucketHash(value: Value, hash: Int32) {
        #expect(Int32(bitPattern: Transform.bucketHash(value)) == hash)
    }

    @Test(
        arguments: [
            (.long(34), [3, 3, 79]), (.long(-1), [0, 8, 12]), (.long(0), [0, 12, 76]),
            (.string("iceberg"), [1, 9, 89]),
            (.decimal(1420, scale: 2), [3, 3, 59]),
        ] as [(Value, [Int32])])
    func buckets(value: Value, expected: [Int32]) {
        #expect([4, 16, 100].map { Transform.bucket($0).apply(value) } == expected.map { .int($0) })
        #expect(Transform.bucket(4).apply(.null) == .null)
    }

    @Test(
        arguments: [
            (1_510_871_468_000_000, 47, 574, 17486, 419_686), (0, 0, 0, 0, 0), (-1, -1, -1, -1, -1),
            (-86_400_000_000, -1, -1, -1, -24), (-31_536_000_000_001, -2, -13, -366, -8761),
        ] as [(Int64, Int32, Int32, Int32, Int32)])
    func timeTransforms(micros: Int64, year: Int32, month: Int32, day: Int32, hour: Int32) {
        for value in [
            Value.timestamp(micros), .timestamptz(micros), .timestampNs(micros * 1000), .timestamptzNs(micros * 1000),
        ] {
            #expect(Transform.year.apply(value) == .int(year))
            #expect(Transform.month.apply(value) == .int(month))
            #expect(Transform.day.apply(value) == .date(day))
            #expect(Transform.hour.apply(value) == .int(hour))
        }
        #expect(Transform.year.apply(.date(day)) == .int(year))
        #expect(Transform.month.apply(.date(day)) == .int(month))
        #expect(Transform.day.apply(.date(day)) == .date(day))
    }

    @Test(
        arguments: [
            (10, .int(1), .int(0)), (10, .int(-1), .int(-10)), (10, .long(10), .long(10)), (10, .long(-10), .long(-10)),
            (10, .long(-11), .long(-20)), (50, .decimal(1065, scale: 2), .decimal(1050, scale: 2)),
            (50, .decimal(-5, scale: 2), .decimal(-50, scale: 2)), (3, .string("ab😀cd"), .string("ab😀")),
            (2, .binary([1, 2, 3]), .binary([1, 2])), (3, .string("é"), .string("é")),
        ] as [(Int, Value, Value)])
    func truncate(width: Int, value: Value, expected: Value) {
        #expect(Transform.truncate(width).apply(value) == expected)
    }

    /// Columns and values go different ways and must agree.
    @Test func columnsAgreeWithValues() {
        let micros: [Int64?] = [nil, 0, -1, 1_510_871_468_000_000, -31_536_000_000_001, 253_402_300_799_999_999]
        let timestamps = ColumnBuilder(.timestamptz)
        let dates = ColumnBuilder(.date)
        let nanos = ColumnBuilder(.timestampNs)
        for value in [nil, 0, -1, -999, -1_000, 1_510_871_468_000_000_001, Int64.min, Int64.max] {
            nanos.append(value.map { .timestampNs($0) } ?? .null)
        }
        for value in micros {
            timestamps.append(value.map { .timestamptz($0) } ?? .null)
            dates.append(value.map { Transform.day.apply(.timestamptz($0)) } ?? .null)
        }
        for (column, transforms) in [
            (timestamps.finish(), [Transform.identity, .year, .month, .day, .hour, .void, .bucket(7)]),
            (nanos.finish(), [.identity, .year, .month, .day, .hour, .void, .bucket(7)]),
            (dates.finish(), [.identity, .year, .month, .day, .void, .bucket(7)]),
        ] {
            for transform in transforms {
                let output = transform.apply(column)
                #expect(output.type == transform.resultType(of: column.type))
                for row in 0..<column.rowCount {
                    #expect(output.value(at: row) == transform.apply(column.value(at: row)), "\(transform) row \(row)")
                }
            }
        }
    }

    @Test(arguments: [
        "identity", "bucket[16]", "truncate[4]", "year", "month", "day", "hour", "void", "zorder[2]", "bucket[0]",
    ])
    func namesSurvive(name: String) {
        #expect(Transform(parsing: name).description == name)
    }

    @Test func unknownNames() {
        #expect(Transform(parsing: "zorder[2]") == .unknown("zorder[2]"))
        #expect(Transform(parsing: "bucket[x]") == .unknown("bucket[x]"))
        #expect(Transform(parsing: "bucket[0]") == .unknown("bucket[0]"))
        #expect(Transform(parsing: "DAY") == .day)
    }

    @Test func paths() {
        let spec = PartitionSpec(fields: [
            PartitionField(sourceId: 1, name: "ts_day", transform: .day),
            PartitionField(sourceId: 1, name: "ts hour", transform: .hour),
            PartitionField(sourceId: 2, name: "s", transform: .identity),
            PartitionField(sourceId: 1, name: "m", transform: .month),
            PartitionField(sourceId: 1, name: "y", transform: .year),
            PartitionField(sourceId: 3, name: "d", transform: .identity),
        ])
        let path = spec.path([
            .date(17486), .int(419_686), .string("a/b c=é"), .int(-1), .int(47), .decimal(-5, scale: 2),
        ])
        #expect(path == "ts_day=2017-11-16/ts+hour=2017-11-16-22/s=a%2Fb+c%3D%C3%A9/m=1969-12/y=2017/d=-0.05")
        #expect(spec.path([.null, .null, .null, .null, .null, .null]).hasPrefix("ts_day=null/ts+hour=null/s=null"))
        #expect(PartitionSpec.unpartitioned.path([]).isEmpty)
    }
}

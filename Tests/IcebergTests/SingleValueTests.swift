import Base
import Columnar
import Testing

@testable import Iceberg

@Suite struct SingleValueTests {
    /// Bytes as PyIceberg's `conversions.to_bytes` gives them.
    @Test(
        arguments: [
            (.boolean(true), .boolean, "01"), (.boolean(false), .boolean, "00"), (.int(34), .int, "22000000"),
            (.date(-1), .date, "ffffffff"), (.long(-2), .long, "feffffffffffffff"),
            (.timestamp(1_510_871_468_000_000), .timestamp, "00c3262d215e0500"), (.float(-4.5), .float, "000090c0"),
            (.double(6.0), .double, "0000000000001840"),
            (.decimal(1420, scale: 2), .decimal(precision: 9, scale: 2), "058c"),
            (.decimal(-1420, scale: 2), .decimal(precision: 9, scale: 2), "fa74"),
            (.decimal(0, scale: 2), .decimal(precision: 9, scale: 2), "00"),
            (.decimal(128, scale: 0), .decimal(precision: 38, scale: 0), "0080"),
            (.decimal(-128, scale: 0), .decimal(precision: 38, scale: 0), "80"), (.string("é"), .string, "c3a9"),
            (.string(""), .string, ""), (.binary([1, 255]), .binary, "01ff"), (.binary([1, 255]), .fixed(2), "01ff"),
            (.uuid(UUID("f79c3e09-677c-4bbd-a479-3f349cb785e7")!), .uuid, "f79c3e09677c4bbda4793f349cb785e7"),
        ] as [(Value, DataType, String)])
    func bounds(value: Value, type: DataType, hex: String) {
        #expect(SingleValue.encode(value).map { Hex.encode($0) } == hex)
        #expect(SingleValue.decode(Hex.decode(hex)!, type) == value)
    }

    @Test func promotedBoundsStayReadable() {
        #expect(SingleValue.decode([0xfe, 0xff, 0xff, 0xff], .long) == .long(-2))
        #expect(SingleValue.decode([0, 0, 0x90, 0xc0], .double) == .double(-4.5))
    }

    @Test func wrongLengthsAreNoBounds() {
        for type in [
            DataType.boolean, .int, .long, .float, .double, .date, .time, .timestamp, .uuid,
            .decimal(precision: 9, scale: 2),
        ] {
            #expect(SingleValue.decode([], type) == nil)
            #expect(SingleValue.decode([UInt8](repeating: 1, count: 17), type) == nil)
        }
        #expect(SingleValue.decode([0xc3], .string) == nil)
    }

    @Test(
        arguments: [
            ("abcdef", 3, "abc", "abd"), ("abc", 3, "abc", "abc"), ("ab\u{10FFFF}x", 3, "ab\u{10FFFF}", "ac"),
            ("a\u{D7FF}xx", 2, "a\u{D7FF}", "a\u{E000}"), ("\u{10FFFF}\u{10FFFF}z", 2, "\u{10FFFF}\u{10FFFF}", nil),
            ("e\u{301}x", 1, "e", "f"), ("😀😀😀", 2, "😀😀", "😀😁"),
        ] as [(String, Int, String, String?)])
    func textTruncation(text: String, width: Int, lower: String, upper: String?) {
        #expect(SingleValue.encode(Truncation.lower(.string(text), width: width)) == Array(lower.utf8))
        #expect(
            Truncation.upper(.string(text), width: width).flatMap(SingleValue.encode) == upper.map { Array($0.utf8) })
    }

    @Test func binaryTruncation() {
        #expect(Truncation.lower(.binary([1, 2, 3]), width: 2) == .binary([1, 2]))
        #expect(Truncation.upper(.binary([1, 2, 3]), width: 2) == .binary([1, 3]))
        #expect(Truncation.upper(.binary([1, 0xff, 3]), width: 2) == .binary([2]))
        #expect(Truncation.upper(.binary([0xff, 0xff, 3]), width: 2) == nil)
        #expect(Truncation.upper(.binary([0xff, 0xff]), width: 2) == .binary([0xff, 0xff]))
        #expect(Truncation.upper(.long(7), width: 1) == .long(7))
    }

    @Test func metricsModes() {
        #expect(MetricsMode(parsing: "truncate(16)") == .truncate(16))
        #expect(MetricsMode(parsing: "Full") == .full)
        #expect(MetricsMode(parsing: "truncate(0)") == nil)
        #expect(MetricsMode(parsing: "some") == nil)
    }
}

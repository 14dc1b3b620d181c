import Base
import Columnar
import Testing

@testable import Ingest

/// What each column type takes and refuses. Times as numbers are Python's `datetime`.
@Suite struct DecodeTypeTests {
    private func check(_ type: String, good: [(String, Value)], bad: [(String, String)]) throws {
        for (literal, expected) in good {
            let result = try Decode.value(type, literal)
            #expect(result.value == expected, "\(type) from \(literal): \(result.code ?? "")")
        }
        for (literal, code) in bad {
            let result = try Decode.value(type, literal)
            #expect(result.code == code, "\(type) from \(literal)")
        }
    }

    @Test func booleans() throws {
        try check(
            "boolean", good: [("true", .boolean(true)), ("false", .boolean(false)), ("null", .null)],
            bad: [("1", "wrong_type"), (#""true""#, "wrong_type"), ("tru", "malformed_json"), ("[]", "wrong_type")])
    }

    @Test func integers() throws {
        let wrong = [(#""1""#, "wrong_type"), ("1.5", "wrong_type"), ("1e-1", "wrong_type"), ("true", "wrong_type")]
        try check(
            "int",
            good: [
                ("0", .int(0)), ("-0", .int(0)), ("2147483647", .int(.max)), ("-2147483648", .int(.min)),
                ("1.0", .int(1)), ("1e3", .int(1000)), ("12.50e1", .int(125)), ("-7", .int(-7)), ("0e99", .int(0)),
            ],
            bad: wrong + [("2147483648", "out_of_range"), ("-2147483649", "out_of_range"), ("1e10", "out_of_range")])
        try check(
            "long",
            good: [
                ("9223372036854775807", .long(.max)), ("-9223372036854775808", .long(.min)), ("0", .long(0)),
                ("123456789012345678", .long(123_456_789_012_345_678)), ("1E2", .long(100)),
                ("9007199254740993", .long(9_007_199_254_740_993)), ("12345678", .long(12_345_678)),
                ("-1234567.000000000000000000000000", .long(-1_234_567)), ("9223372036854775807.0", .long(.max)),
                ("0.00000000000000000000000000000000000000012e41", .long(12)),
            ],
            bad: wrong + [
                ("9223372036854775808", "out_of_range"), ("-9223372036854775809", "out_of_range"),
                ("99999999999999999999", "out_of_range"), ("1e19", "out_of_range"), ("1e999999999999", "out_of_range"),
            ])
    }

    @Test func floatingPoint() throws {
        try check(
            "double",
            good: [
                ("0", .double(0)), ("1", .double(1)), ("-1.5", .double(-1.5)), ("1e308", .double(1e308)),
                ("1.7976931348623157e308", .double(.greatestFiniteMagnitude)),
                ("5e-324", .double(.leastNonzeroMagnitude)),
                ("1e-400", .double(0)), ("0.1", .double(0.1)), (#""Infinity""#, .double(.infinity)),
                (#""-Infinity""#, .double(-.infinity)), ("9007199254740993", .double(9_007_199_254_740_992)),
                ("123456789012345678901234567890", .double(1.2345678901234568e29)),
            ],
            bad: [
                ("1e400", "out_of_range"), ("-1e400", "out_of_range"), ("1.7976931348623159e308", "out_of_range"),
                (#""1.5""#, "wrong_type"), (#""nan""#, "wrong_type"), ("true", "wrong_type"), ("{}", "wrong_type"),
            ])
        #expect(try Decode.value("double", "-0.0").value == .double(-0.0))
        for type in ["double", "float"] {
            let nan = try Decode.lines("v \(type)", #"{"v":"NaN"}"#)
            #expect(nan.rows == [#"{"v":"NaN"}"#])
        }
        try check("float", good: [], bad: [("3.5e38", "out_of_range"), (#""x""#, "wrong_type")])
    }

    @Test func floatsAreRoundedOnce() throws {
        // pyarrow.compute.cast(text, float32) of each.
        let expected: [(String, UInt32)] = [
            ("0.1", 0x3dcc_cccd), ("16777217", 0x4b80_0000), ("16777219", 0x4b80_0002),
            ("1.000000059604644775390625", 0x3f80_0000), ("1.000000059604644775390626", 0x3f80_0001),
            ("1.00000017881393432617187499", 0x3f80_0001), ("3.4028235e38", 0x7f7f_ffff), ("1.4e-45", 1),
            ("7.1e-46", 1), ("7.0e-46", 0), ("-2.5", 0xc020_0000),
        ]
        for (literal, bits) in expected {
            #expect(try Decode.value("float", literal).value == .float(Float(bitPattern: bits)), "\(literal)")
        }
    }

    @Test func decimals() throws {
        try check(
            "decimal(9, 2)",
            good: [
                ("1", .decimal(100, scale: 2)), ("12.34", .decimal(1234, scale: 2)), ("-0.05", .decimal(-5, scale: 2)),
                (#""12.34""#, .decimal(1234, scale: 2)), ("1.500", .decimal(150, scale: 2)),
                ("0", .decimal(0, scale: 2)),
                ("1e2", .decimal(10000, scale: 2)), ("9999999.99", .decimal(999_999_999, scale: 2)),
                ("12345e-2", .decimal(12345, scale: 2)), ("0.00e-99", .decimal(0, scale: 2)),
                ("-0", .decimal(0, scale: 2)),
            ],
            bad: [
                ("1.234", "decimal_scale"), (#""0.001""#, "decimal_scale"), ("10000000", "out_of_range"),
                ("9999999.995", "decimal_scale"), (#""abc""#, "wrong_type"), (#""""#, "wrong_type"),
                (#"" 1""#, "wrong_type"),
                (#""1 ""#, "wrong_type"), ("true", "wrong_type"), ("1e7", "out_of_range"), (#""+1""#, "wrong_type"),
            ])
        let large = Int128("12345678901234567890123456789012345678")!
        try check(
            "decimal(38, 10)",
            good: [
                ("1234567890123456789012345678.9012345678", .decimal(large, scale: 10)),
                (#""-1234567890123456789012345678.9012345678""#, .decimal(-large, scale: 10)),
                ("1234567890123456789012345678.90123456780000000", .decimal(large, scale: 10)),
            ],
            bad: [
                ("12345678901234567890123456789", "out_of_range"), ("1.12345678901", "decimal_scale"),
                ("123456789012345678901234567890123456789012345", "out_of_range"),
                ("1234567890123456789012345678.90123456789", "decimal_scale"),
            ])
        try check(
            "decimal(38, 0)",
            good: [
                (
                    "99999999999999999999999999999999999999",
                    .decimal(Int128("99999999999999999999999999999999999999")!, scale: 0)
                )
            ],
            bad: [("100000000000000000000000000000000000000", "out_of_range"), ("1e38", "out_of_range")])
    }

    @Test func dates() throws {
        try check(
            "date",
            good: [
                (#""1970-01-01""#, .date(0)), (#""1969-12-31""#, .date(-1)), (#""2024-02-29""#, .date(19782)),
                (#""0001-01-01""#, .date(-719_162)), (#""9999-12-31""#, .date(2_932_896)),
                (#""2100-02-28""#, .date(47540)), (#""2024\u002d02-29""#, .date(19782)),
            ],
            bad: [
                (#""2023-02-29""#, "out_of_range"), (#""2100-02-29""#, "out_of_range"),
                (#""2023-13-01""#, "out_of_range"),
                (#""2023-00-01""#, "out_of_range"), (#""0000-01-01""#, "out_of_range"),
                (#""2023-1-1""#, "invalid_date"),
                (#""2023-01-01T00:00:00""#, "invalid_date"), (#""20230101""#, "invalid_date"), (#""""#, "invalid_date"),
                (#""2023-01-0a""#, "invalid_date"),
                (#""\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000\u0000""#, "invalid_date"),
                ("19000", "wrong_type"), (#""2023/01/01""#, "invalid_date"), (#""2023-01-:0""#, "invalid_date"),
            ])
    }

    @Test func times() throws {
        try check(
            "time",
            good: [
                (#""00:00:00""#, .time(0)), (#""23:59:59.999999""#, .time(86_399_999_999)),
                (#""10:11:12.5""#, .time(36_672_500_000)), (#""10:11:12.5000000""#, .time(36_672_500_000)),
            ],
            bad: [
                (#""24:00:00""#, "out_of_range"), (#""23:60:00""#, "out_of_range"), (#""23:59:60""#, "out_of_range"),
                (#""10:11""#, "invalid_time"), (#""10:11:12.""#, "invalid_time"), (#""10:11:12Z""#, "invalid_time"),
                (#""10:11:12.1234567""#, "invalid_time"), ("36672", "wrong_type"), (#""1:11:12""#, "invalid_time"),
            ])
    }

    @Test func timestamps() throws {
        try check(
            "timestamp",
            good: [
                (#""2013-01-01T10:00:00""#, .timestamp(1_357_034_400_000_000)),
                (#""2013-01-01 10:00:00.123456""#, .timestamp(1_357_034_400_123_456)),
                (#""1969-12-31T23:59:59.999999""#, .timestamp(-1)),
                (#""0001-01-01T00:00:00""#, .timestamp(-62_135_596_800_000_000)),
                (#""9999-12-31T23:59:59.999999""#, .timestamp(253_402_300_799_999_999)),
                (#""2024-02-29t12:34:56.7""#, .timestamp(1_709_210_096_700_000)),
                (#""2013-01-01T10:00:00\u002e5""#, .timestamp(1_357_034_400_500_000)),
            ],
            bad: [
                (#""2013-01-01T10:00:00Z""#, "invalid_timestamp"),
                (#""2013-01-01T10:00:00+01:00""#, "invalid_timestamp"),
                (#""2013-01-01""#, "invalid_timestamp"), (#""2013-01-01T10:00""#, "invalid_timestamp"),
                (#""2013-01-01T10:00:00.1234567""#, "invalid_timestamp"), (#""2013-02-30T10:00:00""#, "out_of_range"),
                (#""2013-01-01X10:00:00""#, "invalid_timestamp"), ("1357034400", "wrong_type"),
                (#""2013-01-01T10:00:00 ""#, "invalid_timestamp"), (#""""#, "invalid_timestamp"),
                ("true", "wrong_type"),
            ])
        try check(
            "timestamptz",
            good: [
                (#""2013-01-01T10:00:00Z""#, .timestamptz(1_357_034_400_000_000)),
                (#""2013-01-01T10:00:00.5+05:30""#, .timestamptz(1_357_014_600_500_000)),
                (#""2013-01-01 10:00:00-0800""#, .timestamptz(1_357_063_200_000_000)),
                (#""2013-01-01 10:00:00-08""#, .timestamptz(1_357_063_200_000_000)),
                (#""1969-12-31T23:59:59.000001z""#, .timestamptz(-999_999)),
                (#""2000-03-01T00:00:00+14:00""#, .timestamptz(951_818_400_000_000)),
                (#""2013-01-01T10:00:00.000000000Z""#, .timestamptz(1_357_034_400_000_000)),
            ],
            bad: [
                (#""2013-01-01T10:00:00""#, "invalid_timestamp"), (#""2013-01-01T10:00:00+24:00""#, "out_of_range"),
                (#""2013-01-01T10:00:00+05:""#, "invalid_timestamp"),
                (#""2013-01-01T10:00:00+5""#, "invalid_timestamp"),
                (#""2013-01-01T10:00:00.000000001Z""#, "invalid_timestamp"),
                (#""2013-01-01T10:00:00ZZ""#, "invalid_timestamp"),
                ("1357034400000", "wrong_type"), (#""2013-01-01T10:00:00.Z""#, "invalid_timestamp"),
            ])
        let message = try Decode.lines("v timestamptz", #"{"v":1357034400000}"#).rejections[0].message
        #expect(message.contains("YYYY-MM-DDTHH:MM:SSZ") && message.contains("1357034400000"))
    }

    @Test func bytesAndUUIDs() throws {
        let uuid = UUID("f79c3e09-677c-4bbd-a479-3f349cb785e7")!
        try check(
            "uuid",
            good: [
                (#""f79c3e09-677c-4bbd-a479-3f349cb785e7""#, .uuid(uuid)),
                (#""F79C3E09-677C-4BBD-A479-3F349CB785E7""#, .uuid(uuid)),
                (#""f79c3e09\u002d677c-4bbd-a479-3f349cb785e7""#, .uuid(uuid)),
            ],
            bad: [
                (#""f79c3e09677c4bbda4793f349cb785e7""#, "invalid_uuid"), (#""""#, "invalid_uuid"), ("1", "wrong_type"),
                (#""f79c3e09-677c-4bbd-a479-3f349cb785eg""#, "invalid_uuid"),
                (#""f79c3e09-677c-4bbd-a479-3f349cb785e70""#, "invalid_uuid"),
                (#""f79c3e09-677c-4bbd-a479_3f349cb785e7""#, "invalid_uuid"),
            ])
        // base64.b64encode(bytes(range(n)))
        try check(
            "binary",
            good: [
                (#""""#, .binary([])), (#""AA==""#, .binary([0])), (#""AAE=""#, .binary([0, 1])),
                (#""AAEC""#, .binary([0, 1, 2])), (#""+\/8=""#, .binary([0xfb, 0xff])),
            ],
            bad: [
                (#""A""#, "invalid_base64"), (#""AA""#, "invalid_base64"), (#""AA=A""#, "invalid_base64"),
                (#""A===""#, "invalid_base64"), (#""-_8=""#, "invalid_base64"), (#""AB==""#, "invalid_base64"),
                (#""AA==AA==""#, "invalid_base64"), (#""A AA""#, "invalid_base64"), ("12", "wrong_type"),
            ])
        try check(
            "fixed(3)", good: [(#""AAEC""#, .binary([0, 1, 2]))],
            bad: [(#""AAE=""#, "wrong_length"), (#""AAECAA==""#, "wrong_length"), (#""????""#, "invalid_base64")])
    }

    @Test func everyHexDigitAndNoOther() throws {
        for byte in UInt8(0x21)...UInt8(0x7e) where byte != Byte.quote && byte != Byte.backslash {
            let character = Character(Unicode.Scalar(byte))
            let text = "0000000\(character)-0000-0000-0000-000000000000"
            #expect((try Decode.value("uuid", "\"\(text)\"").value != nil) == character.isHexDigit, "\(character)")
        }
    }

    @Test func strings() throws {
        try check(
            "string", good: [(#""""#, .string("")), (#""null""#, .string("null")), ("null", .null)],
            bad: [("1", "wrong_type"), ("{}", "wrong_type"), ("[\"a\"]", "wrong_type"), ("true", "wrong_type")])
    }
}

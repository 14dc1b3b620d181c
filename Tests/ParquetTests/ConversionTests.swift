import Base
import Columnar
import Testing

@testable import Parquet

/// Physical values of other writers, and schemas in the shapes that they use.
@Suite struct ConversionTests {
    private typealias Element = ParquetFooter.SchemaElement

    private func leaf(
        _ physical: ParquetPhysicalType, _ logical: ParquetLogicalType? = nil, width: Int? = nil
    )
        -> SchemaLeaf
    {
        var element = Element(name: "c")
        element.physicalType = physical
        element.logicalType = logical
        element.typeLength = width
        return SchemaLeaf(column: 0, element: element, fieldId: 1, path: ["c"], definitionMax: 0, repetitionMax: 0)
    }

    private func words(_ storage: Column.Storage) -> [Int64]? {
        if case .int64(let b) = storage { return b.array }
        return nil
    }

    #if arch(arm64) || os(Linux)
    /// Every half there is, against the compiler's own.
    @Test func halves() throws {
        let bytes = Buffer<UInt8>()
        for half in UInt16.min...UInt16.max {
            bytes.append(UInt8(half & 0xff))
            bytes.append(UInt8(half >> 8))
        }
        let half = leaf(.fixedLenByteArray, .float16, width: 2)
        #expect(half.dataType == .float)
        let stored = PhysicalValues.fixed(bytes, width: 2)
        guard case .float(let found) = try ValueConversion.storage(stored, half, as: .float),
            case .double(let wide) = try ValueConversion.storage(stored, half, as: .double)
        else { return #expect(Bool(false), "halves are read as floats") }
        var wrong: [UInt16] = []
        for half in UInt16.min...UInt16.max {
            let expected = Float(Float16(bitPattern: half))
            let (a, b) = (found[Int(half)], wide[Int(half)])
            let fits =
                expected.isNaN
                ? a.isNaN && b.isNaN : a.bitPattern == expected.bitPattern && b == Double(expected)
            if !fits { wrong.append(half) }
        }
        #expect(wrong == [])
    }
    #endif

    @Test func timesIn96Bits() throws {
        func bytes(_ nanos: Int64, _ day: Int32) -> [UInt8] {
            withUnsafeBytes(of: nanos.littleEndian, Array.init) + withUnsafeBytes(of: day.littleEndian, Array.init)
        }
        // The epoch; a nanosecond before it, either way; the year 290000 as Spark writes it.
        let stored =
            bytes(0, 2_440_588) + bytes(-1, 2_440_588) + bytes(86_399_999_999_999, 2_440_587)
            + bytes(-32_509_551_616_000, -105_862_232)
        let found = try ValueConversion.storage(.fixed(Buffer(stored), width: 12), leaf(.int96), as: .timestamp)
        #expect(words(found) == [0, -1, -1, 9_089_380_393_200_000_000])
    }

    @Test func nanosecondsAreKeptOrRoundedDown() throws {
        let column = leaf(.int64, .timestamp(isAdjustedToUTC: false, unit: .nanos))
        let values = PhysicalValues.int64(Buffer([0, 1, 999, 1000, -1, -1000, -1001, .min, .max]))
        #expect(column.dataType == .timestampNs)
        #expect(
            words(try ValueConversion.storage(values, column, as: .timestampNs))
                == [0, 1, 999, 1000, -1, -1000, -1001, .min, .max])
        #expect(
            words(try ValueConversion.storage(values, column, as: .timestamp))
                == [0, 0, 0, 1, -1, -1, -2, -9_223_372_036_854_776, 9_223_372_036_854_775])
        let millis = leaf(.int64, .timestamp(isAdjustedToUTC: true, unit: .millis))
        #expect(throws: FirnError.self) {
            try ValueConversion.storage(.int64(Buffer([.max])), millis, as: .timestamptz)
        }
    }

    @Test func unknownAnnotationsAreLeftOut() {
        #expect(leaf(.int32, .other(99)).dataType == .int)
        #expect(leaf(.int64, .other(99)).dataType == .long)
        #expect(leaf(.byteArray, .other(99)).dataType == .binary)
        #expect(leaf(.fixedLenByteArray, .other(99), width: 5).dataType == .fixed(5))
        #expect(!leaf(.int32, .other(99)).hasKnownOrder && leaf(.int32).hasKnownOrder)
    }

    // MARK: Schemas

    /// `children` nil for a leaf of type INT32.
    private func element(
        _ name: String, _ repetition: ParquetFooter.Repetition?, _ children: Int? = nil,
        _ logical: ParquetLogicalType? = nil, converted: Int32? = nil
    ) -> Element {
        var element = Element(name: name)
        element.repetition = repetition
        element.childCount = children
        element.physicalType = children == nil ? .int32 : nil
        element.logicalType = logical
        element.convertedType = converted
        return element
    }

    /// A short text of the shape, with levels of definition and repetition at the leaves.
    private func text(_ node: SchemaNode) -> String {
        let mark = node.isOptional ? "?" : ""
        switch node.shape {
        case .leaf(let leaf): return "\(mark)\(leaf.definitionMax)\(leaf.repetitionMax)"
        case .structure(let children): return mark + "{" + children.map { text($0) }.joined(separator: " ") + "}"
        case .list(let element): return mark + "[" + text(element) + "]"
        case .map(let key, let value): return mark + "<" + text(key) + " " + text(value) + ">"
        }
    }

    private func shape(_ elements: [Element]) throws -> String {
        let tops = elements.filter { $0.name == "top" }.count
        let root = element("root", nil, tops)
        return try SchemaTree.build([root] + elements, source: "t").map { text($0) }.joined(separator: " ")
    }

    /// The examples of the format's rules for lists and maps of old writers.
    @Test func shapesOfOtherWriters() throws {
        let list = element("top", .optional, 1, .list)
        // Three levels; a repeated leaf; several members; the two old names; a list of lists in two levels.
        #expect(try shape([list, element("list", .repeated, 1), element("element", .optional)]) == "?[?31]")
        #expect(try shape([list, element("element", .repeated)]) == "?[21]")
        let pair = [element("a", .required), element("b", .optional)]
        #expect(try shape([list, element("element", .repeated, 2)] + pair) == "?[{21 ?31}]")
        #expect(try shape([list, element("array", .repeated, 1), pair[0]]) == "?[{21}]")
        #expect(try shape([list, element("top_tuple", .repeated, 1), pair[0]]) == "?[{21}]")
        #expect(
            try shape([list, element("array", .repeated, 1, nil, converted: 3), element("array", .repeated)])
                == "?[[32]]")
        // A repeated group whose only member is repeated is the element, not a middle group.
        #expect(try shape([list, element("list", .repeated, 1), element("a", .repeated)]) == "?[{[32]}]")
        // Repeated without annotation.
        #expect(try shape([element("top", .repeated)]) == "[11]")
        #expect(try shape([element("top", .repeated, 2)] + pair) == "[{11 ?21}]")
        // Maps: with the annotation of old writers, optional keys, and no values.
        let map = element("top", .required, 1, nil, converted: 2)
        let entry = element("map", .repeated, 2)
        #expect(try shape([map, entry, element("key", .required), element("value", .optional)]) == "<11 ?21>")
        #expect(try shape([map, entry, element("key", .optional), element("value", .required)]) == "<?21 11>")
        #expect(try shape([map, element("map", .repeated, 1), element("key", .required)]) == "[11]")
    }

    @Test func groupsWithoutColumnsAreLeftOut() throws {
        let leaf = element("top", .required)
        #expect(try shape([element("top", .optional, 0), leaf]) == "00")
        #expect(
            try shape([element("top", .optional, 2), element("a", .optional, 0), element("b", .required), leaf])
                == "?{10} 00")
        #expect(try shape([element("top", .optional, 1, .list), element("array", .repeated, 0), leaf]) == "00")
    }
}

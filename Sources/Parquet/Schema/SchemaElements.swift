import Base
import Columnar

/// The Parquet schema of an Iceberg schema.
///
/// Spec: https://iceberg.apache.org/spec/#parquet
enum SchemaElements {
    /// Depth-first elements below a root named `table`. Throws `.unsupported` for what Parquet cannot express.
    static func build(_ schema: Schema) throws(FirnError) -> [ParquetFooter.SchemaElement] {
        var root = ParquetFooter.SchemaElement(name: "table")
        let fields = stored(schema.fields)
        guard !fields.isEmpty || schema.fields.isEmpty else {
            throw FirnError(
                .unsupported, "unsupported_type", "a Parquet file needs a column of another type than unknown")
        }
        root.childCount = fields.count
        var elements = [root]
        for field in fields { try append(field, to: &elements, depth: 0) }
        return elements
    }

    /// Columns of type unknown are not stored: https://iceberg.apache.org/spec/#parquet
    private static func stored(_ fields: [Field]) -> [Field] { fields.filter { $0.type != .unknown } }

    private static func append(
        _ field: Field, to elements: inout [ParquetFooter.SchemaElement], depth: Int
    ) throws(FirnError) {
        guard depth < ParquetLimits.depthMax else {
            throw FirnError(.unsupported, "nested_too_deeply", "column \"\(field.name)\" is nested too deeply")
        }
        var element = ParquetFooter.SchemaElement(name: field.name)
        element.fieldId = field.id
        element.repetition = field.required ? .required : .optional
        switch field.type {
        case .structure(let type):
            let fields = stored(type.fields)
            guard !fields.isEmpty else {
                throw FirnError(
                    .unsupported, "empty_struct", "struct \"\(field.name)\" has no fields that Parquet can hold")
            }
            element.childCount = fields.count
            elements.append(element)
            for child in fields { try append(child, to: &elements, depth: depth + 1) }
        case .list(let type):
            element.childCount = 1
            element.logicalType = .list
            element.convertedType = 3
            elements.append(element)
            elements.append(middle("list", childCount: 1))
            try append(type.elementField, to: &elements, depth: depth + 1)
        case .map(let type):
            element.childCount = 1
            element.logicalType = .map
            element.convertedType = 1
            elements.append(element)
            elements.append(middle("key_value", childCount: 2))
            try append(type.keyField, to: &elements, depth: depth + 1)
            try append(type.valueField, to: &elements, depth: depth + 1)
        case .variant:
            element.childCount = 2
            element.logicalType = .variant(specificationVersion: 1)
            elements.append(element)
            for name in ["metadata", "value"] {
                var part = ParquetFooter.SchemaElement(name: name)
                part.repetition = .required
                part.physicalType = .byteArray
                elements.append(part)
            }
        case .unknown:
            throw FirnError(
                .unsupported, "unsupported_type", "lists and maps of type unknown cannot be written",
                context: ["column": field.name])
        default:
            annotate(&element, field.type)
            elements.append(element)
        }
    }

    private static func middle(_ name: String, childCount: Int) -> ParquetFooter.SchemaElement {
        var element = ParquetFooter.SchemaElement(name: name)
        element.repetition = .repeated
        element.childCount = childCount
        return element
    }

    /// Physical, logical and converted type of a primitive. Local times carry the converted type too, as the Parquet
    /// specification asks for the sake of older readers.
    private static func annotate(_ element: inout ParquetFooter.SchemaElement, _ type: DataType) {
        switch type {
        case .boolean: element.physicalType = .boolean
        case .int: element.physicalType = .int32
        case .long: element.physicalType = .int64
        case .float: element.physicalType = .float
        case .double: element.physicalType = .double
        case .decimal(let precision, let scale):
            element.physicalType = precision <= 9 ? .int32 : precision <= 18 ? .int64 : .fixedLenByteArray
            if precision > 18 { element.typeLength = DecimalBytes.width(precision: precision) }
            element.logicalType = .decimal(scale: scale, precision: precision)
            element.convertedType = 5
            element.scale = scale
            element.precision = precision
        case .date:
            element.physicalType = .int32
            element.logicalType = .date
            element.convertedType = 6
        case .time:
            element.physicalType = .int64
            element.logicalType = .time(isAdjustedToUTC: false, unit: .micros)
            element.convertedType = 8
        case .timestamp, .timestamptz:
            element.physicalType = .int64
            element.logicalType = .timestamp(isAdjustedToUTC: type == .timestamptz, unit: .micros)
            element.convertedType = 10
        case .timestampNs, .timestamptzNs:
            element.physicalType = .int64
            element.logicalType = .timestamp(isAdjustedToUTC: type == .timestamptzNs, unit: .nanos)
        case .string:
            element.physicalType = .byteArray
            element.logicalType = .string
            element.convertedType = 0
        case .binary: element.physicalType = .byteArray
        case .uuid:
            element.physicalType = .fixedLenByteArray
            element.typeLength = 16
            element.logicalType = .uuid
        case .fixed(let width):
            element.physicalType = .fixedLenByteArray
            element.typeLength = width
        case .unknown, .variant, .structure, .list, .map: preconditionFailure("not a leaf with values")
        }
    }
}

/// Decimals as big-endian two's complement.
enum DecimalBytes {
    /// Bytes that hold every value of this precision: the least n with 2^(8n-1) > 10^precision - 1.
    static func width(precision: Int) -> Int {
        precondition((1...38).contains(precision))
        var largest: UInt128 = 1
        for _ in 0..<precision { largest *= 10 }
        largest -= 1
        return (128 - largest.leadingZeroBitCount) / 8 + 1
    }

    static func encode(_ value: Int128, width: Int, to target: UnsafeMutablePointer<UInt8>) {
        var rest = value
        for index in stride(from: width - 1, through: 0, by: -1) {
            target[index] = UInt8(truncatingIfNeeded: rest)
            rest >>= 8
        }
    }

    /// Nil when the value passes 128 bits.
    static func decode(_ bytes: UnsafeBufferPointer<UInt8>) -> Int128? {
        guard let first = bytes.first else { return nil }
        var value: Int128 = first >= 0x80 ? -1 : 0
        let fill: UInt8 = first >= 0x80 ? 0xff : 0
        for (index, byte) in bytes.enumerated() {
            if bytes.count - index > 16 {
                guard byte == fill else { return nil }
                continue
            }
            value = value << 8 | Int128(byte)
        }
        // More than 16 bytes: the sign must survive the cut.
        if bytes.count > 16, (value < 0) != (first >= 0x80) { return nil }
        return value
    }
}

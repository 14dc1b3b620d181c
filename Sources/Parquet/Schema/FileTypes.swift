import Base
import Columnar

extension SchemaLeaf {
    /// The Iceberg type that carries this column's values, nil when there is none.
    ///
    /// Types that only other writers produce are widened: UINT32 to long, UINT64 to decimal(20, 0), milliseconds to
    /// microseconds, FLOAT16 to float, INT96 to timestamp; times in nanoseconds are rounded down to microseconds. An
    /// annotation newer than this reader is left out of account.
    var dataType: DataType? {
        switch element.physicalType {
        case .boolean: return .boolean
        case .float: return .float
        case .double: return .double
        case .int96: return .timestamp
        case .int32: return int32Type
        case .int64: return int64Type
        case .byteArray: return byteArrayType
        case .fixedLenByteArray: return fixedType
        case nil: return nil
        }
    }

    /// Scale and precision when the column is a decimal.
    var decimal: (scale: Int, precision: Int)? {
        if case .decimal(let scale, let precision) = element.logicalType { return (scale, precision) }
        if element.logicalType == nil, element.convertedType == 5 {
            return (element.scale ?? 0, element.precision ?? 0)
        }
        return nil
    }

    private var decimalType: DataType? {
        guard let decimal, (1...38).contains(decimal.precision), (0...decimal.precision).contains(decimal.scale)
        else { return nil }
        return .decimal(precision: decimal.precision, scale: decimal.scale)
    }

    /// False when the format gives bounds of this column no order, or one that is not known here.
    var hasKnownOrder: Bool {
        switch element.logicalType {
        case .other, .null: false
        // INTERVAL has only the older annotation.
        default: element.physicalType != .int96 && element.convertedType != 21
        }
    }

    private var int32Type: DataType? {
        if decimal != nil { return decimalType }
        switch (element.logicalType, element.convertedType) {
        case (.date, _), (nil, 6): return .date
        case (.time(_, .millis), _), (nil, 7): return .time
        case (.integer(let bits, false), _): return bits == 32 ? .long : .int
        case (nil, 13): return .long
        case (nil, _), (.integer, _), (.null, _), (.other, _): return .int
        default: return nil
        }
    }

    private var int64Type: DataType? {
        if decimal != nil { return decimalType }
        switch (element.logicalType, element.convertedType) {
        case (.time, _), (nil, 8): return .time
        case (.timestamp(let utc, .nanos), _): return utc ? .timestamptzNs : .timestampNs
        case (.timestamp(let utc, _), _): return utc ? .timestamptz : .timestamp
        case (nil, 9), (nil, 10): return .timestamptz
        case (.integer(_, false), _), (nil, 14): return .decimal(precision: 20, scale: 0)
        case (nil, _), (.integer, _), (.null, _), (.other, _): return .long
        default: return nil
        }
    }

    private var byteArrayType: DataType? {
        if decimal != nil { return decimalType }
        switch (element.logicalType, element.convertedType) {
        case (.string, _), (.enumeration, _), (.json, _): return .string
        case (nil, 0), (nil, 4), (nil, 19): return .string
        default: return .binary
        }
    }

    private var fixedType: DataType? {
        guard let width = element.typeLength, width > 0 else { return nil }
        if decimal != nil { return decimalType }
        switch element.logicalType {
        case .uuid: return width == 16 ? .uuid : nil
        case .float16: return width == 2 ? .float : nil
        default: return .fixed(width)
        }
    }
}

extension SchemaNode {
    /// The field as an Iceberg field. Throws `.unsupported` (`unsupported_parquet_type`) naming the column.
    func field(source: String) throws(FirnError) -> Field {
        let type: DataType
        switch shape {
        case .leaf(let leaf):
            guard let known = leaf.dataType else {
                throw FirnError(
                    .unsupported, "unsupported_parquet_type",
                    "column \"\(leaf.name)\" has a type that is not supported",
                    context: ["file": source, "column": leaf.name])
            }
            type = known
        case .structure where isVariant: type = .variant
        case .structure(let children):
            var fields: [Field] = []
            for child in children { fields.append(try child.field(source: source)) }
            type = .structure(StructType(fields: fields))
        case .list(let element):
            let inner = try element.field(source: source)
            type = .list(ListType(elementId: inner.id, element: inner.type, elementRequired: inner.required))
        case .map(let key, let value):
            let keyField = try key.field(source: source)
            let valueField = try value.field(source: source)
            type = .map(
                MapType(
                    keyId: keyField.id, key: keyField.type, valueId: valueField.id, value: valueField.type,
                    valueRequired: valueField.required))
        }
        return Field(id: fieldId, name: name, required: !isOptional, type: type)
    }
}

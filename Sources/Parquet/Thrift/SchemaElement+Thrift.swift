import Base

/// SchemaElement and the LogicalType union.
extension ParquetFooter.SchemaElement {
    init(thrift reader: inout CompactReader) throws(FirnError) {
        self.init(name: "")
        var last = 0
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: physicalType = try ParquetPhysicalType(thrift: field, &reader)
            case 2: typeLength = try reader.size32(field)
            case 3:
                let raw = try reader.int32(field)
                guard let known = ParquetFooter.Repetition(rawValue: raw) else {
                    throw reader.corrupted("unknown repetition \(raw)")
                }
                repetition = known
            case 4: name = try reader.string(field)
            case 5: childCount = try reader.size32(field)
            case 6: convertedType = try reader.int32(field)
            case 7: scale = Int(try reader.int32(field))
            case 8: precision = Int(try reader.int32(field))
            case 9: fieldId = Int(try reader.int32(field))
            case 10:
                try reader.expect(field, .structure)
                logicalType = try ParquetLogicalType(thrift: &reader)
            default: try reader.skip(field)
            }
        }
        // Some writers give leaves a child count of zero.
        if physicalType != nil, childCount == 0 { childCount = nil }
        guard (physicalType == nil) == (childCount != nil) else {
            throw reader.corrupted("schema element \"\(name)\" is neither a group nor a leaf")
        }
    }

    func write(_ writer: inout CompactWriter) {
        if let physicalType { writer.int32(1, physicalType.rawValue) }
        if let typeLength { writer.int32(2, Int32(typeLength)) }
        if let repetition { writer.int32(3, repetition.rawValue) }
        writer.string(4, name)
        if let childCount { writer.int32(5, Int32(childCount)) }
        if let convertedType { writer.int32(6, convertedType) }
        if let scale { writer.int32(7, Int32(scale)) }
        if let precision { writer.int32(8, Int32(precision)) }
        if let fieldId { writer.int32(9, Int32(truncatingIfNeeded: fieldId)) }
        if let logicalType { writer.structure(10) { logicalType.write(&$0) } }
    }
}

extension ParquetLogicalType {
    init(thrift reader: inout CompactReader) throws(FirnError) {
        var found: ParquetLogicalType?
        var last = 0
        while let field = try reader.nextField(&last) {
            try reader.expect(field, .structure)
            guard field.id > 0 else { throw reader.corrupted("a logical type of number \(field.id)") }
            switch field.id {
            case 5: found = try Self.readDecimal(&reader)
            case 7:
                let (utc, unit) = try Self.readTime(&reader)
                found = .time(isAdjustedToUTC: utc, unit: unit)
            case 8:
                let (utc, unit) = try Self.readTime(&reader)
                found = .timestamp(isAdjustedToUTC: utc, unit: unit)
            case 10: found = try Self.readInteger(&reader)
            case 16: found = try Self.readVariant(&reader)
            default:
                try reader.skip(field)
                found = Self.plain[field.id] ?? .other(field.id)
            }
        }
        guard let found else { throw reader.corrupted("an empty logical type") }
        self = found
    }

    /// Members without fields of their own, by union field id.
    private static let plain: [Int: ParquetLogicalType] = [
        1: .string, 2: .map, 3: .list, 4: .enumeration, 6: .date, 11: .null, 12: .json, 13: .bson, 14: .uuid,
        15: .float16,
    ]

    private static func readDecimal(_ reader: inout CompactReader) throws(FirnError) -> ParquetLogicalType {
        var scale = 0
        var precision = 0
        var last = 0
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: scale = Int(try reader.int32(field))
            case 2: precision = Int(try reader.int32(field))
            default: try reader.skip(field)
            }
        }
        return .decimal(scale: scale, precision: precision)
    }

    private static func readTime(_ reader: inout CompactReader) throws(FirnError) -> (Bool, TimeUnit) {
        var isAdjustedToUTC = false
        var unit: TimeUnit?
        var last = 0
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: isAdjustedToUTC = try reader.boolean(field)
            case 2:
                try reader.expect(field, .structure)
                var inner = 0
                while let member = try reader.nextField(&inner) {
                    unit = TimeUnit(rawValue: Int16(member.id))
                    try reader.skip(member)
                }
            default: try reader.skip(field)
            }
        }
        guard let unit else { throw reader.corrupted("a time without a known unit") }
        return (isAdjustedToUTC, unit)
    }

    private static func readInteger(_ reader: inout CompactReader) throws(FirnError) -> ParquetLogicalType {
        var bits = 0
        var isSigned = true
        var last = 0
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: bits = try reader.int8(field)
            case 2: isSigned = try reader.boolean(field)
            default: try reader.skip(field)
            }
        }
        return .integer(bits: bits, isSigned: isSigned)
    }

    /// Files of before the version was part of the type are of version 1.
    private static func readVariant(_ reader: inout CompactReader) throws(FirnError) -> ParquetLogicalType {
        var version = 1
        var last = 0
        while let field = try reader.nextField(&last) {
            if field.id == 1 { version = try reader.int8(field) } else { try reader.skip(field) }
        }
        return .variant(specificationVersion: version)
    }

    func write(_ writer: inout CompactWriter) {
        switch self {
        case .decimal(let scale, let precision):
            writer.structure(5) {
                $0.int32(1, Int32(scale))
                $0.int32(2, Int32(precision))
            }
        case .time(let utc, let unit): writer.structure(7) { Self.writeTime(&$0, utc, unit) }
        case .timestamp(let utc, let unit): writer.structure(8) { Self.writeTime(&$0, utc, unit) }
        case .integer(let bits, let isSigned):
            writer.structure(10) {
                $0.int8(1, Int8(bits))
                $0.boolean(2, isSigned)
            }
        case .variant(let version): writer.structure(16) { $0.int8(1, Int8(truncatingIfNeeded: version)) }
        case .other(let id): writer.structure(id) { _ in }
        default:
            guard let id = Self.plain.first(where: { $0.value == self })?.key else { return }
            writer.structure(id) { _ in }
        }
    }

    private static func writeTime(_ writer: inout CompactWriter, _ utc: Bool, _ unit: TimeUnit) {
        writer.boolean(1, utc)
        writer.structure(2) { $0.structure(Int(unit.rawValue)) { _ in } }
    }
}

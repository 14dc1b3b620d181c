import Base

/// FileMetaData from and to Thrift.
///
/// Format: https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
extension ParquetFooter {
    init(thrift reader: inout CompactReader) throws(FirnError) {
        self.init()
        footerBytes = reader.remaining
        var last = 0
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: version = Int(try reader.int32(field))
            case 2:
                for _ in 0..<(try reader.listCount(field, of: .structure)) {
                    schema.append(try SchemaElement(thrift: &reader))
                }
            case 3: rowCount = try reader.size(field)
            case 4:
                for _ in 0..<(try reader.listCount(field, of: .structure)) {
                    rowGroups.append(try RowGroup(thrift: &reader))
                }
            case 5:
                for _ in 0..<(try reader.listCount(field, of: .structure)) {
                    try Self.readKeyValue(&reader, into: &keyValueMetadata)
                }
            case 6: createdBy = try reader.string(field)
            case 7:
                hasColumnOrders = true
                for _ in 0..<(try reader.listCount(field, of: .structure)) { try readColumnOrder(&reader) }
            case 8:
                throw FirnError(
                    .unsupported, "parquet_encryption", "the file is encrypted", context: ["file": reader.source])
            default: try reader.skip(field)
            }
        }
    }

    private mutating func readColumnOrder(_ reader: inout CompactReader) throws(FirnError) {
        var order = 0
        var last = 0
        while let field = try reader.nextField(&last) {
            order = field.id
            try reader.skip(field)
        }
        columnOrders.append(order)
    }

    static func readKeyValue(
        _ reader: inout CompactReader, into pairs: inout [String: String]
    ) throws(FirnError) {
        var key = ""
        var value = ""
        var last = 0
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: key = try reader.string(field)
            case 2: value = try reader.string(field)
            default: try reader.skip(field)
            }
        }
        pairs[key] = value
    }

    static func write(_ pairs: [String: String], _ id: Int, _ writer: inout CompactWriter) {
        guard !pairs.isEmpty else { return }
        writer.list(id, of: .structure, count: pairs.count)
        for (key, value) in pairs.sorted(by: { $0.key < $1.key }) {
            writer.element {
                $0.string(1, key)
                $0.string(2, value)
            }
        }
    }

    func serialize() -> [UInt8] {
        var writer = CompactWriter()
        writer.int32(1, Int32(version))
        writer.list(2, of: .structure, count: schema.count)
        for element in schema { writer.element { element.write(&$0) } }
        writer.int64(3, rowCount)
        writer.list(4, of: .structure, count: rowGroups.count)
        for (index, group) in rowGroups.enumerated() { writer.element { group.write(&$0, ordinal: index) } }
        Self.write(keyValueMetadata, 5, &writer)
        if let createdBy { writer.string(6, createdBy) }
        // One TYPE_ORDER a leaf: a union with the empty struct TypeDefinedOrder.
        let leafCount = schema.count { $0.physicalType != nil }
        writer.list(7, of: .structure, count: leafCount)
        for _ in 0..<leafCount { writer.element { $0.structure(1) { _ in } } }
        writer.stop()
        return writer.bytes
    }
}

extension ParquetFooter.RowGroup {
    init(thrift reader: inout CompactReader) throws(FirnError) {
        self.init()
        var last = 0
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1:
                for _ in 0..<(try reader.listCount(field, of: .structure)) {
                    columns.append(try ParquetFooter.ColumnChunk(thrift: &reader))
                }
            case 2: totalBytes = try reader.size(field)
            case 3: rowCount = try reader.size(field)
            case 4:
                for _ in 0..<(try reader.listCount(field, of: .structure)) { try readSortingColumn(&reader) }
            case 5: fileOffset = try reader.int64(field)
            case 6: compressedBytes = try reader.int64(field)
            case 7: ordinal = try reader.int16(field)
            default: try reader.skip(field)
            }
        }
    }

    private mutating func readSortingColumn(_ reader: inout CompactReader) throws(FirnError) {
        var column = ParquetFooter.SortingColumn(column: 0, isDescending: false, nullsFirst: false)
        var last = 0
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: column.column = try reader.size32(field)
            case 2: column.isDescending = try reader.boolean(field)
            case 3: column.nullsFirst = try reader.boolean(field)
            default: try reader.skip(field)
            }
        }
        sortingColumns.append(column)
    }

    func write(_ writer: inout CompactWriter, ordinal: Int) {
        writer.list(1, of: .structure, count: columns.count)
        for column in columns { writer.element { column.write(&$0) } }
        writer.int64(2, totalBytes)
        writer.int64(3, rowCount)
        if !sortingColumns.isEmpty {
            writer.list(4, of: .structure, count: sortingColumns.count)
            for column in sortingColumns {
                writer.element {
                    $0.int32(1, Int32(column.column))
                    $0.boolean(2, column.isDescending)
                    $0.boolean(3, column.nullsFirst)
                }
            }
        }
        if let fileOffset { writer.int64(5, fileOffset) }
        if let compressedBytes { writer.int64(6, compressedBytes) }
        if let ordinal = Int16(exactly: ordinal) { writer.int16(7, ordinal) }
    }
}

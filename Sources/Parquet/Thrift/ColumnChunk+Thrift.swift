import Base

/// ColumnChunk, ColumnMetaData and Statistics.
extension ParquetFooter.ColumnChunk {
    init(thrift reader: inout CompactReader) throws(FirnError) {
        self.init()
        var hasMetadata = false
        var last = 0
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1:
                throw FirnError(
                    .unsupported, "parquet_external_file", "the column's data is in another file",
                    context: ["file": reader.source])
            case 3:
                try reader.expect(field, .structure)
                try readMetadata(&reader)
                hasMetadata = true
            case 4: offsetIndexOffset = try reader.size(field)
            case 5: offsetIndexBytes = try reader.size32(field)
            case 6: columnIndexOffset = try reader.size(field)
            case 7: columnIndexBytes = try reader.size32(field)
            case 8, 9:
                throw FirnError(
                    .unsupported, "parquet_encryption", "a column is encrypted", context: ["file": reader.source])
            default: try reader.skip(field)
            }
        }
        guard hasMetadata else { throw reader.corrupted("a column chunk lacks its metadata") }
    }

    private mutating func readMetadata(_ reader: inout CompactReader) throws(FirnError) {
        var last = 0
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: physicalType = try ParquetPhysicalType(thrift: field, &reader)
            case 2:
                for _ in 0..<(try reader.listCount(field, of: .int32)) {
                    encodings.append(ParquetEncoding(rawValue: try reader.int32()))
                }
            case 3:
                for _ in 0..<(try reader.listCount(field, of: .binary)) { path.append(try reader.string()) }
            case 4:
                let raw = try reader.int32(field)
                guard let known = ParquetCodec(rawValue: raw) else { throw reader.corrupted("unknown codec \(raw)") }
                codec = known
            case 5: valueCount = try reader.size(field)
            case 6: uncompressedBytes = try reader.size(field)
            case 7: compressedBytes = try reader.size(field)
            case 8:
                for _ in 0..<(try reader.listCount(field, of: .structure)) {
                    try ParquetFooter.readKeyValue(&reader, into: &keyValueMetadata)
                }
            case 9: dataPageOffset = try reader.size(field)
            case 11: dictionaryPageOffset = try reader.size(field)
            case 12:
                try reader.expect(field, .structure)
                statistics = try ParquetFooter.Statistics(thrift: &reader)
            case 13:
                for _ in 0..<(try reader.listCount(field, of: .structure)) { try readEncodingStatistics(&reader) }
            case 14 where field.type == .int64: bloomFilterOffset = try reader.size(field)
            // Dremio put a struct of its own here before the format gave the number away.
            case 15 where field.type == .int32: bloomFilterBytes = try reader.size32(field)
            case 16:
                try reader.expect(field, .structure)
                sizeStatistics = try ParquetFooter.SizeStatistics(thrift: &reader)
            default: try reader.skip(field)
            }
        }
    }

    private mutating func readEncodingStatistics(_ reader: inout CompactReader) throws(FirnError) {
        var type: ParquetPageType?
        var encoding = ParquetEncoding.plain
        var count = 0
        var last = 0
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: type = ParquetPageType(rawValue: try reader.int32(field))
            case 2: encoding = ParquetEncoding(rawValue: try reader.int32(field))
            case 3: count = try reader.size32(field)
            default: try reader.skip(field)
            }
        }
        if let type { encodingStatistics.append(.init(pageType: type, encoding: encoding, pageCount: count)) }
    }

    func write(_ writer: inout CompactWriter) {
        // file_offset is deprecated and 0; readers take the page offsets.
        writer.int64(2, 0)
        writer.structure(3) { writeMetadata(&$0) }
        if let offsetIndexOffset, let offsetIndexBytes {
            writer.int64(4, offsetIndexOffset)
            writer.int32(5, Int32(offsetIndexBytes))
        }
        if let columnIndexOffset, let columnIndexBytes {
            writer.int64(6, columnIndexOffset)
            writer.int32(7, Int32(columnIndexBytes))
        }
    }

    private func writeMetadata(_ writer: inout CompactWriter) {
        writer.int32(1, physicalType.rawValue)
        writer.list(2, of: .int32, count: encodings.count)
        for encoding in encodings { writer.element(Int(encoding.rawValue)) }
        writer.list(3, of: .binary, count: path.count)
        for name in path { writer.element(name) }
        writer.int32(4, codec.rawValue)
        writer.int64(5, valueCount)
        writer.int64(6, uncompressedBytes)
        writer.int64(7, compressedBytes)
        ParquetFooter.write(keyValueMetadata, 8, &writer)
        writer.int64(9, dataPageOffset)
        if let dictionaryPageOffset { writer.int64(11, dictionaryPageOffset) }
        if let statistics { writer.structure(12) { statistics.write(&$0) } }
        writer.list(13, of: .structure, count: encodingStatistics.count)
        for entry in encodingStatistics {
            writer.element {
                $0.int32(1, entry.pageType.rawValue)
                $0.int32(2, entry.encoding.rawValue)
                $0.int32(3, Int32(entry.pageCount))
            }
        }
        if let bloomFilterOffset { writer.int64(14, bloomFilterOffset) }
        if let bloomFilterBytes { writer.int32(15, Int32(bloomFilterBytes)) }
        if let sizeStatistics { writer.structure(16) { sizeStatistics.write(&$0) } }
    }
}

extension ParquetFooter.SizeStatistics {
    init(thrift reader: inout CompactReader) throws(FirnError) {
        self.init()
        var last = 0
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: unencodedByteArrayBytes = try reader.size(field)
            case 2: repetitionHistogram = try reader.sizes(field)
            case 3: definitionHistogram = try reader.sizes(field)
            default: try reader.skip(field)
            }
        }
    }

    func write(_ writer: inout CompactWriter) {
        if let unencodedByteArrayBytes { writer.int64(1, unencodedByteArrayBytes) }
        if !repetitionHistogram.isEmpty { writer.list(2, repetitionHistogram) }
        if !definitionHistogram.isEmpty { writer.list(3, definitionHistogram) }
    }
}

extension ParquetFooter.Statistics {
    init(thrift reader: inout CompactReader) throws(FirnError) {
        self.init()
        var last = 0
        while let field = try reader.nextField(&last) {
            switch field.id {
            // 1 and 2, max and min of unspecified order, are deprecated and never trusted.
            case 3: nullCount = try reader.size(field)
            case 4: distinctCount = try reader.int64(field)
            case 5: maxValue = try reader.binary(field)
            case 6: minValue = try reader.binary(field)
            case 7: isMaxExact = try reader.boolean(field)
            case 8: isMinExact = try reader.boolean(field)
            case 9: nanCount = try reader.size(field)
            default: try reader.skip(field)
            }
        }
    }

    func write(_ writer: inout CompactWriter) {
        if let nullCount { writer.int64(3, nullCount) }
        if let distinctCount { writer.int64(4, distinctCount) }
        if let maxValue { writer.binary(5, maxValue) }
        if let minValue { writer.binary(6, minValue) }
        if let isMaxExact { writer.boolean(7, isMaxExact) }
        if let isMinExact { writer.boolean(8, isMinExact) }
        if let nanCount { writer.int64(9, nanCount) }
    }
}

extension ParquetPhysicalType {
    init(thrift field: CompactReader.FieldHeader, _ reader: inout CompactReader) throws(FirnError) {
        let raw = try reader.int32(field)
        guard let type = ParquetPhysicalType(rawValue: raw) else {
            throw reader.corrupted("unknown physical type \(raw)")
        }
        self = type
    }
}

import Base

/// The Thrift header before every page.
///
/// Format: https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift (PageHeader)
struct PageHeader {
    enum Kind {
        case data(valueCount: Int, encoding: ParquetEncoding, definition: ParquetEncoding, repetition: ParquetEncoding)
        case dictionary(valueCount: Int, encoding: ParquetEncoding)
        case dataV2(DataV2)
        /// Index pages and page types newer than this reader: skipped.
        case other
    }

    struct DataV2 {
        var valueCount = 0
        var nullCount = 0
        var rowCount = 0
        var encoding = ParquetEncoding.plain
        var definitionBytes = 0
        var repetitionBytes = 0
        var isCompressed = true
    }

    var uncompressedBytes = 0
    var compressedBytes = 0
    /// CRC-32 of the page body as stored.
    var checksum: UInt32?
    var kind = Kind.other
    /// Of a data page; files with a page index mostly leave it out.
    var statistics: ParquetFooter.Statistics?

    /// A data page or a dictionary page.
    func serialize() -> [UInt8] {
        var writer = CompactWriter()
        let type: ParquetPageType
        switch kind {
        case .data: type = .data
        case .dictionary: type = .dictionary
        case .dataV2: type = .dataV2
        case .other: preconditionFailure("only data pages and dictionary pages are written")
        }
        writer.int32(1, type.rawValue)
        writer.int32(2, Int32(uncompressedBytes))
        writer.int32(3, Int32(compressedBytes))
        if let checksum { writer.int32(4, Int32(bitPattern: checksum)) }
        switch kind {
        case .data(let count, let encoding, let definition, let repetition):
            writer.structure(5) {
                $0.int32(1, Int32(count))
                $0.int32(2, encoding.rawValue)
                $0.int32(3, definition.rawValue)
                $0.int32(4, repetition.rawValue)
            }
        case .dictionary(let count, let encoding):
            writer.structure(7) {
                $0.int32(1, Int32(count))
                $0.int32(2, encoding.rawValue)
            }
        case .dataV2(let page):
            writer.structure(8) {
                $0.int32(1, Int32(page.valueCount))
                $0.int32(2, Int32(page.nullCount))
                $0.int32(3, Int32(page.rowCount))
                $0.int32(4, page.encoding.rawValue)
                $0.int32(5, Int32(page.definitionBytes))
                $0.int32(6, Int32(page.repetitionBytes))
                $0.boolean(7, page.isCompressed)
            }
        case .other: break
        }
        writer.stop()
        return writer.bytes
    }

    init(uncompressedBytes: Int, compressedBytes: Int, checksum: UInt32?, kind: Kind) {
        self.uncompressedBytes = uncompressedBytes
        self.compressedBytes = compressedBytes
        self.checksum = checksum
        self.kind = kind
    }

    init(thrift reader: inout CompactReader) throws(FirnError) {
        var type: Int32?
        var last = 0
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: type = try reader.int32(field)
            case 2: uncompressedBytes = try reader.size32(field)
            case 3: compressedBytes = try reader.size32(field)
            case 4: checksum = UInt32(bitPattern: try reader.int32(field))
            case 5:
                try reader.expect(field, .structure)
                kind = try readData(&reader)
            case 7:
                try reader.expect(field, .structure)
                kind = try Self.readDictionary(&reader)
            case 8:
                try reader.expect(field, .structure)
                kind = try readDataV2(&reader)
            default: try reader.skip(field)
            }
        }
        let matches =
            switch (type, kind) {
            case (0, .data), (2, .dictionary), (3, .dataV2): true
            case (0, _), (2, _), (3, _), (nil, _): false
            default: true
            }
        guard matches else { throw reader.corrupted("a page header without the part its type asks for") }
    }

    private mutating func readData(_ reader: inout CompactReader) throws(FirnError) -> Kind {
        var count = 0
        var encodings = [ParquetEncoding.plain, .rle, .rle]
        var last = 0
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: count = try reader.size32(field)
            case 2, 3, 4: encodings[field.id - 2] = ParquetEncoding(rawValue: try reader.int32(field))
            case 5:
                try reader.expect(field, .structure)
                statistics = try ParquetFooter.Statistics(thrift: &reader)
            default: try reader.skip(field)
            }
        }
        return .data(
            valueCount: count, encoding: encodings[0], definition: encodings[1], repetition: encodings[2])
    }

    private static func readDictionary(_ reader: inout CompactReader) throws(FirnError) -> Kind {
        var count = 0
        var encoding = ParquetEncoding.plain
        var last = 0
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: count = try reader.size32(field)
            case 2: encoding = ParquetEncoding(rawValue: try reader.int32(field))
            default: try reader.skip(field)
            }
        }
        return .dictionary(valueCount: count, encoding: encoding)
    }

    private mutating func readDataV2(_ reader: inout CompactReader) throws(FirnError) -> Kind {
        var page = DataV2()
        var last = 0
        while let field = try reader.nextField(&last) {
            switch field.id {
            case 1: page.valueCount = try reader.size32(field)
            case 2: page.nullCount = try reader.size32(field)
            case 3: page.rowCount = try reader.size32(field)
            case 4: page.encoding = ParquetEncoding(rawValue: try reader.int32(field))
            case 5: page.definitionBytes = try reader.size32(field)
            case 6: page.repetitionBytes = try reader.size32(field)
            case 7: page.isCompressed = try reader.boolean(field)
            case 8:
                try reader.expect(field, .structure)
                statistics = try ParquetFooter.Statistics(thrift: &reader)
            default: try reader.skip(field)
            }
        }
        return .dataV2(page)
    }
}

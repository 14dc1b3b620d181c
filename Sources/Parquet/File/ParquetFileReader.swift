import Base
import Columnar

public final class ParquetFileReader {
    public let footer: ParquetFooter
    public let source: String
    private let read: (Range<Int>) throws -> [UInt8]

    public init(fileBytes: Int, source: String, read: @escaping (Range<Int>) throws -> [UInt8]) throws {
        footer = ParquetFooter()
        self.source = source
        self.read = read
    }

    public init(
        footer: ParquetFooter, fileBytes: Int, source: String, read: @escaping (Range<Int>) throws -> [UInt8]
    ) throws {
        self.footer = footer
        self.source = source
        self.read = read
    }

    public var rowGroupCount: Int { footer.rowGroups.count }
    public func rowCount(rowGroup: Int) -> Int { footer.rowGroups[rowGroup].rowCount }

    public func readRowGroup(_ index: Int, projection: Schema) throws -> RecordBatch {
        throw FirnError(.unsupported, "in_progress", "in progress")
    }

    public func fileSchema() throws -> Schema { throw FirnError(.unsupported, "in_progress", "in progress") }

    public func statistics(
        rowGroup: Int, fieldId: Int, as type: DataType? = nil
    ) -> (lower: Value?, upper: Value?, nullCount: Int?)? { nil }
}

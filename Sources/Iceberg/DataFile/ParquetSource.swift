import Base
import Parquet
import Storage

/// Opens the Parquet files of a table.
enum ParquetSource {
    /// A reader for a file and the field ids it has; a file without ids gets them by name.
    ///
    /// Throws `.unsupported` for a format other than Parquet (`file_format`), for an encrypted file (`encryption`), and
    /// for a file without field ids where there is no name mapping (`field_ids`).
    static func open(
        _ file: DataFile, nameMapping: NameMapping?, store: any ObjectStore
    ) throws -> (reader: ParquetFileReader, fieldIds: Set<Int>) {
        guard file.format == "PARQUET" else {
            throw FirnError(
                .unsupported, "file_format", "\(file.content.noun) files of format \(file.format) cannot be read",
                context: ["file": file.path])
        }
        let path = file.path
        let read: (Range<Int>) throws -> [UInt8] = { try store.read(path, range: $0) }
        let reader = try ParquetFileReader(fileBytes: Int(file.fileBytes), source: path, read: read)
        let ids = Set(reader.footer.schema.compactMap(\.fieldId))
        guard ids.isEmpty, reader.footer.schema.count > 1 else { return (reader, ids) }
        guard let nameMapping else {
            throw FirnError(
                .unsupported, "field_ids", "the file has no field ids and the table no name mapping",
                context: ["file": path])
        }
        let footer = nameMapping.applied(to: reader.footer)
        let mapped = try ParquetFileReader(footer: footer, fileBytes: Int(file.fileBytes), source: path, read: read)
        return (mapped, Set(footer.schema.compactMap(\.fieldId)))
    }
}

extension DataFile.Content {
    fileprivate var noun: String { self == .data ? "data" : "delete" }
}

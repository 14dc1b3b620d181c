import Base
import Iceberg
import Query
import Storage

/// Looks into one Puffin file: its blobs and, of deletion vectors, how many rows they delete.
struct PuffinInspection {
    private let file: PuffinFile

    init(path: String) throws {
        file = try PuffinFile("file://" + path, store: LocalStore(files: Environment.live.files))
    }

    func report() throws -> InspectReport {
        var report = InspectReport()
        report.add("format", .text("Puffin"))
        report.add("blobs", .integer(Int64(file.footer.blobs.count)))
        report.add("footer-bytes", .integer(Int64(file.footer.storedBytes)))
        for property in file.footer.properties {
            report.add(property.key, .text(property.value.stringValue ?? property.value.text))
        }
        var table = InspectReport.Table(
            title: "blobs",
            columns: [
                "type", "fields", "snapshot-id", "sequence-number", "offset", "length", "codec", "cardinality",
                "properties",
            ])
        for blob in file.footer.blobs {
            table.rows.append([
                .text(blob.type), .text(blob.fields.map { String($0) }.joined(separator: ",")),
                .integer(blob.snapshotId), .integer(blob.sequenceNumber), .integer(Int64(blob.offset)),
                .integer(Int64(blob.length)), blob.compression.map { .text($0) } ?? .null,
                try positions(blob).map { .integer(Int64($0.count)) } ?? .null,
                .text(blob.properties.map { "\($0.key)=\($0.value.stringValue ?? "")" }.joined(separator: " ")),
            ])
        }
        report.tables.append(table)
        return report
    }

    /// Every deleted row of every deletion vector.
    func printRows(_ format: OutputFormat) throws {
        var printer = RowPrinter(columns: ["file_path", "pos"], format: format)
        for blob in file.footer.blobs {
            let path = blob[DeletionVector.fileProperty].map { Cell.text($0) } ?? .null
            for position in try positions(blob) ?? RowPositions() { try printer.print([path, .integer(position)]) }
        }
        try printer.finish()
    }

    private func positions(_ blob: PuffinBlob) throws -> RowPositions? {
        guard blob.type == DeletionVector.blobType else { return nil }
        return try DeletionVector.decode(try file.read(blob), source: file.source)
    }
}

import Base
import Columnar
import Glibc
import Testing

@testable import Parquet

/// Reads all of the public parquet-testing files, when they are present: `FIRN_CORPORA`, else `shared/corpora` beside
/// the package. That the values are right is a test of its own, in Python, against pyarrow.
@Suite struct CorpusTests {
    /// Files of data/ that are refused, with the code of the error.
    private static let refused: [String: String] = [
        "datapage_v1-corrupt-checksum.parquet": "page_checksum",
        "rle-dict-uncompressed-corrupt-checksum.parquet": "page_checksum",
        "external_key_material_java.parquet.encrypted": "parquet_encryption",
        "large_string_map.brotli.parquet": "page_too_large",
    ]

    private static func folder(_ name: String) throws -> [(name: String, bytes: [UInt8])]? {
        let names = try PublicCorpus.names(name)
        let wanted = names?.filter { $0.hasSuffix(".parquet") || $0.hasSuffix(".encrypted") }
        return try wanted?.compactMap { file in
            try PublicCorpus.read(name + "/" + file).map { (file, $0) }
        }
    }

    /// Rows read, or the error's code.
    private func read(_ file: (name: String, bytes: [UInt8])) throws -> (rows: Int, code: String?) {
        do {
            let reader = try ParquetFileReader(fileBytes: file.bytes.count, source: file.name) {
                Array(file.bytes[$0])
            }
            let schema = try reader.fileSchema()
            var rows = 0
            for group in 0..<reader.rowGroupCount {
                rows += try reader.readRowGroup(group, projection: schema).rowCount
            }
            #expect(rows == reader.footer.rowCount)
            return (rows, nil)
        } catch let error as FirnError {
            #expect(error.context["file"] == file.name)
            return (0, error.code)
        }
    }

    @Test func dataIsRead() throws {
        for file in try Self.folder("data") ?? [] {
            let expected = file.name.hasSuffix(".encrypted") ? "parquet_encryption" : Self.refused[file.name]
            let found = try read(file)
            #expect(found.code == expected, "\(file.name)")
        }
    }

    @Test func badDataIsRefused() throws {
        for file in try Self.folder("bad_data") ?? [] {
            let found = try read(file)
            if file.name == "ARROW-GH-43605.parquet" {
                // Indices of 0 bits, which Polars writes for a dictionary of one value, are legal.
                #expect(found.rows == 21_186)
            } else {
                #expect(found.code == "malformed_parquet", "\(file.name)")
            }
        }
    }
}

import ArgumentParser
import Base
import Columnar
import Parquet

struct Rewrite: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read a Parquet file and write its rows anew.",
        discussion: "For example: parquet-tool rewrite in.parquet out.parquet --codec snappy --page-rows 1000")
    @Argument(help: "The file to read.") var input: String
    @Argument(help: "The file to write.") var output: String
    @OptionGroup var settings: WriteSettings
    @Option(help: "Write the rows this many times over.") var `repeat` = 1

    func run() throws {
        let reader = try FileAccess.open(input)
        let stored = try reader.fileSchema()
        let schema = FileAccess.writable(stored)
        let file = try Environment.live.files.open(FileAccess.absolute(output), .replace)
        defer { file.close() }
        var offset = 0
        let writer = ParquetFileWriter(schema: schema, options: try settings.options(schema)) { bytes in
            try bytes.withUnsafeBytes { try file.write($0, at: offset) }
            offset += bytes.count
        }
        for _ in 0..<`repeat` {
            for group in 0..<reader.rowGroupCount {
                let rows = try reader.rows(group, projection: stored)
                while let batch = try rows.next() { try writer.write(batch) }
            }
        }
        let summary = try writer.close()
        Terminal.out([
            .init("rows", .integer(Int64(summary.rowCount))), .init("bytes", .integer(Int64(summary.fileBytes))),
            .init("row_groups", .integer(Int64(summary.splitOffsets.count))),
        ])
    }
}

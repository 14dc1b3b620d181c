import ArgumentParser
import Base
import Columnar
import Parquet

struct Rows: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print the rows of a file as NDJSON.")
    @Argument(help: "The file to read.") var input: String

    func run() throws {
        let reader = try FileAccess.open(input)
        let schema = try reader.fileSchema()
        for group in 0..<reader.rowGroupCount {
            let rows = try reader.rows(group, projection: schema)
            while let batch = try rows.next(rowsMax: 4096) { Terminal.out(batch) }
        }
    }
}

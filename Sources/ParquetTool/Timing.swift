import ArgumentParser
import Base
import Columnar
import Parquet

/// How often something is timed.
struct TimingOptions: ParsableArguments {
    @Option(help: "Runs at least.") var runs = 3
    @Option(help: "Goes on for this many CPU seconds after the first runs.") var seconds = 0.0

    /// CPU seconds of each run, on this thread alone.
    func measure(_ body: () throws -> Void) rethrows -> [Double] {
        var times: [Double] = []
        var spent = 0.0
        while times.count < max(1, runs) || spent < seconds {
            let start = ThreadClock.nanoseconds()
            try body()
            times.append(Double(ThreadClock.nanoseconds() - start) / 1e9)
            spent += times[times.count - 1]
        }
        return times.sorted()
    }

    /// The line that a script reads.
    static func report(_ times: [Double], rows: Int, bytesInMemory: Int, fileBytes: Int, columns: [JSONValue.Member]) {
        Terminal.out(
            [
                .init("rows", .integer(Int64(rows))), .init("bytes_in_memory", .integer(Int64(bytesInMemory))),
                .init("cpu_seconds_min", .double(times[0])),
                .init("cpu_seconds_median", .double(times[times.count / 2])),
                .init("runs", .integer(Int64(times.count))), .init("file_bytes", .integer(Int64(fileBytes))),
            ] + columns)
    }
}

struct Encode: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Time the encoding of a file's rows.",
        discussion: """
            Decodes the file once, holds its columns in memory, and times writing them as a new file whose bytes are \
            thrown away. One thread; CPU seconds.
            """)
    @Argument(help: "The file whose rows are encoded.") var input: String
    @OptionGroup var settings: WriteSettings
    @OptionGroup var timing: TimingOptions

    func run() throws {
        let (schema, batches) = try FileAccess.batches(FileAccess.open(input))
        let options = try settings.options(schema)
        var fileBytes = 0
        let times = try timing.measure {
            fileBytes = 0
            let writer = ParquetFileWriter(schema: schema, options: options) { fileBytes += $0.count }
            for batch in batches { try writer.write(batch) }
            _ = try writer.close()
        }
        TimingOptions.report(
            times, rows: batches.reduce(0) { $0 + $1.rowCount },
            bytesInMemory: batches.reduce(0) { $0 + ArrowBytes.count($1) }, fileBytes: fileBytes, columns: [])
    }
}

struct Decode: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Time the decoding of a file.",
        discussion: """
            Loads the file's bytes into memory and times reading every column of every row group into batches that \
            are kept until the end of the run. One thread; CPU seconds.
            """)
    @Argument(help: "The file to decode.") var input: String
    @OptionGroup var timing: TimingOptions
    @Flag(help: "Read and drop a batch of rows at a time, as a scan does.") var drop = false
    @Flag(help: "Also time every top-level column by itself.") var columns = false

    func run() throws {
        let bytes = try Environment.live.files.readAll(FileAccess.absolute(input))
        var rows = 0
        var bytesInMemory = 0
        let times = try timing.measure {
            var held: [RecordBatch] = []
            rows = 0
            let reader = try FileAccess.open(bytes, source: input)
            let schema = try reader.fileSchema()
            for group in 0..<reader.rowGroupCount {
                if drop {
                    let batches = try reader.rows(group, projection: schema)
                    while let batch = try batches.next() { rows += batch.rowCount }
                } else {
                    held.append(try reader.readRowGroup(group, projection: schema))
                    rows += held[held.count - 1].rowCount
                }
            }
            if bytesInMemory == 0 { bytesInMemory = held.reduce(0) { $0 + ArrowBytes.count($1) } }
        }
        TimingOptions.report(
            times, rows: rows, bytesInMemory: bytesInMemory, fileBytes: bytes.count,
            columns: columns ? [.init("columns", .object(try columnTimes(bytes)))] : [])
    }

    private func columnTimes(_ bytes: [UInt8]) throws -> [JSONValue.Member] {
        let reader = try FileAccess.open(bytes, source: input)
        return try reader.fileSchema().fields.map { field in
            let times = try timing.measure {
                for group in 0..<reader.rowGroupCount {
                    _ = try reader.readRowGroup(group, projection: Schema(fields: [field]))
                }
            }
            return .init(field.name, .double(times[0]))
        }
    }
}

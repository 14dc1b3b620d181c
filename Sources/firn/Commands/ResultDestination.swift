import ArgumentParser
import Base
import Query

/// Where the rows of a query go, and in which form.
struct ResultDestination: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            \(ResultFormat.names.joined(separator: ", ")) (an Arrow stream). Default: what the name of --to says, else \
            table on a terminal, ndjson in a pipe.
            """))
    var output: ResultFormat?
    @Option(help: "Write the rows to this file: .parquet, .arrow, .csv, .ndjson, .json or .md.") var to: String?
    @Flag(help: "Let --to replace a file.") var overwrite = false

    func validate() throws {
        guard to != nil || !overwrite else { throw ValidationError("--overwrite belongs to --to") }
        if to == nil, output?.isBinary == true, Console.outputIsTerminal {
            throw ValidationError("a terminal cannot show this format; name a file with --to, or redirect the output")
        }
    }

    /// Throws `.invalidInput` (`unknown_extension`).
    var format: ResultFormat {
        get throws(FirnError) {
            if let output { return output }
            return if let to { try ResultFormat(fileName: to) } else { .text(.automatic) }
        }
    }

    /// Opens the file that `--to` names, runs `body` with what takes pieces of the result, and closes the file. After
    /// an error, or when a signal ends the process, nothing is left of it.
    func receive(_ body: (_ take: ([UInt8]) throws -> Void) throws -> Void) throws {
        guard let to else { return try body { Console.out($0) } }
        func open() throws -> (ResultFile, cleanUp: @Sendable () -> Void) {
            let file = try ResultFile(AbsolutePath.make(to), overwrite: overwrite, environment: .live)
            let partial = file.temporaryPath
            return (file, { try? Environment.live.files.remove(partial) })
        }
        try Interruption.guarding(open) { file in
            do {
                try body { try file.write($0) }
                try file.finish()
            } catch {
                file.abort()
                throw error
            }
        }
    }

    func write(_ stream: ResultStream) throws {
        try receive { take in
            while let piece = try stream.next() { try take(piece) }
        }
    }
}

extension ResultFormat: ExpressibleByArgument {
    public init?(argument: String) { self.init(name: argument) }
    public static var allValueStrings: [String] { names }
}

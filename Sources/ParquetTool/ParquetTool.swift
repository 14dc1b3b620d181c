import ArgumentParser
import Base
import Glibc

/// Firn's Parquet module from a shell: what tests of the format and benchmarks against other libraries run.
@main
struct ParquetToolCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "parquet-tool",
        abstract: "Rewrite, filter and time Parquet files with Firn's Parquet module.",
        subcommands: [Rewrite.self, Encode.self, Decode.self, Rows.self, Filter.self, Kernels.self])

    static func main() {
        signal(SIGPIPE, SIG_IGN)
        Allocator.keepFreedBuffers()
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let error as FirnError {
            Terminal.error("parquet-tool: \(error)")
            Glibc.exit(1)
        } catch {
            exit(withError: error)
        }
    }
}

import ArgumentParser
import Base
import Glibc

/// The command line, and the one composition root: here the live environment is made and handed down.
///
/// Exit code 0 is done, 1 failed, 2 a usage error.
struct Firn: AsyncParsableCommand {
    static let version = FirnVersion.current

    static let configuration = CommandConfiguration(
        commandName: "firn",
        abstract: "Stream records into Apache Iceberg tables, query their snapshots, keep their files few.",
        discussion: """
            One process does it all: "firn serve" takes records over HTTP, commits them as snapshots that PyIceberg, \
            DuckDB, Polars and Spark read, and compacts small files as they come.

            Commands work on a warehouse directory (--warehouse or FIRN_WAREHOUSE), also beside a running server. \
            "firn ingest" needs the server (--url or FIRN_URL) while one is running.
            """,
        version: version,
        subcommands: [
            Serve.self, Demo.self, TableCommand.self, SchemaCommand.self, NamespaceCommand.self, IngestCommand.self,
            DeadLetterCommand.self, DeleteCommand.self, UpsertCommand.self, QueryCommand.self, SQLShellCommand.self,
            Snapshots.self,
            Files.self,
            TagCommand.self, BranchCommand.self, Rollback.self, CherryPick.self, Compact.self, ScheduleCommand.self,
            JobsCommand.self, Expire.self, ManifestsCommand.self, Clean.self, CollectGarbage.self, Verify.self,
            Doctor.self,
            Inspect.self, Bench.self,
        ])
}

@main
struct Main {
    static func main() async {
        signal(SIGPIPE, SIG_IGN)
        Allocator.keepFreedBuffers()
        do {
            var command = try Firn.parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let error as FirnError {
            Console.error("firn: \(error)")
            exit(1)
        } catch {
            let code = Firn.exitCode(for: error)
            guard code == .validationFailure else { Firn.exit(withError: error) }
            Console.error(Firn.fullMessage(for: error))
            exit(2)
        }
    }
}

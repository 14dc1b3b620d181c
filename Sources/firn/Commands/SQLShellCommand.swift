import ArgumentParser
import Base
import Query

struct SQLShellCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sql", abstract: "Query with SQL interactively, or run a script of queries.",
        discussion: """
            A shell over the language of "firn query", with history, completion and statements of several lines:

              firn sql                               on the warehouse of --warehouse or FIRN_WAREHOUSE
              firn sql --url http://127.0.0.1:8181   a running server runs the statements
              firn sql < report.sql                  one statement after the other, until one fails
              echo '.schema web.clicks' | firn sql --output csv

            Statements end with a semicolon. Lines that begin with a dot are commands of the shell; .help lists them. \
            What was entered is kept in ~/.local/state/firn/history; FIRN_HISTORY names another file, and none when \
            it is empty.

            Exit code 0: left, or the script is done. 1: a statement of a script failed. 130: a script was cancelled.
            """)
    @OptionGroup var location: WarehouseOptions
    @OptionGroup var server: ServerOptions
    @OptionGroup var output: OutputOptions
    @Option(help: "End a query after so many seconds.") var timeout: Int?
    @Flag(help: "Beside a running server, see only what is committed already.") var noFlush = false
    @Flag(help: "Cut no column of a table, however narrow the terminal is.") var wide = false

    func run() throws {
        let session: any QuerySession =
            if let address = server.address {
                try ServerSession(address)
            } else {
                try WarehouseSession(
                    location.open(), options: QueryOptions(timeLimitMs: timeout.map { $0 * 1000 }), flushes: !noFlush)
            }
        let terminal = Terminal()
        let shell = SQLShell(
            session: session, form: .rows(output.format), isWide: wide, isInteractive: terminal != nil)
        guard let terminal else {
            do {
                return try shell.runScript()
            } catch let error as FirnError where error.code == Interrupts.cancelled.code {
                Console.error(Interrupts.message)
                throw ExitCode(Interrupts.exitCode)
            }
        }
        shell.converse(on: terminal)
    }
}

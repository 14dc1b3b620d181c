import Base
import Glibc
import Synchronization

/// Runs scripts in the `duckdb` of the PATH.
struct DuckDBProcess {
    private static let messageBytesMax = 4000

    let folder: DuckDBFolder
    /// On the monotonic clock; nil for no bound.
    let deadlineNanos: Int64?

    /// Runs a script to its end and answers the rows it shows, as JSON.
    ///
    /// Throws `.notFound` (`duckdb_not_found`), `.limitExceeded` (`query_time_limit`), and `.invalidInput`
    /// (`duckdb_error`) with DuckDB's own message.
    func run(_ script: String) throws -> [UInt8] {
        try folder.write("script.sql", script)
        let (answer, errors) = (folder.file("answer.json"), folder.file("errors.txt"))
        let command = ["duckdb", "-batch", "-bail", "-init", "/dev/null", "-json", "-f", folder.file("script.sql")]
        func start() throws -> (pid_t, cleanUp: @Sendable () -> Void) {
            let process = try Self.spawn(command, answer, errors)
            return (process, { Self.end(process) })
        }
        let status = try Interruption.guarding(start) { try wait(for: $0) }
        let files = Environment.live.files
        guard status == 0 else {
            let message = try String(decoding: files.readAll(errors).prefix(Self.messageBytesMax), as: UTF8.self)
            let text = message.split(separator: "\n").joined(separator: " ")
            throw FirnError(
                .invalidInput, "duckdb_error",
                text.isEmpty ? "DuckDB ended with status \(status >> 8)" : "DuckDB: \(text)")
        }
        return try files.readAll(answer)
    }

    private func wait(for process: pid_t) throws -> Int32 {
        var status: Int32 = 0
        var pauseMicros: UInt32 = 500
        while waitpid(process, &status, WNOHANG) == 0 {
            if let deadlineNanos, Environment.live.clock.monotonicNanos() > deadlineNanos {
                Self.end(process)
                throw FirnError(.limitExceeded, "query_time_limit", "the query ran longer than --timeout")
            }
            usleep(pauseMicros)
            pauseMicros = min(pauseMicros * 2, 20_000)
        }
        return status
    }

    /// Returns when it writes no more.
    private static func end(_ process: pid_t) {
        kill(process, SIGKILL)
        var status: Int32 = 0
        waitpid(process, &status, 0)
    }

    private static func spawn(_ command: [String], _ output: String, _ errors: String) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        // It must not inherit that signals wait for a thread of ours.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        var usual = Interruption.signalSet
        sigaddset(&usual, SIGPIPE)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &usual)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var process: pid_t = 0
        let code = posix_spawnp(&process, command[0], &actions, &attributes, &arguments, environ)
        guard code == 0 else {
            throw FirnError(
                .notFound, "duckdb_not_found",
                "there is no program \"duckdb\" on the PATH (\(String(cString: strerror(code)))); get it with "
                    + "\"pip install duckdb-cli\" or from https://duckdb.org/install, or leave --engine out")
        }
        return process
    }
}

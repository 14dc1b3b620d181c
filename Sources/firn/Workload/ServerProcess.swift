import Base
import Glibc

/// A `firn serve` child process of this binary, for the demo and the benchmarks.
final class ServerProcess {
    let process: pid_t
    let address: String
    private var ended = false

    /// Starts a server on a free port and waits until it is ready.
    ///
    /// Throws `.io` (`server_start_failed`) when it ends or is not ready within `timeoutMs`.
    init(warehouse: String, arguments: [String] = [], timeoutMs: Int = 30_000) throws {
        let files = Environment.live.files
        try files.createDirectories(warehouse)
        let portFile = warehouse + "/port"
        try files.remove(portFile)
        let command = ["firn", "serve", "--warehouse", warehouse, "--port", "0", "--port-file", portFile] + arguments
        process = try Self.spawn(command, log: warehouse + "/server.log")
        var waited = 0
        while true {
            if let bytes = try? files.readAll(portFile), let line = String(validating: bytes, as: UTF8.self),
                line.hasSuffix("\n"), let port = Int(line.dropLast())
            {
                address = "http://127.0.0.1:\(port)"
                return
            }
            var status: Int32 = 0
            guard waitpid(process, &status, WNOHANG) == 0, waited < timeoutMs else {
                kill(process, SIGKILL)
                throw FirnError(
                    .io, "server_start_failed", "the server did not start; see \(warehouse)/server.log")
            }
            usleep(10_000)
            waited += 10
        }
    }

    deinit { if !ended { stop(SIGKILL) } }

    private static func spawn(_ command: [String], log: String) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
        var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var process: pid_t = 0
        let code = posix_spawn(&process, "/proc/self/exe", &actions, nil, &arguments, environ)
        guard code == 0 else {
            throw FirnError(
                .io, "server_start_failed", "the server cannot be started: \(String(cString: strerror(code)))")
        }
        return process
    }

    /// Sends a signal and waits for the end of the process.
    func stop(_ signal: Int32) {
        kill(process, signal)
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 && errno == EINTR {}
        ended = true
    }

    /// CPU seconds (user and system) the process has used.
    var cpuSeconds: Double {
        guard let text = Self.readProc("/proc/\(process)/stat"), let end = text.lastIndex(of: ")") else { return 0 }
        // Fields 14 and 15, counted from the state that follows the command's closing parenthesis (field 3).
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return 0 }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// Peak resident memory in bytes.
    var peakResidentBytes: Int {
        guard let text = Self.readProc("/proc/\(process)/status"),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
            let kib = line.split(separator: " ").dropFirst().first(where: { Int($0) != nil }).flatMap({ Int($0) })
        else { return 0 }
        return kib << 10
    }

    /// Files of /proc have no size of their own, so they are read up to a bound.
    private static func readProc(_ path: String) -> String? {
        guard let file = try? Environment.live.files.open(path, .read) else { return nil }
        defer { file.close() }
        return (try? file.read(at: 0, count: 1 << 16)).map { String(decoding: $0, as: UTF8.self) }
    }
}

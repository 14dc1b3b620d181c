import Base
import Glibc
import Logging

/// Log lines as JSON objects on standard error, one a line: `time`, `level`, `message`, then the metadata by name.
struct JSONLogHandler: LogHandler {
    private let label: String
    var logLevel = Logger.Level.notice
    var metadata: Logger.Metadata = [:]

    init(label: String) { self.label = label }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var members: [JSONValue.Member] = [
            .init(
                "time",
                .string(CivilTime.formatTimestamp(micros: Environment.live.clock.nowMicros(), utc: true))),
            .init("level", .string(event.level.rawValue)), .init("logger", .string(label)),
            .init("message", .string(event.message.description)),
        ]
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        for (key, value) in all.sorted(by: { $0.key < $1.key }) {
            members.append(.init(key, .string("\(value)")))
        }
        if let error = event.error { members.append(.init("error", .string("\(error)"))) }
        var line = JSONValue.object(members).serialize()
        line.append(UInt8(ascii: "\n"))
        // A server whose log nobody reads any more goes on serving.
        _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}

import Base
import Columnar
import Glibc

/// Standard output and error. The tool stands beside `firn` and shares none of its code for people.
enum Terminal {
    static func out(_ bytes: [UInt8]) { write(bytes, to: STDOUT_FILENO) }
    static func error(_ line: String) { write(Array((line + "\n").utf8), to: STDERR_FILENO) }

    /// One JSON document on one line.
    static func out(_ members: [JSONValue.Member]) {
        out(JSONValue.object(members).serialize() + [UInt8(ascii: "\n")])
    }

    /// Rows as NDJSON, a piece at a time.
    static func out(_ batch: RecordBatch) {
        var text: [UInt8] = []
        for row in 0..<batch.rowCount {
            batch.appendJSON(row: row, into: &text)
            text.append(UInt8(ascii: "\n"))
            if text.count > 1 << 16 {
                out(text)
                text.removeAll(keepingCapacity: true)
            }
        }
        out(text)
    }

    /// A reader that went away ends the process quietly.
    private static func write(_ bytes: [UInt8], to descriptor: Int32) {
        var done = 0
        while done < bytes.count {
            let wrote = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + done, bytes.count - done) }
            if wrote < 0 {
                if errno == EINTR { continue }
                exit(errno == EPIPE ? 0 : 1)
            }
            done += wrote
        }
    }
}

/// CPU time that this thread has used.
enum ThreadClock {
    static func nanoseconds() -> Int64 {
        var time = timespec()
        // Allowed: the environment's clock tells wall time; a benchmark on a shared machine needs the thread's own.
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

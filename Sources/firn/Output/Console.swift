import Glibc

/// Standard output and error, written whole lines at a time.
enum Console {
    static func out(_ text: String) { write(Array(text.utf8), to: STDOUT_FILENO) }
    static func out(_ bytes: [UInt8]) { write(bytes, to: STDOUT_FILENO) }
    static func error(_ line: String) { write(Array((line + "\n").utf8), to: STDERR_FILENO) }

    static let outputIsTerminal = isatty(STDOUT_FILENO) == 1
    static let errorIsTerminal = isatty(STDERR_FILENO) == 1

    /// False also where people have asked for no colours (https://no-color.org), and where the terminal knows none.
    static let outputHasColors =
        outputIsTerminal && environment("NO_COLOR") ?? "" == "" && environment("TERM") ?? "dumb" != "dumb"

    /// Columns of the terminal; 120 when it does not say.
    static var width: Int { size?.columns ?? 120 }

    /// Columns and rows of the terminal; nil when it does not say.
    static var size: (columns: Int, rows: Int)? {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
        return (Int(size.ws_col), size.ws_row > 0 ? Int(size.ws_row) : 24)
    }

    /// A reader that went away (`firn query … | head`) ends the process quietly, as other tools do.
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

    static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}

/// A line of progress on a terminal; silent when standard error is not one.
struct ProgressLine {
    private var shown = false

    mutating func show(_ text: String) {
        guard Console.errorIsTerminal else { return }
        Console.error("\u{1b}[1A\u{1b}[2K".prefixed(shown) + text)
        shown = true
    }

    /// `[#####.....]  42 %  text`
    mutating func show(done: Int, total: Int, _ text: String) {
        let share = total > 0 ? min(1, Double(done) / Double(total)) : 1
        let bar = String(repeating: "#", count: Int(share * 30))
        show("[\(bar)\(String(repeating: ".", count: 30 - bar.count))] \(Int(share * 100)) %  \(text)")
    }
}

extension String {
    fileprivate func prefixed(_ condition: Bool) -> String { condition ? self : "" }
}

/// Numbers as people read them.
enum Human {
    static func bytes(_ count: Int) -> String {
        var value = Double(count)
        for unit in ["B", "KiB", "MiB", "GiB"] {
            if value < 1024 { return unit == "B" ? "\(count) B" : "\(oneDecimal(value)) \(unit)" }
            value /= 1024
        }
        return "\(oneDecimal(value)) TiB"
    }

    static func count(_ value: Int) -> String {
        let digits = Array(String(abs(value)))
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return (value < 0 ? "-" : "") + text
    }

    static func oneDecimal(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(abs(tenths % 10))"
    }
}

enum WorkingDirectory {
    static var current: String {
        guard let path = getcwd(nil, 0) else { return "/" }
        defer { free(path) }
        return String(cString: path)
    }
}

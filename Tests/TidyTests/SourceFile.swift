import Base
import Glibc

/// One Swift file of the repository, as written and with everything but code blanked out.
struct SourceFile {
    /// From the repository's root: `Sources/Base/UUID.swift`.
    let path: String
    let lines: [String]
    /// The same lines with comments replaced by spaces and the insides of string literals by `stringMark`; code in
    /// string interpolations stays.
    let code: [String]
    /// All of `code`, to see quickly whether a word occurs at all.
    private let wholeCode: [CChar]

    /// Stands for a byte of a string literal; no Swift code contains it.
    static let stringMark: UInt8 = 1

    init(path: String, text: String) {
        self.path = path
        var masking = Masking(Array(text.utf8))
        let masked = masking.run()
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        code = masked.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        wholeCode = masked.map { CChar(bitPattern: $0 == 0 ? UInt8(ascii: " ") : $0) } + [0]
    }

    func mentions(_ word: String) -> Bool { strstr(wholeCode, word) != nil }

    /// `Base` for `Sources/Base/UUID.swift`; nil outside `Sources`.
    var module: String? {
        let parts = path.split(separator: "/")
        return parts.count > 2 && parts[0] == "Sources" ? String(parts[1]) : nil
    }

    /// True when the line, or the one above it, says why a rule does not hold there: `// Allowed: <reason>`.
    func isAllowed(line index: Int) -> Bool {
        let nearby = [index, index - 1].filter { lines.indices.contains($0) }
        return nearby.contains { line in
            guard let mark = lines[line].firstRange(of: "// Allowed: ") else { return false }
            return lines[line][mark.upperBound...].count >= 8
        }
    }
}

/// Something a rule objects to.
struct Finding: Hashable, CustomStringConvertible {
    let path: String
    /// 1-based.
    let line: Int
    let message: String

    var description: String { "\(path):\(line): \(message)" }
}

/// The repository that these tests were compiled from.
enum Repository {
    static let root = #filePath.parentDirectory.parentDirectory.parentDirectory

    /// Every Swift file below `Sources` and `Tests`, and the manifest.
    static func swiftFiles() throws -> [SourceFile] {
        try ["Package.swift"].map(read) + files(below: "Sources") + files(below: "Tests")
    }

    static func read(_ path: String) throws -> SourceFile {
        SourceFile(path: path, text: try text(path))
    }

    static func text(_ path: String) throws -> String {
        String(decoding: try Environment.live.files.readAll(root + "/" + path), as: UTF8.self)
    }

    static func folders(below path: String) throws -> [String] {
        try Environment.live.files.list(root + "/" + path).filter(\.isDirectory).map(\.name)
    }

    private static func files(below folder: String) throws -> [SourceFile] {
        try Environment.live.files.list(root + "/" + folder).flatMap { entry -> [SourceFile] in
            let path = folder + "/" + entry.name
            if entry.isDirectory { return try files(below: path) }
            return path.hasSuffix(".swift") ? [try read(path)] : []
        }
    }
}

/// Blanks comments and marks string literals, byte for byte, so that rules see only code.
///
/// Knows line comments, nested block comments, plain, multi-line and raw string literals, and interpolation at any
/// depth. Regex literals are not used in this repository and not known here.
private struct Masking {
    private var bytes: [UInt8]
    private var at = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func run() -> [UInt8] {
        scanCode(untilParenthesis: false)
        return bytes
    }

    private func looking(at text: StaticString, _ offset: Int = 0) -> Bool {
        let start = at + offset
        guard start + text.utf8CodeUnitCount <= bytes.count else { return false }
        return (0..<text.utf8CodeUnitCount).allSatisfy { bytes[start + $0] == text.utf8Start[$0] }
    }

    private mutating func blank(_ count: Int, with mark: UInt8 = UInt8(ascii: " ")) {
        for _ in 0..<count where at < bytes.count {
            if bytes[at] != UInt8(ascii: "\n") { bytes[at] = mark }
            at += 1
        }
    }

    private mutating func scanCode(untilParenthesis: Bool) {
        var depth = 0
        while at < bytes.count {
            if looking(at: "//") {
                while at < bytes.count, bytes[at] != UInt8(ascii: "\n") { blank(1) }
            } else if looking(at: "/*") {
                blankBlockComment()
            } else if bytes[at] == UInt8(ascii: "\"") || bytes[at] == UInt8(ascii: "#") {
                scanPossibleString()
            } else {
                if bytes[at] == UInt8(ascii: "(") { depth += 1 }
                if bytes[at] == UInt8(ascii: ")") {
                    depth -= 1
                    if untilParenthesis, depth < 0 { return }
                }
                at += 1
            }
        }
    }

    private mutating func blankBlockComment() {
        var depth = 0
        while at < bytes.count {
            if looking(at: "/*") {
                depth += 1
                blank(2)
            } else if looking(at: "*/") {
                depth -= 1
                blank(2)
                if depth == 0 { return }
            } else {
                blank(1)
            }
        }
    }

    private mutating func scanPossibleString() {
        var hashes = 0
        while at + hashes < bytes.count, bytes[at + hashes] == UInt8(ascii: "#") { hashes += 1 }
        guard looking(at: "\"", hashes) else {
            at += max(hashes, 1)
            return
        }
        at += hashes
        let quotes = looking(at: "\"\"\"") ? 3 : 1
        at += quotes
        scanString(quotes: quotes, hashes: hashes)
    }

    private func isRun(of byte: UInt8, _ count: Int, at offset: Int) -> Bool {
        at + offset + count <= bytes.count && (0..<count).allSatisfy { bytes[at + offset + $0] == byte }
    }

    private mutating func scanString(quotes: Int, hashes: Int) {
        while at < bytes.count {
            if isRun(of: UInt8(ascii: "\""), quotes, at: 0), isRun(of: UInt8(ascii: "#"), hashes, at: quotes) {
                at += quotes + hashes
                return
            }
            if bytes[at] == UInt8(ascii: "\\"), isRun(of: UInt8(ascii: "#"), hashes, at: 1) {
                if looking(at: "(", 1 + hashes) {
                    blank(1 + hashes, with: SourceFile.stringMark)
                    at += 1
                    scanCode(untilParenthesis: true)
                } else {
                    blank(2 + hashes, with: SourceFile.stringMark)
                }
                continue
            }
            // An unterminated literal ends with its line.
            if quotes == 1, bytes[at] == UInt8(ascii: "\n") { return }
            blank(1, with: SourceFile.stringMark)
        }
    }
}

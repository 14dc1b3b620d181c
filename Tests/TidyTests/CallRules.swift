/// Calls that would go around a seam: the clock, randomness and files are reached through `Environment` alone.
///
/// A line may keep one with a reason: `// Allowed: <reason>` on it or above it.
enum CallRules {
    struct Rule {
        let pattern: String
        /// Modules that may.
        let except: Set<String>
        let message: String
        /// Also required on the line, for names that are common as methods.
        var alsoContains: String?
    }

    static let rules: [Rule] =
        ["clock_gettime(", "gettimeofday(", "time(nil)", "Date()", "ContinuousClock", "SuspendingClock"].map {
            Rule(pattern: $0, except: ["Base"], message: "time comes from Environment.clock")
        }
        + ["SystemRandomNumberGenerator", ".random(in:", ".random()", ".randomElement()", ".shuffled()", "getrandom("]
        .map { Rule(pattern: $0, except: ["Base"], message: "randomness comes from Environment.random") }
        + ["fopen(", "openat(", "creat(", "Glibc.open(", "opendir(", "firn_open(", "mkstemp("].map {
            Rule(pattern: $0, except: ["Base"], message: "files are reached through Environment.files")
        }
        + [
            Rule(
                pattern: "open(", except: ["Base"], message: "files are reached through Environment.files",
                alsoContains: "O_"),
            Rule(pattern: "print(", except: ["firn"], message: "only the executable prints"),
            Rule(pattern: "debugPrint(", except: [], message: "left over from debugging"),
            Rule(pattern: "dump(", except: [], message: "left over from debugging"),
            Rule(pattern: "fatalError()", except: [], message: "says nothing; throw for the world"),
            Rule(pattern: "try!", except: [], message: "says nothing when it fails"),
        ]

    static func check(_ file: SourceFile) -> [Finding] {
        guard let module = file.module else { return checkMarks(file) }
        var findings = checkMarks(file)
        for rule in rules where !rule.except.contains(module) && file.mentions(rule.pattern) {
            for (index, line) in file.code.enumerated() {
                guard contains(line, call: rule.pattern), rule.alsoContains.map(line.contains) ?? true,
                    !file.isAllowed(line: index)
                else { continue }
                findings.append(
                    Finding(path: file.path, line: index + 1, message: "\(rule.pattern): \(rule.message)"))
            }
        }
        return findings
    }

    /// Marks of unfinished work, which belong in an issue.
    static func checkMarks(_ file: SourceFile) -> [Finding] {
        let marks = ["TODO", "FIXME", "XXX", "HACK"]
        return file.lines.enumerated().compactMap { index, line in
            guard let slashes = line.firstRange(of: "//") else { return nil }
            let comment = String(line[slashes.lowerBound...])
            // Only a comment is blank to its end in the masked code.
            guard file.code[index].utf8.suffix(comment.utf8.count).allSatisfy({ $0 == UInt8(ascii: " ") }),
                let mark = marks.first(where: { contains(comment, call: $0) }), !file.isAllowed(line: index)
            else { return nil }
            return Finding(path: file.path, line: index + 1, message: "\(mark) left behind")
        }
    }

    /// True when the pattern stands as a word of its own: not inside a longer name, not a method of something else
    /// (unless the pattern itself begins with a dot), not being declared.
    static func contains(_ line: String, call pattern: String) -> Bool {
        let text = Array(line.utf8)
        let needle = Array(pattern.utf8)
        guard text.count >= needle.count else { return false }
        return (0...(text.count - needle.count)).contains { start in
            guard text[start] == needle[0], text[start..<(start + needle.count)].elementsEqual(needle) else {
                return false
            }
            if isWord(needle[0]), start > 0, isWord(text[start - 1]) || text[start - 1] == UInt8(ascii: ".") {
                return false
            }
            let end = start + needle.count
            if isWord(needle[needle.count - 1]), end < text.count, isWord(text[end]) { return false }
            return !text[..<start].ends(with: "func ")
        }
    }

    static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: byte >= 0x80
        }
    }
}

extension ArraySlice<UInt8> {
    /// True when these bytes end with the keyword of a declaration.
    fileprivate func ends(with keyword: StaticString) -> Bool {
        guard count >= keyword.utf8CodeUnitCount else { return false }
        let end = suffix(keyword.utf8CodeUnitCount)
        return zip(end, 0..<keyword.utf8CodeUnitCount).allSatisfy { $0 == keyword.utf8Start[$1] }
    }
}

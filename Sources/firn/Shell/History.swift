/// What was entered before, oldest first, and where in it the editor is.
struct History {
    /// Entries that are kept.
    static let entriesMax = 1000
    /// A longer entry is not kept.
    static let entryBytesMax = 64 << 10

    private(set) var entries: [String]
    /// The entry that is shown; `entries.count` for what is being written.
    private var position: Int
    private var draft = ""

    init(_ entries: [String] = []) {
        self.entries = Array(entries.suffix(Self.entriesMax))
        position = self.entries.count
    }

    /// Keeps an entry, and leaves the past; false when it is not worth keeping: blank, too long, or the same again.
    mutating func add(_ entry: String) -> Bool {
        defer { leave() }
        guard entry.contains(where: { !$0.isWhitespace }), entry.utf8.count <= Self.entryBytesMax,
            entry != entries.last
        else { return false }
        entries.append(entry)
        if entries.count > Self.entriesMax { entries.removeFirst() }
        return true
    }

    mutating func leave() { (position, draft) = (entries.count, "") }

    /// The entry before the one that is shown; nil at the oldest.
    mutating func older(than shown: String) -> String? {
        guard position > 0 else { return nil }
        if position == entries.count { draft = shown }
        position -= 1
        return entries[position]
    }

    /// The entry after the one that is shown, in the end what was being written; nil when that is shown already.
    mutating func newer() -> String? {
        guard position < entries.count else { return nil }
        position += 1
        return position == entries.count ? draft : entries[position]
    }

    /// The newest entry before `index` that contains the text, whatever the case.
    func search(_ text: String, before index: Int) -> Int? {
        let wanted = text.lowercased()
        return entries[..<min(index, entries.count)].lastIndex { $0.lowercased().contains(wanted) }
    }

    // MARK: In a file

    /// One line an entry: `\n` for a newline, `\\` for a backslash.
    static func encode(_ entry: String) -> String {
        var out = ""
        for scalar in entry.unicodeScalars {
            switch scalar {
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\n"
    }

    /// Whatever is in the text becomes entries; nothing in it is an error.
    static func decode(_ text: String) -> [String] {
        text.split(separator: "\n").map { line in
            var out = ""
            var isEscaped = false
            for scalar in line.unicodeScalars {
                if isEscaped {
                    out.unicodeScalars.append(scalar == "n" ? "\n" : scalar)
                    isEscaped = false
                } else if scalar == "\\" {
                    isEscaped = true
                } else if scalar == "\t" || scalar.properties.generalCategory != .control {
                    out.unicodeScalars.append(scalar)
                }
            }
            return out
        }
    }
}

import Base

/// Reads compiled time zones, the files of /usr/share/zoneinfo.
///
/// A file holds its data twice: with times of 32 bits, which is skipped, and of 64 bits, which is read, and after that
/// a line of text with the rule for the time after the last transition. Leap seconds are ignored, as in POSIX time.
///
/// Source: RFC 8536, https://www.rfc-editor.org/rfc/rfc8536
public enum TimeZoneFile {
    static let folder = "/usr/share/zoneinfo"
    /// The largest known file has less than 4 KiB.
    private static let fileBytesMax = 256 << 10
    private static let nameBytesMax = 64

    /// The rules of a zone by its name. Throws `.invalidInput` (`unknown_time_zone`), `.corrupted` (`bad_zone_file`).
    public static func load(_ name: String, files: any FileSystem) throws(FirnError) -> TimeZoneRules {
        if name == TimeZoneRules.utc.name { return .utc }
        guard isName(name) else { throw unknown(name) }
        let bytes: [UInt8]
        do {
            bytes = try files.readAll(folder + "/" + name, limit: fileBytesMax)
        } catch {
            let isInstalled = ((try? files.size(folder + "/Etc/UTC")) ?? nil) != nil
            throw unknown(name, isInstalled ? "" : "; there are no zones in \(folder), install tzdata or use UTC")
        }
        guard bytes.starts(with: Array("TZif".utf8)) else { throw unknown(name) }
        return try parse(bytes, name: name)
    }

    static func parse(_ bytes: [UInt8], name: String) throws(FirnError) -> TimeZoneRules {
        var reader = Reader(bytes: bytes, name: name)
        let first = try reader.header()
        guard first.version >= UInt8(ascii: "2") else {
            return try reader.rules(first, timeBytes: 4, hasFooter: false)
        }
        try reader.skip(first.length(timeBytes: 4))
        return try reader.rules(try reader.header(), timeBytes: 8, hasFooter: true)
    }

    /// Words of letters, digits, `_`, `+` and `-` between slashes; so no path leads out of the folder.
    private static func isName(_ name: String) -> Bool {
        guard !name.isEmpty, name.utf8.count <= nameBytesMax else { return false }
        return name.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { word in
            !word.isEmpty
                && word.utf8.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "+"), UInt8(ascii: "-"):
                        true
                    default: false
                    }
                }
        }
    }

    private static func unknown(_ name: String, _ more: String = "") -> FirnError {
        FirnError(
            .invalidInput, "unknown_time_zone",
            "there is no time zone '\(String(name.prefix(80)))': use a name like Europe/Berlin or UTC" + more)
    }

    private struct Header {
        var version: UInt8 = 0
        var counts: [Int] = []

        var transitions: Int { counts[3] }
        var types: Int { counts[4] }

        func length(timeBytes: Int) -> Int {
            transitions * (timeBytes + 1) + types * 6 + counts[5] + counts[2] * (timeBytes + 4) + counts[1] + counts[0]
        }
    }

    private struct Reader {
        let bytes: [UInt8]
        let name: String
        var offset = 0

        mutating func skip(_ count: Int) throws(FirnError) {
            guard count >= 0, count <= bytes.count - offset else { throw bad("it ends early") }
            offset += count
        }

        mutating func integer(_ width: Int) throws(FirnError) -> Int64 {
            let start = offset
            try skip(width)
            let value = bytes[start..<offset].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            return width == 8 ? Int64(bitPattern: value) : Int64(Int32(truncatingIfNeeded: value))
        }

        mutating func header() throws(FirnError) -> Header {
            let start = offset
            try skip(20)
            guard bytes[start..<start + 4].elementsEqual("TZif".utf8) else { throw bad("it is no zone file") }
            var header = Header(version: bytes[start + 4])
            for _ in 0..<6 {
                let count = try integer(4)
                guard (0...Int64(bytes.count)).contains(count) else { throw bad("a count is out of range") }
                header.counts.append(Int(count))
            }
            guard header.types > 0 else { throw bad("it has no offsets") }
            return header
        }

        mutating func rules(
            _ header: Header, timeBytes: Int, hasFooter: Bool
        ) throws(FirnError) -> TimeZoneRules {
            let start = offset
            var times: [Int64] = []
            for _ in 0..<header.transitions { times.append(try integer(timeBytes)) }
            let indexes = offset
            try skip(header.transitions)
            var offsets: [Int64] = []
            for _ in 0..<header.types {
                let seconds = try integer(4)
                guard abs(seconds) <= 93_600 else { throw bad("an offset is out of range") }
                offsets.append(seconds)
                try skip(2)
            }
            var transitions: [TimeZoneRules.Transition] = []
            var before = offsets[0]
            for (index, time) in times.enumerated() {
                let type = Int(bytes[indexes + index])
                guard type < offsets.count, index == 0 || times[index - 1] < time else {
                    throw bad("its transitions are out of order")
                }
                // Far beyond any schedule; keeps sums of times from overflowing.
                guard (-(1 << 56)..<1 << 56).contains(time) else {
                    before = offsets[type]
                    continue
                }
                transitions.append(.init(at: time, before: before, after: offsets[type]))
                before = offsets[type]
            }
            offset = start
            try skip(header.length(timeBytes: timeBytes))
            return TimeZoneRules(
                name: name, transitions: transitions, firstOffset: transitions.first?.before ?? before,
                rule: hasFooter ? try footer() : nil)
        }

        /// The rule between two line feeds; nil for an empty one.
        private mutating func footer() throws(FirnError) -> PosixZoneRule? {
            let rest = bytes[offset...]
            guard rest.first == UInt8(ascii: "\n"), let end = rest.dropFirst().firstIndex(of: UInt8(ascii: "\n"))
            else { throw bad("its last line is missing") }
            let text = rest[(offset + 1)..<end]
            guard !text.isEmpty else { return nil }
            guard let rule = PosixZoneRule(Array(text)) else { throw bad("its last line is not understood") }
            return rule
        }

        private func bad(_ reason: String) -> FirnError {
            FirnError(
                .corrupted, "bad_zone_file", "the file of the time zone \(name) cannot be read: \(reason)",
                context: ["file": TimeZoneFile.folder + "/" + name])
        }
    }
}

/// What a person did at the keyboard.
enum Key: Equatable {
    /// Typed characters, one or several at once.
    case text(String)
    /// Text from the clipboard, with newlines.
    case paste(String)
    case enter, tab, escape, backspace, delete
    case left, right, up, down, home, end
    case wordLeft, wordRight, wordBackspace, wordDelete
    /// A letter with the control key, lower case.
    case control(Character)
}

/// Makes keys of the bytes that a terminal sends, which may come in any pieces.
///
/// Sequences are those of xterm, which all current terminals follow; unknown ones are dropped whole, so that they never
/// end up in the text.
///
/// Source: https://invisible-island.net/xterm/ctlseqs/ctlseqs.html
struct KeyParser {
    /// A longer paste is cut: no statement may be that long.
    static let pasteBytesMax = 1 << 20
    private static let sequenceBytesMax = 32
    private static let escape: UInt8 = 0x1b
    private static let pasteEnd = Array("\u{1b}[201~".utf8)

    private var pending: [UInt8] = []
    /// What was pasted so far; nil outside of a paste.
    private var pasted: [UInt8]?

    /// True when an escape is pending that may be a key of its own or the beginning of a sequence; only time tells.
    var isUndecided: Bool { pasted == nil && pending.first == Self.escape }

    mutating func feed(_ bytes: some Sequence<UInt8>) -> [Key] {
        pending += bytes
        var keys: [Key] = []
        var text: [UInt8] = []
        func endText() {
            if !text.isEmpty { keys.append(.text(String(decoding: text, as: UTF8.self))) }
            text = []
        }
        var at = 0
        while at < pending.count {
            if pasted != nil {
                guard let end = takePaste(from: at) else {
                    at = 0
                    break
                }
                endText()
                keys.append(.paste(Self.cleaned(pasted!)))
                pasted = nil
                at = end
                continue
            }
            let length = Self.length(pending[at...])
            guard length > 0 else { break }
            let piece = pending[at..<at + length]
            at += length
            if piece.first! >= 0x20, piece.first! != 0x7f {
                text += piece
            } else {
                endText()
                keys += key(piece)
            }
        }
        endText()
        pending.removeFirst(min(at, pending.count))
        return keys
    }

    /// Says that nothing followed for a while: a pending escape was the key itself.
    mutating func timeOut() -> [Key] {
        guard isUndecided else { return [] }
        let isAlone = pending.count == 1
        pending = []
        return isAlone ? [.escape] : []
    }

    /// Bytes of the next key; 0 when its end has not come yet.
    private static func length(_ bytes: ArraySlice<UInt8>) -> Int {
        let first = bytes.first!
        if first == escape { return sequenceLength(bytes) }
        guard first >= 0x80 else { return 1 }
        let count = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1
        // What is no UTF-8 becomes replacement characters, which the editor shows.
        let continuing = bytes.dropFirst().prefix(count - 1).prefix { $0 & 0xc0 == 0x80 }.count
        if continuing == count - 1 { return count }
        return bytes.count > continuing + 1 ? continuing + 1 : 0
    }

    private static func sequenceLength(_ bytes: ArraySlice<UInt8>) -> Int {
        guard bytes.count > 1 else { return 0 }
        switch bytes[bytes.startIndex + 1] {
        case UInt8(ascii: "["):
            let parameters = bytes.dropFirst(2).prefix { (0x20..<0x40).contains($0) }.count
            if parameters > sequenceBytesMax { return parameters + 2 }
            return bytes.count > parameters + 2 ? parameters + 3 : 0
        case UInt8(ascii: "O"): return bytes.count > 2 ? 3 : 0
        case escape: return 1
        default: return 2
        }
    }

    private mutating func key(_ piece: ArraySlice<UInt8>) -> [Key] {
        let bytes = Array(piece)
        guard bytes[0] == Self.escape else { return Self.control(bytes[0]).map { [$0] } ?? [] }
        guard bytes.count > 1 else { return [.escape] }
        if bytes.count == 2 { return Self.alternate(bytes[1]).map { [$0] } ?? [] }
        let parameters = bytes[2..<bytes.count - 1].split(separator: UInt8(ascii: ";")).map {
            Int(String(decoding: $0, as: UTF8.self)) ?? 0
        }
        if bytes.last == UInt8(ascii: "~"), parameters.first == 200 {
            pasted = []
            return []
        }
        return Self.sequence(bytes.last!, parameters).map { [$0] } ?? []
    }

    private static func control(_ byte: UInt8) -> Key? {
        switch byte {
        case 0x0d, 0x0a: .enter
        case 0x09: .tab
        case 0x08, 0x7f: .backspace
        case 0x01...0x1a: .control(Character(UnicodeScalar(byte + 0x60)))
        default: nil
        }
    }

    /// With Alt held, which sends an escape first.
    private static func alternate(_ byte: UInt8) -> Key? {
        switch byte {
        case UInt8(ascii: "b"): .wordLeft
        case UInt8(ascii: "f"): .wordRight
        case UInt8(ascii: "d"): .wordDelete
        case 0x08, 0x7f: .wordBackspace
        default: nil
        }
    }

    private static func sequence(_ final: UInt8, _ parameters: [Int]) -> Key? {
        // 1 is no modifier; Alt adds 2 and Control 4.
        let byWord = parameters.count > 1 && (parameters[1] - 1) & 6 != 0
        switch final {
        case UInt8(ascii: "A"): return .up
        case UInt8(ascii: "B"): return .down
        case UInt8(ascii: "C"): return byWord ? .wordRight : .right
        case UInt8(ascii: "D"): return byWord ? .wordLeft : .left
        case UInt8(ascii: "H"): return .home
        case UInt8(ascii: "F"): return .end
        case UInt8(ascii: "~"):
            switch parameters.first {
            case 1, 7: return .home
            case 4, 8: return .end
            case 3: return byWord ? .wordDelete : .delete
            default: return nil
            }
        default: return nil
        }
    }

    /// Moves bytes into the paste; answers the offset after its end once that has come.
    private mutating func takePaste(from start: Int) -> Int? {
        var at = start
        while at < pending.count {
            if pending[at] == Self.escape {
                let seen = pending[at...].prefix(Self.pasteEnd.count)
                if seen.elementsEqual(Self.pasteEnd) { return at + Self.pasteEnd.count }
                if Self.pasteEnd.starts(with: seen) { break }
            }
            if pasted!.count < Self.pasteBytesMax { pasted!.append(pending[at]) }
            at += 1
        }
        pending.removeFirst(at)
        return nil
    }

    /// Newlines in one form, and nothing that would drive the terminal.
    private static func cleaned(_ bytes: [UInt8]) -> String {
        var out: [UInt8] = []
        var previous: UInt8 = 0
        for byte in bytes {
            switch byte {
            case 0x0d: out.append(0x0a)
            case 0x0a: if previous != 0x0d { out.append(0x0a) }
            case 0x09, 0x20..<0x7f, 0x80...: out.append(byte)
            default: break
            }
            previous = byte
        }
        return String(decoding: out, as: UTF8.self)
    }
}

import Testing

@testable import firn

@Suite struct KeyParserTests {
    @Test func piecesMakeTheSameKeys() {
        let bytes = Array("aé日👍\u{1b}[A\u{1b}[1;5C\u{1b}OH\u{1b}b\r\u{1b}[200~x\r\ny\u{1b}[2Jz\u{1b}[201~\u{03}".utf8)
        var whole = KeyParser()
        let expected = whole.feed(bytes)
        #expect(
            expected == [
                .text("aé日👍"), .up, .wordRight, .home, .wordLeft, .enter, .paste("x\ny[2Jz"), .control("c"),
            ])
        for size in 1...7 {
            var parser = KeyParser()
            var keys: [Key] = []
            for start in stride(from: 0, to: bytes.count, by: size) {
                keys += parser.feed(bytes[start..<min(bytes.count, start + size)])
            }
            #expect(Self.joined(keys) == expected, "pieces of \(size)")
        }
    }

    /// Typed text arrives in as many pieces as it was sent in.
    private static func joined(_ keys: [Key]) -> [Key] {
        keys.reduce(into: []) { keys, key in
            if case .text(let more) = key, case .text(let text) = keys.last {
                keys[keys.count - 1] = .text(text + more)
            } else {
                keys.append(key)
            }
        }
    }

    @Test func onlyTimeTellsAnEscapeFromASequence() {
        var parser = KeyParser()
        #expect(parser.feed([0x1b]) == [])
        #expect(parser.isUndecided)
        #expect(parser.timeOut() == [.escape])
        #expect(!parser.isUndecided)
        #expect(parser.feed(Array("\u{1b}[1;".utf8)) == [])
        #expect(parser.timeOut() == [])
        #expect(parser.feed(Array("x".utf8)) == [.text("x")])
        #expect(parser.feed([0x1b, 0x1b]) == [.escape])
    }

    @Test func bytesThatAreNoTextBecomeReplacements() {
        var parser = KeyParser()
        #expect(parser.feed([0xff, 0x61]) == [.text("\u{fffd}a")])
        #expect(parser.feed([0xe6, 0x97, 0x61]) == [.text("\u{fffd}a")])
        #expect(parser.feed([0x00]) == [])
    }

    @Test func aPasteHasABound() {
        var parser = KeyParser()
        _ = parser.feed(Array("\u{1b}[200~".utf8))
        for _ in 0..<3 { #expect(parser.feed(repeatElement(UInt8(ascii: "x"), count: KeyParser.pasteBytesMax)) == []) }
        guard case .paste(let text) = parser.feed(Array("\u{1b}[201~".utf8)).first else {
            Issue.record("the paste has no end")
            return
        }
        #expect(text.utf8.count == KeyParser.pasteBytesMax)
    }

    @Test func anEndlessSequenceEnds() {
        var parser = KeyParser()
        let keys = parser.feed(Array(("\u{1b}[" + String(repeating: "1", count: 1000) + "x").utf8))
        #expect(keys.last == .text("x") || keys.isEmpty)
        #expect(parser.feed(Array("y".utf8)).last == .text("y"))
    }
}

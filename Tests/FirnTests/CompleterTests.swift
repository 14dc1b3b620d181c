import Testing

@testable import firn

@Suite struct CompleterTests {
    private struct Words: CompletionSource {
        func tables() -> [String] { ["shop.orders", "web.clicks", "web.my table", "web.users"] }
        func columns(of table: String) -> [String] {
            switch table.lowercased() {
            case "web.clicks": ["id", "country", "order", "größe"]
            case "web.users": ["id", "Name x"]
            default: []
            }
        }
    }

    /// Completes at the `|`; the text with the only candidate, or the candidates.
    private func complete(_ text: String) -> [String] {
        let parts = text.split(separator: "|", maxSplits: 1, omittingEmptySubsequences: false)
        let completion = Completer(source: Words()).complete(parts.joined(), cursor: parts[0].utf8.count)
        #expect(completion.range.upperBound == parts[0].utf8.count)
        guard completion.candidates.count == 1 else { return completion.candidates }
        var editor = LineEditor(isComplete: { _ in false })
        _ = editor.handle(.paste(parts.joined()))
        for _ in 0..<parts[1].count { _ = editor.handle(.left) }
        _ = editor.offer(completion)
        return [editor.buffer.text]
    }

    @Test(arguments: [
        ("SELECT * FROM sh|", ["SELECT * FROM shop.orders "]), ("SELECT * FROM WEB.cl|", ["SELECT * FROM web.clicks "]),
        ("SELECT * FROM web.|", ["web.clicks", "web.\"my table\"", "web.users"]),
        ("SELECT * FROM \"web.my|", ["SELECT * FROM \"web.my table\" "]),
        ("SELECT * FROM web.clicks$sn|", ["SELECT * FROM web.clicks$snapshots "]),
        ("SELECT * FROM \"web.clicks$re|", ["SELECT * FROM \"web.clicks$refs\" "]),
        ("SELECT * FROM nowhere$sn|", []),
        ("SELECT cou| FROM web.clicks", ["country", "count("]),
        (
            "SELECT country FROM web.clicks WHERE ord|",
            ["\"order\"", "order"]
        ),
        ("SELECT c.co| FROM web.clicks c", ["SELECT c.country  FROM web.clicks c"]),
        ("SELECT clicks.gr| FROM web.clicks", ["SELECT clicks.größe  FROM web.clicks"]),
        ("SELECT x.co| FROM web.clicks c", []),
        ("SELECT | FROM web.clicks c JOIN web.users u", ["id", "country", "\"order\"", "größe", "\"Name x\""]),
        ("sel|", ["select "]), ("SELE|", ["SELECT "]), ("SELECT row_n|", ["SELECT row_number("]),
        ("SELECT 'sel|", []), ("SELECT \"Name| FROM web.users", ["SELECT \"Name x\"  FROM web.users"]),
        (".sch|", [".schema "]),
        (".t|", [".tables", ".timing"]),
        (".schema web.u|", [".schema web.users "]), (".mode n|", [".mode ndjson "]), (".timing o|", ["on", "off"]),
        (".nothing x|", []),
    ])
    func completes(text: String, expected: [String]) {
        #expect(complete(text) == expected)
    }

    @Test func commonBeginnings() {
        #expect(Completion.commonBeginning(["country", "count("]) == "count")
        #expect(Completion.commonBeginning(["a", "b"]) == "")
        #expect(Completion.commonBeginning([]) == "")
    }
}

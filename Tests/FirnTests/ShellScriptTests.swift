import Base
import Testing

@testable import firn

@Suite struct ShellScriptTests {
    private func steps(_ lines: [String]) throws -> [ScriptReader.Step] {
        var script = ScriptReader()
        return try lines.flatMap { try script.take($0) } + script.finish()
    }

    @Test func aScriptIsStatementsAndCommands() throws {
        let found = try steps([
            "-- a report", ".mode csv", "SELECT 1; SELECT", "  ';", ".mode' ;", "/* .mode", "; */ SELECT 3",
        ])
        #expect(
            found == [
                .command(".mode csv", line: 2), .statement("SELECT 1", line: 3),
                .statement("SELECT\n  ';\n.mode' ", line: 3), .statement("SELECT 3\n", line: 7),
            ])
        #expect(try steps([]) == [])
        #expect(try steps(["-- nothing", ";;"]) == [])
    }

    @Test func statementsComeAsSoonAsTheyAreComplete() throws {
        var script = ScriptReader()
        #expect(try script.take("SELECT") == [])
        #expect(try script.take("1; SELECT") == [.statement("SELECT\n1", line: 1)])
        #expect(try script.take("2;") == [.statement("SELECT\n2", line: 2)])
        #expect(script.finish() == [])
    }

    @Test func anEndlessStatementIsRefused() {
        var script = ScriptReader()
        #expect(throws: FirnError.self) {
            for _ in 0..<3 { _ = try script.take("SELECT '" + String(repeating: "x", count: 500_000)) }
        }
    }

    @Test func commandsSayWhatWouldBeRight() throws {
        #expect(try ShellCommand(".tables") == .tables(pattern: nil))
        #expect(try ShellCommand(".tables  web* ") == .tables(pattern: "web*"))
        #expect(try ShellCommand(".schema web.clicks") == .schema(table: "web.clicks"))
        #expect(try ShellCommand(".mode markdown") == .mode(.rows(.markdown)))
        #expect(try ShellCommand(".mode chart") == .mode(.chart))
        #expect(try ShellCommand(".output a b.csv") == .output(path: "a b.csv"))
        #expect(try ShellCommand(".output") == .output(path: nil))
        #expect(try ShellCommand(".timing off") == .timing(false))
        for (line, next) in [
            (".tabels", "did you mean .tables?"), (".frobnicate", ".help lists them"), (".mode papyrus", "markdown"),
            (".timing maybe", ".timing on or .timing off"), (".schema", "namespace.table"),
        ] {
            do {
                _ = try ShellCommand(line)
                Issue.record("\(line) was taken")
            } catch { #expect(error.message.contains(next), "\(line): \(error.message)") }
        }
    }

    @Test(arguments: [
        ("web.clicks", "web.*", true), ("web.clicks", "*CLICKS", true), ("web.clicks", "w?b.*k*", true),
        ("web.clicks", "web", false), ("", "*", true), ("abc", "a*d", false), ("aaab", "*a*b", true),
        ("ab", "a?b", false),
    ])
    func patterns(text: String, pattern: String, matches: Bool) {
        #expect(ShellCommand.matches(text, pattern) == matches)
    }

    @Test func theHistoryHasItsPlace() {
        func path(_ variables: [String: String]) -> String? { HistoryFile.path { variables[$0] } }
        #expect(path(["HOME": "/h"]) == "/h/.local/state/firn/history")
        #expect(path(["HOME": "/h", "XDG_STATE_HOME": "/s"]) == "/s/firn/history")
        #expect(path(["HOME": "/h", "XDG_STATE_HOME": "relative"]) == "/h/.local/state/firn/history")
        #expect(path(["HOME": "/h", "XDG_STATE_HOME": "/s", "FIRN_HISTORY": "/f"]) == "/f")
        #expect(path(["HOME": "/h", "FIRN_HISTORY": ""]) == nil)
        #expect(path([:]) == nil)
    }
}

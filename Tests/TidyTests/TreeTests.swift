import Glibc
import Testing

/// The rules of the repository, held against its own files.
@Suite struct TreeTests {
    static let files = Result { try Repository.swiftFiles() }
    static let map = Result { ModuleMap(markdown: try Repository.text("Docs/ARCHITECTURE.md")) }

    private func expectNone(_ findings: [Finding], sourceLocation: SourceLocation = #_sourceLocation) {
        let text = findings.map(\.description).joined(separator: "\n")
        #expect(findings.isEmpty, "\(text)", sourceLocation: sourceLocation)
    }

    @Test func everyFileWasFound() throws {
        let paths = Set(try Self.files.get().map(\.path))
        #expect(paths.contains("Package.swift"))
        #expect(paths.contains("Sources/Base/FirnError.swift"))
        #expect(paths.contains("Tests/TidyTests/TreeTests.swift"))
    }

    @Test func theMapNamesEveryModule() throws {
        let map = try Self.map.get()
        #expect(Set(map.modules) == Set(try Repository.folders(below: "Sources")))
        #expect(map.modules.count == Set(map.modules).count, "a module has two rows")
        #expect(map.upwardImports() == [])
    }

    @Test func importsFollowTheMap() throws {
        let map = try Self.map.get()
        expectNone(try Self.files.get().flatMap { ImportRules.check($0, against: map) })
    }

    @Test func theManifestFollowsTheMap() throws {
        expectNone(ImportRules.checkManifest(try Repository.text("Package.swift"), against: try Self.map.get()))
    }

    @Test func noTypeHasTheNameOfItsModule() throws {
        expectNone(try Self.files.get().flatMap(ImportRules.checkNames))
    }

    @Test func nothingIsTooLong() throws {
        expectNone(try Self.files.get().flatMap(SizeRules.check))
    }

    @Test func noCallGoesAroundTheEnvironment() throws {
        expectNone(try Self.files.get().flatMap(CallRules.check))
    }

    @Test(.enabled("swift format is not installed", { Shell.run("swift format --version").status == 0 }))
    func formatIsAsConfigured() throws {
        let lint = Shell.run(
            "cd '\(Repository.root)' && swift format lint --strict --parallel --recursive Sources Tests Package.swift")
        #expect(lint.status == 0, "run `make format`\n\(lint.output.prefix(4000))")
    }
}

/// Runs a command line of this repository's own making.
enum Shell {
    static func run(_ command: String) -> (status: Int32, output: String) {
        guard let pipe = popen(command + " 2>&1", "r") else { return (-1, "popen failed") }
        var output: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = fread(&chunk, 1, chunk.count, pipe)
            if count == 0 { break }
            output += chunk[..<count]
        }
        return (pclose(pipe), String(decoding: output, as: UTF8.self))
    }
}

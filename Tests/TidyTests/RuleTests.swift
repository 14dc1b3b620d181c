import Testing

/// Each rule must be able to fail, and must leave good code alone.
@Suite struct RuleTests {
    static let map = ModuleMap(
        markdown: """
            | Module | One line | May import |
            |---|---|---|
            | `CZstd`, `CZlib` | system libraries | – |
            | `Base` | bytes | CZstd, Logging |
            | `Avro` | files | Base |
            """)

    private func file(_ path: String, _ text: String) -> SourceFile { SourceFile(path: path, text: text) }

    private func lines(_ findings: [Finding]) -> [Int] { findings.map(\.line).sorted() }

    @Test func mapIsParsed() {
        #expect(Self.map.modules == ["CZstd", "CZlib", "Base", "Avro"])
        #expect(Self.map.imports(of: "Base") == ["CZstd", "Logging"])
        #expect(Self.map.imports(of: "CZlib") == [])
        #expect(Self.map.imports(of: "Nobody") == nil)
        #expect(Self.map.upwardImports() == [])
        let circle = ModuleMap(markdown: "| `A` | x | B |\n| `B` | x | A |")
        #expect(circle.upwardImports() == ["A → B"])
    }

    @Test func importsAreFound() {
        let source = file(
            "Sources/Avro/A.swift",
            """
            import Base
            @testable import Parquet
            public import struct Iceberg.Snapshot
            // import Commented
            let text = "import Quoted"
            @preconcurrency import CZstd
            let importance = 1
            """)
        #expect(ImportRules.imports(of: source).map(\.module) == ["Base", "Parquet", "Iceberg", "CZstd"])
        #expect(lines(ImportRules.check(source, against: Self.map)) == [2, 3, 6])
    }

    @Test(arguments: [
        "import Foundation", "import FoundationEssentials", "import Dispatch", "import class Foundation.Thread",
    ])
    func foundationIsRefusedEverywhere(line: String) {
        #expect(ImportRules.check(file("Sources/Base/A.swift", line), against: Self.map).count == 1)
        #expect(ImportRules.check(file("Tests/BaseTests/A.swift", line), against: Self.map).count == 1)
    }

    @Test func testsMayImportAnyModule() {
        #expect(ImportRules.check(file("Tests/BaseTests/A.swift", "import Avro"), against: Self.map).isEmpty)
    }

    @Test func typesNamedAsTheirModule() {
        let source = file(
            "Sources/Avro/A.swift",
            "public struct Avro {}\nstruct AvroSchema {}\n// enum Avro\nactor Avro {}\ntypealias Avro = Int\nlet x: Avro"
        )
        #expect(lines(ImportRules.checkNames(source)) == [1, 4, 5])
        #expect(ImportRules.checkNames(file("Tests/AvroTests/A.swift", "struct Avro {}")).isEmpty)
    }

    @Test func manifestAgainstMap() {
        let good = """
            .target(name: "Base", dependencies: ["CZstd", logging]),
            .target(
                    name: "Avro", dependencies: ["Base"], x: [])
            """
        #expect(ImportRules.checkManifest(good, against: Self.map).isEmpty)
        let bad =
            ".target(name: \"Base\", dependencies: []),\n.target(name: \"Avro\", dependencies: [\"Base\", \"CZstd\"])"
        #expect(lines(ImportRules.checkManifest(bad, against: Self.map)) == [1, 2])
    }

    @Test func longLines() {
        let limit = String(repeating: "x", count: 120)
        let accents = String(repeating: "é", count: 120)
        let source = file(
            "Sources/Base/A.swift", "\(limit)\n\(limit)x\n\(accents)\n\(accents)é\nf(\"\(limit)\")\n// \(limit)\n")
        #expect(lines(SizeRules.checkLines(source)) == [2, 4, 6])
    }

    @Test func longFiles() {
        func source(_ count: Int) -> SourceFile {
            file("Sources/Base/A.swift", String(repeating: "let x = 1\n", count: count))
        }
        #expect(SizeRules.checkLength(source(600)).isEmpty)
        #expect(SizeRules.checkLength(source(601)).count == 1)
    }

    @Test func longFunctions() {
        func source(_ body: Int, before: String = "") -> SourceFile {
            let inside = String(repeating: "    work(\"{\")  // {\n", count: body)
            return file(
                "Sources/Base/A.swift",
                "protocol P { func none() }\n\(before)func f(a: () -> Void = {}) {\n\(inside)}\n")
        }
        #expect(SizeRules.checkFunctions(source(98)).isEmpty)
        #expect(SizeRules.checkFunctions(source(99)).map(\.line) == [2])
        #expect(SizeRules.checkFunctions(source(99, before: "// Allowed: a table of cases\n")).isEmpty)
        #expect(SizeRules.checkFunctions(source(99, before: "// Allowed: \n")).map(\.line) == [3])
    }

    @Test func functionsAreMeasured() {
        let source = file(
            "Sources/Base/A.swift",
            """
            protocol P {
                func one() throws
                init(x: Int)
            }
            struct S: P {
                init(x: Int) { self.init(y: x) }
                init(y: Int) {
                    helper()
                }
                func one() throws {
                    func nested() {
                        run { "\\(x.map { "}" })" }
                    }
                }
            }
            """)
        let found = SizeRules.functions(of: source).map { "\($0.name) \($0.line) \($0.count)" }
        #expect(found == ["init 5 1", "init 6 3", "one 9 5", "nested 10 3"])
    }

    @Test(arguments: [
        "let t = clock_gettime(CLOCK_REALTIME, &now)", "gettimeofday(&t, nil)", "let t = time(nil)", "let d = Date()",
        "let c = ContinuousClock()", "var g = SystemRandomNumberGenerator()", "let r = Int.random(in: 0..<6)",
        "let r = UInt8.random(in: .min ... .max)", "let f = fopen(path, \"r\")", "let f = Glibc.open(path, O_RDONLY)",
        "let f = open(path, O_RDWR | O_CREAT, 0o644)", "print(\"hello\")", "let x = try! work()", "fatalError()",
        "let s = \"\\(time(nil))\"", "items.shuffled()", "x = y  // TODO later",
    ])
    func forbiddenCallsAreFound(line: String) {
        #expect(CallRules.check(file("Sources/Iceberg/A.swift", line)).count >= 1, "\(line)")
        #expect(CallRules.check(file("Sources/Iceberg/A.swift", "// Allowed: for this test\n" + line)).isEmpty)
    }

    @Test(arguments: [
        "// the wall clock, Date() and print(x) in a comment", "let s = \"print(1) try! TODO\"", "printer.print(row)",
        "func print(_ row: [Cell]) throws {", "let f = try store.open(path)",
        "try open(identifier, creatingFrom: body)",
        "let time = timer(nil)", "let s = #\"\"fatalError()\"\"#", "/* outer /* try! */ print(1) */",
        "reprint(x)", "let mkdate = myDate()", "let s = \"\"\"\n    print(1)\n    \"\"\"",
    ])
    func innocentLinesPass(line: String) {
        #expect(CallRules.check(file("Sources/Iceberg/A.swift", line)) == [], "\(line)")
    }

    @Test func theRightModulesMay() {
        #expect(CallRules.check(file("Sources/Base/A.swift", "clock_gettime(CLOCK_REALTIME, &t)")).isEmpty)
        #expect(CallRules.check(file("Sources/firn/A.swift", "print(1)")).isEmpty)
        #expect(CallRules.check(file("Sources/firn/A.swift", "clock_gettime(CLOCK_REALTIME, &t)")).count == 1)
        #expect(CallRules.check(file("Tests/BaseTests/A.swift", "print(1)")).isEmpty)
    }

    @Test func maskingKeepsPositions() {
        let source = file("Sources/Base/A.swift", "let a = \"x\\\"y\" + f(1) // z\nlet b = 2")
        let string = String(repeating: "\u{1}", count: 4)
        #expect(source.code == ["let a = \"\(string)\" + f(1)     ", "let b = 2"])
        #expect(source.mentions("f(1)") && !source.mentions("z"))
    }
}

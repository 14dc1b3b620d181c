/// The module map of `Docs/ARCHITECTURE.md`: which module may import what.
///
/// A row is `| `Name` | what it is | Import, Import |`, lowest module first; `–` stands for none. The first cell may
/// name several modules.
struct ModuleMap {
    struct Row {
        let modules: [String]
        let imports: Set<String>
    }

    /// What the toolchain brings and every module may use.
    static let everywhere: Set<String> = ["Swift", "Glibc", "Synchronization"]

    let rows: [Row]

    init(markdown: String) {
        rows = markdown.split(separator: "\n").compactMap { line -> Row? in
            guard line.hasPrefix("| `") else { return nil }
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast()
            guard cells.count == 3 else { return nil }
            return Row(
                modules: Self.names(cells[cells.startIndex]), imports: Set(Self.names(cells[cells.endIndex - 1])))
        }
    }

    /// Words of letters and digits, so that backticks, commas and the dash fall away.
    private static func names(_ cell: Substring) -> [String] {
        cell.split { !$0.isLetter && !$0.isNumber }.map(String.init)
    }

    var modules: [String] { rows.flatMap(\.modules) }

    func imports(of module: String) -> Set<String>? {
        rows.first { $0.modules.contains(module) }?.imports
    }

    /// Imports that point sideways or up: rows are listed lowest first, so a row names only modules above it.
    func upwardImports() -> [String] {
        var known: Set<String> = []
        let all = Set(modules)
        return rows.flatMap { row -> [String] in
            let upward = row.imports.intersection(all).subtracting(known)
            known.formUnion(row.modules)
            return upward.sorted().map { "\(row.modules.joined(separator: ", ")) → \($0)" }
        }
    }
}

enum ImportRules {
    /// The modules that a file imports, with 0-based line numbers.
    static func imports(of file: SourceFile) -> [(module: String, line: Int)] {
        let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "typealias", "func", "let", "var"]
        return file.code.enumerated().compactMap { index, line in
            var words = line.split(whereSeparator: \.isWhitespace)[...]
            while let first = words.first, first != "import" {
                guard
                    first.hasPrefix("@") || ["public", "package", "internal", "private", "fileprivate"].contains(first)
                else { return nil }
                words = words.dropFirst()
            }
            guard words.count >= 2 else { return nil }
            words = words.dropFirst()
            if kinds.contains(words.first!) { words = words.dropFirst() }
            guard let name = words.first?.split(separator: ".").first else { return nil }
            return (String(name), index)
        }
    }

    /// Imports that the map does not allow. Files outside `Sources` may import anything but Foundation.
    static func check(_ file: SourceFile, against map: ModuleMap) -> [Finding] {
        let allowed = file.module.map { (map.imports(of: $0) ?? []).union(ModuleMap.everywhere) }
        return imports(of: file).compactMap { module, line in
            if module.hasPrefix("Foundation") || module == "Dispatch" {
                return Finding(path: file.path, line: line + 1, message: "\(module) is not used in this repository")
            }
            guard let allowed, !allowed.contains(module) else { return nil }
            return Finding(
                path: file.path, line: line + 1,
                message: "\(file.module!) may not import \(module) by the map in Docs/ARCHITECTURE.md")
        }
    }

    /// Types with the name of their module: they make `Module.Type` unspeakable for importers.
    static func checkNames(_ file: SourceFile) -> [Finding] {
        guard let module = file.module else { return [] }
        let kinds: Set<Substring> = ["struct", "class", "enum", "actor", "protocol", "typealias"]
        return file.code.enumerated().compactMap { index, line in
            let words = line.split { !$0.isLetter && !$0.isNumber && $0 != "_" }
            let named = zip(words, words.dropFirst()).contains { kinds.contains($0) && $1 == module }
            guard named else { return nil }
            return Finding(path: file.path, line: index + 1, message: "a type has the name of its module, \(module)")
        }
    }

    /// Where the manifest's dependencies and the map disagree.
    static func checkManifest(_ manifest: String, against map: ModuleMap) -> [Finding] {
        let modules = Set(map.modules)
        return map.modules.compactMap { module in
            guard
                let name = manifest.firstRange(of: "arget(name: \"\(module)\"")
                    ?? manifest.firstRange(of: "arget(\n        name: \"\(module)\"")
            else { return nil }
            var declared: Set<String> = []
            if let start = manifest[name.upperBound...].prefix(40).firstRange(of: "dependencies: [") {
                let list = manifest[start.upperBound...].prefix { $0 != "]" }
                declared = Set(list.split(separator: "\"").map(String.init))
            }
            let expected = map.imports(of: module)!.intersection(modules)
            let difference = declared.intersection(modules).symmetricDifference(expected)
            guard !difference.isEmpty else { return nil }
            return Finding(
                path: "Package.swift", line: manifest[..<name.lowerBound].count { $0 == "\n" } + 1,
                message: "\(module): the manifest and the map differ in \(difference.sorted().joined(separator: ", "))")
        }
    }
}

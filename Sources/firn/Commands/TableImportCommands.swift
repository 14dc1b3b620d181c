import ArgumentParser
import Base
import Catalog
import Columnar
import Glibc
import Iceberg

/// Taking in tables and files that exist.
extension TableCommand {
    struct Register: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a table that exists into the catalog.",
            discussion: """
                  firn table register web.clicks /data/clicks/metadata/00012-….metadata.json

                The table stays where it is. Files outside the warehouse are never deleted.
                """)
        @OptionGroup var location: WarehouseOptions
        @Argument(help: "namespace.table") var table: String
        @Argument(help: "Its current metadata file.") var metadata: String

        func run() throws {
            let identifier = try TableIdentifier(parsing: table)
            let warehouse = try location.open(create: true)
            try warehouse.createNamespace(identifier.namespace, properties: [:], ifNotExists: true)
            let path = metadata.hasPrefix("file:") ? metadata : AbsolutePath.make(metadata)
            let registered = try warehouse.registerTable(identifier, metadata: path)
            Console.out(
                "registered \(identifier) at \(registered.metadata.location), format version "
                    + "\(registered.metadata.formatVersion), \(registered.metadata.snapshots.count) snapshots\n")
        }
    }

    struct AddFiles: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add-files", abstract: "Add Parquet files that exist, without copying them.",
            discussion: """
                  firn table add-files web.clicks /data/clicks/2026/*.parquet
                  firn table add-files web.clicks /data/clicks --evolve

                A folder stands for all *.parquet files in it and below. All files become one snapshot, or none does. \
                Columns are matched by field id or, in files without ids, by name.
                """)
        @OptionGroup var location: WarehouseOptions
        @Argument(help: "namespace.table") var table: String
        @Argument(help: "Files, folders or patterns.") var files: [String]
        @Flag(help: "Add columns that the table lacks.") var evolve = false
        @Flag(inversion: .prefixedNo, help: "Refuse files that the table holds already.") var checkDuplicate = true

        func run() throws {
            let identifier = try TableIdentifier(parsing: table)
            let paths = try files.flatMap(ImportPaths.expand)
            let options = ImportOptions(evolves: evolve, checksDuplicates: checkDuplicate)
            var line = ProgressLine()
            let report = try location.open().addFiles(identifier, paths: paths, options: options) { done, total in
                if total > 100, done % 100 == 0 || done == total { line.show(done: done, total: total, "files") }
            }
            if !report.change.isEmpty { Console.out("schema: \(report.change)\n") }
            if report.emptyFiles > 0 { Console.out("left out \(report.emptyFiles) files without rows\n") }
            Console.out(
                "added \(report.files) files with \(report.records) records, \(Human.bytes(Int(report.bytes)))"
                    + (report.snapshotId.map { ", in snapshot \($0)" } ?? "") + "\n")
        }
    }
}

/// Files, folders and patterns to files.
enum ImportPaths {
    static func expand(_ text: String) throws -> [String] {
        let path = AbsolutePath.make(text.hasPrefix("file://") ? String(text.dropFirst(7)) : text)
        if try Environment.live.files.size(path) != nil {
            guard isDirectory(path) else { return [path] }
            var found: [String] = []
            try walk(path, into: &found)
            guard !found.isEmpty else { throw missing("there are no *.parquet files in \(path)") }
            return found
        }
        guard path.contains(where: { "*?[".contains($0) }) else { throw missing("there is no file \(path)") }
        let found = try match(path).flatMap { try isDirectory($0) ? expand($0) : [$0] }
        guard !found.isEmpty else { throw missing("no file matches \(path)") }
        return found
    }

    private static func missing(_ message: String) -> FirnError { FirnError(.notFound, "file_not_found", message) }

    private static func isDirectory(_ path: String) -> Bool {
        var info = stat()
        return stat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFDIR
    }

    /// What begins with a dot or an underscore is no data, by the convention of all engines.
    private static func walk(_ folder: String, into found: inout [String]) throws {
        for entry in try Environment.live.files.list(folder)
        where !entry.name.hasPrefix(".") && !entry.name.hasPrefix("_") {
            let path = folder + "/" + entry.name
            if entry.isDirectory {
                try walk(path, into: &found)
            } else if entry.name.lowercased().hasSuffix(".parquet") {
                found.append(path)
            }
        }
    }

    private static func match(_ pattern: String) -> [String] {
        var matches = glob_t()
        defer { globfree(&matches) }
        guard glob(pattern, 0, nil, &matches) == 0 else { return [] }
        return (0..<Int(matches.gl_pathc)).compactMap { matches.gl_pathv[$0].map { String(cString: $0) } }
    }
}

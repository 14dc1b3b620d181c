import ArgumentParser
import Base
import Columnar
import Parquet

/// What is shown of a Parquet file.
struct ParquetInspectOptions: ParsableArguments {
    @Flag(help: "Show every page: place, sizes, encoding, checksum and, from the index, bounds.") var pages = false
    @Flag(help: "Show the key-value metadata in full.") var metadata = false
    @Option(help: "Show this column, or all beneath it: device.os, tags. May be repeated.") var column: [String] = []
    @Option(help: "COLUMN=VALUE: ask the Bloom filters whether the value may be there. May be repeated.")
    var bloom: [String] = []

    var isEmpty: Bool { !pages && !metadata && column.isEmpty && bloom.isEmpty }
}

/// Columns by the dotted names that people use, in which lists and maps have no middle groups.
struct ParquetColumnNames {
    /// By leaf, in the order of the chunks: `tags.element` for `tags.list.element`.
    let names: [String]
    private let leaves: [ParquetLeafColumn]

    init(_ leaves: [ParquetLeafColumn]) {
        self.leaves = leaves
        names = leaves.map(\.path)
    }

    /// The leaves at or beneath the named columns; all when none is named. Throws `.invalidInput` (`unknown_column`).
    func leaves(_ wanted: [String]) throws(FirnError) -> [Int] {
        if wanted.isEmpty { return Array(names.indices) }
        var found: Set<Int> = []
        for name in wanted {
            let matches = names.indices.filter { names[$0] == name || names[$0].hasPrefix(name + ".") }
            guard !matches.isEmpty else { throw unknown(name) }
            found.formUnion(matches)
        }
        return found.sorted()
    }

    /// One leaf and its type. A list stands for its elements.
    func leaf(_ name: String) throws(FirnError) -> (index: Int, type: DataType) {
        let found = try leaves([name])
        guard found.count == 1, let type = leaves[found[0]].type else {
            throw FirnError(
                .invalidInput, "nested_column",
                "\"\(name)\" has several columns: \(found.map { names[$0] }.joined(separator: ", "))")
        }
        return (found[0], type)
    }

    private func unknown(_ name: String) -> FirnError {
        let known = names.prefix(20).joined(separator: ", ") + (names.count > 20 ? ", …" : "")
        return FirnError(.invalidInput, "unknown_column", "there is no column \"\(name)\"; the file has \(known)")
    }
}

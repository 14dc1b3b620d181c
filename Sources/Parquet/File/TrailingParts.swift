/// Bloom filters and page indexes of finished row groups, waiting to be written.
struct TrailingParts {
    enum Kind: Int, CaseIterable {
        // In the order in which they stand in the file.
        case bloomFilter, columnIndex, offsetIndex
    }

    struct Part {
        let kind: Kind
        let group: Int
        let column: Int
        let bytes: [UInt8]

        /// Names the part's place in the footer.
        func note(_ offset: Int, in footer: inout ParquetFooter) {
            switch kind {
            case .bloomFilter:
                footer.rowGroups[group].columns[column].bloomFilterOffset = offset
                footer.rowGroups[group].columns[column].bloomFilterBytes = bytes.count
            case .columnIndex:
                footer.rowGroups[group].columns[column].columnIndexOffset = offset
                footer.rowGroups[group].columns[column].columnIndexBytes = bytes.count
            case .offsetIndex:
                footer.rowGroups[group].columns[column].offsetIndexOffset = offset
                footer.rowGroups[group].columns[column].offsetIndexBytes = bytes.count
            }
        }
    }

    private var parts: [Part] = []
    private(set) var bytes = 0

    mutating func add(_ chunk: FinishedChunk, dataStart: Int, writesPageIndex: Bool, group: Int, column: Int) {
        if let filter = chunk.bloomFilter { add(.bloomFilter, group, column, filter) }
        guard writesPageIndex else { return }
        if chunk.hasBounds, let bounds = chunk.index.columnIndex() { add(.columnIndex, group, column, bounds) }
        add(.offsetIndex, group, column, chunk.index.offsetIndex(dataStart: dataStart))
    }

    private mutating func add(_ kind: Kind, _ group: Int, _ column: Int, _ part: [UInt8]) {
        parts.append(Part(kind: kind, group: group, column: column, bytes: part))
        bytes += part.count
    }

    /// All parts, kind by kind. None are left.
    mutating func take() -> [Part] {
        defer { self = TrailingParts() }
        return Kind.allCases.flatMap { kind in parts.filter { $0.kind == kind } }
    }
}

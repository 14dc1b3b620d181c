import Base
import Columnar
import Glibc
import Iceberg
import Parquet

/// Reads all rows of a file and compares them with its entry: nulls, NaNs, bounds, partition.
struct RowChecks {
    private let examination: FileExamination
    private let file: DataFile
    private let facts: FileFacts
    private let spec: PartitionSpec?
    private let partitionFields: [Field]

    init(_ examination: FileExamination, _ file: DataFile, _ facts: FileFacts) {
        self.examination = examination
        self.file = file
        self.facts = facts
        // Delete files' rows are no rows of the table.
        spec = file.content == .data ? examination.metadata.spec(id: file.specId) : nil
        partitionFields = spec.map { examination.metadata.partitionFields(of: $0) } ?? []
    }

    func run(_ reader: ParquetFileReader) throws -> [Finding] {
        guard file.content == .data else { return [] }
        var findings: [Finding] = []
        let schema = projection()
        let ids = schema.allFields.map(\.field).filter { $0.type.isPrimitive && facts.columns[$0.id] != nil }
        var ranges = ids.map { (id: $0.id, range: ValueRange(isFloating: $0.type == .float || $0.type == .double)) }
        var rows: Int64 = 0
        var misplaced: (count: Int, first: String)?
        for group in 0..<reader.rowGroupCount {
            checkPageIndexes(reader, group, &findings)
            let batches = try reader.rows(group, projection: schema)
            while let batch = try batches.next() {
                for index in ranges.indices {
                    if let column = batch.leaf(ranges[index].id) { ranges[index].range.add(column) }
                }
                if let found = misplacedRows(batch, from: rows) {
                    misplaced = ((misplaced?.count ?? 0) + found.count, misplaced?.first ?? found.first)
                }
                rows += Int64(batch.rowCount)
            }
        }
        if let misplaced {
            findings.append(
                Finding(
                    .partitionValueWrong, file.path, found: "\(misplaced.count) rows, the first \(misplaced.first)",
                    expected: "partition \(file.partition.map(\.shown).joined(separator: ", "))"))
        }
        return try findings + ranges.flatMap { compare($0.id, $0.range) } + checkHash(reader)
    }

    /// The rows of a file that Firn wrote are those that it wrote.
    private func checkHash(_ reader: ParquetFileReader) throws -> [Finding] {
        guard let (stored, schema) = StoredRowHash.read(reader.footer) else { return [] }
        var hash = RowHash()
        for group in 0..<reader.rowGroupCount { hash = hash + (try reader.rowHash(group, projection: schema)) }
        guard hash != stored else { return [] }
        return [Finding(.rowHashWrong, file.path, found: "rows with the hash \(hash)", expected: "\(stored)")]
    }

    /// Columns of the current schema that the file has something of.
    private func projection() -> Schema {
        let fields = examination.metadata.currentSchema.fields.filter { field in
            Schema(fields: [field]).allFields.contains { facts.fieldIds.contains($0.field.id) }
        }
        return Schema(fields: fields)
    }

    private func checkPageIndexes(_ reader: ParquetFileReader, _ group: Int, _ findings: inout [Finding]) {
        for column in reader.footer.rowGroups[group].columns.indices {
            do {
                _ = try reader.pageIndex(rowGroup: group, column: column)
            } catch {
                let name = reader.footer.rowGroups[group].columns[column].path.joined(separator: ".")
                findings.append(
                    Finding(
                        .pageIndexUnreadable, file.path,
                        found: "column \"\(name)\": \((error as? FirnError)?.message ?? "\(error)")",
                        expected: "an index that fits its pages"))
            }
        }
    }

    /// Rows whose columns give another partition tuple.
    private func misplacedRows(_ batch: RecordBatch, from start: Int64) -> (count: Int, first: String)? {
        guard let spec, file.partition.count == spec.fields.count else { return nil }
        var count = 0
        var first = ""
        for (index, field) in spec.fields.enumerated() {
            if case .unknown = field.transform { continue }
            guard field.transform != .void, let column = batch.leaf(field.sourceId),
                field.transform.accepts(column.type)
            else { continue }
            let expected = file.partition[index].fitting(partitionFields[index].type) ?? file.partition[index]
            let actual = field.transform.apply(column)
            for row in 0..<actual.rowCount {
                let value = actual.value(at: row)
                if value == expected || ValueOrder.compare(value, expected) == .equal
                    || ValueOrder.isNaN(value) && ValueOrder.isNaN(expected)
                {
                    continue
                }
                if count == 0 { first = "row \(start + Int64(row)) with \"\(field.name)\" \(value.shown)" }
                count += 1
            }
        }
        return count == 0 ? nil : (count, first)
    }

    private func compare(_ id: Int, _ range: ValueRange) -> [Finding] {
        let name = examination.types.name(id)
        var findings: [Finding] = []
        // The footer has spoken where it knows.
        if facts.columns[id]?.nulls == nil, let nulls = file.nullValueCounts[id], nulls != range.nulls {
            findings.append(
                Finding(
                    .nullCountWrong, file.path, found: "column \(name): \(nulls) nulls", expected: "\(range.nulls)"))
        }
        if facts.columns[id]?.nans == nil, let nans = file.nanValueCounts[id], nans != range.nans {
            findings.append(
                Finding(.nanCountWrong, file.path, found: "column \(name): \(nans) NaNs", expected: "\(range.nans)"))
        }
        let column = facts.columns[id]
        let isLowKnown = column?.hasBounds == true && column?.isLowerExact == true
        let isHighKnown = column?.hasBounds == true && column?.isUpperExact == true
        return findings
            + examination.narrow(
                file, id, lower: isLowKnown ? nil : range.lower, upper: isHighKnown ? nil : range.upper)
    }
}

/// Nulls, NaNs, least and greatest value of a column.
private struct ValueRange {
    let isFloating: Bool
    private(set) var nulls: Int64 = 0
    private(set) var nans: Int64 = 0
    private(set) var lower: Value?
    private(set) var upper: Value?

    init(isFloating: Bool) { self.isFloating = isFloating }

    mutating func add(_ column: Column) {
        nulls += Int64(column.nullCount)
        switch column.storage {
        case .int32(let values): extremes(column, values) { $0 < $1 }
        case .int64(let values): extremes(column, values) { $0 < $1 }
        case .float(let values):
            for row in 0..<column.rowCount where !column.isNull(row) && values[row].isNaN { nans += 1 }
            extremes(column, values, where: { !$0.isNaN }) { $0 < $1 }
        case .double(let values):
            for row in 0..<column.rowCount where !column.isNull(row) && values[row].isNaN { nans += 1 }
            extremes(column, values, where: { !$0.isNaN }) { $0 < $1 }
        case .bytes(let offsets, let bytes): extremes(column, offsets, bytes.values)
        default:
            for row in 0..<column.rowCount where !column.isNull(row) { widen(column.value(at: row)) }
        }
    }

    private mutating func widen(_ value: Value) {
        if lower == nil || ValueOrder.compare(value, lower!) == .less { lower = value }
        if upper == nil || ValueOrder.compare(value, upper!) == .greater { upper = value }
    }

    /// Finds the rows of the extremes, and makes values of those two only.
    private mutating func extremes<T>(
        _ column: Column, _ values: Buffer<T>, where counts: (T) -> Bool = { _ in true }, _ less: (T, T) -> Bool
    ) {
        var (low, high) = (-1, -1)
        for row in 0..<column.rowCount where !column.isNull(row) && counts(values[row]) {
            if low < 0 || less(values[row], values[low]) { low = row }
            if high < 0 || less(values[high], values[row]) { high = row }
        }
        guard low >= 0 else { return }
        widen(column.value(at: low))
        widen(column.value(at: high))
    }

    private mutating func extremes(
        _ column: Column, _ offsets: Buffer<Int32>, _ bytes: UnsafeBufferPointer<UInt8>
    ) {
        func less(_ a: Int, _ b: Int) -> Bool {
            let (startA, endA) = (Int(offsets[a]), Int(offsets[a + 1]))
            let (startB, endB) = (Int(offsets[b]), Int(offsets[b + 1]))
            let common = min(endA - startA, endB - startB)
            let order = common == 0 ? 0 : memcmp(bytes.baseAddress! + startA, bytes.baseAddress! + startB, common)
            return order == 0 ? endA - startA < endB - startB : order < 0
        }
        var (low, high) = (-1, -1)
        for row in 0..<column.rowCount where !column.isNull(row) {
            if low < 0 || less(row, low) { low = row }
            if high < 0 || less(high, row) { high = row }
        }
        guard low >= 0 else { return }
        widen(column.value(at: low))
        widen(column.value(at: high))
    }
}

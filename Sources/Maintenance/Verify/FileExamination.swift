import Base
import Columnar
import Iceberg
import Parquet
import Storage

/// Compares one file with its entry. Thread-safe; every failure to read is a finding.
///
/// 1. The file exists and has the recorded size.
/// 2. The footer agrees on rows, row groups, counts and bounds, and names field ids.
/// 3. With rows: every value lies within the bounds, counts agree, rows belong to the partition.
///
/// Bounds may be wider than the values, never narrower. Spec: https://iceberg.apache.org/spec/#data-file-fields
struct FileExamination: Sendable {
    let metadata: TableMetadata
    let types: ColumnTypes
    let nameMapping: NameMapping?
    let store: any ObjectStore
    let depth: ExaminationOptions.Depth

    init(metadata: TableMetadata, store: any ObjectStore, depth: ExaminationOptions.Depth) {
        self.metadata = metadata
        types = ColumnTypes(metadata)
        nameMapping = metadata.nameMapping
        self.store = store
        self.depth = depth
    }

    func check(_ file: DataFile, readsRows: Bool) -> [Finding] {
        let missing: FindingCode = file.content == .data ? .dataFileMissing : .deleteFileMissing
        let size: Int
        do {
            guard let found = try store.size(file.path) else {
                return [
                    Finding(missing, file.path, found: "no such file", expected: "\(file.recordCount) records in it")
                ]
            }
            size = found
        } catch { return [Fault.finding(error, file.path, unreadable: .fileUnreadable, missing: missing)] }
        var findings: [Finding] = []
        if Int64(size) != file.fileBytes {
            findings.append(
                Finding(.fileSizeWrong, file.path, found: "\(file.fileBytes) recorded", expected: "\(size) bytes"))
        }
        if let offset = file.contentOffset, let bytes = file.contentBytes, Int64(size) < file.fileBytes,
            offset >= 0, bytes >= 0, offset > Int64(size) || bytes > Int64(size) - offset
        {
            findings.append(
                Finding(
                    .fileUnreadable, file.path, found: "the deletion vector ends beyond the file",
                    expected: "at most \(size) bytes"))
        }
        guard depth != .metadata else { return findings }
        if file.format == "PUFFIN", file.keyMetadata == nil { return findings + checkVector(file, size: size) }
        guard file.format == "PARQUET", file.keyMetadata == nil else {
            findings.append(
                Finding(
                    .fileNotExamined, file.path,
                    found: file.keyMetadata == nil ? "format \(file.format)" : "an encrypted file",
                    expected: "plain Parquet"))
            return findings
        }
        do {
            let (reader, hasIds) = try open(file, size: size)
            guard hasIds else {
                return findings + [
                    Finding(
                        .fieldIdsMissing, file.path, found: "no field ids and no name mapping",
                        expected: "field ids, or schema.name-mapping.default")
                ]
            }
            let facts = FileFacts(reader, types: types)
            findings += compare(file, facts)
            if readsRows { findings += try RowChecks(self, file, facts).run(reader) }
        } catch { findings.append(Fault.finding(error, file.path, unreadable: .fileUnreadable, missing: missing)) }
        return findings
    }

    /// A deletion vector at its place, in a file that is Puffin, with as many positions as recorded.
    private func checkVector(_ file: DataFile, size: Int) -> [Finding] {
        do {
            let magic = Array("PFA1".utf8)
            guard size >= 8, try store.read(file.path, range: 0..<4) == magic,
                try store.read(file.path, range: size - 4..<size) == magic
            else { throw FirnError(.corrupted, "malformed_puffin", "the file is no Puffin file") }
            guard let positions = try vector(of: file, size: size), positions != file.recordCount else { return [] }
            return [
                Finding(
                    .recordCountWrong, file.path, found: "\(file.recordCount) recorded",
                    expected: "\(positions) positions")
            ]
        } catch {
            let code: FindingCode =
                (error as? FirnError)?.code == "malformed_puffin" ? .fileUnreadable : .deletionVectorPlaceWrong
            return [Fault.finding(error, file.path, unreadable: code, missing: .deleteFileMissing)]
        }
    }

    /// Positions of a deletion vector; nil for an entry that names no place in the file: that is told elsewhere.
    private func vector(of file: DataFile, size: Int) throws -> Int64? {
        guard let offset = file.contentOffset, let bytes = file.contentBytes, offset >= 0, bytes > 0,
            offset <= Int64(size), bytes <= Int64(size) - offset
        else { return nil }
        let blob = try store.read(file.path, range: Int(offset)..<Int(offset + bytes))
        return Int64(try DeletionVector.decode(blob, source: file.path).count)
    }

    /// A reader of the file; false when its columns cannot be told.
    func open(_ file: DataFile, size: Int) throws -> (ParquetFileReader, hasIds: Bool) {
        let path = file.path
        let read: (Range<Int>) throws -> [UInt8] = { [store] in try store.read(path, range: $0) }
        let reader = try ParquetFileReader(fileBytes: size, source: path, read: read)
        let schema = reader.footer.schema
        guard schema.count > 1, schema.allSatisfy({ $0.fieldId == nil }) else { return (reader, true) }
        guard let nameMapping else { return (reader, false) }
        return (
            try ParquetFileReader(
                footer: nameMapping.identified(reader.footer), fileBytes: size, source: path, read: read), true
        )
    }

    /// The same file's entry as its footer has it; nil when the footer cannot be read.
    func corrected(_ file: DataFile) -> DataFile? {
        guard let size = try? store.size(file.path) else { return nil }
        var file = file
        file.fileBytes = Int64(size)
        if file.format == "PUFFIN", let count = try? vector(of: file, size: size) { file.recordCount = count }
        guard file.format == "PARQUET", file.keyMetadata == nil else { return file }
        guard let (reader, hasIds) = try? open(file, size: size), hasIds else { return nil }
        return FileFacts(reader, types: types).correct(file)
    }

    private func compare(_ file: DataFile, _ facts: FileFacts) -> [Finding] {
        var findings: [Finding] = []
        func add(_ code: FindingCode, _ found: String, _ expected: String) {
            findings.append(Finding(code, file.path, found: found, expected: expected))
        }
        if file.recordCount != facts.rowCount, file.recordCount >= 0 {
            add(.recordCountWrong, "\(file.recordCount) recorded", "\(facts.rowCount) rows")
        }
        if let offsets = file.splitOffsets, offsets != facts.splitOffsets {
            add(
                .splitOffsetsWrong, "\(offsets.prefix(8).map(String.init).joined(separator: ", "))",
                "\(facts.splitOffsets.prefix(8).map(String.init).joined(separator: ", "))")
        }
        for (id, column) in facts.columns.sorted(by: { $0.key < $1.key }) {
            let name = types.name(id)
            if let values = file.valueCounts[id], values != column.values {
                add(.valueCountWrong, "column \(name): \(values) values", "\(column.values)")
            }
            if let nulls = file.nullValueCounts[id], let actual = column.nulls, nulls != actual {
                add(.nullCountWrong, "column \(name): \(nulls) nulls", "\(actual)")
            }
            if let nans = file.nanValueCounts[id], let actual = column.nans, nans != actual {
                add(.nanCountWrong, "column \(name): \(nans) NaNs", "\(actual)")
            }
            guard column.hasBounds else { continue }
            findings += narrow(
                file, id, lower: column.isLowerExact ? column.lower : nil,
                upper: column.isUpperExact ? column.upper : nil)
        }
        return findings
    }

    /// Recorded bounds that exclude one of these values.
    func narrow(_ file: DataFile, _ id: Int, lower: Value?, upper: Value?) -> [Finding] {
        guard let type = types[id] else { return [] }
        var findings: [Finding] = []
        if let lower, let bytes = file.lowerBounds[id], case .value(let bound) = BoundValue(bytes, type),
            ValueOrder.compare(bound, lower) == .greater
        {
            findings.append(
                Finding(
                    .boundNarrow, file.path, found: "column \(types.name(id)): lower bound \(bound.shown)",
                    expected: "at most \(lower.shown)"))
        }
        if let upper, let bytes = file.upperBounds[id], case .value(let bound) = BoundValue(bytes, type),
            ValueOrder.compare(bound, upper) == .less
        {
            findings.append(
                Finding(
                    .boundNarrow, file.path, found: "column \(types.name(id)): upper bound \(bound.shown)",
                    expected: "at least \(upper.shown)"))
        }
        return findings
    }
}

/// Errors as findings.
enum Fault {
    static func finding(
        _ error: any Error, _ subject: String, unreadable: FindingCode, missing: FindingCode
    ) -> Finding {
        guard let error = error as? FirnError else {
            return Finding(unreadable, subject, found: "\(error)", expected: "a readable file")
        }
        switch error.kind {
        case .notFound: return Finding(missing, subject, found: "no such file", expected: "the file")
        case .invalidInput where error.code == "bad_location":
            return Finding(.fileNotExamined, subject, found: error.message, expected: "a local file")
        case .unsupported where ["encryption", "inline_manifests"].contains(error.code):
            return Finding(.fileNotExamined, subject, found: error.message, expected: "what Firn reads")
        default: return Finding(unreadable, subject, found: error.message, expected: "a readable file")
        }
    }
}

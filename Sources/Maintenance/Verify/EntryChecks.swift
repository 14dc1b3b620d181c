import Base
import Columnar
import Iceberg

/// What is wrong with a manifest's entry by itself, without a look at its file.
struct EntryChecks: Sendable {
    let types: ColumnTypes

    func check(_ entry: ManifestEntry, in manifest: ManifestFile) -> [Finding] {
        guard entry.isLive else { return [] }
        var findings: [Finding] = []
        let path = entry.dataFile.path
        func add(_ code: FindingCode, _ found: String, _ expected: String) {
            findings.append(Finding(code, path, found: found, expected: expected))
        }
        if (entry.dataFile.content == .data) != (manifest.content == .data) {
            add(.manifestContentWrong, "an entry of content \(entry.dataFile.content.rawValue)", "one kind a manifest")
        }
        let number = entry.sequenceNumber ?? 0
        if number < 0 || number > manifest.sequenceNumber {
            add(.entrySequenceNumberWrong, "sequence number \(number)", "0 to \(manifest.sequenceNumber)")
        } else if let file = entry.fileSequenceNumber {
            if entry.status == .added, file != manifest.sequenceNumber {
                add(
                    .entrySequenceNumberWrong, "file sequence number \(file) of an added file",
                    "\(manifest.sequenceNumber) of its commit")
            } else if file < number {
                add(.entrySequenceNumberWrong, "file sequence number \(file)", "at least its sequence number \(number)")
            }
        }
        if entry.dataFile.recordCount < 0 {
            add(.recordCountWrong, "\(entry.dataFile.recordCount) records", "0 or more")
        }
        checkCounts(entry.dataFile, add)
        checkBounds(entry.dataFile, add)
        checkDelete(entry.dataFile, add)
        return findings
    }

    private func checkCounts(_ file: DataFile, _ add: (FindingCode, String, String) -> Void) {
        for (id, values) in file.valueCounts.sorted(by: { $0.key < $1.key }) {
            let nulls = file.nullValueCounts[id] ?? 0
            let nans = file.nanValueCounts[id] ?? 0
            if values < 0 { add(.valueCountWrong, "column \(types.name(id)): \(values) values", "0 or more") }
            if nulls < 0 || nulls > max(values, 0) {
                add(.nullCountWrong, "column \(types.name(id)): \(nulls) nulls", "0 to \(values) values")
            } else if nans < 0 || nans > max(values, 0) {
                add(.nanCountWrong, "column \(types.name(id)): \(nans) NaNs", "0 to \(values) values")
            }
        }
    }

    private func checkBounds(_ file: DataFile, _ add: (FindingCode, String, String) -> Void) {
        for id in Set(file.lowerBounds.keys).union(file.upperBounds.keys).sorted() {
            guard let type = types[id], type.isPrimitive else { continue }
            let lower = file.lowerBounds[id].map { BoundValue($0, type) }
            let upper = file.upperBounds[id].map { BoundValue($0, type) }
            for (side, bound) in [("lower", lower), ("upper", upper)] {
                switch bound {
                case .malformed(let count):
                    add(
                        .boundMalformed, "\(side) bound of column \(types.name(id)): \(count) bytes",
                        "a value of type \(type)")
                case .nan: add(.boundNaN, "\(side) bound of column \(types.name(id)): NaN", "no bound, or a number")
                default: break
                }
            }
            if case .value(let low) = lower, case .value(let high) = upper,
                ValueOrder.compare(low, high) == .greater
            {
                add(
                    .boundsInverted, "column \(types.name(id)): lower \(low.shown), upper \(high.shown)",
                    "lower not above upper")
            }
        }
    }

    private func checkDelete(_ file: DataFile, _ add: (FindingCode, String, String) -> Void) {
        switch file.content {
        case .data: break
        case .equalityDeletes:
            let ids = file.equalityIds ?? []
            if ids.isEmpty {
                add(.equalityIdsMissing, "no equality_ids", "the ids of the compared columns")
            } else if let unknown = ids.first(where: { types[$0] == nil }) {
                add(.equalityIdsMissing, "equality id \(unknown)", "a column of the table")
            }
        case .positionDeletes:
            guard file.format == "PUFFIN" else { return }
            if file.referencedDataFile == nil {
                add(.deletionVectorReferenceMissing, "no referenced_data_file", "the data file it belongs to")
            }
            guard let offset = file.contentOffset, let bytes = file.contentBytes, offset >= 0, bytes > 0,
                offset <= file.fileBytes, bytes <= file.fileBytes - offset
            else {
                add(
                    .deletionVectorPlaceWrong,
                    "content_offset \(file.contentOffset.map(String.init) ?? "none"), content_size_in_bytes "
                        + (file.contentBytes.map(String.init) ?? "none"), "a place within \(file.fileBytes) bytes")
                return
            }
        }
    }
}

/// A bound as stored.
enum BoundValue {
    case value(Value)
    case nan
    case malformed(bytes: Int)

    init(_ bytes: [UInt8], _ type: DataType) {
        guard let value = SingleValue.decode(bytes, type) else {
            // Text that another writer cut inside a character is a bound all the same.
            self = type == .string ? .value(.binary(bytes)) : .malformed(bytes: bytes.count)
            return
        }
        self = ValueOrder.isNaN(value) ? .nan : .value(value)
    }
}

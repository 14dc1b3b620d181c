import Base
import Columnar
import Parquet
import Query

/// Looks into one Parquet file: its facts, and tables of row groups, column chunks, statistics, indexes and pages.
struct ParquetInspection {
    let reader: ParquetFileReader
    let options: ParquetInspectOptions
    let schema: Schema
    let names: ParquetColumnNames
    let leaves: [ParquetLeafColumn]
    private let fileBytes: Int

    init(_ file: any File, path: String, options: ParquetInspectOptions) throws {
        self.options = options
        fileBytes = try file.size()
        reader = try ParquetFileReader(fileBytes: fileBytes, source: path) { range in
            try file.read(at: range.lowerBound, count: range.count)
        }
        schema = try reader.fileSchema()
        leaves = try reader.footer.leafColumns(source: path)
        names = ParquetColumnNames(leaves)
    }

    /// Every row that `--column` leaves, in bounded memory.
    func printRows(_ format: OutputFormat) throws {
        let tops = Set(try names.leaves(options.column).map { names.names[$0].prefix { $0 != "." } })
        let fields = options.column.isEmpty ? schema.fields : schema.fields.filter { tops.contains($0.name[...]) }
        let projection = Schema(fields: fields)
        var printer = RowPrinter(columns: fields.map(\.name), format: format)
        for group in 0..<reader.rowGroupCount {
            let rows = try reader.rows(group, projection: projection)
            while let batch = try rows.next(rowsMax: 4096) {
                if format == .ndjson {
                    Self.printJSON(batch)
                } else {
                    for row in 0..<batch.rowCount { try printer.print(batch.columns.map { Cell($0, row: row) }) }
                }
            }
        }
        if format != .ndjson { try printer.finish() }
    }

    private static func printJSON(_ batch: RecordBatch) {
        var out: [UInt8] = []
        for row in 0..<batch.rowCount {
            batch.appendJSON(row: row, into: &out)
            out.append(UInt8(ascii: "\n"))
            if out.count > 1 << 16 {
                Console.out(out)
                out.removeAll(keepingCapacity: true)
            }
        }
        Console.out(out)
    }

    func report() throws -> InspectReport {
        let shown = try names.leaves(options.column)
        var report = InspectReport()
        addFacts(to: &report)
        if options.metadata { report.tables.append(metadata) }
        if options.column.isEmpty, !options.pages, options.bloom.isEmpty { report.tables.append(schemaTable) }
        report.tables.append(rowGroups)
        report.tables.append(chunks(shown))
        report.tables.append(statistics(shown))
        report.main = "column chunks"
        if let filters = try bloomFilters(shown) { report.tables.append(filters) }
        if options.pages {
            report.tables.append(try pages(shown))
            report.main = "pages"
        }
        if !options.bloom.isEmpty {
            report.tables.append(try probes())
            report.main = "bloom probes"
        }
        return report
    }

    // MARK: The file

    private func addFacts(to report: inout InspectReport) {
        let footer = reader.footer
        let chunks = footer.rowGroups.flatMap(\.columns)
        let stored = chunks.reduce(0) { $0 &+ $1.compressedBytes }
        let unfolded = chunks.reduce(0) { $0 &+ $1.uncompressedBytes }
        report.add("format", .text("Parquet"))
        report.add("version", .integer(Int64(footer.version)))
        report.add("created-by", .text(footer.createdBy ?? ""))
        report.add("rows", .integer(Int64(footer.rowCount)))
        report.add("row-group-count", .integer(Int64(footer.rowGroups.count)))
        report.add("column-count", .integer(Int64(leaves.count)))
        report.add("file-bytes", .integer(Int64(fileBytes)))
        report.add("compressed-bytes", .integer(Int64(stored)))
        report.add("uncompressed-bytes", .integer(Int64(unfolded)))
        report.add("ratio", ratio(stored, unfolded))
        report.add("footer-bytes", .integer(Int64(footer.footerBytes)))
        if !options.metadata {
            let pairs = footer.keyValueMetadata.sorted { $0.key < $1.key }
            report.add(
                "key-value-metadata",
                .text(pairs.map { "\($0.key) (\(Human.bytes($0.value.utf8.count)))" }.joined(separator: ", ")))
        }
    }

    private var metadata: InspectReport.Table {
        var table = InspectReport.Table(title: "key-value metadata", columns: ["key", "value"])
        for (key, value) in reader.footer.keyValueMetadata.sorted(by: { $0.key < $1.key }) {
            table.rows.append([.text(key), .text(value)])
        }
        return table
    }

    private var schemaTable: InspectReport.Table {
        var table = InspectReport.Table(title: "schema", columns: ["id", "column", "type", "required", "physical"])
        let byPath = Dictionary(leaves.map { ($0.path, $0) }) { first, _ in first }
        for (path, field) in schema.allFields {
            let physical = byPath[path].map { Cell.text($0.physicalText) } ?? .null
            // A file without ids is read under numbers of its own, which mean nothing outside.
            table.rows.append([
                field.id > 0 ? .integer(Int64(field.id)) : .null, .text(path), .text(field.type.description),
                .boolean(field.required), physical,
            ])
        }
        return table
    }

    private var rowGroups: InspectReport.Table {
        var table = InspectReport.Table(
            title: "row groups",
            columns: ["row-group", "rows", "offset", "compressed", "uncompressed", "ratio", "sorted-by"])
        for (index, group) in reader.footer.rowGroups.enumerated() {
            let stored = group.compressedBytes ?? group.columns.reduce(0) { $0 &+ $1.compressedBytes }
            let order = group.sortingColumns.map { column in
                let name = names.names.indices.contains(column.column) ? names.names[column.column] : "?"
                return name + (column.isDescending ? " desc" : " asc")
                    + (column.nullsFirst ? " nulls first" : " nulls last")
            }
            table.rows.append([
                .integer(Int64(index)), .integer(Int64(group.rowCount)),
                group.fileOffset.map { .integer(Int64($0)) } ?? .null, .integer(Int64(stored)),
                .integer(Int64(group.totalBytes)), ratio(stored, group.totalBytes),
                .text(order.joined(separator: ", ")),
            ])
        }
        return table
    }

    // MARK: Column chunks

    private func chunks(_ shown: [Int]) -> InspectReport.Table {
        var table = InspectReport.Table(
            title: "column chunks",
            columns: [
                "row-group", "column", "physical", "codec", "encodings", "pages", "values", "compressed",
                "uncompressed", "ratio", "offset", "column-index", "offset-index", "bloom",
            ])
        for (index, group) in reader.footer.rowGroups.enumerated() {
            for column in shown {
                let chunk = group.columns[column]
                let pages = chunk.encodingStatistics.map { "\($0.pageCount) \($0.pageType) \($0.encoding)" }
                table.rows.append([
                    .integer(Int64(index)), .text(names.names[column]), .text(leaves[column].physicalText),
                    .text("\(chunk.codec)"), .text(chunk.encodings.map(\.description).joined(separator: " ")),
                    .text(pages.joined(separator: ", ")), .integer(Int64(chunk.valueCount)),
                    .integer(Int64(chunk.compressedBytes)), .integer(Int64(chunk.uncompressedBytes)),
                    ratio(chunk.compressedBytes, chunk.uncompressedBytes),
                    .integer(Int64(chunk.dictionaryPageOffset ?? chunk.dataPageOffset)),
                    count(chunk.columnIndexBytes), count(chunk.offsetIndexBytes),
                    chunk.bloomFilterOffset == nil ? .null : count(chunk.bloomFilterBytes ?? 0),
                ])
            }
        }
        return table
    }

    private func statistics(_ shown: [Int]) -> InspectReport.Table {
        var table = InspectReport.Table(
            title: "statistics",
            columns: [
                "row-group", "column", "nulls", "nans", "distinct", "min", "max", "min-exact", "max-exact",
                "value-bytes", "definition-levels", "repetition-levels",
            ])
        for (index, group) in reader.footer.rowGroups.enumerated() {
            for column in shown {
                let chunk = group.columns[column]
                let known = chunk.statistics
                let bounds = bounds(column, known?.minValue, known?.maxValue)
                let sizes = chunk.sizeStatistics
                table.rows.append([
                    .integer(Int64(index)), .text(names.names[column]), count(known?.nullCount),
                    count(known?.nanCount), count(known?.distinctCount), bounds.lower, bounds.upper,
                    known?.isMinExact.map(Cell.boolean) ?? .null, known?.isMaxExact.map(Cell.boolean) ?? .null,
                    count(sizes?.unencodedByteArrayBytes), levels(sizes?.definitionHistogram),
                    levels(sizes?.repetitionHistogram),
                ])
            }
        }
        return table
    }

    private func levels(_ histogram: [Int]?) -> Cell {
        guard let histogram, !histogram.isEmpty else { return .null }
        return .json("[" + histogram.map(String.init).joined(separator: ",") + "]")
    }

    /// Bounds in the column's own type; bytes that are no value of it as `0x…`.
    func bounds(_ column: Int, _ lower: [UInt8]?, _ upper: [UInt8]?) -> (lower: Cell, upper: Cell) {
        let leaf = leaves[column]
        let known = leaf.bounds(lower: lower, upper: upper)
        func cell(_ value: Value?, _ raw: [UInt8]?) -> Cell {
            guard let raw else { return .null }
            guard let value, let type = leaf.type else { return .text("0x" + Hex.encode(raw)) }
            return .text(value.text(as: type))
        }
        return (cell(known.lower, lower), cell(known.upper, upper))
    }

    func count(_ value: Int?) -> Cell { value.map { .integer(Int64($0)) } ?? .null }

    /// Uncompressed bytes a stored byte, to two digits.
    private func ratio(_ stored: Int, _ unfolded: Int) -> Cell {
        stored > 0 ? .real((Double(unfolded) / Double(stored) * 100).rounded() / 100) : .null
    }
}

extension ParquetLeafColumn {
    /// The physical type as the specification writes it: `INT64`, `FIXED_LEN_BYTE_ARRAY(16)`.
    fileprivate var physicalText: String {
        switch element.physicalType {
        case .boolean: "BOOLEAN"
        case .int32: "INT32"
        case .int64: "INT64"
        case .int96: "INT96"
        case .float: "FLOAT"
        case .double: "DOUBLE"
        case .byteArray: "BYTE_ARRAY"
        case .fixedLenByteArray: "FIXED_LEN_BYTE_ARRAY(\(element.typeLength ?? 0))"
        case nil: "?"
        }
    }
}

extension Cell {
    /// One value of a column on its way to people.
    fileprivate init(_ column: Column, row: Int) {
        switch column.value(at: row) {
        case .null: self = .null
        case .boolean(let value): self = .boolean(value)
        case .int(let value): self = .integer(Int64(value))
        case .long(let value): self = .integer(value)
        case .structure, .list, .map:
            var json: [UInt8] = []
            column.appendJSON(row: row, into: &json)
            self = .json(String(decoding: json, as: UTF8.self))
        case .float(let value) where value.isFinite: self = .json("\(value)")
        case .double(let value): self = .real(value)
        case let value: self = .text(value.text(as: column.type))
        }
    }
}

import Base
import Columnar
import Parquet
import Query

extension ParquetInspection {
    /// The pages of every chunk, by their headers, with what the page index knows of them.
    func pages(_ shown: [Int]) throws -> InspectReport.Table {
        var table = InspectReport.Table(
            title: "pages",
            columns: [
                "row-group", "column", "page", "kind", "offset", "header", "compressed", "uncompressed", "values",
                "nulls", "first-row", "rows", "encoding", "crc", "min", "max",
            ])
        for group in 0..<reader.rowGroupCount {
            for column in shown {
                let index = try reader.pageIndex(rowGroup: group, column: column)
                let indexed = Dictionary(
                    (index?.pages ?? []).map { ($0.offset, $0) }, uniquingKeysWith: { first, _ in first })
                for (number, page) in try reader.pages(rowGroup: group, column: column).enumerated() {
                    let place = indexed[page.offset]
                    let bounds = bounds(column, place?.minValue, place?.maxValue)
                    table.rows.append([
                        .integer(Int64(group)), .text(names.names[column]), .integer(Int64(number)),
                        .text(page.type.map { "\($0)" } ?? "unknown"), .integer(Int64(page.offset)),
                        .integer(Int64(page.headerBytes)), .integer(Int64(page.compressedBytes)),
                        .integer(Int64(page.uncompressedBytes)), count(page.valueCount),
                        count(page.nullCount ?? place?.nullCount), count(place?.firstRow),
                        count(page.rowCount ?? place?.rowCount), .text(page.encoding?.description ?? ""),
                        page.checksum.map { .text(Hex.encode(UInt64($0), width: 8)) } ?? .null, bounds.lower,
                        bounds.upper,
                    ])
                }
            }
        }
        return table
    }

    /// Nil when no chunk has one.
    func bloomFilters(_ shown: [Int]) throws -> InspectReport.Table? {
        var table = InspectReport.Table(
            title: "bloom filters", columns: ["row-group", "column", "offset", "bytes", "blocks", "bits-set"])
        for (group, facts) in reader.footer.rowGroups.enumerated() {
            for column in shown where facts.columns[column].bloomFilterOffset != nil {
                guard let filter = try reader.bloomFilter(rowGroup: group, column: column) else { continue }
                table.rows.append([
                    .integer(Int64(group)), .text(names.names[column]), .integer(Int64(filter.offset)),
                    .integer(Int64(filter.storedBytes)), .integer(Int64(filter.blockCount)),
                    .text("\(Human.oneDecimal(filter.fill * 100)) %"),
                ])
            }
        }
        return table.rows.isEmpty ? nil : table
    }

    /// What the filters say of the values of `--bloom`, row group by row group.
    func probes() throws -> InspectReport.Table {
        var table = InspectReport.Table(
            title: "bloom probes", columns: ["column", "value", "row-group", "answer"])
        for probe in options.bloom {
            guard let sign = probe.firstIndex(of: "="), sign > probe.startIndex else {
                throw FirnError(
                    .invalidInput, "invalid_option",
                    "--bloom takes COLUMN=VALUE, such as --bloom user_id=4711, not \"\(probe)\"")
            }
            let text = String(probe[probe.index(after: sign)...])
            let (column, type) = try names.leaf(String(probe[..<sign]))
            let value = try Value(parsing: text, as: type)
            for group in 0..<reader.rowGroupCount {
                var answer = "no filter"
                if let filter = try reader.bloomFilter(rowGroup: group, column: column) {
                    answer = filter.mayContain(value).map { $0 ? "maybe" : "no" } ?? "cannot tell"
                }
                table.rows.append([
                    .text(names.names[column]), .text(text), .integer(Int64(group)), .text(answer),
                ])
            }
        }
        return table
    }
}

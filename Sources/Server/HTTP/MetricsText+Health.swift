import Catalog
import Ingest
import Maintenance

extension MetricsText {
    /// How compact tables are; those that take most records first, then others by name, `tablesMax` at most.
    func addHealth(_ out: inout PrometheusText, _ figures: IngestFigures) {
        let busy = figures.tables.sorted { ($0.landedRows, $1.table) > ($1.landedRows, $0.table) }.map(\.table)
        let known = Set(busy)
        let others = ((try? ingest.warehouse.listTables()) ?? []).filter { !known.contains($0) }
        let healths = health.healths(of: Array((busy + others).prefix(Self.tablesMax)))
        func each(_ name: String, _ help: String, _ value: (TableHealth) -> Double?) {
            out.begin(name, .gauge, help)
            for (table, health) in healths {
                guard let value = value(health) else { continue }
                out.sample(name, [("table", table.description)], value)
            }
        }
        func mean(_ total: Double, _ count: Int) -> Double { count > 0 ? total / Double(count) : 0 }
        each("table_data_files", "Live data files.") { Double($0.totals.files) }
        each("table_data_bytes", "Bytes of live data files.") { Double($0.totals.bytes) }
        each("table_small_file_ratio", "Share of data files below the target size.") { $0.smallFileRatio }
        each("table_partitions", "Partitions with data files.") { Double($0.partitions) }
        each("table_partition_files_max", "Data files of the fullest partition.") { Double($0.filesMax) }
        each("table_partition_files_mean", "Data files of a partition on average.") {
            mean(Double($0.totals.files), $0.partitions)
        }
        each("table_partition_bytes_max", "Bytes of the largest partition.") { Double($0.partitionBytesMax) }
        each("table_partition_bytes_mean", "Bytes of a partition on average.") {
            mean(Double($0.totals.bytes), $0.partitions)
        }
        each("table_partitions_over_bound", "Partitions with more files than compaction allows.") {
            Double($0.partitionsOverBound)
        }
        each("table_compaction_backlog_files", "Files that compaction would read now.") { Double($0.backlogFiles) }
        each("table_compaction_backlog_bytes", "Bytes that compaction would read now.") { Double($0.backlogBytes) }
        each("table_write_amplification", "Bytes compactions wrote for each byte that came, by recorded jobs.") {
            $0.history.amplification
        }
        each("table_write_amplification_limit", "What write amplification stays below.") { $0.bounds.amplificationMax }
        each("table_last_compaction_seconds", "When the last compaction succeeded, since 1970.") {
            $0.history.lastRunMs.map { Double($0) / 1000 }
        }
        each("table_compaction_failures", "Recorded compactions that failed.") { Double($0.history.failures) }
    }
}

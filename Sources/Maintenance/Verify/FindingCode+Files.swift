/// Severity, consequences and next step of the faults of data files.
extension FindingCode {
    static let fileFacts: [FindingCode: Facts] = [
        .duplicateFile: Facts(
            severity: .error, isRepairable: true, readers: "every reader returns the rows of the file twice",
            next: repairStep),
        .entrySequenceNumberWrong: Facts(
            severity: .error, isRepairable: true,
            readers: "deletes apply to rows written after them, or not to rows before them", next: repairStep),
        .dataFileMissing: Facts(
            severity: .error, isRepairable: true,
            readers: "every scan of the file fails; count(*) from metadata still counts its rows",
            next: "restore the file; or firn doctor --repair --drop-missing, which gives its rows up"),
        .fileSizeWrong: Facts(
            severity: .error, isRepairable: true,
            readers: "Polars, and all that find the footer by the recorded size, fail", next: repairStep),
        .fileUnreadable: Facts(
            severity: .error, isRepairable: false, readers: "every scan of the file fails",
            next: "restore the file from a copy"),
        .fileNotExamined: Facts(
            severity: .info, isRepairable: false, readers: "none, as far as is known",
            next: "verify it with an engine that reads the format or the store"),
        .recordCountWrong: Facts(
            severity: .error, isRepairable: true,
            readers: "PyIceberg, Polars, DuckDB and ClickHouse answer count(*) from it", next: repairStep),
        .splitOffsetsWrong: Facts(
            severity: .warning, isRepairable: true,
            readers: "readers that split by them return rows twice or not at all", next: repairStep),
        .valueCountWrong: Facts(
            severity: .error, isRepairable: true, readers: "files are taken for all null and skipped",
            next: repairStep),
        .nullCountWrong: Facts(
            severity: .error, isRepairable: true,
            readers: "IS NULL and IS NOT NULL skip files that hold matching rows", next: repairStep),
        .nanCountWrong: Facts(
            severity: .error, isRepairable: true, readers: "filters on NaN skip files that hold matching rows",
            next: repairStep),
        .boundMalformed: Facts(
            severity: .warning, isRepairable: true, readers: "some readers fail, others prune at random",
            next: repairStep),
        .boundNaN: Facts(
            severity: .warning, isRepairable: true, readers: "readers that compare with NaN skip the file",
            next: repairStep),
        .boundsInverted: Facts(
            severity: .error, isRepairable: true, readers: "ClickHouse drops rows or aborts, others skip the file",
            next: repairStep),
        .boundNarrow: Facts(
            severity: .error, isRepairable: true, readers: "every reader skips the file for values that it holds",
            next: repairStep),
        .pageIndexUnreadable: Facts(
            severity: .warning, isRepairable: false, readers: "filtered scans fail or skip pages with matching rows",
            next: "rewrite the file by compaction"),
        .partitionValueWrong: Facts(
            severity: .error, isRepairable: false,
            readers: "filters on the partition column skip the file or return wrong rows",
            next: "rewrite the rows into their partition"),
        .rowHashWrong: Facts(
            severity: .error, isRepairable: false,
            readers: "every reader returns rows that are not those Firn wrote; compaction refuses the file",
            next: "restore the file from a copy"),
        .fieldIdsMissing: Facts(
            severity: .error, isRepairable: true,
            readers: "PyIceberg and Polars fail, DuckDB returns NULL in every column",
            next: "firn doctor --repair sets schema.name-mapping.default"),
    ]
}

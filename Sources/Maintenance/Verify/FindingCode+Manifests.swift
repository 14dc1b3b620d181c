/// Severity, consequences and next step of the faults of manifest lists and manifests.
extension FindingCode {
    static let manifestFacts: [FindingCode: Facts] = [
        .manifestListMissing: Facts(
            severity: .error, isRepairable: false, readers: "the snapshot cannot be read",
            next: "restore the file, or roll back to another snapshot"),
        .manifestListUnreadable: Facts(
            severity: .error, isRepairable: false, readers: "the snapshot cannot be read",
            next: "restore the file, or roll back to another snapshot"),
        .manifestMissing: Facts(
            severity: .error, isRepairable: false, readers: "the snapshot cannot be read",
            next: "restore the file, or roll back to another snapshot"),
        .manifestUnreadable: Facts(
            severity: .error, isRepairable: false, readers: "the snapshot cannot be read",
            next: "restore the file, or roll back to another snapshot"),
        .manifestTwice: Facts(
            severity: .error, isRepairable: true, readers: "every row of the manifest is returned twice",
            next: repairStep),
        .manifestLengthWrong: Facts(
            severity: .warning, isRepairable: true,
            readers: "PyIceberg, Polars, DuckDB and ClickHouse take no notice; "
                + "readers that fetch by length fail", next: repairStep),
        .manifestCountsWrong: Facts(
            severity: .error, isRepairable: true,
            readers: "a manifest that counts no live files is skipped, and count(*) from metadata is wrong",
            next: repairStep),
        .manifestMinSequenceNumberWrong: Facts(
            severity: .error, isRepairable: true, readers: "planners skip deletes that apply: deleted rows come back",
            next: repairStep),
        .manifestSequenceNumberWrong: Facts(
            severity: .error, isRepairable: true, readers: "entries inherit it, and deletes apply to the wrong files",
            next: repairStep),
        .manifestContentWrong: Facts(
            severity: .error, isRepairable: false, readers: "deletes are read as data, or data as deletes",
            next: "rewrite the table with the engine that wrote it"),
        .manifestSpecUnknown: Facts(
            severity: .error, isRepairable: false, readers: "no reader can read the manifest",
            next: "register an older metadata file that still has the partition spec"),
        .manifestRowDiffers: Facts(
            severity: .warning, isRepairable: false, readers: "one of the snapshots is planned by wrong counts",
            next: "expire the snapshot, or repair the current one"),
        .partitionSummaryNarrow: Facts(
            severity: .error, isRepairable: true, readers: "every reader prunes files that hold matching rows",
            next: repairStep),
        .avroFieldIdsMissing: Facts(
            severity: .error, isRepairable: false, readers: "PyIceberg and Firn fail, DuckDB aborts",
            next: "rewrite the manifests with the engine that wrote them"),
        .avroElementIdsMissing: Facts(
            severity: .warning, isRepairable: true, readers: "PyIceberg fails, DuckDB crashes", next: repairStep),
        .avroMapTypeMissing: Facts(
            severity: .warning, isRepairable: true, readers: "PyIceberg fails, DuckDB crashes", next: repairStep),
        .avroUnionOrder: Facts(
            severity: .warning, isRepairable: true, readers: "PyIceberg fails on unions with null last",
            next: repairStep),
        .avroCodecMissing: Facts(
            severity: .warning, isRepairable: true, readers: "PyIceberg fails without the key avro.codec",
            next: repairStep),
        .avroCodecZstandard: Facts(
            severity: .warning, isRepairable: true, readers: "DuckDB and Paimon fail on zstandard", next: repairStep),
        .avroKeyValuesMissing: Facts(
            severity: .warning, isRepairable: true,
            readers: "without schema or partition-spec ClickHouse and iceberg-rust fail; iceberg-go takes a list "
                + "without format-version for version 1", next: repairStep),
        .listFieldsMissing: Facts(
            severity: .warning, isRepairable: true, readers: "PyIceberg and DuckDB fail without the file counts",
            next: repairStep),
    ]
}

/// Severity, consequences and next step of the faults of table metadata.
extension FindingCode {
    static let metadataFacts: [FindingCode: Facts] = [
        .metadataUnreadable: Facts(
            severity: .error, isRepairable: false, readers: "no reader opens the table",
            next: "restore the metadata file, or register an older one of the metadata log"),
        .metadataInvalid: Facts(
            severity: .error, isRepairable: false, readers: "strict readers refuse the table",
            next: "register an older metadata file, or correct this one with the engine that wrote it"),
        .metadataMemberMissing: Facts(
            severity: .error, isRepairable: true,
            readers: "without last-column-id PyIceberg and Polars fail, without table-uuid or current-schema-id "
                + "DuckDB and ClickHouse, without sort orders ClickHouse",
            next: repairStep),
        .snapshotMemberMissing: Facts(
            severity: .warning, isRepairable: true,
            readers: "without summary DuckDB fails, without schema-id ClickHouse and newer DuckDB", next: repairStep),
        .metadataNameUnknown: Facts(
            severity: .warning, isRepairable: true,
            readers: "ClickHouse finds no version in the name and fails; a .metadata.json.gz name fails in PyIceberg, "
                + "Polars and DuckDB", next: "any commit through a catalog writes a file with a usual name"),
        .metadataLogFileMissing: Facts(
            severity: .warning, isRepairable: false,
            readers: "none fails; the table cannot be set back to that state",
            next: "nothing, when the files were cleaned up on purpose"),
        .metadataLogWrong: Facts(
            severity: .warning, isRepairable: true, readers: "Java refuses a log that is not sorted by time",
            next: repairStep),
        .snapshotLogWrong: Facts(
            severity: .warning, isRepairable: true,
            readers: "Java refuses a log that is not sorted; time travel by time finds the wrong snapshot",
            next: repairStep),
        .snapshotIdDuplicate: Facts(
            severity: .error, isRepairable: false, readers: "readers pick one or the other snapshot",
            next: "register an older metadata file"),
        .snapshotSequenceNumber: Facts(
            severity: .error, isRepairable: false,
            readers: "deletes apply to the wrong files in every reader",
            next: "firn doctor --repair raises last-sequence-number; rewrite the table when snapshots share a number"),
        .snapshotParentCycle: Facts(
            severity: .error, isRepairable: false, readers: "walks through the history never end or fail",
            next: "register an older metadata file"),
        .snapshotSchemaUnknown: Facts(
            severity: .error, isRepairable: true, readers: "time travel to the snapshot fails", next: repairStep),
        .referenceUnknownSnapshot: Facts(
            severity: .error, isRepairable: true, readers: "Firn and other strict readers refuse the table",
            next: repairStep),
        .currentSnapshotUnknown: Facts(
            severity: .error, isRepairable: false, readers: "no reader finds the current rows",
            next: "register an older metadata file, or point main to a snapshot that exists"),
        .mainNotCurrent: Facts(
            severity: .error, isRepairable: true,
            readers: "readers that follow refs and those that follow current-snapshot-id see different rows",
            next: "firn doctor --repair makes main's snapshot the current one"),
        .lastColumnIdLow: Facts(
            severity: .error, isRepairable: true,
            readers: "the next column added gets an id in use: old files show its values in every reader",
            next: repairStep),
        .lastPartitionIdLow: Facts(
            severity: .warning, isRepairable: true,
            readers: "the next partition field gets an id in use", next: repairStep),
        .fieldIdDuplicate: Facts(
            severity: .error, isRepairable: false, readers: "columns are mixed up or the table refused",
            next: "rewrite the table with a schema whose ids are unique"),
        .currentSchemaUnknown: Facts(
            severity: .error, isRepairable: true, readers: "no reader opens the table", next: repairStep),
        .defaultSpecUnknown: Facts(
            severity: .error, isRepairable: true, readers: "Firn and other strict readers refuse the table",
            next: repairStep),
        .defaultSortOrderUnknown: Facts(
            severity: .error, isRepairable: true, readers: "Firn and other strict readers refuse the table",
            next: repairStep),
        .specSourceUnknown: Facts(
            severity: .warning, isRepairable: false,
            readers: "engines that bind the spec to the current schema refuse the table",
            next: "remove the partition field with the engine that owns the table"),
        .summaryTotalsWrong: Facts(
            severity: .warning, isRepairable: true,
            readers: "statistics and dashboards are wrong; no reader takes rows from it", next: repairStep),
        .rowIdsWrong: Facts(
            severity: .error, isRepairable: true, readers: "new rows get ids of old ones",
            next: repairStep),
        .rowIdsOverlap: Facts(
            severity: .error, isRepairable: false, readers: "two rows have one _row_id: changes are mixed up",
            next: "rewrite one of the files"),
        .statisticsFileMissing: Facts(
            severity: .warning, isRepairable: false, readers: "engines that plan with statistics fail or do without",
            next: "remove the statistics, or compute them again"),
        .statisticsSizeWrong: Facts(
            severity: .warning, isRepairable: false, readers: "engines that plan with statistics fail",
            next: "compute the statistics again"),
    ]
}

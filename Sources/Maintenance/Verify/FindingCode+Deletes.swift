/// Severity, consequences and next step of the faults of deletes, catalog and folders.
extension FindingCode {
    static let deleteFacts: [FindingCode: Facts] = [
        .deleteFileMissing: Facts(
            severity: .error, isRepairable: true, readers: "every scan of the files it applies to fails",
            next: "restore the file; or firn doctor --repair --drop-missing, which brings its deleted rows back"),
        // Legal, and usual once all data files of a partition were rewritten: not worth an alarm.
        .danglingPositionDelete: Facts(
            severity: .info, isRepairable: true, readers: "none is wrong; scans open the file for nothing",
            next: repairStep),
        .danglingDeletionVector: Facts(
            severity: .warning, isRepairable: true, readers: "none is wrong; scans open the file for nothing",
            next: repairStep),
        .danglingEqualityDelete: Facts(
            severity: .warning, isRepairable: true,
            readers: "rows are right, but PyIceberg and Polars refuse any equality delete", next: repairStep),
        .deletionVectorsConflict: Facts(
            severity: .error, isRepairable: false, readers: "readers apply one or the other: deleted rows come back",
            next: "delete again the rows that came back, which merges the vectors"),
        .deletionVectorReferenceMissing: Facts(
            severity: .error, isRepairable: false, readers: "DuckDB ignores the deletes without a word",
            next: "write the deletes again with the engine that made them"),
        .deletionVectorPlaceWrong: Facts(
            severity: .error, isRepairable: false, readers: "readers fail, or delete other rows",
            next: "write the deletes again with the engine that made them"),
        .equalityIdsMissing: Facts(
            severity: .error, isRepairable: false, readers: "readers fail or delete nothing",
            next: "write the deletes again with the engine that made them"),
        .liveFileInLedger: Facts(
            severity: .error, isRepairable: false,
            readers: "none yet; the next firn gc would delete a file that the table needs",
            next: "do not run firn gc; copy the file, and report this as a defect of Firn"),
        .orphanFile: Facts(
            severity: .info, isRepairable: false, readers: "none",
            next: "delete it when no engine is writing it and it is older than your longest job"),
        .orphanManifest: Facts(
            severity: .info, isRepairable: false, readers: "none",
            next: "delete it when no engine is writing it and it is older than your longest job"),
    ]
}

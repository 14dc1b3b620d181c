import Base
import Columnar
import Testing

@testable import Iceberg

/// Two commits that start from one snapshot: what the first did decides on the second.
@Suite struct ConflictTests {
    private static let day = 3
    /// `ts` on the third day.
    private static let third = Predicate.compare(
        fieldId: 2, .greaterOrEqual, .timestamptz(Int64(day) * 86_400_000_000))

    private func table(_ version: Int = 2) throws -> (TestTable, [DataFile]) {
        let table =
            try version == 3 ? TestTable.version3(spec: TestTable.byDay) : TestTable(spec: TestTable.byDay)
        let files = (1...3).map { table.file("day\($0)", partition: [.date(Int32($0))]) }
        try table.append(files)
        return (table, files)
    }

    private func validation(
        _ table: TestTable, _ isolation: CommitValidation.Isolation = .serializable, rewrites: Bool = true
    ) -> CommitValidation {
        CommitValidation(
            startSnapshotId: table.head, conflictFilter: Self.third, isolation: isolation, rewritesRows: rewrites)
    }

    @Test func addedRowsConflictUnderTheFilter() throws {
        for (day, isolation, expected) in [
            (3, .serializable, "data_files_added"), (3, .snapshot, ""), (2, .serializable, ""),
        ] as [(Int32, CommitValidation.Isolation, String)] {
            let (table, files) = try table()
            let read = validation(table, isolation)
            try table.append([table.file("new", partition: [.date(day)])])
            let found = code { try table.rowDelta(deletes: [table.deletes("d", of: files[2])], validation: read) }
            #expect(found == expected, "\(day) \(isolation)")
        }
    }

    @Test func compactionAddsNoRows() throws {
        let (table, files) = try table()
        let read = validation(table)
        try table.put(try table.replace([files[1]], by: [table.file("day2b", partition: [.date(2)])]))
        try table.rowDelta(deletes: [table.deletes("d", of: files[2])], validation: read)
        // But it takes away the file whose rows are deleted.
        let again = validation(table)
        try table.put(
            try table.replace([files[2]], by: [table.file("day3b", partition: [.date(3)])], sequenceNumber: 3))
        let error = #expect(throws: FirnError.self) {
            try table.rowDelta(deletes: [table.deletes("e", of: files[2])], validation: again)
        }
        #expect(error?.code == "data_files_removed" && error?.kind == .conflict)
        #expect(error?.context["file"] == files[2].path && error?.context["snapshot-id"] == String(table.head))
    }

    @Test func deletedRowsConflictWhenRowsAreRewritten() throws {
        for (target, rewrites, expected) in [(2, true, "delete_files_added"), (2, false, ""), (1, true, "")] {
            let (table, files) = try table()
            let read = validation(table, .snapshot, rewrites: rewrites)
            try table.rowDelta(deletes: [table.deletes("d", of: files[target])])
            let found = code { try table.rowDelta(deletes: [table.deletes("e", of: files[2])], validation: read) }
            #expect(found == expected, "\(target) \(rewrites)")
        }
    }

    @Test func removedFilesMustNotHaveGotDeletes() throws {
        let (table, files) = try table()
        let read = validation(table, .snapshot, rewrites: false)
        try table.rowDelta(deletes: [table.deletes("d", of: files[2])])
        #expect(code { try table.rowDelta(remove: [files[2]], validation: read) } == "deletes_added")
        try table.rowDelta(remove: [files[1]], validation: read)
        #expect(code { try table.rowDelta(remove: [files[1]], validation: read) } == "file_not_live")
    }

    @Test func vectorsOfOneFileClash() throws {
        let (table, files) = try table(3)
        let read = validation(table, .snapshot, rewrites: false)
        try table.rowDelta(deletes: [table.vector("v", of: files[2])])
        try table.rowDelta(deletes: [table.vector("w", of: files[1])], validation: read)
        let error = #expect(throws: FirnError.self) {
            try table.rowDelta(deletes: [table.vector("x", of: files[2])], validation: read)
        }
        #expect(error?.code == "deletion_vector_exists" && error?.context["file"]?.hasSuffix("v.puffin") == true)
    }

    @Test func historyMustBeKnown() throws {
        let (table, files) = try table()
        let read = validation(table)
        try table.append([table.file("x", partition: [.date(1)])])
        var stranger = read
        stranger.startSnapshotId = 77
        #expect(
            code { try table.rowDelta(deletes: [table.deletes("d", of: files[2])], validation: stranger) }
                == "history_changed")
        // From the beginning of the table everything came later.
        var beginning = read
        beginning.startSnapshotId = nil
        #expect(
            code { try table.rowDelta(deletes: [table.deletes("d", of: files[2])], validation: beginning) }
                == "data_files_added")
        // On another branch the history is another.
        try table.change {
            try SnapshotProducer.setReference(
                base: $0, baseLocation: $1, name: "b",
                reference: SnapshotReference(snapshotId: table.snapshots[0].snapshotId, kind: .branch), context: $2)
        }
        var ahead = read
        ahead.startSnapshotId = table.head
        #expect(
            code { try table.rowDelta(deletes: [table.deletes("d", of: files[2])], branch: "b", validation: ahead) }
                == "history_changed")
    }

    @Test func overwritesByFilter() throws {
        let (table, _) = try table()
        func overwrite(_ name: String, _ read: CommitValidation?, _ filter: Predicate = Self.third) throws {
            try table.run {
                try SnapshotProducer.overwrite(
                    base: $0, baseLocation: $1, filter: filter,
                    added: [table.file(name, partition: [.date(3)])], validation: read, context: $2, store: $3)!
            }
        }
        let start = validation(table)
        try overwrite("n1", start)
        #expect(table.lastSummary["operation"] == "overwrite" && table.lastSummary["deleted-data-files"] == "1")
        #expect(try table.data().keys.sorted() == ["day1", "day2", "n1"])
        #expect(code { try overwrite("n2", start) } == "data_files_added")
        var loose = start
        loose.isolation = .snapshot
        #expect(code { try overwrite("n2", loose) } == "data_files_removed")
        try overwrite("n2", validation(table))
        try table.rowDelta(deletes: [table.deletes("d", partition: [.date(3)])])
        loose.startSnapshotId = table.snapshots[table.snapshots.count - 2].snapshotId
        #expect(code { try overwrite("n3", loose) } == "delete_files_added")
        // Half a day is not a whole file.
        let half = Predicate.compare(fieldId: 2, .greaterOrEqual, .timestamptz(Int64(Self.day) * 86_400_000_000 + 1))
        #expect(code { try overwrite("n3", nil, half) } == "rows_partially_match")
    }

    @Test func isolationComesFromProperties() {
        let properties = TableProperties([
            "write.delete.isolation-level": "Snapshot", "write.update.isolation-level": "x",
        ])
        #expect(properties.isolation(of: .delete) == .snapshot)
        #expect(properties.isolation(of: .update) == .serializable && properties.isolation(of: .merge) == .serializable)
    }
}

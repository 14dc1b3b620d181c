import Base
import Columnar
import Parquet

/// Data files of one partition, taken over without making rows of them where that is possible.
///
/// 1. A row group without deleted rows is taken over column by column: pages where the file has the column as the
///    output will, else as columns (`ParquetFileWriter+Merge`). A file with deletes is read as rows.
/// 2. What each row states is summed on the way (`RowSums`), for the fingerprint of what was read. When the file brings
///    its own and no more columns are to be proven, nothing is hashed.
/// 3. Of another writer's file, the columns that the partition is made of are read as rows too: a row that belongs
///    elsewhere is not taken along. Firn's own files were divided by this very code.
extension DataFileWriter {
    /// What a merge must know of the rows it read.
    public struct Proof: Sendable {
        /// True for the metadata columns too.
        public var coversMetadataColumns: Bool

        public init(coversMetadataColumns: Bool) { self.coversMetadataColumns = coversMetadataColumns }
    }

    /// Whether files can be merged: not where rows have to be sorted.
    public var mergesFiles: Bool { sorter == nil && sortOrderId == nil }

    /// Adds the rows of a file, which all belong to `partition`, and returns their fingerprint.
    ///
    /// Preconditions: `mergesFiles`; `source` has the writer's schema.
    ///
    /// - Parameter checkpoint: called with the number of rows read since the last call.
    ///
    /// Throws `.corrupted` (`misplaced_rows`) for a row of another partition, and what reading and writing throws.
    public func merge(
        _ source: DataFileReader, partition: [Value], proof: Proof, checkpoint: (_ rows: Int) throws -> Void
    ) throws -> RowHash {
        precondition(mergesFiles && source.layout.schema.fields == schema.fields)
        try writeGathered()
        // A file of several row groups may end up in several outputs.
        let hasOwnHash = !proof.coversMetadataColumns && source.deletes == nil && source.rowGroupCount == 1
        let known = hasOwnHash ? StoredRowHash.read(source.reader.footer, as: hashedSchema) : nil
        let isOwn = StoredRowHash.read(source.reader.footer) != nil
        var hash = RowHash()
        for group in 0..<source.rowGroupCount {
            // A file is opened for rows only: all those of an input may be deleted.
            if source.deletes == nil, source.rowCount(rowGroup: group) > 0,
                let (target, file) = try target(for: source, group, partition)
            {
                if !isOwn { try checkPlaces(source, group, partition) }
                hash = hash + (try takeOver(source, group, into: file, proof, known))
                try checkpoint(source.rowCount(rowGroup: group))
                if file.estimatedBytes >= fileBytesTarget { try finishFile(of: target) }
            } else {
                let batches = try source.batches(group)
                while let batch = try batches.next() {
                    hash.add(
                        batch, rows: 0..<batch.rowCount, columns: proof.coversMetadataColumns ? nil : hashedColumns)
                    if !isOwn { try check(batch, partition, source) }
                    try write(batch, 0..<batch.rowCount, partition: partition)
                    try checkpoint(batch.rowCount)
                }
            }
        }
        return hash
    }

    /// The open file of the partition; nil when it cannot take the row group over whole.
    private func target(
        for source: DataFileReader, _ group: Int, _ partition: [Value]
    ) throws -> (partition: OpenPartition, file: OpenDataFile)? {
        let target = openPartition(partition.map(SingleValue.encode), partition)
        let file = try file(of: target, isSorted: false)
        return file.writer.takes(rowGroup: group, of: source.reader) ? (target, file) : nil
    }

    private var hashedSchema: Schema { Schema(fields: Array(schema.fields.prefix(hashedColumns))) }

    // MARK: One row group

    private func takeOver(
        _ source: DataFileReader, _ group: Int, into file: OpenDataFile, _ proof: Proof, _ known: RowHash?
    ) throws -> RowHash {
        let count = source.rowCount(rowGroup: group)
        let sums = known == nil ? RowSums(rowCount: count) : nil
        try file.writer.begin(rows: count)
        let all = schema.fields.indices
        try take(all.prefix(hashedColumns), of: source, group, into: file, sums)
        var hash = known ?? RowHash()
        if let sums { hash.add(sums, count: count) }
        file.hash = file.hash + hash
        try take(all.dropFirst(hashedColumns), of: source, group, into: file, sums)
        if proof.coversMetadataColumns, let sums {
            hash = RowHash()
            hash.add(sums, count: count)
        }
        try file.writer.end(rows: count)
        return hash
    }

    private func take(
        _ fields: Range<Int>, of source: DataFileReader, _ group: Int, into file: OpenDataFile, _ sums: RowSums?
    ) throws {
        var rest: [Field] = []
        for index in fields where schema.fields[index].type != .unknown {
            let field = schema.fields[index]
            if source.layout.isStored(index), file.writer.takesPages(of: field.id, from: source.reader),
                try source.reader.statesRows(of: field)
            {
                try file.writer.appendPages(of: field, from: source.reader, rowGroup: group, sums: sums)
            } else {
                rest.append(field)
            }
        }
        guard !rest.isEmpty else { return }
        let batches = try source.reopened(Schema(fields: rest)).batches(group)
        var row = 0
        while let batch = try batches.next() {
            for (field, column) in zip(rest, batch.columns) {
                sums?.add(column, field.id, field.type, rows: 0..<batch.rowCount, at: row)
                try file.writer.appendColumn(column, of: field.id)
            }
            row += batch.rowCount
        }
    }

    // MARK: Partition

    private func checkPlaces(_ source: DataFileReader, _ group: Int, _ partition: [Value]) throws {
        let ids = spec.fields.filter { $0.transform != .void }.map(\.sourceId)
        let fields = schema.fields.filter { field in
            !Set(Schema(fields: [field]).allFields.map(\.field.id)).isDisjoint(with: ids)
        }
        guard !fields.isEmpty else { return }
        let batches = try source.reopened(Schema(fields: fields)).batches(group)
        while let batch = try batches.next() { try check(batch, partition, source) }
    }

    private func check(_ batch: RecordBatch, _ partition: [Value], _ source: DataFileReader) throws(FirnError) {
        guard !spec.fields.isEmpty, batch.rowCount > 0 else { return }
        let grouping = PartitionGrouping(batch, spec: spec, partitionFields: partitionFields, defaults: defaults)
        let wanted = partition.map(SingleValue.encode)
        for group in grouping.groups {
            let found = zip(partitionFields, group.partition).map { SingleValue.encode($1.fitting($0.type) ?? $1) }
            guard found == wanted else {
                throw FirnError(
                    .corrupted, "misplaced_rows",
                    "files of a partition hold rows of another; they were left as they are",
                    context: ["file": source.reader.source])
            }
        }
    }
}

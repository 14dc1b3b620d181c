import Base
import Catalog
import Columnar
import Iceberg
import Storage

/// Where the rows of a group's inputs stand in its outputs.
///
/// Outputs hold the rows of the inputs one after the other, in order, without those that were deleted when they were
/// read. So row `p` of input `i` is row `first(i) + p - (deleted rows of i before p)` of the outputs as one sequence,
/// and all the map keeps is which rows were deleted.
///
/// That the order is as said is not believed but proven, once a group: a hash over the rows in their order must be the
/// same on both sides. A group that was sorted has no map.
struct RowMap: Sendable {
    /// Of each input, the positions of rows that were not written.
    private let dropped: [RowPositions]
    /// Of each input, the number of its first row among all output rows; one more for the end.
    private let first: [Int64]
    /// Of each output, the number of its last row, and one.
    private let ends: [Int64]

    /// Nil when the rows of the outputs do not stand in the order of the inputs.
    init?(
        _ output: GroupRewrite.Output, base: RunBase, store: any ObjectStore, checkpoint: (Int64) throws -> Void
    ) throws {
        let tasks = try output.plan.files.map(base.task)
        var dropped: [RowPositions] = []
        var first: [Int64] = [0]
        for task in tasks {
            let gone = try Self.dropped(task, base, store)
            first.append(first[first.count - 1] + task.dataFile.recordCount - Int64(gone.count))
            dropped.append(gone)
        }
        var ends: [Int64] = []
        for file in output.files { ends.append((ends.last ?? 0) + file.recordCount) }
        guard ends.last ?? 0 == first[first.count - 1] else { return nil }
        let hasRowIds = base.table.metadata.formatVersion >= 3 && tasks.allSatisfy { $0.dataFile.firstRowId != nil }
        let outputs = output.files.map { file in
            var file = file
            // Only files with row ids are asked for stored ones.
            file.firstRowId = hasRowIds ? 0 : nil
            return FileScanTask(dataFile: file, sequenceNumber: 0, spec: tasks[0].spec)
        }
        let schema = Schema(
            fields: base.table.metadata.currentSchema.fields + (hasRowIds ? MetadataColumn.lineage.map(\.field) : []))
        func hash(_ tasks: [FileScanTask]) throws -> UInt64 {
            try Self.orderedHash(tasks, schema, base, store, checkpoint)
        }
        guard try hash(tasks) == hash(outputs) else { return nil }
        (self.dropped, self.first, self.ends) = (dropped, first, ends)
    }

    /// Rows that were deleted when the input was read.
    private static func dropped(
        _ task: FileScanTask, _ base: RunBase, _ store: any ObjectStore
    ) throws -> RowPositions {
        guard task.deletes.contains(where: { $0.dataFile.content == .equalityDeletes }) else {
            return try base.loader.positions(for: task) ?? RowPositions()
        }
        let reader = try DataFileReader(
            task, schema: Schema(fields: [MetadataColumn.position.field]),
            nameMapping: base.table.metadata.nameMapping, loader: base.loader, store: store)
        var dropped = RowPositions()
        var next: Int64 = 0
        while let batch = try reader.next() {
            guard case .int64(let positions) = batch.columns[0].storage else {
                preconditionFailure("positions are longs")
            }
            for row in 0..<batch.rowCount {
                let position = positions[row]
                while next < position {
                    dropped.insert(next)
                    next += 1
                }
                next = position + 1
            }
        }
        while next < task.dataFile.recordCount {
            dropped.insert(next)
            next += 1
        }
        return dropped
    }

    private static func orderedHash(
        _ tasks: [FileScanTask], _ schema: Schema, _ base: RunBase, _ store: any ObjectStore,
        _ checkpoint: (Int64) throws -> Void
    ) throws -> UInt64 {
        var hash = XXHash64.prime5
        for task in tasks {
            let reader = try DataFileReader(
                task, schema: schema, nameMapping: base.table.metadata.nameMapping, loader: base.loader, store: store)
            while let batch = try reader.next() {
                for row in batch.rowHashes() { hash = XXHash64.absorb(hash, row) }
                try checkpoint(0)
            }
        }
        return hash
    }

    var outputRows: Int64 { ends.last ?? 0 }

    /// The positions in each output of some rows of the inputs. Rows that were not written are passed over.
    ///
    /// - Parameters:
    ///   - rows: by the number of the input.
    ///   - inputs: of these, every row.
    func outputs(of rows: [Int: RowPositions], andAllOf inputs: Set<Int>) -> [RowPositions] {
        var found = ends.map { _ in RowPositions() }
        var output = 0
        // Ascending, since inputs and their rows are.
        func add(_ row: Int64) {
            while row >= ends[output] { output += 1 }
            found[output].insert(row - (output == 0 ? 0 : ends[output - 1]))
        }
        for input in dropped.indices {
            if inputs.contains(input) {
                for row in first[input]..<first[input + 1] { add(row) }
                continue
            }
            guard let wanted = rows[input] else { continue }
            var gone = dropped[input].makeIterator()
            var nextGone = gone.next()
            var before: Int64 = 0
            for position in wanted {
                while let dead = nextGone, dead < position {
                    before += 1
                    nextGone = gone.next()
                }
                // A position past the end is no row; a foreign delete file may name one.
                let row = first[input] + position - before
                if position != nextGone, row < first[input + 1] { add(row) }
            }
        }
        return found
    }
}

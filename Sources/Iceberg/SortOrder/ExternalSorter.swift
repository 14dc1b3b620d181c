import Base
import Columnar

/// Sorts any number of rows in bounded memory; equal rows keep the order in which they came.
///
/// 1. Batches wait in memory as they come: they are never copied together. When they pass the bound, with what sorting
///    them takes, row numbers are sorted by packed keys (`KeySort`), and the rows are gathered, block by block in their
///    order and column by column, straight into an unlinked temporary file: a run.
/// 2. At the end a block of each run is in memory. The run whose block ends first says how far all may go: rows behind
///    that end may be preceded by some not yet read. The rows up to there, the heads of all blocks, are sorted by the
///    same means and gathered as a batch; then that run brings its next block (`RunMerge`).
/// 3. When there are more runs than blocks fit in memory, neighbouring ones are merged into longer ones first.
///
/// So every row is copied twice and its key sorted twice, whatever the number of runs. Why whole rows are put aside,
/// and not the keys alone: rows of a compressed columnar file cannot be fetched one by one, so each of several passes
/// over the inputs would decode all of them anew, which costs more than to write and read what was decoded. Text of few
/// distinct values waits as numbers (`TextCoding`), which makes most of that small.
///
/// What memory does not hold goes to `SpillSpace`. One owner, one thread at a time; after a throw it must be dropped,
/// and leaves nothing behind.
public final class ExternalSorter {
    private let order: RowOrder
    private let schema: Schema
    private let memoryBytesMax: Int
    private let spill: (any SpillSpace)?
    /// Of the batches that wait; nil when they are as they came.
    private var coding: TextCoding?
    /// False when rows are not put aside by themselves, and once coding has failed often enough.
    private var mayCode: Bool
    private var batches: [RecordBatch] = []
    private var keys: [[Column]] = []
    private var waitingBytes = 0
    /// Small batches that wait for company: each source has its price.
    private var small: [RecordBatch] = []
    private var smallRows = 0
    private var smallBytes = 0
    private var runs: [SpilledRun] = []
    /// Bytes written to temporary files so far.
    public private(set) var spilledBytes = 0

    /// Batches of fewer rows are brought together.
    private static let smallRowsMax = 2048
    private static let smallBytesMax = 4 << 20
    /// Rows of a block, and of the batches that come out.
    static let blockRowsMax = 16_384
    private static let blockBytesMax = 4 << 20
    private static let blockBytesMin = 64 << 10
    /// Runs merged at a time: each has an open file.
    private static let mergedRunsMax = 128
    /// For each row: its pick, and what sorting takes.
    private static let bytesPerRow = KeySort.bytesPerRow + MemoryLayout<RowPick>.stride

    /// - Parameters:
    ///   - schema: of all batches.
    ///   - memoryBytesMax: of rows that wait or are merged; a single batch or block of rows may pass it.
    public convenience init(order: RowOrder, schema: Schema, memoryBytesMax: Int, spill: any SpillSpace) {
        self.init(
            order: order, schema: schema, memoryBytesMax: max(memoryBytesMax, 1 << 20), holding: spill)
        mayCode = true
    }

    /// One that holds all rows in memory or, with a space, what `spillRun` was not called for.
    init(order: RowOrder, schema: Schema, memoryBytesMax: Int = Int.max, holding spill: (any SpillSpace)?) {
        self.order = order
        self.schema = schema
        self.memoryBytesMax = memoryBytesMax
        self.spill = spill
        mayCode = false
    }

    /// Bytes of memory held by rows, and taken by sorting them.
    public var bufferedBytes: Int { waitingBytes + smallBytes }
    public var isEmpty: Bool { batches.isEmpty && small.isEmpty && runs.isEmpty }

    /// Takes rows. Throws what `SpillSpace` throws.
    ///
    /// Precondition: the batch has the sorter's schema.
    public func add(_ batch: RecordBatch) throws {
        guard batch.rowCount > 0 else { return }
        if batch.rowCount >= Self.smallRowsMax {
            try takeSmall()
            return try take(batch)
        }
        small.append(batch)
        smallRows += batch.rowCount
        smallBytes += batch.byteCount
        if smallRows >= Self.smallRowsMax || smallBytes >= Self.smallBytesMax { try takeSmall() }
    }

    private func takeSmall() throws {
        guard !small.isEmpty else { return }
        let batch = RecordBatch.concatenating(small)
        (small, smallRows, smallBytes) = ([], 0, 0)
        try take(batch)
    }

    private func take(_ batch: RecordBatch) throws {
        let columns = order.columns(of: batch)
        let batch = try coded(batch)
        let bytes =
            batch.byteCount + columns.reduce(0) { $0 + $1.byteCount } + batch.rowCount * Self.bytesPerRow
        let bound = memoryBytesMax - (coding?.byteCount ?? 0) - 2 * blockBytesTarget
        if spill != nil, !batches.isEmpty, waitingBytes + bytes > bound { try spillRun() }
        batches.append(batch)
        keys.append(columns)
        waitingBytes += bytes
    }

    /// The batch as it waits. When a dictionary is full, the rows before are put aside, and the next ones are coded
    /// anew.
    private func coded(_ batch: RecordBatch) throws -> RecordBatch {
        if mayCode, coding == nil, batches.isEmpty, runs.isEmpty {
            coding = TextCoding(sample: batch, except: order.sourceIds, bytesMax: memoryBytesMax / 4)
            mayCode = coding != nil
        }
        while let known = coding {
            if let coded = known.encode(batch) { return coded }
            try spillRun()
            coding = known.withoutFull()
        }
        mayCode = false
        return batch
    }

    private var blockBytesTarget: Int { min(max(memoryBytesMax / 64, Self.blockBytesMin), Self.blockBytesMax) }

    /// Puts aside what waits, as a run; a few rows that wait for company stay.
    func spillRun() throws {
        guard let spill, !batches.isEmpty else { return }
        let run = SpilledRun(schema: batches[0].schema, coding: coding, file: try spill.makeFile())
        let source = takeWaiting()
        while let block = source.next() { try append(block, to: run) }
        runs.append(run)
    }

    /// A block whose rows are larger than the others' is divided.
    private func append(_ block: RecordBatch, to run: SpilledRun) throws {
        let bytes = block.byteCount
        if block.rowCount > 1, bytes > 4 * blockBytesTarget {
            let picks = RowOrder.picks([block]).values
            let middle = block.rowCount / 2
            try append(.gathering([block], UnsafeBufferPointer(rebasing: picks[..<middle])), to: run)
            return try append(.gathering([block], UnsafeBufferPointer(rebasing: picks[middle...])), to: run)
        }
        let before = run.byteCount
        try run.append(block)
        spilledBytes += run.byteCount - before
    }

    /// What waits, sorted, in blocks.
    private func takeWaiting() -> SortedBatches {
        let rows = batches.reduce(0) { $0 + $1.rowCount }
        let rowBytes = max(1, waitingBytes / max(1, rows))
        let blockRows = min(max(1, blockBytesTarget / rowBytes), Self.blockRowsMax)
        let source = SortedBatches(batches, order.sorted(batches, keys), blockRows: blockRows)
        (batches, keys, waitingBytes) = ([], [], 0)
        return source
    }

    /// Calls `body` with all rows in order, a batch of some thousand at a time, and is empty afterwards.
    ///
    /// Throws what `body` and `SpillSpace` throw.
    public func finish(_ body: (RecordBatch) throws -> Void) throws {
        try takeSmall()
        if !runs.isEmpty, waitingBytes > memoryBytesMax / 2 { try spillRun() }
        try shorten(held: waitingBytes)
        // What was coded in different ways is merged as it came.
        var shared = runs.isEmpty ? coding : Self.commonCoding(runs)
        if !batches.isEmpty, coding !== shared { shared = nil }
        var sources: [any RunSource] = runs.map { StoredBlocks($0, decodes: $0.coding !== shared) }
        runs = []
        if !batches.isEmpty {
            let waiting = takeWaiting()
            if let coding, coding !== shared {
                sources.append(DecodedBlocks(waiting, coding))
            } else {
                sources.append(waiting)
            }
        }
        coding = nil
        try RunMerge(order: order, sources).run { try body(shared?.decode($0) ?? $0) }
    }

    private static func commonCoding(_ runs: [SpilledRun]) -> TextCoding? {
        guard let first = runs.first?.coding, runs.allSatisfy({ $0.coding === first }) else { return nil }
        return first
    }

    /// Merges neighbouring runs until a block of each fits in memory.
    private func shorten(held: Int) throws {
        guard let spill else { return }
        while true {
            let block = max(1, runs.reduce(0) { max($0, $1.blockBytesMax) })
            let room = (memoryBytesMax - held) / block - 3
            let together = min(max(room, 2), Self.mergedRunsMax)
            guard runs.count > together else { return }
            var longer: [SpilledRun] = []
            while !runs.isEmpty {
                let part = Array(runs.prefix(together))
                runs.removeFirst(part.count)
                let shared = Self.commonCoding(part)
                let run = SpilledRun(
                    schema: shared?.schema ?? schema, coding: shared, file: try spill.makeFile())
                let sources = part.map { StoredBlocks($0, decodes: $0.coding !== shared) }
                try RunMerge(order: order, sources).run { try append($0, to: run) }
                longer.append(run)
            }
            runs = longer
        }
    }
}

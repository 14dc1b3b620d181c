import Base
import Columnar

/// Rows in order, a block at a time.
protocol RunSource: AnyObject {
    func next() throws -> RecordBatch?
    /// True when `next` has nothing more.
    var isAtEnd: Bool { get }
}

/// A run in a temporary file.
final class StoredBlocks: RunSource {
    private let run: SpilledRun
    private let decodes: Bool
    private var index = 0

    /// - Parameter decodes: gives rows as they came when the run's are coded.
    init(_ run: SpilledRun, decodes: Bool) {
        self.run = run
        self.decodes = decodes
    }

    var isAtEnd: Bool { index >= run.blockCount }

    func next() throws -> RecordBatch? {
        guard index < run.blockCount else { return nil }
        defer { index += 1 }
        let batch = try run.read(block: index)
        return decodes ? run.coding?.decode(batch) ?? batch : batch
    }
}

/// Coded rows as they came.
final class DecodedBlocks: RunSource {
    private let source: any RunSource
    private let coding: TextCoding

    init(_ source: any RunSource, _ coding: TextCoding) {
        self.source = source
        self.coding = coding
    }

    var isAtEnd: Bool { source.isAtEnd }

    func next() throws -> RecordBatch? { try source.next().map(coding.decode) }
}

/// Batches in memory, whose rows are gathered in order.
final class SortedBatches: RunSource {
    private let batches: [RecordBatch]
    /// Nil when the rows stand in order.
    private let picks: Buffer<RowPick>
    private let blockRows: Int
    private var row = 0

    init(_ batches: [RecordBatch], _ picks: Buffer<RowPick>?, blockRows: Int) {
        self.batches = batches
        self.picks = picks ?? RowOrder.picks(batches)
        self.blockRows = blockRows
    }

    var isAtEnd: Bool { row >= picks.count }

    func next() -> RecordBatch? {
        guard row < picks.count else { return nil }
        let end = min(row + blockRows, picks.count)
        defer { row = end }
        return .gathering(batches, UnsafeBufferPointer(rebasing: picks.values[row..<end]))
    }
}

/// Merges runs; see `ExternalSorter`. Of equal rows those of the earlier run come first.
struct RunMerge {
    fileprivate struct Window {
        let source: any RunSource
        var batch: RecordBatch
        var keys: [Column]
        /// The first row that is not yet taken.
        var row = 0
    }

    private let order: RowOrder
    private let sources: [any RunSource]

    init(order: RowOrder, _ sources: [any RunSource]) {
        self.order = order
        self.sources = sources
    }

    func run(_ body: (RecordBatch) throws -> Void) throws {
        var windows: [Window] = []
        for source in sources {
            guard let batch = try source.next() else { continue }
            windows.append(Window(source: source, batch: batch, keys: order.columns(of: batch)))
        }
        guard let schema = windows.first?.batch.schema else { return }
        let directions = order.directions(schema)
        while windows.count > 1 {
            let sorter = KeySort(windows.map(\.keys), directions)
            let ends = Self.ends(windows, sorter)
            let picks = Buffer<RowPick>(capacity: 0)
            for (index, window) in windows.enumerated() {
                picks.reserve(ends[index] - window.row)
                for row in window.row..<ends[index] { picks.append(RowPick(source: index, row: row)) }
            }
            sorter.sort(picks)
            let batches = windows.map(\.batch)
            // As large as a block: all that is left together may be many times that.
            let rows = batches.reduce(1) { max($0, $1.rowCount) }
            for start in stride(from: 0, to: picks.count, by: rows) {
                let end = min(start + rows, picks.count)
                try body(.gathering(batches, UnsafeBufferPointer(rebasing: picks.values[start..<end])))
            }
            for index in windows.indices { windows[index].row = ends[index] }
            for index in windows.indices.reversed() where windows[index].row == windows[index].batch.rowCount {
                guard let batch = try windows[index].source.next() else {
                    windows.remove(at: index)
                    continue
                }
                windows[index].batch = batch
                windows[index].keys = order.columns(of: batch)
                windows[index].row = 0
            }
        }
        guard let last = windows.first else { return }
        try body(last.rest)
        while let batch = try last.source.next() { try body(batch) }
    }

    /// How far each window may be taken: to where the block ends first that has another behind it.
    private static func ends(_ windows: [Window], _ sorter: KeySort) -> [Int] {
        var first: (index: Int, pick: RowPick)?
        for (index, window) in windows.enumerated() where !window.source.isAtEnd {
            let pick = RowPick(source: index, row: window.batch.rowCount - 1)
            if let known = first, sorter.compare(known.pick, pick) <= 0 { continue }
            first = (index, pick)
        }
        guard let first else { return windows.map(\.batch.rowCount) }
        return windows.enumerated().map { index, window in
            if index == first.index { return window.batch.rowCount }
            // Rows equal to the last one belong before those of later runs and behind those of earlier ones.
            var (low, high) = (window.row, window.batch.rowCount)
            while low < high {
                let middle = (low + high) / 2
                let order = sorter.compare(RowPick(source: index, row: middle), first.pick)
                if order < 0 || order == 0 && index < first.index { low = middle + 1 } else { high = middle }
            }
            return low
        }
    }
}

extension RunMerge.Window {
    /// The rows that are not yet taken.
    fileprivate var rest: RecordBatch {
        guard row > 0 else { return batch }
        let picks = RowOrder.picks([batch])
        return .gathering([batch], UnsafeBufferPointer(rebasing: picks.values[row...]))
    }
}

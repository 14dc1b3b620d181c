import Base
import Columnar
import Iceberg
import Synchronization

/// Every `count`-th row group of a data file, from `number`: so threads share a file without having opened it.
struct FilePart: Sendable {
    let task: FileScanTask
    let number: Int
    let count: Int

    /// A file entry with a wrong number of splits costs speed only.
    private static let countMax = 1000

    /// As many parts as the file's entry says that there are row groups.
    static func all(of task: FileScanTask) -> [FilePart] {
        let count = max(1, min(task.dataFile.splitOffsets?.count ?? 1, countMax))
        return (0..<count).map { FilePart(task: task, number: $0, count: count) }
    }
}

/// What was read of a part.
struct PartRows: Sendable {
    struct RowGroup: Sendable {
        let number: Int
        /// Before the filter.
        let rowCount: Int
        let batches: [(batch: RecordBatch, start: Int, rows: [Int32]?)]
    }
    let rowGroups: [RowGroup]

    /// Of memory.
    var byteCount: Int { rowGroups.flatMap(\.batches).reduce(0) { $0 + $1.batch.byteCount } }
}

/// Reads parts one behind the other, some of them ahead on other threads, and hands them over in order.
///
/// Nothing is read ahead of the first part, which may be all that a LIMIT wants, nor beside parts of which much is
/// left: memory holds what passed the filter in `threads` parts.
final class PartsAhead {
    /// Of one part; beyond, there is no reading ahead any more.
    private static let bytesMax = 32 << 20
    private static let threadsMax = 4

    private final class Slot: Sendable {
        let done = Semaphore()
        let result = Mutex<Result<PartRows, any Error>?>(nil)
    }

    private var parts: ArraySlice<FilePart>
    private let read: @Sendable (FilePart) throws -> PartRows
    /// Parts under way, in order.
    private var ahead: [(part: FilePart, slot: Slot)] = []
    private var isFirst = true
    private var threads = min(ProcessorTime.count, threadsMax)

    init(_ parts: [FilePart], read: @escaping @Sendable (FilePart) throws -> PartRows) {
        self.parts = parts[...]
        self.read = read
    }

    /// The next part and its rows; nil at the end.
    func next() throws -> (part: FilePart, rows: PartRows)? {
        defer { isFirst = false }
        if !isFirst { readAhead() }
        let (part, rows): (FilePart, PartRows)
        if ahead.isEmpty {
            guard let next = parts.popFirst() else { return nil }
            (part, rows) = (next, try read(next))
        } else {
            let (next, slot) = ahead.removeFirst()
            slot.done.wait()
            guard let result = slot.result.withLock({ $0 }) else { preconditionFailure("a part was not read") }
            (part, rows) = (next, try result.get())
        }
        if rows.byteCount > Self.bytesMax { threads = 1 }
        return (part, rows)
    }

    private func readAhead() {
        guard threads > 1 else { return }
        while ahead.count < threads, let part = parts.popFirst() {
            let slot = Slot()
            ahead.append((part, slot))
            Thread.spawn(name: "scan") { [read] in
                let result = Result { try read(part) }
                slot.result.withLock { $0 = result }
                slot.done.signal()
            }
        }
    }
}

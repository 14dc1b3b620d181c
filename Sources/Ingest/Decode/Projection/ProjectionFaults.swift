import Base
import Columnar

/// Where the values of a nested column belong: its rows' way up to the record.
final class ProjectionScope {
    private let parent: ProjectionScope?
    /// Of the list or map around; nil for the record and for members of structs.
    private let offsets: Buffer<Int32>?
    /// 1 where the structs around have a value; nil when all have.
    let live: Buffer<UInt8>?

    /// The record's own.
    init() {
        parent = nil
        offsets = nil
        live = nil
    }

    /// Members of a struct with these nulls.
    init(in parent: ProjectionScope, validity: Buffer<UInt8>?) {
        self.parent = parent
        offsets = nil
        guard let outer = parent.live, let validity else {
            live = parent.live ?? validity
            return
        }
        let both = Buffer<UInt8>(capacity: validity.count)
        for row in 0..<validity.count { both.append(validity[row] & outer[row]) }
        live = both
    }

    /// Items of a list or map.
    init(in parent: ProjectionScope, offsets: Buffer<Int32>) {
        self.parent = parent
        self.offsets = offsets
        live = nil
    }

    /// The record that the row belongs to.
    func record(_ row: Int) -> Int {
        guard let parent else { return row }
        guard let offsets else { return parent.record(row) }
        // The last list that starts at or before the row, and is not empty there.
        var (low, high) = (0, offsets.count - 1)
        while high - low > 1 {
            let middle = (low + high) / 2
            if Int(offsets[middle]) <= row { low = middle } else { high = middle }
        }
        return parent.record(low)
    }
}

/// The faults of one batch, as they are found: column by column.
final class ProjectionFaults {
    struct Found {
        let list: Int
        let row: Int
        let misfit: Misfit
    }

    private var lists: [(plan: ColumnPlan, source: Column?)] = []
    /// The first fault of every record that has one.
    private(set) var byRecord: [Int: Found] = [:]

    var isEmpty: Bool { byRecord.isEmpty }

    /// Notes faults in the rows of one column.
    func note(_ plan: ColumnPlan, _ source: Column?, _ scope: ProjectionScope, _ found: [(row: Int, misfit: Misfit)]) {
        guard !found.isEmpty else { return }
        lists.append((plan, source))
        for item in found {
            let record = scope.record(item.row)
            if byRecord[record] == nil {
                byRecord[record] = Found(list: lists.count - 1, row: item.row, misfit: item.misfit)
            }
        }
    }

    func rejection(_ found: Found, line: Int) -> Rejection {
        let (plan, source) = lists[found.list]
        var value: [UInt8] = []
        if let source, found.row < source.rowCount { RecordJSON.append(source, row: found.row, into: &value) }
        let text = String(decoding: value.prefix(48), as: UTF8.self) + (value.count > 48 ? "…" : "")
        return Rejection(
            line: line, column: plan.path, code: found.misfit.code, message: found.misfit.message(plan, text))
    }
}

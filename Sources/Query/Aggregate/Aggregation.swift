import Base
import Columnar

/// Groups rows and computes aggregate functions over them, a column of a batch at a time.
///
/// 1. Each key column's values are numbered (`ValueNumbering`), and pairs of numbers are numbered in turn, until each
///    row has one number: its group's.
/// 2. Each call's state takes its column and the groups of its rows in one loop.
/// 3. Threads have aggregations of their own. One takes over another by numbering the keys of its groups as it would
///    those of rows.
///
/// NULL is a group like any other. Groups come out in the order of their keys, NULL first, as SQLite's do.
final class Aggregation {
    private let request: AggregateRequest
    private let keys: [ValueNumbering]
    /// Pairs of the groups by the keys before, and a further key.
    private let pairs: [WordTable]
    private let states: [any AggregateState]

    /// Precondition: the values of all keys can be numbered.
    init(_ request: AggregateRequest) {
        self.request = request
        keys = request.keys.map { ValueNumbering($0.type)! }
        pairs = keys.dropFirst().map { _ in WordTable() }
        states = request.calls.map { $0.state() }
    }

    private var groupCount: Int { keys.isEmpty ? 1 : pairs.last?.count ?? keys[0].count }

    private var byteCount: Int {
        keys.reduce(0) { $0 + $1.byteCount } + pairs.reduce(0) { $0 + $1.byteCount }
            + states.reduce(0) { $0 + $1.byteCount }
    }

    /// Adds all rows of a batch, which has the request's columns.
    func add(_ batch: RecordBatch) throws {
        let groups = try groups(of: request.keys.map { column($0, batch) }, rows: batch.rowCount)
        for (call, state) in zip(request.calls, states) {
            state.add(
                call.field.map { column($0, batch) }, rows: batch.rowCount,
                groups: groups.map { UnsafePointer($0.pointer) },
                groupCount: groupCount)
        }
        try checkSize()
    }

    /// Adds what is known of a file's rows, which are all of one group: its keys, and one result a call.
    func add(_ known: [KnownAggregate], keys values: [Value]) throws {
        let columns = zip(request.keys, values).map { key, value in
            let builder = ColumnBuilder(key.type)
            builder.append(value)
            return builder.finish()
        }
        let group = try groups(of: columns, rows: 1).map { Int($0[0]) } ?? 0
        for (known, state) in zip(known, states) { state.add(known, group: group, groupCount: groupCount) }
    }

    /// Adds all that another aggregation for the same request has.
    func merge(_ other: Aggregation) throws {
        let there = other.groupsThere
        let numbers = try groups(of: other.keyColumns(there), rows: there.count)
        let groups = Buffer<Int32>(repeating: 0, count: other.groupCount)
        if let numbers { for (index, group) in there.enumerated() { groups[Int(group)] = numbers[index] } }
        for (mine, others) in zip(states, other.states) {
            mine.merge(others, groups: groups.pointer, count: groups.count, groupCount: groupCount)
        }
        try checkSize()
    }

    /// A row for each group: the keys, then the results of the calls.
    func finish() throws -> [Column] {
        let results = try states.map { try $0.finish(groupCount: groupCount) }
        guard !keys.isEmpty else { return results }
        let order = sortedGroups()
        return keyColumns(order) + results.map { $0.taking(order) }
    }

    private func column(_ field: Field, _ batch: RecordBatch) -> Column {
        guard let column = batch.leaf(field.id) else { preconditionFailure("a batch without \(field.name)") }
        return column
    }

    private func checkSize() throws { if byteCount > request.bytesMax { throw AggregatesTooLarge() } }

    /// The group of each row; nil without keys.
    private func groups(of columns: [Column], rows: Int) throws -> Buffer<Int32>? {
        var groups: Buffer<Int32>?
        for (index, column) in columns.enumerated() {
            guard let numbers = keys[index].encode(column, bytesMax: request.bytesMax) else {
                throw AggregatesTooLarge()
            }
            groups = groups.map { pairs[index - 1].encode($0, numbers, rows: rows) } ?? numbers
        }
        return groups
    }

    /// The number of each group's value, a row for each key.
    private func keyNumbers() -> [[Int32]] {
        guard !keys.isEmpty else { return [] }
        var numbers = keys.map { _ in [Int32](repeating: 0, count: groupCount) }
        for group in 0..<groupCount {
            var number = Int32(group)
            for index in stride(from: keys.count - 1, to: 0, by: -1) {
                let pair = pairs[index - 1].pair(Int(number))
                numbers[index][group] = pair.second
                number = pair.first
            }
            numbers[0][group] = number
        }
        return numbers
    }

    private func keyColumns(_ groups: [Int32]) -> [Column] {
        zip(keys, keyNumbers()).map { key, numbers in key.values().taking(groups.map { numbers[Int($0)] }) }
    }

    /// All groups but those that one key's numbering has without a row of them.
    private var groupsThere: [Int32] {
        let groups = 0..<Int32(groupCount)
        return keys.count == 1 ? groups.filter { keys[0].isThere($0) } : Array(groups)
    }

    private func sortedGroups() -> [Int32] {
        let ranks = zip(keys, keyNumbers()).map { key, numbers in
            let ranks = key.ranks()
            return numbers.map { ranks[Int($0)] }
        }
        return groupsThere.sorted { a, b in
            for rank in ranks where rank[Int(a)] != rank[Int(b)] { return rank[Int(a)] < rank[Int(b)] }
            return false
        }
    }
}

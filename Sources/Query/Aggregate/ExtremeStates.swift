import Base
import Columnar

/// `min` and `max`, by the order of the type.
enum ExtremeStates {
    static func make(_ type: DataType, isMaximum: Bool) -> any AggregateState {
        switch type {
        case .float, .double: ExtremeState<Double>(type, isMaximum)
        case .decimal: ExtremeState<Int128>(type, isMaximum)
        case .string, .binary, .uuid, .fixed: TextExtremeState(type, isMaximum)
        default: ExtremeState<Int64>(type, isMaximum)
        }
    }
}

/// Of numbers: integers and everything kept as such, floating-point numbers, decimals.
final class ExtremeState<Number: Comparable & BitwiseCopyable & Numeric>: AggregateState {
    private let type: DataType
    private let isMaximum: Bool
    private let best = Buffer<Number>()
    private let isKnown = Buffer<Bool>()

    init(_ type: DataType, _ isMaximum: Bool) {
        self.type = type
        self.isMaximum = isMaximum
    }

    var byteCount: Int { best.byteCapacity + isKnown.byteCapacity }

    private func extend(to groupCount: Int) {
        best.extend(to: groupCount, with: 0)
        isKnown.extend(to: groupCount, with: false)
    }

    func add(_ column: Column?, rows: Int, groups: UnsafePointer<Int32>?, groupCount: Int) {
        guard let column else { preconditionFailure("an extreme of rows") }
        extend(to: groupCount)
        switch column.storage {
        case .boolean(let b): add(column, groups, b.pointer) { Int64($0) as? Number }
        case .int32(let b): add(column, groups, b.pointer) { Int64($0) as? Number }
        case .int64(let b): add(column, groups, b.pointer) { $0 as? Number }
        case .float(let b): add(column, groups, b.pointer) { $0.isNaN ? nil : Double($0) as? Number }
        case .double(let b): add(column, groups, b.pointer) { $0.isNaN ? nil : $0 as? Number }
        case .decimal(let b): add(column, groups, b.pointer) { $0 as? Number }
        default: preconditionFailure("an extreme of \(column.type)")
        }
    }

    @inline(__always)
    private func add<Element>(
        _ column: Column, _ groups: UnsafePointer<Int32>?, _ values: UnsafePointer<Element>,
        _ number: (Element) -> Number?
    ) {
        let (to, known, isMaximum) = (best.pointer, isKnown.pointer, isMaximum)
        forEachValue(column, groups) { row, group in
            guard let value = number(values[row]) else { return }
            if !known[group] || (isMaximum ? to[group] < value : value < to[group]) {
                to[group] = value
                known[group] = true
            }
        }
    }

    private func add(_ value: Number, to group: Int) {
        if !isKnown[group] || (isMaximum ? best[group] < value : value < best[group]) {
            best[group] = value
            isKnown[group] = true
        }
    }

    func merge(_ other: any AggregateState, groups: UnsafePointer<Int32>, count: Int, groupCount: Int) {
        guard let other = other as? ExtremeState<Number> else { preconditionFailure("another call's state") }
        extend(to: groupCount)
        for group in 0..<min(count, other.best.count) where other.isKnown[group] {
            add(other.best[group], to: Int(groups[group]))
        }
    }

    func add(_ known: KnownAggregate, group: Int, groupCount: Int) {
        guard case .extreme(let value) = known else { preconditionFailure("\(known) of an extreme") }
        extend(to: groupCount)
        let number: Number?
        switch value {
        case nil: return
        case .boolean(let v)?: number = Int64(v ? 1 : 0) as? Number
        case .int(let v)?, .date(let v)?: number = Int64(v) as? Number
        case .long(let v)?, .time(let v)?, .timestamp(let v)?, .timestamptz(let v)?, .timestampNs(let v)?,
            .timestamptzNs(let v)?:
            number = v as? Number
        case .decimal(let v, _)?: number = v as? Number
        default: number = nil
        }
        guard let number else { preconditionFailure("an extreme of \(type) from a file's bounds") }
        add(number, to: group)
    }

    func finish(groupCount: Int) -> Column {
        extend(to: groupCount)
        let builder = ColumnBuilder(type, rowCapacity: groupCount)
        for group in 0..<groupCount {
            guard isKnown[group] else {
                builder.appendNull()
                continue
            }
            switch (builder.storage, best[group]) {
            case (.boolean(let b), let value as Int64): b.append(UInt8(value))
            case (.int32(let b), let value as Int64): b.append(Int32(value))
            case (.int64(let b), let value as Int64): b.append(value)
            case (.float(let b), let value as Double): b.append(Float(value))
            case (.double(let b), let value as Double): b.append(value)
            case (.decimal(let b), let value as Int128): b.append(value)
            default: preconditionFailure("an extreme of \(type)")
            }
            builder.endValue()
        }
        return builder.finish()
    }
}

/// Of texts and everything else that is compared by bytes.
final class TextExtremeState: AggregateState {
    private let type: DataType
    private let isMaximum: Bool
    private var best: [[UInt8]?] = []
    private var heldBytes = 0

    init(_ type: DataType, _ isMaximum: Bool) {
        self.type = type
        self.isMaximum = isMaximum
    }

    var byteCount: Int { heldBytes + best.count * 48 }

    private func extend(to groupCount: Int) {
        if best.count < groupCount { best += Array(repeating: nil, count: groupCount - best.count) }
    }

    func add(_ column: Column?, rows: Int, groups: UnsafePointer<Int32>?, groupCount: Int) {
        guard let column else { preconditionFailure("an extreme of rows") }
        extend(to: groupCount)
        switch column.storage {
        case .bytes(let offsets, let bytes):
            let (ends, content) = (offsets.pointer, bytes.pointer)
            forEachValue(column, groups) { row, group in
                let start = Int(ends[row])
                add(UnsafeBufferPointer(start: content + start, count: Int(ends[row + 1]) - start), to: group)
            }
        case .fixed(let bytes, let width):
            let content = bytes.pointer
            forEachValue(column, groups) { row, group in
                add(UnsafeBufferPointer(start: content + row * width, count: width), to: group)
            }
        default: preconditionFailure("an extreme of \(column.type)")
        }
    }

    @inline(__always)
    private func add(_ value: UnsafeBufferPointer<UInt8>, to group: Int) {
        let isBetter =
            best[group].map { held in
                held.withUnsafeBufferPointer { held in
                    let order = Self.compare(value, held)
                    return isMaximum ? order > 0 : order < 0
                }
            } ?? true
        if isBetter {
            heldBytes += value.count - (best[group]?.count ?? 0)
            best[group] = Array(value)
        }
    }

    @inline(__always)
    private static func compare(_ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>) -> Int {
        let common = min(a.count, b.count)
        guard common > 0 else { return a.count - b.count }
        let order = ByteRuns.compare(a.baseAddress!, b.baseAddress!, common)
        return order != 0 ? order : a.count - b.count
    }

    func merge(_ other: any AggregateState, groups: UnsafePointer<Int32>, count: Int, groupCount: Int) {
        guard let other = other as? TextExtremeState else { preconditionFailure("another call's state") }
        extend(to: groupCount)
        for group in 0..<min(count, other.best.count) {
            other.best[group]?.withUnsafeBufferPointer { add($0, to: Int(groups[group])) }
        }
    }

    func finish(groupCount: Int) -> Column {
        extend(to: groupCount)
        let builder = ColumnBuilder(type, rowCapacity: groupCount)
        for value in best {
            guard let value else {
                builder.appendNull()
                continue
            }
            value.withUnsafeBufferPointer { value in
                switch builder.storage {
                case .bytes(_, let b), .fixed(let b, _): b.append(value)
                default: preconditionFailure("an extreme of \(type)")
                }
            }
            builder.endValue()
        }
        return builder.finish()
    }
}

/// `count(DISTINCT column)`: the pairs of group and value, each once.
final class DistinctState: AggregateState {
    private let values: ValueNumbering
    private let pairs = WordTable()

    /// Precondition: values of the type have no parts.
    init(_ type: DataType) { values = ValueNumbering(type)! }

    var byteCount: Int { values.byteCount + pairs.byteCount }

    func add(_ column: Column?, rows: Int, groups: UnsafePointer<Int32>?, groupCount: Int) {
        guard let column, let numbers = values.encode(column, bytesMax: .max) else {
            preconditionFailure("distinct rows")
        }
        let first = Buffer<Int32>(capacity: rows)
        if let groups {
            first.append(UnsafeBufferPointer(start: groups, count: rows))
        } else {
            first.append(repeating: 0, count: rows)
        }
        _ = pairs.encode(first, numbers, rows: rows)
    }

    func merge(_ other: any AggregateState, groups: UnsafePointer<Int32>, count: Int, groupCount: Int) {
        guard let other = other as? DistinctState, let numbers = values.encode(other.values.values(), bytesMax: .max)
        else { preconditionFailure("another call's state") }
        let (first, second) = (Buffer<Int32>(), Buffer<Int32>())
        for pair in 0..<other.pairs.count {
            let (group, value) = other.pairs.pair(pair)
            first.append(groups[Int(group)])
            second.append(numbers[Int(value)])
        }
        _ = pairs.encode(first, second, rows: first.count)
    }

    func finish(groupCount: Int) -> Column {
        let counts = Buffer<Int64>(repeating: 0, count: groupCount)
        for pair in 0..<pairs.count {
            let (group, value) = pairs.pair(pair)
            if value != 0 { counts[Int(group)] += 1 }
        }
        return Column(type: .long, rowCount: groupCount, validity: nil, nullCount: 0, storage: .int64(counts))
    }
}

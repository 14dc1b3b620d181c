import Base
import Columnar

/// The nodes of a schema and the buffers of the batch being built.
///
/// Node 0 is the record itself, a struct that is never null. Between `begin` and `finish` the nodes write into fresh
/// buffers; `finish` hands these to the columns and forgets them.
final class DecodeTree {
    /// What the hot loop holds of a tree: no reference count.
    struct Handle {
        let nodes: UnsafeMutablePointer<DecodeNode>
        fileprivate let owner: Unmanaged<DecodeTree>

        @inline(never) func grow(_ index: Int32) { owner.takeUnretainedValue().grow(Int(index)) }
        @inline(never) func putDefault(_ index: Int32) { owner.takeUnretainedValue().putDefault(Int(index)) }
        @inline(never) func startValidity(_ index: Int32) { owner.takeUnretainedValue().startValidity(Int(index)) }
    }

    let nodes: UnsafeMutablePointer<DecodeNode>
    let nodeCount: Int
    /// Dotted path of every node; empty for the record.
    let paths: [String]
    let types: [DataType]
    private let defaults: [Value?]
    private let buffers: [DecodeBuffers]
    private let keys: UnsafeMutablePointer<UInt8>
    private let slots: [UnsafeMutablePointer<Int32>]

    var handle: Handle { Handle(nodes: nodes, owner: .passUnretained(self)) }

    init(_ schema: Schema, epochUnits: [Int: EpochUnit] = [:]) {
        let plan = DecodePlan(schema, epochUnits: epochUnits)
        nodeCount = plan.entries.count
        paths = plan.entries.map(\.path)
        types = plan.entries.map(\.type)
        defaults = plan.entries.map(\.writeDefault)
        buffers = plan.entries.map { _ in DecodeBuffers() }
        keys = .allocate(capacity: plan.keys.count + 32)
        keys.initialize(repeating: 0, count: plan.keys.count + 32)
        keys.update(from: plan.keys, count: plan.keys.count)
        nodes = .allocate(capacity: nodeCount)
        let empty = ByteSink(Buffer<UInt8>(), capacity: 0)
        for (index, entry) in plan.entries.enumerated() {
            var node = entry.node(index: index, key: UnsafePointer(keys + entry.keyOffset), text: empty)
            node.firstChild = Int32(entry.firstChild)
            node.predictedFirst = entry.childCount > 0 ? Int32(entry.firstChild) : -1
            node.childCount = Int32(entry.childCount)
            node.hasRequired = plan.hasRequired(entry)
            (nodes + index).initialize(to: node)
        }
        var slots: [UnsafeMutablePointer<Int32>] = []
        for (index, entry) in plan.entries.enumerated() where !entry.table.isEmpty {
            let table = UnsafeMutablePointer<Int32>.allocate(capacity: entry.table.count)
            table.initialize(from: entry.table, count: entry.table.count)
            slots.append(table)
            nodes[index].slots = table
            nodes[index].slotMask = entry.table.count - 1
        }
        self.slots = slots
        // Children follow their parents, so one pass from the end sums the rows up.
        for index in stride(from: nodeCount - 1, through: 0, by: -1) {
            var bytes = nodes[index].width + 1
            if nodes[index].kind == .structure || nodes[index].kind == .variant {
                for child in 0..<Int(nodes[index].childCount) {
                    bytes += nodes[Int(nodes[index].firstChild) + child].rowBytes
                }
            }
            nodes[index].rowBytes = bytes
        }
    }

    deinit {
        for table in slots { table.deallocate() }
        nodes.deallocate()
        keys.deallocate()
    }

    // MARK: - A batch

    /// Starts a batch of about `rows` rows.
    func begin(rows: Int) {
        for index in 0..<nodeCount {
            let node = nodes + index
            node.pointee.rows = 0
            node.pointee.nullCount = 0
            node.pointee.validity = nil
            buffers[index].validity = nil
            node.pointee.capacity = max(rows, 8)
            allocate(node, buffers[index])
        }
    }

    private func allocate(_ node: UnsafeMutablePointer<DecodeNode>, _ own: DecodeBuffers) {
        let rows = node.pointee.capacity
        switch node.pointee.kind {
        case .boolean, .unknown: own.slots = .bytes(Self.fresh(rows, node))
        case .uuid, .fixed: own.slots = .bytes(Self.fresh(rows * node.pointee.width, node))
        case .int, .date: own.slots = .int32(Self.fresh(rows, node))
        case .long, .time, .timestamp, .timestamptz, .timestampNs, .timestamptzNs:
            own.slots = .int64(Self.fresh(rows, node))
        case .float: own.slots = .float(Self.fresh(rows, node))
        case .double: own.slots = .double(Self.fresh(rows, node))
        case .decimal: own.slots = .int128(Self.fresh(rows, node))
        case .structure, .variant: own.slots = .none
        case .string, .binary, .list, .map:
            let offsets: Buffer<Int32> = Self.fresh(rows + 1, node)
            offsets.append(0)
            own.slots = .offsets(offsets)
        }
        guard node.pointee.kind == .string || node.pointee.kind == .binary else { return }
        let room = max(64, min(rows * node.pointee.textPerRow, 1 << 26))
        let text = Buffer<UInt8>(capacity: room)
        own.text = text
        node.pointee.text = ByteSink(text, capacity: room)
    }

    private static func fresh<T>(_ count: Int, _ node: UnsafeMutablePointer<DecodeNode>) -> Buffer<T> {
        let buffer = Buffer<T>(capacity: count)
        node.pointee.base = UnsafeMutableRawPointer(buffer.pointer)
        return buffer
    }

    /// Doubles the rows that fit into a node.
    private func grow(_ index: Int) {
        let node = nodes + index
        let rows = node.pointee.capacity * 2
        switch buffers[index].slots {
        case .none: break
        case .bytes(let b): extend(b, node, rows * node.pointee.width)
        case .int32(let b): extend(b, node, rows)
        case .int64(let b): extend(b, node, rows)
        case .float(let b): extend(b, node, rows)
        case .double(let b): extend(b, node, rows)
        case .int128(let b): extend(b, node, rows)
        case .offsets(let b): extend(b, node, rows + 1)
        }
        if let validity = buffers[index].validity {
            validity.reserve(rows - validity.count)
            node.pointee.validity = validity.pointer
        }
        node.pointee.capacity = rows
    }

    private func extend<T>(_ buffer: Buffer<T>, _ node: UnsafeMutablePointer<DecodeNode>, _ slots: Int) {
        // Growing moves the whole allocation, also what is written beyond the buffer's own count.
        buffer.reserve(slots - buffer.count)
        node.pointee.base = UnsafeMutableRawPointer(buffer.pointer)
    }

    private func startValidity(_ index: Int) {
        let node = nodes + index
        let validity = Buffer<UInt8>(capacity: node.pointee.capacity)
        validity.pointer.update(repeating: 1, count: node.pointee.rows)
        buffers[index].validity = validity
        node.pointee.validity = validity.pointer
    }

    private func putDefault(_ index: Int) { put(defaults[index] ?? .null, index) }

    /// Appends a value of the node's type. A struct's value may name fewer fields than it has: the others have their
    /// own defaults.
    private func put(_ value: Value, _ index: Int) {
        let node = nodes + index
        let first = Int(node.pointee.firstChild)
        switch (node.pointee.kind, value) {
        case (_, .null): handle.putNull(Int32(index))
        case (.boolean, .boolean(let v)): node.pointee.put(v ? UInt8(1) : UInt8(0), handle)
        case (.int, .int(let v)), (.date, .date(let v)): node.pointee.put(v, handle)
        case (.long, .long(let v)), (.time, .time(let v)), (.timestamp, .timestamp(let v)),
            (.timestamptz, .timestamptz(let v)), (.timestampNs, .timestampNs(let v)),
            (.timestamptzNs, .timestamptzNs(let v)):
            node.pointee.put(v, handle)
        case (.float, .float(let v)): node.pointee.put(v, handle)
        case (.double, .double(let v)): node.pointee.put(v, handle)
        case (.decimal, .decimal(let v, _)): node.pointee.put(v, handle)
        case (.string, .string(let v)): node.pointee.store(Array(v.utf8), handle)
        case (.binary, .binary(let v)): node.pointee.store(v, handle)
        case (.uuid, .uuid(let v)): node.pointee.storeFixed(v.bytes, handle)
        case (.fixed, .binary(let v)): node.pointee.storeFixed(v, handle)
        case (.structure, .structure(let values)):
            for child in 0..<Int(node.pointee.childCount) {
                if child < values.count { put(values[child], first + child) } else { putDefault(first + child) }
            }
            if node.pointee.rows == node.pointee.capacity { grow(index) }
            node.pointee.endRow(valid: 1)
        case (.list, .list(let items)):
            for item in items { put(item, first) }
            node.pointee.close(at: nodes[first].rows, handle)
        case (.map, .map(let entries)):
            for entry in entries {
                put(entry.key, first)
                put(entry.value, first + 1)
            }
            node.pointee.close(at: nodes[first].rows, handle)
        default: preconditionFailure("a default of another type than its column '\(paths[index])'")
        }
    }

    /// The columns of the batch. The tree keeps nothing of it.
    func finish() -> [Column] {
        let root = nodes[0]
        let columns = (0..<Int(root.childCount)).map { finish(Int(root.firstChild) + $0) }
        abandon()
        return columns
    }

    /// Drops a batch that was begun.
    func abandon() {
        for own in buffers { own.drop() }
    }

    private func finish(_ index: Int) -> Column {
        let node = nodes[index]
        let own = buffers[index]
        let rows = node.rows
        if let validity = own.validity { validity.commit(rows - validity.count) }
        let children = {
            (self.nodes[index].firstChild..<self.nodes[index].firstChild + $0).map { self.finish(Int($0)) }
        }
        let storage: Column.Storage
        switch own.slots {
        case .none: storage = .structure(children(node.childCount))
        case .bytes(let b):
            b.commit(rows * node.width - b.count)
            let isByte = node.kind == .boolean || node.kind == .unknown
            storage = isByte ? .boolean(b) : .fixed(b, width: node.width)
        case .int32(let b): storage = .int32(settled(b, rows))
        case .int64(let b): storage = .int64(settled(b, rows))
        case .float(let b): storage = .float(settled(b, rows))
        case .double(let b): storage = .double(settled(b, rows))
        case .int128(let b): storage = .decimal(settled(b, rows))
        case .offsets(let b):
            let offsets = settled(b, rows + 1)
            switch node.kind {
            case .list: storage = .list(offsets: offsets, element: children(1))
            case .map: storage = .map(offsets: offsets, entries: children(2))
            default:
                let text = own.text!
                node.text.settle(text)
                nodes[index].textPerRow = rows == 0 ? 8 : node.text.used / rows + 1
                storage = .bytes(offsets: offsets, bytes: text)
            }
        }
        return Column(
            type: types[index], rowCount: rows, validity: own.validity, nullCount: node.nullCount, storage: storage)
    }

    private func settled<T>(_ buffer: Buffer<T>, _ count: Int) -> Buffer<T> {
        buffer.commit(count - buffer.count)
        return buffer
    }
}

extension DecodeTree.Handle {
    /// Appends a null row, with a zero slot in every buffer beneath.
    func putNull(_ index: Int32) {
        let node = nodes + Int(index)
        if node.pointee.rows == node.pointee.capacity { grow(index) }
        if node.pointee.validity == nil { startValidity(index) }
        let rows = node.pointee.rows
        switch node.pointee.kind {
        case .string, .binary, .list, .map:
            let offsets = node.pointee.base.assumingMemoryBound(to: Int32.self)
            offsets[rows + 1] = offsets[rows]
        case .structure, .variant:
            for child in 0..<node.pointee.childCount { putNull(node.pointee.firstChild + child) }
        default:
            let width = node.pointee.width
            (node.pointee.base + rows * width).initializeMemory(as: UInt8.self, repeating: 0, count: width)
        }
        node.pointee.nullCount += 1
        node.pointee.endRow(valid: 0)
    }

    /// Drops rows from the end until `rows` are left, and the unfinished value beyond them, at every depth.
    func truncate(_ index: Int32, to rows: Int) {
        let node = nodes + Int(index)
        if let validity = node.pointee.validity, rows < node.pointee.rows {
            for row in rows..<node.pointee.rows where validity[row] == 0 { node.pointee.nullCount -= 1 }
        }
        node.pointee.rows = rows
        let first = node.pointee.firstChild
        switch node.pointee.kind {
        case .string, .binary:
            node.pointee.text.used = Int(node.pointee.base.assumingMemoryBound(to: Int32.self)[rows])
        case .structure, .variant:
            for child in 0..<node.pointee.childCount { truncate(first + child, to: rows) }
        case .list, .map:
            let end = Int(node.pointee.base.assumingMemoryBound(to: Int32.self)[rows])
            for child in 0..<node.pointee.childCount { truncate(first + child, to: end) }
        default: break
        }
    }
}

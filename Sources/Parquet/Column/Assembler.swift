import Base
import Columnar

/// Puts decoded leaves together into columns.
///
/// At a node inside lists, a slot is an entry that starts anew at the innermost of them (repetition level not above
/// the number of lists) and reaches it (definition level at least `floor`, the level of its elements):
/// 1. a leaf or struct is present in a slot whose definition level reaches the node's;
/// 2. a list's slot starts a list; entries that continue it add elements;
/// 3. children are put together the same way one level deeper.
///
/// Spec: https://parquet.apache.org/docs/file-format/nestedencoding/
struct Assembler {
    let chunks: [Int: ChunkData]

    /// Where a node stands: how many slots it has, and which entries they are.
    struct Context {
        let slotCount: Int
        /// Definition level at which the innermost list has an element; 0 outside lists.
        let floor: Int
        /// Lists around the node.
        let depth: Int
    }

    func column(_ plan: ReadPlan, _ context: Context) throws(FirnError) -> Column {
        switch plan {
        case .missing(let type, nil): return try Self.nulls(type, count: context.slotCount)
        case .missing(let type, .some(let value)): return try Self.constant(value, type, count: context.slotCount)
        case .variant(let stored, let shape):
            return try VariantAssembly(shape: shape).column(try column(stored, context))
        case .leaf(let node, let leaf, let type):
            do throws(FirnError) {
                return try self.leaf(node, leaf, type, context)
            } catch { throw error.adding(["column": leaf.name]) }
        case .structure(let node, let levels, let children, let type):
            let (validity, nullCount) = try self.validity(node, levels, context)
            var columns: [Column] = []
            for child in children { columns.append(try column(child, context)) }
            return Column(
                type: type, rowCount: context.slotCount, validity: validity, nullCount: nullCount,
                storage: .structure(columns))
        case .list(let node, let levels, let element, let type):
            let lists = try self.lists(node, levels, context)
            return Column(
                type: type, rowCount: context.slotCount, validity: lists.validity, nullCount: lists.nullCount,
                storage: .list(offsets: lists.offsets, element: [try column(element, lists.inner)]))
        case .map(let node, let levels, let key, let value, let type):
            let lists = try self.lists(node, levels, context)
            return Column(
                type: type, rowCount: context.slotCount, validity: lists.validity, nullCount: lists.nullCount,
                storage: .map(
                    offsets: lists.offsets,
                    entries: [try column(key, lists.inner), try column(value, lists.inner)]))
        }
    }

    private func data(_ leaf: SchemaLeaf) -> ChunkData {
        guard let data = chunks[leaf.column] else { preconditionFailure("a planned column was not decoded") }
        return data
    }

    private static func inconsistent(_ leaf: SchemaLeaf) -> FirnError {
        FirnError(
            .corrupted, "malformed_parquet", "the levels of the column contradict those of its neighbours",
            context: ["column": leaf.name])
    }

    /// Which slots hold a value at `node`, nil when all do.
    private func validity(
        _ node: SchemaNode, _ leaf: SchemaLeaf, _ context: Context
    ) throws(FirnError) -> (Buffer<UInt8>?, nullCount: Int) {
        let data = data(leaf)
        guard let definition = data.definition else {
            guard data.entries == context.slotCount else { throw Self.inconsistent(leaf) }
            return (nil, 0)
        }
        if data.repetition == nil, data.present == data.entries, data.entries == context.slotCount { return (nil, 0) }
        if data.repetition == nil, leaf.definitionMax == 1, node.definition == 1, data.entries == context.slotCount {
            // Levels of 0 and 1 are what validity is.
            return (definition, data.entries - data.present)
        }
        let validity = Buffer<UInt8>(capacity: data.entries)
        let (out, levels) = (validity.pointer, definition.pointer)
        let (floor, wanted) = (UInt8(context.floor), UInt8(node.definition))
        var slots = 0
        if let repetition = data.repetition, leaf.repetitionMax > context.depth || context.floor > 0 {
            let (starts, depth) = (repetition.pointer, UInt8(context.depth))
            for entry in 0..<data.entries {
                // Written over by the next entry unless this one is a slot.
                out[slots] = levels[entry] >= wanted ? 1 : 0
                slots &+= starts[entry] <= depth && levels[entry] >= floor ? 1 : 0
            }
        } else {
            slots = data.entries
            LevelKernels.reaches(levels, slots, wanted, into: out)
        }
        let present = LevelKernels.count(out, slots, equalTo: 1)
        guard slots == context.slotCount else { throw Self.inconsistent(leaf) }
        validity.commit(slots)
        return present == slots ? (nil, 0) : (validity, slots - present)
    }

    private struct Lists {
        let offsets: Buffer<Int32>
        let validity: Buffer<UInt8>?
        let nullCount: Int
        let inner: Context
    }

    private func lists(_ node: SchemaNode, _ leaf: SchemaLeaf, _ context: Context) throws(FirnError) -> Lists {
        let data = data(leaf)
        guard let definition = data.definition?.pointer, let repetition = data.repetition?.pointer else {
            preconditionFailure("a list has both kinds of levels")
        }
        let offsets = Buffer<Int32>(capacity: context.slotCount + 1)
        let validity = Buffer<UInt8>(capacity: context.slotCount)
        let (ends, valid) = (offsets.pointer, validity.pointer)
        let (floor, depth) = (UInt8(context.floor), UInt8(context.depth))
        let (present, element) = (UInt8(node.definition), UInt8(node.definition + 1))
        var slots = 0
        var elements: Int32 = 0
        var nulls = 0
        // True while the list at hand has elements, so that more may follow.
        var isOpen = false
        for entry in 0..<data.entries {
            let level = definition[entry]
            if repetition[entry] > depth {
                guard isOpen, level >= element else { throw Self.inconsistent(leaf) }
                if repetition[entry] == depth &+ 1 { elements &+= 1 }
                continue
            }
            isOpen = level >= element
            guard level >= floor else { continue }
            guard slots < context.slotCount else { throw Self.inconsistent(leaf) }
            ends[slots] = elements
            valid[slots] = level >= present ? 1 : 0
            nulls &+= level >= present ? 0 : 1
            slots &+= 1
            if isOpen { elements &+= 1 }
        }
        guard slots == context.slotCount else { throw Self.inconsistent(leaf) }
        ends[slots] = elements
        offsets.commit(slots + 1)
        validity.commit(slots)
        return Lists(
            offsets: offsets, validity: nulls == 0 ? nil : validity, nullCount: nulls,
            inner: Context(slotCount: Int(elements), floor: node.definition + 1, depth: context.depth + 1))
    }

    private func leaf(
        _ node: SchemaNode, _ leaf: SchemaLeaf, _ type: DataType, _ context: Context
    ) throws(FirnError) -> Column {
        let data = data(leaf)
        let (validity, nullCount) = try validity(node, leaf, context)
        guard context.slotCount - nullCount == data.present else { throw Self.inconsistent(leaf) }
        guard data.present > 0 || nullCount == 0 else { return try Self.nulls(type, count: context.slotCount) }
        if leaf.element.logicalType == .null, leaf.dataType != type {
            throw RunLengthDecoder.malformed("a column of nulls holds a value")
        }
        if case .fixed(let width) = type { try Self.checkFixed(width, count: context.slotCount) }
        let dense = try ValueConversion.storage(data.values, leaf, as: type)
        return Column(
            type: type, rowCount: context.slotCount, validity: validity, nullCount: nullCount,
            storage: validity.map { Spread.storage(dense, $0) } ?? dense)
    }

    /// A default value in every row.
    private static func constant(_ value: Value, _ type: DataType, count: Int) throws(FirnError) -> Column {
        // Its text is longer than its bytes.
        let bytes = value.singleValueJSON(as: type).serialize().count
        guard bytes <= Int(Int32.max) / max(1, count) else {
            throw FirnError(
                .limitExceeded, "column_too_large", "\(count) defaults of \(bytes) bytes are more than can be read")
        }
        let builder = ColumnBuilder(type, rowCapacity: count)
        for _ in 0..<count { builder.append(value) }
        return builder.finish()
    }

    /// A column without a value.
    static func nulls(_ type: DataType, count: Int) throws(FirnError) -> Column {
        let storage: Column.Storage
        switch type {
        case .boolean, .unknown: storage = .boolean(Buffer(repeating: 0, count: count))
        case .int, .date: storage = .int32(Buffer(repeating: 0, count: count))
        case .long, .time, .timestamp, .timestamptz, .timestampNs, .timestamptzNs:
            storage = .int64(Buffer(repeating: 0, count: count))
        case .float: storage = .float(Buffer(repeating: 0, count: count))
        case .double: storage = .double(Buffer(repeating: 0, count: count))
        case .decimal: storage = .decimal(Buffer(repeating: 0, count: count))
        case .string, .binary: storage = .bytes(offsets: Buffer(repeating: 0, count: count + 1), bytes: Buffer())
        case .uuid: storage = .fixed(Buffer(repeating: 0, count: count * 16), width: 16)
        case .fixed(let width):
            try checkFixed(width, count: count)
            storage = .fixed(Buffer(repeating: 0, count: count * width), width: width)
        case .structure(let type):
            var children: [Column] = []
            for field in type.fields { children.append(try nulls(field.type, count: count)) }
            storage = .structure(children)
        case .variant:
            storage = .structure([try nulls(.binary, count: count), try nulls(.binary, count: count)])
        case .list(let type):
            storage = .list(
                offsets: Buffer(repeating: 0, count: count + 1), element: [try nulls(type.element, count: 0)])
        case .map(let type):
            storage = .map(
                offsets: Buffer(repeating: 0, count: count + 1),
                entries: [try nulls(type.key, count: 0), try nulls(type.value, count: 0)])
        }
        return Column(
            type: type, rowCount: count, validity: count == 0 ? nil : Buffer(repeating: 0, count: count),
            nullCount: count, storage: storage)
    }

    /// A null takes its width too, so a wide type with many nulls must be bounded before it is laid out.
    private static func checkFixed(_ width: Int, count: Int) throws(FirnError) {
        guard width <= Int(Int32.max) / max(1, count) else {
            throw FirnError(
                .limitExceeded, "column_too_large", "\(count) values of \(width) bytes are more than can be read")
        }
    }
}

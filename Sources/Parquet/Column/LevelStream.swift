import Base
import Columnar

/// The level entries of some rows as seen at one node of the schema, on the way down to its leaves.
///
/// Dremel's shredding, node by node so that leaves share their ancestors' work:
/// 1. At the top every row is one live entry that points at its slot in the column.
/// 2. A null field ends an entry: its definition level is final and it points nowhere.
/// 3. A list replaces each live entry by one entry for each element; all but the first carry the list's repetition
///    level. An empty list ends the entry.
/// 4. A leaf writes what is left: ended entries as they are, live ones by its own nulls.
///
/// Spec: https://parquet.apache.org/docs/file-format/nestedencoding/
struct LevelStream {
    let count: Int
    let rowCount: Int
    /// Nil while every entry is a row of its own.
    let repetition: Buffer<UInt8>?
    /// Final definition levels of ended entries (of live ones, some lower level); nil when every entry is live.
    let definition: Buffer<UInt8>?
    /// Slot of each live entry, -1 for ended ones; nil when every entry is live and slots run on from `start`.
    let slots: Buffer<Int32>?
    let start: Int
    /// The definition level of live entries so far.
    let level: Int

    static func rows(_ rows: Range<Int>) -> LevelStream {
        LevelStream(
            count: rows.count, rowCount: rows.count, repetition: nil, definition: nil, slots: nil,
            start: rows.lowerBound, level: 0)
    }

    /// Ends the entries that are null in `column`, whose field is the node `node`.
    func entering(_ column: Column, _ node: SchemaNode) throws(FirnError) -> LevelStream {
        let next = node.isOptional ? level + 1 : level
        guard let validity = column.validity else {
            return LevelStream(
                count: count, rowCount: rowCount, repetition: repetition, definition: definition, slots: slots,
                start: start, level: next)
        }
        let outDefinition = Buffer<UInt8>(capacity: count)
        let outSlots = Buffer<Int32>(capacity: count)
        let (definitions, targets) = (outDefinition.pointer, outSlots.pointer)
        let (from, ended, valid) = (slots?.pointer, definition?.pointer, validity.pointer)
        var nulls = 0
        for entry in 0..<count {
            let slot = from.map { Int($0[entry]) } ?? start + entry
            if slot < 0 {
                definitions[entry] = ended![entry]
                targets[entry] = -1
            } else if valid[slot] == 0 {
                definitions[entry] = UInt8(level)
                targets[entry] = -1
                nulls += 1
            } else {
                definitions[entry] = UInt8(next)
                targets[entry] = Int32(slot)
            }
        }
        outDefinition.commit(count)
        outSlots.commit(count)
        if nulls > 0, !node.isOptional { throw NullInRequired.error(node.name) }
        return LevelStream(
            count: count, rowCount: rowCount, repetition: repetition, definition: outDefinition, slots: outSlots,
            start: 0, level: next)
    }

    /// Replaces each live entry by its list's elements. `repetitionLevel` is the list's.
    func expanding(_ offsets: Buffer<Int32>, repetitionLevel: Int) -> LevelStream {
        let (from, ended, starts, ends) = (slots?.pointer, definition?.pointer, repetition?.pointer, offsets.pointer)
        var elements = 0
        for entry in 0..<count {
            let slot = from.map { Int($0[entry]) } ?? start + entry
            if slot >= 0 { elements += Int(ends[slot + 1] - ends[slot]) }
        }
        let outRepetition = Buffer<UInt8>(capacity: count + elements)
        let outDefinition = Buffer<UInt8>(capacity: count + elements)
        let outSlots = Buffer<Int32>(capacity: count + elements)
        let (repetitions, definitions, targets) = (outRepetition.pointer, outDefinition.pointer, outSlots.pointer)
        let deeper = UInt8(repetitionLevel)
        var at = 0
        for entry in 0..<count {
            let slot = from.map { Int($0[entry]) } ?? start + entry
            let outer = starts.map { $0[entry] } ?? 0
            let low = slot < 0 ? 0 : ends[slot]
            let high = slot < 0 ? 0 : ends[slot + 1]
            guard low < high else {
                repetitions[at] = outer
                definitions[at] = slot < 0 ? ended![entry] : UInt8(level)
                targets[at] = -1
                at &+= 1
                continue
            }
            for element in low..<high {
                repetitions[at] = deeper
                definitions[at] = UInt8(level &+ 1)
                targets[at] = element
                at &+= 1
            }
            repetitions[at &- Int(high &- low)] = outer
        }
        outRepetition.commit(at)
        outDefinition.commit(at)
        outSlots.commit(at)
        // Without an ended entry, elements that follow one another need no slots.
        let first = at > 0 ? Int(targets[0]) : 0
        let isDense = at == elements && (at == 0 || Int(targets[at - 1]) == first + at - 1)
        return LevelStream(
            count: at, rowCount: rowCount, repetition: outRepetition, definition: isDense ? nil : outDefinition,
            slots: isDense ? nil : outSlots, start: isDense ? first : 0, level: level + 1)
    }
}

enum NullInRequired {
    static func error(_ column: String) -> FirnError {
        FirnError(
            .invalidInput, "null_in_required", "the required column \"\(column)\" holds a null",
            context: ["column": column])
    }
}

import Base

/// Decoded entries of one column chunk: levels of every entry, and the values of those that have one.
struct ChunkData {
    let entries: Int
    /// Nil when the column has no definition levels, and when every entry of a column outside lists has a value.
    let definition: Buffer<UInt8>?
    /// Nil when the column has no repetition levels.
    let repetition: Buffer<UInt8>?
    let values: PhysicalValues
    /// The rows that these entries make up.
    let rows: RowSelection
    var present: Int { values.count }

    /// Less than this many values in a run, and copying one by one is quicker than run by run.
    private static let runLengthMin = 8

    /// The entries of some of the rows. Precondition: `wanted` is part of `rows`.
    func keeping(_ wanted: RowSelection, _ leaf: SchemaLeaf) throws(FirnError) -> ChunkData {
        if wanted.count == rows.count { return self }
        let kept = entryRanges(rows.positions(of: wanted))
        let total = kept.reduce(0) { $0 + $1.count }
        let values = try PhysicalValues(leaf.element)
        let valueRanges = valueRanges(kept, maximum: UInt8(leaf.definitionMax))
        let valueCount = valueRanges.reduce(0) { $0 + $1.count }
        if valueCount < valueRanges.count * Self.runLengthMin {
            let indices = Buffer<UInt32>(capacity: valueCount)
            for range in valueRanges { for index in range { indices.append(UInt32(truncatingIfNeeded: index)) } }
            try values.appendGathered(self.values, indices.pointer, count: valueCount)
        } else {
            values.append(self.values, ranges: valueRanges, count: valueCount)
        }
        return ChunkData(
            entries: total, definition: definition.map { Self.copy($0, kept, total) },
            repetition: repetition.map { Self.copy($0, kept, total) }, values: values, rows: wanted)
    }

    /// The first rows, in place, and a copy of the others. Precondition: there are more than `row` rows.
    func split(atRow row: Int, _ leaf: SchemaLeaf) throws(FirnError) -> (front: ChunkData, rest: ChunkData) {
        let entry = entryRanges([0..<row])[0].upperBound
        let value =
            definition.map { LevelKernels.count($0.pointer, entry, equalTo: UInt8(leaf.definitionMax)) } ?? entry
        let rest = try PhysicalValues(leaf.element)
        rest.reserve(like: values)
        rest.append(values, ranges: [value..<values.count], count: values.count - value)
        values.truncate(to: value)
        let back = ChunkData(
            entries: entries - entry, definition: definition.map { Self.cut($0, at: entry) },
            repetition: repetition.map { Self.cut($0, at: entry) }, values: rest,
            rows: RowSelection(all: rows.count - row))
        let front = ChunkData(
            entries: entry, definition: definition, repetition: repetition, values: values,
            rows: RowSelection(all: row))
        return (front, back)
    }

    private static func cut(_ levels: Buffer<UInt8>, at count: Int) -> Buffer<UInt8> {
        let rest = Buffer<UInt8>(capacity: levels.count - count)
        rest.append(UnsafeBufferPointer(rebasing: levels.values[count...]))
        levels.truncate(to: count)
        return rest
    }

    /// The entries of ranges of rows, both counted from the first that is here.
    private func entryRanges(_ slots: [Range<Int>]) -> [Range<Int>] {
        guard let starts = repetition?.pointer else { return slots }
        var ranges: [Range<Int>] = []
        ranges.reserveCapacity(slots.count)
        var (entry, slot) = (0, 0)
        // Moves on to the entry at which a row starts.
        func advance(to row: Int) {
            while entry < entries {
                if starts[entry] == 0 {
                    if slot == row { return }
                    slot += 1
                }
                entry += 1
            }
        }
        for range in slots {
            advance(to: range.lowerBound)
            let start = entry
            advance(to: range.upperBound)
            ranges.append(start..<entry)
        }
        return ranges
    }

    private func valueRanges(_ kept: [Range<Int>], maximum: UInt8) -> [Range<Int>] {
        guard let levels = definition?.pointer else { return kept }
        var ranges: [Range<Int>] = []
        ranges.reserveCapacity(kept.count)
        var (entry, value) = (0, 0)
        for range in kept {
            value += LevelKernels.count(levels + entry, range.lowerBound - entry, equalTo: maximum)
            let end = value + LevelKernels.count(levels + range.lowerBound, range.count, equalTo: maximum)
            if end > value { ranges.append(value..<end) }
            (entry, value) = (range.upperBound, end)
        }
        return ranges
    }

    private static func copy(_ levels: Buffer<UInt8>, _ ranges: [Range<Int>], _ total: Int) -> Buffer<UInt8> {
        let out = Buffer<UInt8>(capacity: total)
        for range in ranges { out.append(UnsafeBufferPointer(rebasing: levels.values[range])) }
        return out
    }
}

extension PhysicalValues {
    /// Appends runs of values of the same type. Precondition: `count` is the length of all ranges.
    func append(_ source: PhysicalValues, ranges: [Range<Int>], count: Int) {
        switch (self, source) {
        case (.boolean(let out), .boolean(let from)): Self.append(from, ranges, count, out)
        case (.int32(let out), .int32(let from)): Self.append(from, ranges, count, out)
        case (.int64(let out), .int64(let from)): Self.append(from, ranges, count, out)
        case (.float(let out), .float(let from)): Self.append(from, ranges, count, out)
        case (.double(let out), .double(let from)): Self.append(from, ranges, count, out)
        case (.fixed(let out, let width), .fixed(let from, _)):
            Self.append(from, ranges.map { $0.lowerBound * width..<$0.upperBound * width }, count * width, out)
        case (.bytes(let offsets, let bytes), .bytes(let fromOffsets, let from)):
            offsets.reserve(count)
            let starts = fromOffsets.pointer
            for range in ranges {
                let low = starts[range.lowerBound]
                let shift = Int32(truncatingIfNeeded: bytes.count) &- low
                bytes.append(UnsafeBufferPointer(rebasing: from.values[Int(low)..<Int(starts[range.upperBound])]))
                let ends = offsets.pointer + offsets.count
                for index in 0..<range.count { ends[index] = starts[range.lowerBound &+ index &+ 1] &+ shift }
                offsets.commit(range.count)
            }
        default: preconditionFailure("values of another type")
        }
    }

    private static func append<T: BitwiseCopyable>(
        _ source: Buffer<T>, _ ranges: [Range<Int>], _ count: Int, _ out: Buffer<T>
    ) {
        out.reserve(count)
        for range in ranges { out.append(UnsafeBufferPointer(rebasing: source.values[range])) }
    }
}

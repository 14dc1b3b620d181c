import Base

/// Names one row among those of several columns or batches.
public struct RowPick: BitwiseCopyable, Sendable {
    @usableFromInline let bits: UInt64

    /// Preconditions: `source` is below 2^24, `row` below 2^40.
    @inlinable public init(source: Int, row: Int) {
        bits = UInt64(truncatingIfNeeded: source) << 40 | UInt64(truncatingIfNeeded: row)
    }

    @inlinable public var source: Int { Int(truncatingIfNeeded: bits &>> 40) }
    @inlinable public var row: Int { Int(truncatingIfNeeded: bits & 0xff_ffff_ffff) }
}

extension RecordBatch {
    /// Rows of several batches, in the order of `picks`; a row may occur several times or not at all.
    ///
    /// Preconditions: there is a batch, all have the same fields; every pick names a row of theirs; the bytes and
    /// elements of no column of the result pass 2^31.
    public static func gathering(
        _ sources: [RecordBatch], _ picks: UnsafeBufferPointer<RowPick>
    ) -> RecordBatch {
        let counts = sources.map(\.rowCount)
        counts.withUnsafeBufferPointer { counts in
            for pick in picks {
                precondition(pick.source < counts.count && pick.row < counts[pick.source], "row out of range")
            }
        }
        let columns = sources[0].columns.indices.map { index in
            Column.gathering(sources.map { $0.columns[index] }, picks)
        }
        return RecordBatch(schema: sources[0].schema, columns: columns, rowCount: picks.count)
    }
}

extension Column {
    /// Rows of several columns of one type. Precondition: every pick names a row of theirs.
    static func gathering(_ sources: [Column], _ picks: UnsafeBufferPointer<RowPick>) -> Column {
        let (validity, nulls) = gatherValidity(sources, picks)
        return Column(
            type: sources[0].type, rowCount: picks.count, validity: nulls == 0 ? nil : validity, nullCount: nulls,
            storage: withExtendedLifetime(sources) { gatherStorage(sources, picks) })
    }

    private static func gatherStorage(_ sources: [Column], _ picks: UnsafeBufferPointer<RowPick>) -> Storage {
        switch sources[0].storage {
        case .boolean: return .boolean(gather(sources, picks) { if case .boolean(let b) = $0 { b } else { nil } })
        case .int32: return .int32(gather(sources, picks) { if case .int32(let b) = $0 { b } else { nil } })
        case .int64: return .int64(gather(sources, picks) { if case .int64(let b) = $0 { b } else { nil } })
        case .float: return .float(gather(sources, picks) { if case .float(let b) = $0 { b } else { nil } })
        case .double: return .double(gather(sources, picks) { if case .double(let b) = $0 { b } else { nil } })
        case .decimal: return .decimal(gather(sources, picks) { if case .decimal(let b) = $0 { b } else { nil } })
        case .fixed(_, let width): return gatherFixed(sources, picks, width: width)
        case .bytes: return gatherBytes(sources, picks)
        case .structure(let children):
            return .structure(
                children.indices.map { index in
                    gathering(
                        sources.map {
                            guard case .structure(let own) = $0.storage else { mixed() }
                            return own[index]
                        }, picks)
                })
        case .list, .map: return gatherItems(sources, picks)
        }
    }

    private static func gatherValidity(
        _ sources: [Column], _ picks: UnsafeBufferPointer<RowPick>
    ) -> (Buffer<UInt8>?, nulls: Int) {
        guard sources.contains(where: { $0.validity != nil }) else { return (nil, 0) }
        // Stands for those that have no nulls.
        let ones = Buffer<UInt8>(
            repeating: 1, count: sources.reduce(0) { $1.validity == nil ? max($0, $1.rowCount) : $0 })
        let taken = gather(sources.map { ($0.validity ?? ones).pointer }, picks)
        var valid = 0
        for bit in taken.values { valid &+= Int(bit) }
        return (withExtendedLifetime(ones) { taken }, picks.count - valid)
    }

    @inline(__always) private static func gather<T: BitwiseCopyable>(
        _ sources: [Column], _ picks: UnsafeBufferPointer<RowPick>, _ buffer: (Storage) -> Buffer<T>?
    ) -> Buffer<T> {
        gather(
            sources.map { source in
                guard let buffer = buffer(source.storage) else { mixed() }
                return buffer.pointer
            }, picks)
    }

    @inline(__always) private static func gather<T: BitwiseCopyable>(
        _ bases: [UnsafeMutablePointer<T>], _ picks: UnsafeBufferPointer<RowPick>
    ) -> Buffer<T> {
        let output = Buffer<T>(capacity: picks.count)
        let to = output.pointer
        bases.withUnsafeBufferPointer { bases in
            for index in 0..<picks.count {
                let pick = picks[index]
                to[index] = bases[pick.source][pick.row]
            }
        }
        output.commit(picks.count)
        return output
    }

    private static func gatherFixed(
        _ sources: [Column], _ picks: UnsafeBufferPointer<RowPick>, width: Int
    ) -> Storage {
        let bases = sources.map { source -> UnsafeMutablePointer<UInt8> in
            guard case .fixed(let bytes, width) = source.storage else { mixed() }
            return bytes.pointer
        }
        let output = Buffer<UInt8>(capacity: picks.count * width)
        for (index, pick) in picks.enumerated() {
            PaddedCopy.copy(output.pointer + index * width, bases[pick.source] + pick.row * width, width)
        }
        output.commit(picks.count * width)
        return .fixed(output, width: width)
    }

    /// Where the items of each source's rows end, and the ends of the rows picked.
    private static func gatherOffsets(
        _ sources: [Column], _ picks: UnsafeBufferPointer<RowPick>
    ) -> (starts: [UnsafeMutablePointer<Int32>], ends: Buffer<Int32>, total: Int) {
        let starts = sources.map { source -> UnsafeMutablePointer<Int32> in
            switch source.storage {
            case .bytes(let offsets, _), .list(let offsets, _), .map(let offsets, _): offsets.pointer
            default: mixed()
            }
        }
        let ends = Buffer<Int32>(capacity: picks.count + 1)
        let to = ends.pointer
        var total = 0
        to[0] = 0
        starts.withUnsafeBufferPointer { starts in
            for index in 0..<picks.count {
                let pick = picks[index]
                let from = starts[pick.source] + pick.row
                total &+= Int(from[1] &- from[0])
                to[index &+ 1] = Int32(truncatingIfNeeded: total)
            }
        }
        precondition(total <= Int(Int32.max), "too many items for one column")
        ends.commit(picks.count + 1)
        return (starts, ends, total)
    }

    private static func gatherBytes(_ sources: [Column], _ picks: UnsafeBufferPointer<RowPick>) -> Storage {
        let (starts, ends, total) = gatherOffsets(sources, picks)
        let bases = sources.map { source -> UnsafeMutablePointer<UInt8> in
            guard case .bytes(_, let bytes) = source.storage else { mixed() }
            return bytes.pointer
        }
        let output = Buffer<UInt8>(capacity: total)
        let (to, at) = (output.pointer, ends.pointer)
        starts.withUnsafeBufferPointer { starts in
            bases.withUnsafeBufferPointer { bases in
                for index in 0..<picks.count {
                    let pick = picks[index]
                    let from = bases[pick.source] + Int(starts[pick.source][pick.row])
                    PaddedCopy.copy(to + Int(at[index]), from, Int(at[index &+ 1] &- at[index]))
                }
            }
        }
        output.commit(total)
        return .bytes(offsets: ends, bytes: output)
    }

    private static func gatherItems(_ sources: [Column], _ picks: UnsafeBufferPointer<RowPick>) -> Storage {
        let (starts, ends, total) = gatherOffsets(sources, picks)
        let items = Buffer<RowPick>(capacity: total)
        let to = items.pointer
        var at = 0
        for pick in picks {
            let from = starts[pick.source] + pick.row
            for row in Int(from[0])..<Int(from[1]) {
                to[at] = RowPick(source: pick.source, row: row)
                at &+= 1
            }
        }
        items.commit(total)
        var isMap = false
        let children = sources.map { source -> [Column] in
            switch source.storage {
            case .list(_, let element): return element
            case .map(_, let entries):
                isMap = true
                return entries
            default: mixed()
            }
        }
        let taken = children[0].indices.map { index in gathering(children.map { $0[index] }, items.values) }
        return isMap ? .map(offsets: ends, entries: taken) : .list(offsets: ends, element: taken)
    }

    private static func mixed() -> Never { preconditionFailure("columns of different types") }
}

/// Copies within buffers, whose padding lets it move whole vectors: most strings are shorter than a call of `memcpy`.
enum PaddedCopy {
    /// Preconditions: both lie in a `Buffer` with room for the bytes; what stands behind them in `to` is written later.
    @inline(__always)
    static func copy(_ to: UnsafeMutablePointer<UInt8>, _ from: UnsafePointer<UInt8>, _ count: Int) {
        guard count <= 128 else { return to.update(from: from, count: count) }
        let (to, from) = (UnsafeMutableRawPointer(to), UnsafeRawPointer(from))
        var at = 0
        while at < count {
            to.storeBytes(
                of: from.loadUnaligned(fromByteOffset: at, as: SIMD32<UInt8>.self), toByteOffset: at,
                as: SIMD32<UInt8>.self)
            at &+= 32
        }
    }
}

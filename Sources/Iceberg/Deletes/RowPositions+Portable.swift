import Base

/// The 64-bit portable serialisation of Roaring bitmaps, little-endian:
///
/// 1. `u64` number of bitmaps, then each with its `u32` upper bits, ascending.
/// 2. A bitmap without runs: `u32` 12346, `u32` n; one with runs: `u16` 12347, `u16` n - 1, a bit a container.
/// 3. n times `u16` key, `u16` count - 1; n times `u32` offset, left out with runs when n < 4.
/// 4. The containers: counted ones up to 4096 as sorted `u16`, larger as 8192 bytes of bits; runs as `u16` number and
///    pairs of `u16` first member and number of members after it.
///
/// Bytes are checked throughout: a bitmap that is read has exactly the invariants of one that was built, and memory is
/// taken only for what the bytes hold.
///
/// Spec: https://github.com/RoaringBitmap/RoaringFormatSpec#extension-for-64-bit-implementations
extension RowPositions {
    private static let cookie: UInt32 = 12346
    private static let cookieWithRuns: UInt32 = 12347
    /// With runs, fewer containers have no offsets.
    private static let offsetsMin = 4

    /// Reads all of `bytes`. Throws `.corrupted` (`bad_row_positions`).
    public init(portable bytes: [UInt8], source: String) throws(FirnError) {
        var reader = ByteReader(bytes, source: source)
        do {
            try self.init(&reader)
        } catch {
            throw FirnError(
                .corrupted, "bad_row_positions", "the row positions are malformed: \(error.message)",
                context: error.context)
        }
    }

    private init(_ reader: inout ByteReader) throws(FirnError) {
        self.init()
        let count = try reader.littleEndian(UInt64.self)
        // A bitmap takes 12 bytes at least.
        guard count <= UInt64(reader.remaining / 12) else { throw reader.corrupted("\(count) bitmaps do not fit") }
        for _ in 0..<count {
            let high = try reader.littleEndian(UInt32.self)
            guard high < UInt32(Int32.max), highKeys.last.map({ $0 < high }) ?? true else {
                throw reader.corrupted("the upper bits \(high) are out of range or order")
            }
            let bitmap = try Self.bitmap(&reader)
            // Writers keep bitmaps that became empty.
            if bitmap.keys.isEmpty { continue }
            highKeys.append(high)
            bitmaps.append(bitmap)
        }
        guard reader.isAtEnd else { throw reader.corrupted("\(reader.remaining) bytes are left over") }
    }

    private static func bitmap(_ reader: inout ByteReader) throws(FirnError) -> Bitmap {
        let word = try reader.littleEndian(UInt32.self)
        var runFlags: [UInt8] = []
        let count: Int
        if word == cookie {
            count = Int(try reader.littleEndian(UInt32.self))
        } else if word & 0xffff == cookieWithRuns {
            count = Int(word >> 16) + 1
            runFlags = Array(try reader.take((count + 7) / 8))
        } else {
            throw reader.corrupted("unknown cookie \(word)")
        }
        guard count <= 1 << 16, count * 4 <= reader.remaining else { throw reader.corrupted("\(count) containers") }
        var bitmap = Bitmap()
        var counts: [Int] = []
        for _ in 0..<count {
            let key = try reader.littleEndian(UInt16.self)
            guard bitmap.keys.last.map({ $0 < key }) ?? true else { throw reader.corrupted("keys are not in order") }
            bitmap.keys.append(key)
            counts.append(Int(try reader.littleEndian(UInt16.self)) + 1)
        }
        // Containers follow each other in the same order, so offsets tell nothing new.
        if runFlags.isEmpty || count >= offsetsMin { try reader.skip(4 * count) }
        for index in 0..<count {
            let hasRuns = !runFlags.isEmpty && runFlags[index >> 3] >> UInt8(index & 7) & 1 != 0
            bitmap.containers.append(
                hasRuns ? try runs(&reader, count: counts[index]) : try plain(&reader, count: counts[index]))
        }
        return bitmap
    }

    private static func plain(_ reader: inout ByteReader, count: Int) throws(FirnError) -> RoaringContainer {
        if count <= RoaringContainer.arrayCountMax {
            guard 2 * count <= reader.remaining else { throw reader.corrupted("an array passes the end") }
            var values: [UInt16] = []
            values.reserveCapacity(count)
            for _ in 0..<count {
                let value = try reader.littleEndian(UInt16.self)
                guard values.last.map({ $0 < value }) ?? true else { throw reader.corrupted("an array is unsorted") }
                values.append(value)
            }
            return RoaringContainer(sorted: values)
        }
        guard RoaringContainer.bitsByteCount <= reader.remaining else { throw reader.corrupted("bits pass the end") }
        var words: [UInt64] = []
        words.reserveCapacity(RoaringContainer.wordCount)
        for _ in 0..<RoaringContainer.wordCount { words.append(try reader.littleEndian(UInt64.self)) }
        guard words.reduce(0, { $0 + $1.nonzeroBitCount }) == count else {
            throw reader.corrupted("not \(count) bits are set")
        }
        return RoaringContainer(words: words, count: count)
    }

    private static func runs(_ reader: inout ByteReader, count: Int) throws(FirnError) -> RoaringContainer {
        let runCount = Int(try reader.littleEndian(UInt16.self))
        guard 4 * runCount <= reader.remaining else { throw reader.corrupted("runs pass the end") }
        var pairs: [UInt16] = []
        pairs.reserveCapacity(2 * runCount)
        var (next, total) = (0, 0)
        for _ in 0..<runCount {
            let first = try reader.littleEndian(UInt16.self)
            let more = try reader.littleEndian(UInt16.self)
            guard Int(first) >= next, Int(first) + Int(more) <= Int(UInt16.max) else {
                throw reader.corrupted("runs overlap or pass their container")
            }
            pairs += [first, more]
            next = Int(first) + Int(more) + 1
            total += Int(more) + 1
        }
        guard total == count else { throw reader.corrupted("runs of \(total) where \(count) are promised") }
        return RoaringContainer(runs: pairs, count: count)
    }

    /// The portable bytes; runs are used where they are smaller.
    public var portable: [UInt8] {
        var writer = ByteWriter(capacity: 64)
        let stored = zip(highKeys, bitmaps).filter { !$0.1.keys.isEmpty }
        writer.littleEndian(UInt64(stored.count))
        for (high, bitmap) in stored {
            writer.littleEndian(high)
            Self.write(bitmap, to: &writer)
        }
        return writer.bytes
    }

    private static func write(_ bitmap: Bitmap, to writer: inout ByteWriter) {
        let containers = bitmap.containers.map(\.runOptimized)
        let count = containers.count
        let start = writer.count
        let hasRuns = containers.contains { $0.form == .runs }
        if hasRuns {
            writer.littleEndian(cookieWithRuns | UInt32(count - 1) << 16)
            var flags = [UInt8](repeating: 0, count: (count + 7) / 8)
            for (index, container) in containers.enumerated() where container.form == .runs {
                flags[index >> 3] |= 1 << UInt8(index & 7)
            }
            writer.raw(flags)
        } else {
            writer.littleEndian(cookie)
            writer.littleEndian(UInt32(count))
        }
        for (key, container) in zip(bitmap.keys, containers) {
            writer.littleEndian(key)
            writer.littleEndian(UInt16(container.count - 1))
        }
        if !hasRuns || count >= offsetsMin {
            var offset = writer.count - start + 4 * count
            for container in containers {
                writer.littleEndian(UInt32(offset))
                offset += container.storedBytes
            }
        }
        for container in containers {
            if container.form == .runs { writer.littleEndian(UInt16(container.values.count / 2)) }
            for value in container.values { writer.littleEndian(value) }
            for word in container.words { writer.littleEndian(word) }
        }
    }
}

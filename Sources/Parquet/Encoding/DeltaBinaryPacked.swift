import Base

/// DELTA_BINARY_PACKED: integers as differences, packed in miniblocks of a bit width each.
///
/// Layout: block size, miniblocks a block, value count (numbers), first value (zigzag); then per block the least
/// difference (zigzag), one byte of width a miniblock, and the miniblocks: differences less the least one. All
/// arithmetic wraps at the width of the column.
///
/// Spec: https://parquet.apache.org/docs/file-format/data-pages/encodings/#DELTAENC
enum DeltaBinaryPacked {
    private static let blockSize = 128
    private static let miniblockCount = 4
    private static let miniblockSize = 32
    /// Values of one block that a reader unpacks; writers use 128 to some thousands.
    private static let blockSizeMax: UInt64 = 1 << 24

    // MARK: Writing

    /// Appends the header and all blocks, 128 values in each.
    static func encode<T: FixedWidthInteger & SignedInteger>(
        _ values: UnsafePointer<T>, count: Int, into out: Buffer<UInt8>
    ) where T.Magnitude: FixedWidthInteger & UnsignedInteger {
        VarInt.append(UInt64(blockSize), to: out)
        VarInt.append(UInt64(miniblockCount), to: out)
        VarInt.append(UInt64(count), to: out)
        VarInt.append(VarInt.zigzag(count > 0 ? values[0] : 0), to: out)
        withUnsafeTemporaryAllocation(of: T.Magnitude.self, capacity: blockSize) { room in
            let deltas = room.baseAddress!
            var at = 1
            while at < count {
                let size = min(blockSize, count &- at)
                block(values + (at &- 1), size, deltas, out)
                at &+= size
            }
        }
    }

    /// One block of `count` differences, the first between the first two of `values`.
    @inline(__always)
    private static func block<T: FixedWidthInteger & SignedInteger>(
        _ values: UnsafePointer<T>, _ count: Int, _ deltas: UnsafeMutablePointer<T.Magnitude>, _ out: Buffer<UInt8>
    ) where T.Magnitude: FixedWidthInteger & UnsignedInteger {
        var least = T.max
        for index in 0..<count { least = min(least, values[index &+ 1] &- values[index]) }
        for index in 0..<count {
            deltas[index] = T.Magnitude(truncatingIfNeeded: values[index &+ 1] &- values[index] &- least)
        }
        for index in count..<blockSize { deltas[index] = 0 }
        VarInt.append(VarInt.zigzag(least), to: out)
        let widths = out.count
        out.append(repeating: 0, count: miniblockCount)
        var start = 0
        var miniblock = 0
        while start < count {
            var all: T.Magnitude = 0
            for index in 0..<miniblockSize { all |= deltas[start &+ index] }
            let width = T.Magnitude.bitWidth &- all.leadingZeroBitCount
            out.pointer[widths &+ miniblock] = UInt8(truncatingIfNeeded: width)
            if width > 0 { BitPacking.pack(deltas + start, count: miniblockSize, width: width, into: out) }
            start &+= miniblockSize
            miniblock &+= 1
        }
    }

    // MARK: Reading

    /// Appends the values and returns how many bytes they took. The header must hold `count`, when it is given.
    ///
    /// Throws `.corrupted` for anything else, and when the bytes end early.
    static func decode<T: FixedWidthInteger & SignedInteger & BitwiseCopyable>(
        _ region: UnsafeRawBufferPointer, count: Int?, into out: Buffer<T>
    ) throws(FirnError) -> Int where T.Magnitude: FixedWidthInteger & UnsignedInteger & BitwiseCopyable {
        // Some writers store nothing at all for no values.
        if count == 0, region.isEmpty { return 0 }
        var at = 0
        let header = try Header(region, &at)
        guard count == nil || header.count == count else {
            throw RunLengthDecoder.malformed("a page of \(count ?? 0) values holds \(header.count) differences")
        }
        // A block takes at least the number of its least difference and a byte a miniblock.
        guard header.count <= 1 + region.count / (header.miniblockCount + 1) * header.blockSize else {
            throw RunLengthDecoder.malformed("\(header.count) differences are claimed in \(region.count) bytes")
        }
        var value: T = VarInt.unzigzag(try VarInt.read(region, &at))
        guard header.count > 0 else { return at }
        out.reserve(header.count)
        let target = out.pointer + out.count
        target[0] = value
        var done = 1
        while done < header.count {
            let least: T = VarInt.unzigzag(try VarInt.read(region, &at))
            let widths = at
            guard header.miniblockCount <= region.count &- at else { throw ended() }
            at &+= header.miniblockCount
            for index in 0..<header.miniblockCount where done < header.count {
                let width = Int(region[widths &+ index])
                let take = min(header.miniblockSize, header.count &- done)
                let size = (take &* width &+ 7) / 8
                guard width <= 64 else { throw RunLengthDecoder.malformed("differences of \(width) bits") }
                guard size <= region.count &- at else { throw ended() }
                // The last miniblock is padded to its full size, but not by every writer.
                let rest = UnsafeRawBufferPointer(rebasing: region[at...])
                value =
                    width <= T.bitWidth
                    ? miniblock(rest, width, take, value, least, target + done)
                    : wideMiniblock(rest, width, take, value, least, target + done)
                at &+= min(header.miniblockSize / 8 &* width, rest.count)
                done &+= take
            }
        }
        out.commit(header.count)
        return at
    }

    /// Returns the last value.
    @inline(__always)
    private static func miniblock<T: FixedWidthInteger & SignedInteger>(
        _ source: UnsafeRawBufferPointer, _ width: Int, _ count: Int, _ before: T, _ least: T,
        _ out: UnsafeMutablePointer<T>
    ) -> T where T.Magnitude: FixedWidthInteger & UnsignedInteger {
        var value = before
        if width == 0 {
            for index in 0..<count {
                value &+= least
                out[index] = value
            }
            return value
        }
        out.withMemoryRebound(to: T.Magnitude.self, capacity: count) {
            BitPacking.unpack(source, count: count, width: width, into: $0)
        }
        for index in 0..<count {
            value &+= out[index] &+ least
            out[index] = value
        }
        return value
    }

    /// Differences of INT32 in more than 32 bits, as DuckDB writes them where neighbours lie far apart. Arithmetic
    /// wraps around, so the low bits tell all.
    private static func wideMiniblock<T: FixedWidthInteger & SignedInteger>(
        _ source: UnsafeRawBufferPointer, _ width: Int, _ count: Int, _ before: T, _ least: T,
        _ out: UnsafeMutablePointer<T>
    ) -> T {
        var value = before
        for index in 0..<count {
            let bit = index &* width
            var bits: UInt64 = 0
            for byte in 0..<5 where bit / 8 + byte < source.count {
                bits |= UInt64(source[bit / 8 + byte]) << UInt64(byte * 8)
            }
            value &+= T(truncatingIfNeeded: bits >> UInt64(bit % 8)) &+ least
            out[index] = value
        }
        return value
    }

    private static func ended() -> FirnError { RunLengthDecoder.malformed("differences end early") }

    private struct Header {
        let blockSize: Int
        let miniblockCount: Int
        let miniblockSize: Int
        let count: Int

        init(_ region: UnsafeRawBufferPointer, _ at: inout Int) throws(FirnError) {
            let block = try VarInt.read(region, &at)
            let parts = try VarInt.read(region, &at)
            let total = try VarInt.read(region, &at)
            guard block > 0, block <= blockSizeMax, block % 128 == 0, parts > 0, block % parts == 0,
                block / parts % 32 == 0
            else { throw RunLengthDecoder.malformed("blocks of \(block) differences in \(parts) parts") }
            guard total <= UInt64(Int32.max) else {
                throw RunLengthDecoder.malformed("a page claims \(total) differences")
            }
            blockSize = Int(block)
            miniblockCount = Int(parts)
            miniblockSize = Int(block / parts)
            count = Int(total)
        }
    }
}

import Base

/// DELTA_LENGTH_BYTE_ARRAY: all lengths as differences, then all bytes.
///
/// Spec: https://parquet.apache.org/docs/file-format/data-pages/encodings/#DELTALENGTHENC
enum DeltaLengthByteArray {
    /// Appends `count` strings; `offsets` has `count` + 1 entries into `bytes`.
    static func encode(
        _ bytes: UnsafePointer<UInt8>, offsets: UnsafePointer<Int32>, count: Int, into out: Buffer<UInt8>
    ) {
        let lengths = Buffer<Int32>(capacity: count)
        for index in 0..<count { lengths.pointer[index] = offsets[index &+ 1] &- offsets[index] }
        lengths.commit(count)
        DeltaBinaryPacked.encode(UnsafePointer(lengths.pointer), count: count, into: out)
        let low = Int(offsets[0])
        out.append(UnsafeBufferPointer(start: bytes + low, count: Int(offsets[count]) - low))
    }

    /// Appends `count` strings to `bytes`, and their ends to `offsets`. Returns how many bytes they took.
    ///
    /// Throws `.corrupted` for damaged data, `.limitExceeded` when the bytes would pass 2 GiB.
    @discardableResult
    static func decode(
        _ region: UnsafeRawBufferPointer, count: Int, offsets: Buffer<Int32>, bytes: Buffer<UInt8>
    ) throws(FirnError) -> Int {
        let first = offsets.count
        let start = try DeltaBinaryPacked.decode(region, count: count, into: offsets)
        do throws(FirnError) {
            let total = try sum(offsets.pointer + first, count, most: region.count - start)
            try ByteRoom.check(bytes.count, total)
            let base = Int32(truncatingIfNeeded: bytes.count)
            let ends = offsets.pointer + first
            var end = base
            for index in 0..<count {
                end &+= ends[index]
                ends[index] = end
            }
            bytes.append(
                UnsafeRawBufferPointer(rebasing: region[start..<start + total]).assumingMemoryBound(to: UInt8.self))
            return start + total
        } catch {
            offsets.truncate(to: first)
            throw error
        }
    }

    /// The sum of lengths, none of which may be negative. Throws `.corrupted`.
    static func sum(_ lengths: UnsafePointer<Int32>, _ count: Int, most: Int) throws(FirnError) -> Int {
        var total = 0
        var signs: Int32 = 0
        for index in 0..<count {
            signs |= lengths[index]
            total &+= Int(lengths[index])
        }
        guard signs >= 0 else { throw RunLengthDecoder.malformed("a string of negative length") }
        guard total <= most else { throw RunLengthDecoder.malformed("strings pass the end of their page") }
        return total
    }
}

/// The bound on the bytes of one column chunk: offsets into them have 32 bits.
enum ByteRoom {
    static func check(_ held: Int, _ extra: Int) throws(FirnError) {
        guard held + extra <= Int(Int32.max) else {
            throw FirnError(.limitExceeded, "column_too_large", "a column chunk unfolds to more than 2 GiB of bytes")
        }
    }
}

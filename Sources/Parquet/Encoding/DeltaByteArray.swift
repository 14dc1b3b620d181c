import Base
import Glibc

/// DELTA_BYTE_ARRAY: how much each string shares with the one before it, as differences, and the rest of each as
/// DELTA_LENGTH_BYTE_ARRAY.
///
/// Spec: https://parquet.apache.org/docs/file-format/data-pages/encodings/#DELTASTRENC
enum DeltaByteArray {
    /// Appends `count` strings; `offsets` has `count` + 1 entries into `bytes`.
    static func encode(
        _ bytes: UnsafePointer<UInt8>, offsets: UnsafePointer<Int32>, count: Int, into out: Buffer<UInt8>
    ) {
        let prefixes = Buffer<Int32>(capacity: count)
        let suffixes = Buffer<Int32>(capacity: count)
        let rest = Buffer<UInt8>(capacity: Int(offsets[count] - offsets[0]))
        var (before, beforeCount) = (bytes, 0)
        for index in 0..<count {
            let text = bytes + Int(offsets[index])
            let length = Int(offsets[index &+ 1] &- offsets[index])
            let most = min(length, beforeCount)
            var shared = 0
            while shared < most, text[shared] == before[shared] { shared &+= 1 }
            prefixes.append(Int32(truncatingIfNeeded: shared))
            suffixes.append(Int32(truncatingIfNeeded: length &- shared))
            rest.append(UnsafeBufferPointer(start: text + shared, count: length &- shared))
            (before, beforeCount) = (text, length)
        }
        DeltaBinaryPacked.encode(UnsafePointer(prefixes.pointer), count: count, into: out)
        DeltaBinaryPacked.encode(UnsafePointer(suffixes.pointer), count: count, into: out)
        out.append(contentsOf: rest)
    }

    /// Appends `count` strings of `width` bytes each.
    static func encode(_ bytes: UnsafePointer<UInt8>, width: Int, count: Int, into out: Buffer<UInt8>) {
        let offsets = Buffer<Int32>(capacity: count + 1)
        for index in 0...count { offsets.pointer[index] = Int32(truncatingIfNeeded: index * width) }
        encode(bytes, offsets: UnsafePointer(offsets.pointer), count: count, into: out)
    }

    /// Appends `count` strings to `bytes`, and their ends to `offsets`.
    ///
    /// Throws `.corrupted` for damaged data, `.limitExceeded` when the bytes would pass 2 GiB.
    static func decode(
        _ region: UnsafeRawBufferPointer, count: Int, offsets: Buffer<Int32>, bytes: Buffer<UInt8>
    ) throws(FirnError) {
        let parts = try Parts(region, count)
        try ByteRoom.check(bytes.count, parts.total)
        offsets.reserve(count)
        let ends = offsets.pointer + offsets.count
        var end = bytes.count
        let (prefixes, suffixes) = (parts.prefixes.pointer, parts.suffixes.pointer)
        for index in 0..<count {
            end &+= Int(prefixes[index] &+ suffixes[index])
            ends[index] = Int32(truncatingIfNeeded: end)
        }
        parts.unfold(into: bytes)
        offsets.commit(count)
    }

    /// Appends `count` strings that must have `width` bytes each.
    static func decode(
        _ region: UnsafeRawBufferPointer, count: Int, width: Int, bytes: Buffer<UInt8>
    ) throws(FirnError) {
        let parts = try Parts(region, count)
        var differs: Int32 = 0
        let (prefixes, suffixes) = (parts.prefixes.pointer, parts.suffixes.pointer)
        for index in 0..<count { differs |= (prefixes[index] &+ suffixes[index]) ^ Int32(truncatingIfNeeded: width) }
        guard differs == 0 else { throw RunLengthDecoder.malformed("a value that does not have its \(width) bytes") }
        try ByteRoom.check(bytes.count, parts.total)
        parts.unfold(into: bytes)
    }

    /// A page taken apart and checked: no prefix is longer than the string before it.
    private struct Parts {
        let prefixes = Buffer<Int32>()
        let suffixes = Buffer<Int32>()
        let rest: UnsafeRawBufferPointer
        /// Bytes of all strings.
        let total: Int

        init(_ region: UnsafeRawBufferPointer, _ count: Int) throws(FirnError) {
            let middle = try DeltaBinaryPacked.decode(region, count: count, into: prefixes)
            let tail = UnsafeRawBufferPointer(rebasing: region[middle...])
            let start = try DeltaBinaryPacked.decode(tail, count: count, into: suffixes)
            rest = UnsafeRawBufferPointer(rebasing: tail[start...])
            let stored = try DeltaLengthByteArray.sum(suffixes.pointer, count, most: rest.count)
            let shared = try DeltaLengthByteArray.sum(prefixes.pointer, count, most: .max)
            let (prefix, suffix) = (prefixes.pointer, suffixes.pointer)
            var isSound = count == 0 || prefix[0] == 0
            var before = 0
            for index in 0..<count {
                let held = Int(prefix[index])
                isSound = isSound && held <= before
                before = held &+ Int(suffix[index])
            }
            guard isSound else { throw RunLengthDecoder.malformed("a prefix longer than the string before it") }
            total = stored + shared
        }

        /// Appends all strings. Precondition: they fit 2 GiB.
        func unfold(into bytes: Buffer<UInt8>) {
            guard total > 0, let source = rest.baseAddress else { return }
            // Short copies write past their end.
            bytes.reserve(total + 16)
            let target = UnsafeMutableRawPointer(bytes.pointer + bytes.count)
            let (prefix, suffix) = (prefixes.pointer, suffixes.pointer)
            // From here on, 16 bytes may not be left to read.
            let last = rest.count &- 16
            var (at, filled, before) = (0, 0, 0)
            for index in 0..<prefixes.count {
                let held = Int(prefix[index])
                let fresh = Int(suffix[index])
                ShortCopy.copy(target + filled, target + before, held)
                if at <= last {
                    ShortCopy.copy(target + (filled &+ held), source + at, fresh)
                } else {
                    memcpy(target + (filled &+ held), source + at, fresh)
                }
                before = filled
                filled &+= held &+ fresh
                at &+= fresh
            }
            bytes.commit(total)
        }
    }
}

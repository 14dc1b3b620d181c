import Base

/// BYTE_STREAM_SPLIT: the first bytes of all values, then all second bytes, and so on.
///
/// Spec: https://parquet.apache.org/docs/file-format/data-pages/encodings/#BYTESTREAMSPLIT
enum ByteStreamSplit {
    /// Values of a step: what a step reads and writes stays in the first cache.
    private static let step = 256

    /// Appends `count` values of `width` bytes.
    static func encode(_ values: UnsafeRawPointer, count: Int, width: Int, into out: Buffer<UInt8>) {
        out.reserve(count * width)
        let target = out.pointer + out.count
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 2 * step) { room in
            let (low, high) = (room.baseAddress!, room.baseAddress! + step)
            for start in stride(from: 0, to: count, by: step) {
                let size = min(step, count &- start)
                let source = values + start &* width
                switch width {
                case 4: split(source.assumingMemoryBound(to: UInt32.self), size, target + start, count)
                case 8:
                    halve(source, size, low, high)
                    split(low, size, target + start, count)
                    split(high, size, target + (start &+ 4 &* count), count)
                default:
                    let bytes = source.assumingMemoryBound(to: UInt8.self)
                    for stream in 0..<width {
                        let plane = target + (start &+ stream &* count)
                        for index in 0..<size { plane[index] = bytes[index &* width &+ stream] }
                    }
                }
            }
        }
        out.commit(count * width)
    }

    /// Writes `count` values of `width` bytes to `target`.
    ///
    /// Throws `.corrupted` when the region is too short. Precondition: `target` has room for them.
    static func decode(
        _ region: UnsafeRawBufferPointer, count: Int, width: Int, into target: UnsafeMutableRawPointer
    ) throws(FirnError) {
        // A page of fewer values than it has room for keeps the streams where they are.
        let room = region.count / width
        guard count <= room else { throw RunLengthDecoder.malformed("a page holds fewer values than it claims") }
        guard count > 0, let base = region.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 2 * step) { halves in
            let (low, high) = (halves.baseAddress!, halves.baseAddress! + step)
            for start in stride(from: 0, to: count, by: step) {
                let size = min(step, count &- start)
                let out = target + start &* width
                switch width {
                case 4: join(base + start, room, size, out.assumingMemoryBound(to: UInt32.self))
                case 8:
                    join(base + start, room, size, low)
                    join(base + (start &+ 4 &* room), room, size, high)
                    let words = out.assumingMemoryBound(to: UInt64.self)
                    for index in 0..<size { words[index] = UInt64(low[index]) | UInt64(high[index]) &<< 32 }
                default:
                    let bytes = out.assumingMemoryBound(to: UInt8.self)
                    for stream in 0..<width {
                        let plane = base + (start &+ stream &* room)
                        for index in 0..<size { bytes[index &* width &+ stream] = plane[index] }
                    }
                }
            }
        }
    }

    // Plain loops over four streams, which the compiler turns into byte shuffles; eight streams are twice four. Words
    // are little-endian, as on every machine that Swift runs on.

    @inline(__always)
    private static func split(
        _ words: UnsafePointer<UInt32>, _ count: Int, _ target: UnsafeMutablePointer<UInt8>, _ stride: Int
    ) {
        for stream in 0..<4 {
            let plane = target + stream &* stride
            let shift = UInt32(truncatingIfNeeded: stream &* 8)
            for index in 0..<count { plane[index] = UInt8(truncatingIfNeeded: words[index] &>> shift) }
        }
    }

    @inline(__always)
    private static func halve(
        _ source: UnsafeRawPointer, _ count: Int, _ low: UnsafeMutablePointer<UInt32>,
        _ high: UnsafeMutablePointer<UInt32>
    ) {
        let words = source.assumingMemoryBound(to: UInt64.self)
        for index in 0..<count {
            low[index] = UInt32(truncatingIfNeeded: words[index])
            high[index] = UInt32(truncatingIfNeeded: words[index] &>> 32)
        }
    }

    @inline(__always)
    private static func join(
        _ base: UnsafePointer<UInt8>, _ stride: Int, _ count: Int, _ out: UnsafeMutablePointer<UInt32>
    ) {
        let (s0, s1, s2, s3) = (base, base + stride, base + 2 &* stride, base + 3 &* stride)
        for index in 0..<count {
            let low = UInt32(s0[index]) | UInt32(s1[index]) &<< 8
            let high = UInt32(s2[index]) | UInt32(s3[index]) &<< 8
            out[index] = low | high &<< 16
        }
    }
}

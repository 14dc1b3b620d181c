import Base
import Glibc

/// Decoded values of one physical type, nulls left out: a chunk's values or its dictionary.
enum PhysicalValues {
    case boolean(Buffer<UInt8>)
    case int32(Buffer<Int32>)
    case int64(Buffer<Int64>)
    case float(Buffer<Float>)
    case double(Buffer<Double>)
    case bytes(offsets: Buffer<Int32>, bytes: Buffer<UInt8>)
    /// FIXED_LEN_BYTE_ARRAY and INT96.
    case fixed(Buffer<UInt8>, width: Int)

    init(_ element: ParquetFooter.SchemaElement) throws(FirnError) {
        switch element.physicalType {
        case .boolean: self = .boolean(Buffer())
        case .int32: self = .int32(Buffer())
        case .int64: self = .int64(Buffer())
        case .float: self = .float(Buffer())
        case .double: self = .double(Buffer())
        case .byteArray: self = .bytes(offsets: Buffer([0]), bytes: Buffer())
        case .int96: self = .fixed(Buffer(), width: 12)
        case .fixedLenByteArray:
            guard let width = element.typeLength, width > 0 else {
                throw RunLengthDecoder.malformed("a fixed-length column without a length")
            }
            self = .fixed(Buffer(), width: width)
        case nil: throw RunLengthDecoder.malformed("a column without a physical type")
        }
    }

    var count: Int {
        switch self {
        case .boolean(let b): b.count
        case .int32(let b): b.count
        case .int64(let b): b.count
        case .float(let b): b.count
        case .double(let b): b.count
        case .bytes(let offsets, _): offsets.count - 1
        case .fixed(let b, let width): b.count / width
        }
    }

    /// Room for `count` more values, so that pages append without moving what is there.
    func reserve(_ count: Int) {
        switch self {
        case .boolean(let b): b.reserve(count)
        case .int32(let b): b.reserve(count)
        case .int64(let b): b.reserve(count)
        case .float(let b): b.reserve(count)
        case .double(let b): b.reserve(count)
        case .bytes(let offsets, _): offsets.reserve(count)
        case .fixed: break
        }
    }

    // MARK: PLAIN

    /// Appends `count` values in PLAIN encoding; bytes after them are ignored.
    func appendPlain(_ region: UnsafeRawBufferPointer, count: Int) throws(FirnError) {
        switch self {
        case .boolean(let b): try Self.plainBooleans(region, count, b)
        case .int32(let b): try Self.plainWords(region, count, b)
        case .int64(let b): try Self.plainWords(region, count, b)
        case .float(let b): try Self.plainWords(region, count, b)
        case .double(let b): try Self.plainWords(region, count, b)
        case .bytes(let offsets, let bytes): try Self.plainBytes(region, count, offsets, bytes)
        case .fixed(let b, let width):
            guard count <= region.count / width else { throw Self.short() }
            b.append(UnsafeRawBufferPointer(rebasing: region[..<(count * width)]).assumingMemoryBound(to: UInt8.self))
        }
    }

    private static func short() -> FirnError { RunLengthDecoder.malformed("a page holds fewer values than it claims") }

    @inline(__always)
    private static func plainWords<T: BitwiseCopyable>(
        _ region: UnsafeRawBufferPointer, _ count: Int, _ out: Buffer<T>
    ) throws(FirnError) {
        let size = MemoryLayout<T>.size
        guard count <= region.count / size else { throw short() }
        guard count > 0, let source = region.baseAddress else { return }
        out.reserve(count)
        UnsafeMutableRawPointer(out.pointer + out.count).copyMemory(from: source, byteCount: count * size)
        out.commit(count)
    }

    private static func plainBooleans(
        _ region: UnsafeRawBufferPointer, _ count: Int, _ out: Buffer<UInt8>
    ) throws(FirnError) {
        guard (count + 7) / 8 <= region.count else { throw short() }
        out.reserve(count)
        BitPacking.unpack(region, count: count, width: 1, into: out.pointer + out.count)
        out.commit(count)
    }

    private static func plainBytes(
        _ region: UnsafeRawBufferPointer, _ count: Int, _ offsets: Buffer<Int32>, _ bytes: Buffer<UInt8>
    ) throws(FirnError) {
        guard count <= region.count / 4 else { throw short() }
        guard count > 0, let source = region.baseAddress else { return }
        try checkRoom(bytes.count, region.count)
        bytes.reserve(region.count + 16)
        offsets.reserve(count)
        let target = UnsafeMutableRawPointer(bytes.pointer)
        let ends = offsets.pointer + offsets.count
        var filled = bytes.count
        var at = 0
        for index in 0..<count {
            guard at &+ 4 <= region.count else { throw short() }
            let length = Int(UInt32(littleEndian: source.loadUnaligned(fromByteOffset: at, as: UInt32.self)))
            at &+= 4
            guard length <= region.count &- at else { throw short() }
            if region.count &- at >= 16 {
                ShortCopy.copy(target + filled, source + at, length)
            } else {
                memcpy(target + filled, source + at, length)
            }
            at &+= length
            filled &+= length
            ends[index] = Int32(truncatingIfNeeded: filled)
        }
        bytes.commit(filled - bytes.count)
        offsets.commit(count)
    }

    private static func checkRoom(_ held: Int, _ extra: Int) throws(FirnError) {
        guard held + extra <= Int(Int32.max) else {
            throw FirnError(.limitExceeded, "column_too_large", "a column chunk unfolds to more than 2 GiB of bytes")
        }
    }

    // MARK: Dictionary

    /// Appends the dictionary's values at `indices`. Throws `.corrupted` for an index outside the dictionary.
    func appendGathered(
        _ dictionary: PhysicalValues, _ indices: UnsafePointer<UInt32>, count: Int
    ) throws(FirnError) {
        var greatest: UInt32 = 0
        for position in 0..<count { greatest = max(greatest, indices[position]) }
        guard count == 0 || Int(greatest) < dictionary.count else {
            throw RunLengthDecoder.malformed("index \(greatest) into a dictionary of \(dictionary.count) values")
        }
        switch (self, dictionary) {
        case (.boolean(let out), .boolean(let from)): Self.gather(from, indices, count, out)
        case (.int32(let out), .int32(let from)): Self.gather(from, indices, count, out)
        case (.int64(let out), .int64(let from)): Self.gather(from, indices, count, out)
        case (.float(let out), .float(let from)): Self.gather(from, indices, count, out)
        case (.double(let out), .double(let from)): Self.gather(from, indices, count, out)
        case (.bytes(let offsets, let bytes), .bytes(let fromOffsets, let from)):
            try Self.gatherBytes(fromOffsets, from, indices, count, offsets, bytes)
        case (.fixed(let out, let width), .fixed(let from, _)):
            try Self.checkRoom(out.count, count * width)
            out.reserve(count * width)
            let target = out.pointer + out.count
            for position in 0..<count {
                (target + position * width).update(from: from.pointer + Int(indices[position]) * width, count: width)
            }
            out.commit(count * width)
        default: preconditionFailure("a dictionary of another type")
        }
    }

    @inline(__always)
    private static func gather<T: BitwiseCopyable>(
        _ from: Buffer<T>, _ indices: UnsafePointer<UInt32>, _ count: Int, _ out: Buffer<T>
    ) {
        out.reserve(count)
        let target = out.pointer + out.count
        let source = from.pointer
        for position in 0..<count { target[position] = source[Int(indices[position])] }
        out.commit(count)
    }

    private static func gatherBytes(
        _ fromOffsets: Buffer<Int32>, _ from: Buffer<UInt8>, _ indices: UnsafePointer<UInt32>, _ count: Int,
        _ offsets: Buffer<Int32>, _ bytes: Buffer<UInt8>
    ) throws(FirnError) {
        let starts = fromOffsets.pointer
        var total = 0
        for position in 0..<count {
            let index = Int(indices[position])
            total &+= Int(starts[index &+ 1] &- starts[index])
        }
        try checkRoom(bytes.count, total)
        // Short strings are copied 16 bytes at a time, past their end.
        bytes.reserve(total + 16)
        offsets.reserve(count)
        let source = UnsafeRawPointer(from.pointer)
        let target = UnsafeMutableRawPointer(bytes.pointer)
        let ends = offsets.pointer + offsets.count
        var filled = bytes.count
        for position in 0..<count {
            let index = Int(indices[position])
            let low = Int(starts[index])
            let length = Int(starts[index &+ 1]) &- low
            ShortCopy.copy(target + filled, source + low, length)
            filled &+= length
            ends[position] = Int32(truncatingIfNeeded: filled)
        }
        bytes.commit(filled - bytes.count)
        offsets.commit(count)
    }

    // MARK: RLE

    /// Appends booleans in RLE encoding, which has a 4-byte length first.
    func appendRunLengths(_ region: UnsafeRawBufferPointer, count: Int) throws(FirnError) {
        guard case .boolean(let out) = self else {
            throw RunLengthDecoder.malformed("RLE values in a column that is not boolean")
        }
        if count == 0 { return }
        guard region.count >= 4 else { throw Self.short() }
        let length = Int(UInt32(littleEndian: region.loadUnaligned(as: UInt32.self)))
        guard length <= region.count - 4 else { throw Self.short() }
        out.reserve(count)
        try RunLengthDecoder.decode(
            UnsafeRawBufferPointer(rebasing: region[4..<4 + length]), width: 1, count: count,
            into: out.pointer + out.count)
        out.commit(count)
    }
}

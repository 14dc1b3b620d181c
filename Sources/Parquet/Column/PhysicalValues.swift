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

    /// Room for as much as `other` holds.
    func reserve(like other: PhysicalValues) {
        reserve(other.count)
        switch (self, other) {
        case (.bytes(_, let bytes), .bytes(_, let held)), (.fixed(let bytes, _), .fixed(let held, _)):
            bytes.reserve(held.count)
        default: break
        }
    }

    /// Drops all values after the first `count`.
    func truncate(to count: Int) {
        switch self {
        case .boolean(let b): b.truncate(to: count)
        case .int32(let b): b.truncate(to: count)
        case .int64(let b): b.truncate(to: count)
        case .float(let b): b.truncate(to: count)
        case .double(let b): b.truncate(to: count)
        case .bytes(let offsets, let bytes):
            offsets.truncate(to: count + 1)
            bytes.truncate(to: Int(offsets[count]))
        case .fixed(let b, let width): b.truncate(to: count * width)
        }
    }

    /// Appends `count` values in any encoding that needs no dictionary.
    ///
    /// Throws `.corrupted` for damaged bytes and for an encoding that the physical type does not have, `.unsupported`
    /// (`parquet_encoding`) for an encoding unknown here.
    func append(
        _ region: UnsafeRawBufferPointer, _ encoding: ParquetEncoding, count: Int
    ) throws(FirnError) {
        switch encoding {
        case .plain: try appendPlain(region, count: count)
        case .rle: try appendRunLengths(region, count: count)
        case .deltaBinaryPacked: try appendDifferences(region, count: count)
        case .deltaLengthByteArray:
            guard case .bytes(let offsets, let bytes) = self else { throw Self.misplaced(encoding) }
            try DeltaLengthByteArray.decode(region, count: count, offsets: offsets, bytes: bytes)
        case .deltaByteArray: try appendPrefixed(region, count: count)
        case .byteStreamSplit: try appendSplit(region, count: count)
        default:
            throw FirnError(.unsupported, "parquet_encoding", "the encoding \(encoding) is not supported")
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
        try ByteRoom.check(bytes.count, region.count)
        bytes.reserve(region.count + 32)
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
            if region.count &- at >= 32 {
                ShortCopy.copyWide(target + filled, source + at, length)
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

    // MARK: Dictionary

    /// Appends the dictionary's values at the indices of a page: a byte of bit width, then runs.
    ///
    /// Throws `.corrupted` for damaged runs and for an index outside the dictionary.
    func appendIndexed(
        _ dictionary: PhysicalValues, _ region: UnsafeRawBufferPointer, count: Int
    ) throws(FirnError) {
        try gather(dictionary, .runs(region), count)
    }

    /// Appends the dictionary's values at `indices`. Throws `.corrupted` for an index outside the dictionary.
    func appendGathered(
        _ dictionary: PhysicalValues, _ indices: UnsafePointer<UInt32>, count: Int
    ) throws(FirnError) {
        try gather(dictionary, .indices(indices), count)
    }

    private enum Indices {
        case runs(UnsafeRawBufferPointer)
        case indices(UnsafePointer<UInt32>)
    }

    private func gather(_ dictionary: PhysicalValues, _ indices: Indices, _ count: Int) throws(FirnError) {
        switch (self, dictionary) {
        case (.boolean(let out), .boolean(let from)): try Self.words(from, indices, count, out)
        case (.int32(let out), .int32(let from)): try Self.words(from, indices, count, out)
        case (.int64(let out), .int64(let from)): try Self.words(from, indices, count, out)
        case (.float(let out), .float(let from)): try Self.words(from, indices, count, out)
        case (.double(let out), .double(let from)): try Self.words(from, indices, count, out)
        case (.bytes(let offsets, let bytes), .bytes(let fromOffsets, let from)):
            var target = ByteGather((fromOffsets, from), to: offsets, bytes, count: count)
            try Self.append(indices, count, to: &target)
        case (.fixed(let out, let width), .fixed(let from, _)):
            var target = try FixedGather(from, width: width, to: out, count: count)
            try Self.append(indices, count, to: &target)
        default: preconditionFailure("a dictionary of another type")
        }
    }

    private static func words<T: BitwiseCopyable>(
        _ from: Buffer<T>, _ indices: Indices, _ count: Int, _ out: Buffer<T>
    ) throws(FirnError) {
        var target = WordGather(from, to: out, count: count)
        try append(indices, count, to: &target)
    }

    @inline(__always)
    private static func append<Target: GatherTarget>(
        _ indices: Indices, _ count: Int, to target: inout Target
    ) throws(FirnError) {
        switch indices {
        case .runs(let region): try DictionaryGather.append(region, count: count, to: &target)
        case .indices(let indices): try DictionaryGather.append(indices, count: count, to: &target)
        }
    }

    // MARK: RLE

    /// Appends booleans in RLE encoding, which has a 4-byte length first.
    func appendRunLengths(_ region: UnsafeRawBufferPointer, count: Int) throws(FirnError) {
        guard case .boolean(let out) = self else { throw Self.misplaced(.rle) }
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

    // MARK: Differences and split streams

    private func appendDifferences(_ region: UnsafeRawBufferPointer, count: Int) throws(FirnError) {
        switch self {
        case .int32(let b): _ = try DeltaBinaryPacked.decode(region, count: count, into: b)
        case .int64(let b): _ = try DeltaBinaryPacked.decode(region, count: count, into: b)
        default: throw Self.misplaced(.deltaBinaryPacked)
        }
    }

    private func appendPrefixed(_ region: UnsafeRawBufferPointer, count: Int) throws(FirnError) {
        switch self {
        case .bytes(let offsets, let bytes):
            try DeltaByteArray.decode(region, count: count, offsets: offsets, bytes: bytes)
        case .fixed(let bytes, let width):
            try DeltaByteArray.decode(region, count: count, width: width, bytes: bytes)
        default: throw Self.misplaced(.deltaByteArray)
        }
    }

    private func appendSplit(_ region: UnsafeRawBufferPointer, count: Int) throws(FirnError) {
        switch self {
        case .int32(let b): try Self.join(region, count, b)
        case .int64(let b): try Self.join(region, count, b)
        case .float(let b): try Self.join(region, count, b)
        case .double(let b): try Self.join(region, count, b)
        case .fixed(let b, let width):
            guard count <= region.count / width else { throw Self.short() }
            b.reserve(count * width)
            try ByteStreamSplit.decode(region, count: count, width: width, into: b.pointer + b.count)
            b.commit(count * width)
        case .boolean, .bytes: throw Self.misplaced(.byteStreamSplit)
        }
    }

    private static func join<T: BitwiseCopyable>(
        _ region: UnsafeRawBufferPointer, _ count: Int, _ out: Buffer<T>
    ) throws(FirnError) {
        let width = MemoryLayout<T>.size
        guard count <= region.count / width else { throw short() }
        out.reserve(count)
        try ByteStreamSplit.decode(region, count: count, width: width, into: out.pointer + out.count)
        out.commit(count)
    }

    private static func misplaced(_ encoding: ParquetEncoding) -> FirnError {
        RunLengthDecoder.malformed("the encoding \(encoding) in a column of a type that it does not have")
    }
}

import Base

/// Where the values of a dictionary go, one kind for each shape of value.
protocol GatherTarget {
    /// Values of the dictionary.
    var limit: Int { get }
    /// Appends the values at indices below `limit`.
    mutating func gather(_ indices: UnsafePointer<UInt32>, count: Int) throws(FirnError)
    /// Appends the value at one index below `limit`, `count` times.
    mutating func fill(_ index: Int, count: Int) throws(FirnError)
    /// Accepts what was appended.
    func commit()
}

/// Decodes dictionary indices and looks them up, a run at a time, so that they never leave the first cache.
enum DictionaryGather {
    /// Indices unpacked at once: whole groups of 8.
    private static let step = 1024

    /// Appends `count` values: the region is a byte of bit width, then the RLE / bit-packing hybrid.
    ///
    /// Throws `.corrupted` for damaged runs and for an index outside the dictionary, which is looked for once a run.
    static func append<Target: GatherTarget>(
        _ region: UnsafeRawBufferPointer, count: Int, to target: inout Target
    ) throws(FirnError) {
        if count == 0 { return }
        guard let width = region.first.map(Int.init), width <= 32 else {
            throw RunLengthDecoder.malformed("dictionary indices without a legal bit width")
        }
        var runs = RunLengthDecoder(UnsafeRawBufferPointer(rebasing: region[1...]), width: width)
        let scratch = Buffer<UInt32>(capacity: min(step, count))
        let indices = scratch.pointer
        // Narrow indices cannot miss a dictionary that is large enough.
        let isChecked = target.limit < 1 << width
        var done = 0
        while done < count {
            switch try runs.next(most: count &- done) {
            case .repeated(let index, let take):
                try check(index, target.limit)
                try target.fill(Int(index), count: take)
                done &+= take
            case .packed(let source, let take):
                var at = 0
                while at < take {
                    let size = min(step, take &- at)
                    let rest = UnsafeRawBufferPointer(rebasing: source[(at / 8 &* width)...])
                    BitPacking.unpack(rest, count: size, width: width, into: indices)
                    if isChecked { try check(indices, size, target.limit) }
                    try target.gather(indices, count: size)
                    at &+= size
                }
                done &+= take
            }
        }
        target.commit()
    }

    /// Appends the values at `count` indices.
    static func append<Target: GatherTarget>(
        _ indices: UnsafePointer<UInt32>, count: Int, to target: inout Target
    ) throws(FirnError) {
        try check(indices, count, target.limit)
        try target.gather(indices, count: count)
        target.commit()
    }

    @inline(__always)
    private static func check(_ indices: UnsafePointer<UInt32>, _ count: Int, _ limit: Int) throws(FirnError) {
        var greatest: UInt32 = 0
        for position in 0..<count { greatest = max(greatest, indices[position]) }
        if count > 0 { try check(greatest, limit) }
    }

    @inline(__always)
    private static func check(_ index: UInt32, _ limit: Int) throws(FirnError) {
        guard Int(index) < limit else {
            throw RunLengthDecoder.malformed("index \(index) into a dictionary of \(limit) values")
        }
    }
}

/// Values of 1 to 16 bytes that are one word.
struct WordGather<T: BitwiseCopyable>: GatherTarget {
    let limit: Int
    private let from: UnsafePointer<T>
    private let out: Buffer<T>
    private let target: UnsafeMutablePointer<T>
    private var filled = 0

    /// `count` is the number of values to come.
    init(_ dictionary: Buffer<T>, to out: Buffer<T>, count: Int) {
        out.reserve(count)
        limit = dictionary.count
        from = UnsafePointer(dictionary.pointer)
        self.out = out
        target = out.pointer + out.count
    }

    @inline(__always)
    mutating func gather(_ indices: UnsafePointer<UInt32>, count: Int) throws(FirnError) {
        let next = target + filled
        for position in 0..<count { next[position] = from[Int(indices[position])] }
        filled &+= count
    }

    @inline(__always)
    mutating func fill(_ index: Int, count: Int) throws(FirnError) {
        (target + filled).update(repeating: from[index], count: count)
        filled &+= count
    }

    func commit() { out.commit(filled) }
}

/// Byte strings with lengths of their own.
struct ByteGather: GatherTarget {
    let limit: Int
    private let starts: UnsafePointer<Int32>
    private let source: UnsafeRawPointer
    private let offsets: Buffer<Int32>
    private let bytes: Buffer<UInt8>
    private let ends: UnsafeMutablePointer<Int32>
    private var written = 0

    init(
        _ dictionary: (offsets: Buffer<Int32>, bytes: Buffer<UInt8>), to offsets: Buffer<Int32>,
        _ bytes: Buffer<UInt8>, count: Int
    ) {
        offsets.reserve(count)
        limit = dictionary.offsets.count - 1
        starts = UnsafePointer(dictionary.offsets.pointer)
        source = UnsafeRawPointer(dictionary.bytes.pointer)
        self.offsets = offsets
        self.bytes = bytes
        ends = offsets.pointer + offsets.count
    }

    mutating func gather(_ indices: UnsafePointer<UInt32>, count: Int) throws(FirnError) {
        var total = 0
        for position in 0..<count {
            let index = Int(indices[position])
            total &+= Int(starts[index &+ 1] &- starts[index])
        }
        let target = try room(total)
        var end = Int32(truncatingIfNeeded: bytes.count)
        var filled = 0
        let next = ends + written
        for position in 0..<count {
            let index = Int(indices[position])
            let low = Int(starts[index])
            let length = Int(starts[index &+ 1]) &- low
            ShortCopy.copyWide(target + filled, source + low, length)
            filled &+= length
            end &+= Int32(truncatingIfNeeded: length)
            next[position] = end
        }
        bytes.commit(total)
        written &+= count
    }

    mutating func fill(_ index: Int, count: Int) throws(FirnError) {
        let low = Int(starts[index])
        let length = Int(starts[index &+ 1]) &- low
        let target = try room(length &* count)
        var end = Int32(truncatingIfNeeded: bytes.count)
        let next = ends + written
        for position in 0..<count {
            ShortCopy.copyWide(target + position &* length, source + low, length)
            end &+= Int32(truncatingIfNeeded: length)
            next[position] = end
        }
        bytes.commit(length &* count)
        written &+= count
    }

    /// Short strings are copied 32 bytes at a time, past their end.
    @inline(__always)
    private func room(_ total: Int) throws(FirnError) -> UnsafeMutableRawPointer {
        try ByteRoom.check(bytes.count, total)
        bytes.reserve(total &+ 32)
        return UnsafeMutableRawPointer(bytes.pointer + bytes.count)
    }

    func commit() { offsets.commit(written) }
}

/// Byte strings of one width.
struct FixedGather: GatherTarget {
    let limit: Int
    private let from: UnsafeRawPointer
    private let out: Buffer<UInt8>
    private let width: Int
    private let target: UnsafeMutableRawPointer
    private var filled = 0

    init(_ dictionary: Buffer<UInt8>, width: Int, to out: Buffer<UInt8>, count: Int) throws(FirnError) {
        try ByteRoom.check(out.count, count * width)
        out.reserve(count * width + 32)
        limit = dictionary.count / width
        from = UnsafeRawPointer(dictionary.pointer)
        self.out = out
        self.width = width
        target = UnsafeMutableRawPointer(out.pointer + out.count)
    }

    mutating func gather(_ indices: UnsafePointer<UInt32>, count: Int) throws(FirnError) {
        for position in 0..<count {
            ShortCopy.copyWide(target + filled, from + Int(indices[position]) &* width, width)
            filled &+= width
        }
    }

    mutating func fill(_ index: Int, count: Int) throws(FirnError) {
        for _ in 0..<count {
            ShortCopy.copyWide(target + filled, from + index &* width, width)
            filled &+= width
        }
    }

    func commit() { out.commit(filled) }
}

/// The indices themselves, checked.
struct IndexTarget: GatherTarget {
    let limit: Int
    private let out: Buffer<UInt32>
    private let target: UnsafeMutablePointer<UInt32>
    private var filled = 0

    init(limit: Int, to out: Buffer<UInt32>, count: Int) {
        out.reserve(count)
        self.limit = limit
        self.out = out
        target = out.pointer + out.count
    }

    @inline(__always)
    mutating func gather(_ indices: UnsafePointer<UInt32>, count: Int) throws(FirnError) {
        (target + filled).update(from: indices, count: count)
        filled &+= count
    }

    @inline(__always)
    mutating func fill(_ index: Int, count: Int) throws(FirnError) {
        (target + filled).update(repeating: UInt32(truncatingIfNeeded: index), count: count)
        filled &+= count
    }

    func commit() { out.commit(filled) }
}

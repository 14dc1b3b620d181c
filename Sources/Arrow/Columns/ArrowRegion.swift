import Base

/// One buffer of a batch, unpacked where it was compressed.
struct ArrowRegion {
    let bytes: UnsafeRawBufferPointer
    /// Keeps unpacked bytes alive.
    private let owner: Buffer<UInt8>?

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
        owner = nil
    }

    init(_ unpacked: Buffer<UInt8>) {
        bytes = UnsafeRawBufferPointer(unpacked.values)
        owner = unpacked
    }

    var count: Int { bytes.count }

    /// Throws unless the buffer holds `count` values of `stride` bytes.
    func require(_ count: Int, stride: Int, _ field: ArrowField) throws(FirnError) {
        guard count <= bytes.count / stride else {
            throw .malformedArrow("a buffer of '\(field.path)' is too short for \(count) values")
        }
    }

    /// The value at an index. Precondition: `require` has passed for it.
    @inline(__always) func load<T: BitwiseCopyable>(_ index: Int, as type: T.Type = T.self) -> T {
        bytes.baseAddress!.loadUnaligned(fromByteOffset: index &* MemoryLayout<T>.stride, as: T.self)
    }

    /// Bits are stored from the lowest up. Precondition: as `load`.
    @inline(__always) func bit(_ index: Int) -> UInt8 { bytes[index >> 3] >> UInt8(index & 7) & 1 }
}

/// Takes the buffers of one batch in order.
struct ArrowRegions {
    private let header: ArrowBatchHeader
    private let body: UnsafeRawBufferPointer
    private var node = 0
    private var buffer = 0
    private var variadic = 0
    /// Bytes that the batch may still unfold to.
    var budget: Int

    init(_ header: ArrowBatchHeader, _ body: UnsafeRawBufferPointer, budget: Int) {
        self.header = header
        self.body = body
        self.budget = budget
    }

    mutating func spend(_ count: Int, _ bytes: Int) throws(FirnError) {
        guard count <= budget / max(1, bytes) else { throw ArrowColumnDecoder.tooLarge }
        budget -= count * bytes
    }

    mutating func nextNode() throws(FirnError) -> (length: Int, nullCount: Int) {
        guard node < header.nodes.count else { throw .malformedArrow("a batch has too few columns") }
        defer { node += 1 }
        return header.nodes[node]
    }

    mutating func nextVariadicCount() throws(FirnError) -> Int {
        guard variadic < header.variadicCounts.count else { throw .malformedArrow("a column of views without buffers") }
        defer { variadic += 1 }
        return header.variadicCounts[variadic]
    }

    mutating func skip(_ count: Int) throws(FirnError) {
        guard count <= header.buffers.count - buffer else { throw .malformedArrow("a batch has too few buffers") }
        buffer += count
    }

    mutating func next() throws(FirnError) -> ArrowRegion {
        guard buffer < header.buffers.count else { throw .malformedArrow("a batch has too few buffers") }
        defer { buffer += 1 }
        let stored = UnsafeRawBufferPointer(rebasing: body[header.buffers[buffer]])
        guard let codec = header.codec, !stored.isEmpty else { return ArrowRegion(stored) }
        guard stored.count >= 8 else { throw .malformedArrow("a compressed buffer without its size") }
        let size = Int64(littleEndian: stored.loadUnaligned(as: Int64.self))
        let packed = UnsafeRawBufferPointer(rebasing: stored[8...])
        // What would not have become smaller is stored as it is.
        if size == -1 { return ArrowRegion(packed) }
        guard size >= 0, size < Int64(Int.max) else { throw .malformedArrow("a compressed buffer of \(size) bytes") }
        try spend(Int(size), 1)
        let unpacked = Buffer<UInt8>(capacity: Int(size))
        let target = UnsafeMutableRawBufferPointer(start: unpacked.pointer, count: Int(size))
        if size > 0 {
            switch codec {
            case .lz4Frame: try LZ4.decompressFrame(packed, into: target)
            case .zstd: try Zstd.Decompressor().decompress(packed, into: target)
            }
        }
        unpacked.commit(Int(size))
        return ArrowRegion(unpacked)
    }

    func finish() throws(FirnError) {
        guard node == header.nodes.count, buffer == header.buffers.count else {
            throw .malformedArrow("a batch has more columns than the schema")
        }
    }
}

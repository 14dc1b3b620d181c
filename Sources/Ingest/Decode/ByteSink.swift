import Base

/// A write position in a `Buffer<UInt8>`: trivial, so that the hot loop touches no reference count. The buffer is kept
/// alive by whoever made the sink.
struct ByteSink {
    var base: UnsafeMutablePointer<UInt8>
    var used: Int
    var capacity: Int
    private var buffer: Unmanaged<Buffer<UInt8>>

    /// `capacity` is what the buffer was made with.
    init(_ buffer: Buffer<UInt8>, capacity: Int) {
        base = buffer.pointer
        used = buffer.count
        self.capacity = capacity
        self.buffer = Unmanaged.passUnretained(buffer)
    }

    /// Makes room for `extra` bytes.
    @inline(__always) mutating func need(_ extra: Int) {
        if capacity &- used < extra { grow(extra) }
    }

    @inline(never) private mutating func grow(_ extra: Int) {
        let buffer = buffer.takeUnretainedValue()
        settle(buffer)
        capacity = max(capacity * 2, used + extra, 64)
        buffer.reserve(capacity - used)
        base = buffer.pointer
    }

    /// Tells the buffer how much of it is in use.
    func settle(_ buffer: Buffer<UInt8>) {
        if used >= buffer.count { buffer.commit(used - buffer.count) } else { buffer.truncate(to: used) }
    }

    /// Appends a byte; room must have been made.
    @inline(__always) mutating func put(_ byte: UInt8) {
        base[used] = byte
        used &+= 1
    }
}

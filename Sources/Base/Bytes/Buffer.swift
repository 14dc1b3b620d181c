import Glibc

/// A growable, contiguous run of trivial values: the storage of every column.
///
/// A class around one raw pointer, so that appends inline across modules and a finished buffer is shared without a
/// copy. Sixteen cache lines of slack are not kept: the allocation is padded by `padding` bytes so that vector loads
/// at the end of the data stay inside it.
///
/// A buffer is built by one owner and read by many: nothing mutates it once it is part of a `Column`, which is what
/// makes `@unchecked Sendable` true.
public final class Buffer<Element: BitwiseCopyable>: @unchecked Sendable {
    /// Bytes that may be read (never written) past the last element.
    public static var padding: Int { 64 }

    @usableFromInline var base: UnsafeMutablePointer<Element>
    @usableFromInline var used: Int
    @usableFromInline var capacity: Int

    public init(capacity: Int = 0) {
        let room = max(capacity, 8)
        base = Buffer.allocate(room)
        used = 0
        self.capacity = room
    }

    public convenience init(_ values: [Element]) {
        self.init(capacity: values.count)
        values.withUnsafeBufferPointer { append($0) }
    }

    public convenience init(repeating value: Element, count: Int) {
        self.init(capacity: count)
        base.update(repeating: value, count: count)
        used = count
    }

    deinit { free(base) }

    static func allocate(_ count: Int) -> UnsafeMutablePointer<Element> {
        let bytes = count * MemoryLayout<Element>.stride + padding
        guard let raw = calloc(1, bytes) else { fatalError("out of memory allocating \(bytes) bytes") }
        return raw.assumingMemoryBound(to: Element.self)
    }

    @inlinable public var count: Int { used }
    @inlinable public var isEmpty: Bool { used == 0 }
    /// Bytes of memory held, not bytes used.
    public var byteCapacity: Int { capacity * MemoryLayout<Element>.stride + Self.padding }

    @inlinable public subscript(_ index: Int) -> Element {
        get {
            precondition(UInt(bitPattern: index) < UInt(bitPattern: used), "buffer index out of range")
            return base[index]
        }
        set {
            precondition(UInt(bitPattern: index) < UInt(bitPattern: used), "buffer index out of range")
            base[index] = newValue
        }
    }

    @inlinable public func append(_ value: Element) {
        if used == capacity { grow(to: used + 1) }
        base[used] = value
        used &+= 1
    }

    @inlinable public func append(_ values: UnsafeBufferPointer<Element>) {
        guard let source = values.baseAddress, values.count > 0 else { return }
        reserve(values.count)
        (base + used).update(from: source, count: values.count)
        used &+= values.count
    }

    @inlinable public func append(contentsOf other: Buffer<Element>) { append(other.values) }

    public func append(repeating value: Element, count: Int) {
        reserve(count)
        (base + used).update(repeating: value, count: count)
        used &+= count
    }

    /// Room for `extra` more elements without a further allocation.
    @inlinable public func reserve(_ extra: Int) {
        if used &+ extra > capacity { grow(to: used + extra) }
    }

    /// Drops elements from the end; used to undo a half-written row.
    @inlinable public func truncate(to count: Int) {
        precondition(count <= used)
        used = count
    }

    @inlinable public func removeAll() { used = 0 }

    /// The elements; valid while the buffer lives and is not appended to.
    @inlinable public var values: UnsafeBufferPointer<Element> { UnsafeBufferPointer(start: base, count: used) }
    @inlinable public var mutableValues: UnsafeMutableBufferPointer<Element> {
        UnsafeMutableBufferPointer(start: base, count: used)
    }
    /// Start of the storage, for kernels that write past `count` after `reserve` and then call `commit`.
    @inlinable public var pointer: UnsafeMutablePointer<Element> { base }
    /// Accepts `extra` elements already written at `pointer + count`.
    @inlinable public func commit(_ extra: Int) {
        precondition(used + extra <= capacity)
        used &+= extra
    }

    public var array: [Element] { Array(values) }

    @usableFromInline func grow(to needed: Int) {
        let room = max(needed, capacity * 2)
        let bytes = room * MemoryLayout<Element>.stride + Self.padding
        guard let raw = realloc(base, bytes) else { fatalError("out of memory allocating \(bytes) bytes") }
        base = raw.assumingMemoryBound(to: Element.self)
        capacity = room
    }
}

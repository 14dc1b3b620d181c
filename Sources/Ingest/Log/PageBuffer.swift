import Glibc

/// Page-aligned memory in which frames gather until whole pages go to the file, as writes past the page cache need.
///
/// Belongs to the log's thread.
final class PageBuffer {
    static let pageBytes = 4096

    private let base: UnsafeMutableRawPointer
    private let capacity: Int
    private(set) var count = 0

    /// `capacity` is rounded up to whole pages.
    init(capacity: Int) {
        self.capacity = max(1, (capacity + Self.pageBytes - 1) / Self.pageBytes) * Self.pageBytes
        var memory: UnsafeMutableRawPointer?
        guard posix_memalign(&memory, Self.pageBytes, self.capacity) == 0, let memory else {
            fatalError("out of memory allocating \(self.capacity) bytes")
        }
        base = memory
    }

    deinit { free(base) }

    var isFull: Bool { count == capacity }
    /// Bytes behind the last whole page.
    var openBytes: Int { count % Self.pageBytes }
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

    /// Takes as many of `bytes` as there is room for and returns how many those were.
    func append(_ bytes: UnsafeRawBufferPointer) -> Int {
        let taken = min(bytes.count, capacity - count)
        if taken > 0 { (base + count).copyMemory(from: bytes.baseAddress!, byteCount: taken) }
        count += taken
        return taken
    }

    /// Fills the last page up with zeros.
    func padPage() {
        let missing = (Self.pageBytes - openBytes) % Self.pageBytes
        memset(base + count, 0, missing)
        count += missing
    }

    /// Drops everything but `kept` bytes from `start` on, which become the first.
    func keep(from start: Int, count kept: Int) {
        precondition(start + kept <= count)
        if kept > 0 { memmove(base, base + start, kept) }
        count = kept
    }

    func removeAll() { count = 0 }
}

import Glibc

/// Copies of mostly short byte strings, without a call for up to 16 or 32 bytes.
enum ShortCopy {
    /// Copies `count` bytes. Preconditions: 16 bytes may be read at `source` and written at `target`, which do not
    /// overlap; what lies past `count` in the target is overwritten later.
    @inline(__always)
    static func copy(_ target: UnsafeMutableRawPointer, _ source: UnsafeRawPointer, _ count: Int) {
        guard count <= 16 else {
            memcpy(target, source, count)
            return
        }
        sixteen(target, source)
    }

    /// As `copy`, with room for 32 bytes at both ends.
    @inline(__always)
    static func copyWide(_ target: UnsafeMutableRawPointer, _ source: UnsafeRawPointer, _ count: Int) {
        guard count <= 32 else {
            memcpy(target, source, count)
            return
        }
        sixteen(target, source)
        sixteen(target + 16, source + 16)
    }

    @inline(__always)
    private static func sixteen(_ target: UnsafeMutableRawPointer, _ source: UnsafeRawPointer) {
        let first = source.loadUnaligned(as: UInt64.self)
        let second = source.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
        target.storeBytes(of: first, as: UInt64.self)
        target.storeBytes(of: second, toByteOffset: 8, as: UInt64.self)
    }
}

import Base
import Columnar

/// Moves dense values to their slots, zeros at the nulls.
enum Spread {
    static func storage(_ dense: Column.Storage, _ validity: Buffer<UInt8>) -> Column.Storage {
        switch dense {
        case .boolean(let b): return .boolean(words(b, validity))
        case .int32(let b): return .int32(words(b, validity))
        case .int64(let b): return .int64(words(b, validity))
        case .float(let b): return .float(words(b, validity))
        case .double(let b): return .double(words(b, validity))
        case .decimal(let b): return .decimal(words(b, validity))
        case .bytes(let offsets, let bytes): return .bytes(offsets: ends(offsets, validity), bytes: bytes)
        case .fixed(let b, let width): return .fixed(fixed(b, width, validity), width: width)
        case .structure, .list, .map: preconditionFailure("a leaf is primitive")
        }
    }

    @inline(__always)
    private static func words<T: BitwiseCopyable & ExpressibleByIntegerLiteral>(
        _ dense: Buffer<T>, _ validity: Buffer<UInt8>
    ) -> Buffer<T> {
        let out = Buffer<T>(capacity: validity.count)
        let (from, to) = (UnsafePointer(dense.pointer), out.pointer)
        let valid = UnsafeRawPointer(validity.pointer)
        let flags = UnsafePointer(validity.pointer)
        var next = 0
        var slot = 0
        // Eight slots at a time: mostly all of them have values, or none has.
        while slot &+ 8 <= validity.count {
            let eight = valid.loadUnaligned(fromByteOffset: slot, as: UInt64.self)
            if eight == 0x0101_0101_0101_0101 {
                for index in 0..<8 { to[slot &+ index] = from[next &+ index] }
                next &+= 8
            } else if eight == 0 {
                for index in 0..<8 { to[slot &+ index] = 0 }
            } else {
                for index in slot..<slot &+ 8 { place(from, to, flags, index, &next) }
            }
            slot &+= 8
        }
        for index in slot..<validity.count { place(from, to, flags, index, &next) }
        out.commit(validity.count)
        return out
    }

    @inline(__always)
    private static func place<T: BitwiseCopyable & ExpressibleByIntegerLiteral>(
        _ from: UnsafePointer<T>, _ to: UnsafeMutablePointer<T>, _ valid: UnsafePointer<UInt8>, _ slot: Int,
        _ next: inout Int
    ) {
        // One element past the end may be read: buffers are padded.
        let value = from[next]
        to[slot] = valid[slot] != 0 ? value : 0
        next &+= Int(valid[slot])
    }

    private static func ends(_ dense: Buffer<Int32>, _ validity: Buffer<UInt8>) -> Buffer<Int32> {
        let out = Buffer<Int32>(capacity: validity.count + 1)
        let (from, to, valid) = (dense.pointer, out.pointer, validity.pointer)
        var next = 0
        to[0] = 0
        for slot in 0..<validity.count {
            next &+= Int(valid[slot])
            to[slot &+ 1] = from[next]
        }
        out.commit(validity.count + 1)
        return out
    }

    private static func fixed(_ dense: Buffer<UInt8>, _ width: Int, _ validity: Buffer<UInt8>) -> Buffer<UInt8> {
        let out = Buffer<UInt8>(repeating: 0, count: validity.count * width)
        var next = 0
        for slot in 0..<validity.count where validity.pointer[slot] != 0 {
            (out.pointer + slot * width).update(from: dense.pointer + next * width, count: width)
            next += 1
        }
        return out
    }
}

import Base
import CPlatform
import Columnar

/// Bytes of one type as bytes of another: binary, fixed and uuid, and uuids from their text.
struct ByteConversion {
    private let source: Column
    private let type: DataType

    init(_ source: Column, _ type: DataType) {
        self.source = source
        self.type = type
    }

    func storage(_ found: inout [(row: Int, misfit: Misfit)]) -> Column.Storage {
        switch type {
        case .binary:
            guard case .fixed(let bytes, let width) = source.storage else { return source.storage }
            let offsets = Buffer<Int32>(capacity: source.rowCount + 1)
            let packed = Buffer<UInt8>(capacity: bytes.count)
            offsets.append(0)
            for row in 0..<source.rowCount {
                if !source.isNull(row) {
                    packed.append(UnsafeBufferPointer(rebasing: bytes.values[row * width..<(row + 1) * width]))
                }
                offsets.append(Int32(packed.count))
            }
            return .bytes(offsets: offsets, bytes: packed)
        case .fixed(let width): return fixed(width, &found)
        default: return fixed(16, &found)
        }
    }

    private func fixed(_ width: Int, _ found: inout [(row: Int, misfit: Misfit)]) -> Column.Storage {
        let out = Buffer<UInt8>(capacity: source.rowCount * width)
        for row in 0..<source.rowCount {
            let misfit = source.isNull(row) ? Misfit.none : append(row, width, to: out)
            if misfit != .none { found.append((row, misfit)) }
            if out.count == row * width { out.append(repeating: 0, count: width) }
        }
        return .fixed(out, width: width)
    }

    /// Appends the value of a row, or nothing where it does not fit.
    private func append(_ row: Int, _ width: Int, to out: Buffer<UInt8>) -> Misfit {
        let value: UnsafeBufferPointer<UInt8>
        switch source.storage {
        case .bytes(let offsets, let bytes):
            value = UnsafeBufferPointer(rebasing: bytes.values[Int(offsets[row])..<Int(offsets[row + 1])])
        case .fixed(let bytes, let old):
            value = UnsafeBufferPointer(rebasing: bytes.values[row * old..<(row + 1) * old])
        default: preconditionFailure("no bytes in \(source.type)")
        }
        guard source.type == .string else {
            guard value.count == width else { return .length }
            out.append(value)
            return .none
        }
        guard value.count == 36 else { return .uuid }
        out.reserve(16)
        guard firn_parse_uuid(value.baseAddress!, out.pointer + out.count) != 0 else { return .uuid }
        out.commit(16)
        return .none
    }
}

/// Finds maps that hold a key twice.
struct DuplicateKeys {
    private let keys: Column

    init(_ keys: Column) { self.keys = keys }

    /// The maps, by the row of `offsets`, with a key twice.
    func rows(_ offsets: Buffer<Int32>) -> [Int] {
        (0..<max(0, offsets.count - 1)).filter { row in
            let range = Int(offsets[row])..<Int(offsets[row + 1])
            return range.count > 1 && !areDistinct(range)
        }
    }

    private func areDistinct(_ range: Range<Int>) -> Bool {
        var seen: Set<[UInt8]> = []
        return range.allSatisfy { seen.insert(bytes($0)).inserted }
    }

    private func bytes(_ row: Int) -> [UInt8] {
        switch keys.storage {
        case .bytes(let offsets, let bytes): return Array(bytes.values[Int(offsets[row])..<Int(offsets[row + 1])])
        default:
            var text: [UInt8] = []
            RecordJSON.append(keys, row: row, into: &text)
            return text
        }
    }
}

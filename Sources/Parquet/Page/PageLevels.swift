import Base

/// The definition or repetition levels of the open page.
struct PageLevels {
    /// The greatest level, 0 when there are none to write.
    let maximum: Int
    private(set) var count = 0
    /// Created by the first level below the maximum; until then all levels are equal and only counted.
    private var levels: Buffer<UInt8>?

    init(maximum: Int) { self.maximum = maximum }

    var bufferedBytes: Int { levels?.count ?? 0 }

    /// `count` entries at the maximum.
    mutating func appendMaximum(_ count: Int) {
        if maximum > 0 { levels?.append(repeating: UInt8(maximum), count: count) }
        self.count += count
    }

    mutating func append(_ values: UnsafePointer<UInt8>, count: Int) {
        if maximum > 0 {
            let buffer = levels ?? Buffer(capacity: self.count + count)
            if levels == nil {
                buffer.append(repeating: UInt8(maximum), count: self.count)
                levels = buffer
            }
            buffer.append(UnsafeBufferPointer(start: values, count: count))
        }
        self.count += count
    }

    /// Appends the 4-byte length and the runs, as v1 data pages hold them; nothing when the maximum is 0.
    func encode(into out: Buffer<UInt8>) {
        guard maximum > 0 else { return }
        let start = out.count
        out.append(repeating: 0, count: 4)
        let width = BitPacking.width(maximum)
        if let levels {
            RunLengthEncoder.encode(UnsafePointer(levels.pointer), count: count, width: width, into: out)
        } else {
            RunLengthEncoder.run(UInt32(maximum), count: count, width: width, into: out)
        }
        let length = UInt32(out.count - start - 4).littleEndian
        UnsafeMutableRawPointer(out.pointer + start).storeBytes(of: length, as: UInt32.self)
    }

    mutating func removeAll() {
        count = 0
        levels = nil
    }
}

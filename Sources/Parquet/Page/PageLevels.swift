import Base

/// The definition or repetition levels of the open page.
struct PageLevels {
    /// The greatest level, 0 when there are none to write.
    let maximum: Int
    private(set) var count = 0
    /// True while some level is below the maximum; until then all levels are equal and only counted.
    private var isMixed = false
    private let levels = Buffer<UInt8>()

    init(maximum: Int) { self.maximum = maximum }

    var bufferedBytes: Int { levels.count }

    /// `count` entries at the maximum.
    mutating func appendMaximum(_ count: Int) {
        if isMixed { levels.append(repeating: UInt8(maximum), count: count) }
        self.count += count
    }

    mutating func append(_ values: UnsafePointer<UInt8>, count: Int) {
        if maximum > 0 {
            if !isMixed {
                levels.append(repeating: UInt8(maximum), count: self.count)
                isMixed = true
            }
            levels.append(UnsafeBufferPointer(start: values, count: count))
        }
        self.count += count
    }

    /// Appends the runs, after 4 bytes with their length in v1 data pages; nothing when the maximum is 0.
    func encode(into out: Buffer<UInt8>, hasLength: Bool) {
        guard maximum > 0 else { return }
        let start = out.count
        if hasLength { out.append(repeating: 0, count: 4) }
        let width = BitPacking.width(maximum)
        if isMixed {
            RunLengthEncoder.encode(UnsafePointer(levels.pointer), count: count, width: width, into: out)
        } else if count > 0 {
            RunLengthEncoder.run(UInt32(maximum), count: count, width: width, into: out)
        }
        guard hasLength else { return }
        let length = UInt32(out.count - start - 4).littleEndian
        UnsafeMutableRawPointer(out.pointer + start).storeBytes(of: length, as: UInt32.self)
    }

    /// Entries by level, of which `atMaximum` are known to be at the maximum; empty when that is 0.
    func histogram(atMaximum: Int) -> [Int] {
        guard maximum > 0 else { return [] }
        var counts = [Int](repeating: 0, count: maximum + 1)
        counts[maximum] = atMaximum
        counts[0] = count - atMaximum
        guard isMixed else { return counts }
        for level in 1..<maximum {
            counts[level] = LevelKernels.count(levels.pointer, count, equalTo: UInt8(level))
            counts[0] -= counts[level]
        }
        return counts
    }

    var countAtMaximum: Int {
        isMixed ? LevelKernels.count(levels.pointer, count, equalTo: UInt8(maximum)) : count
    }

    mutating func removeAll() {
        count = 0
        isMixed = false
        levels.removeAll()
    }
}

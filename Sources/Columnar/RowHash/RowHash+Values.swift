import Base

/// What stands for null. Other values reach it only by accident, since they pass `avalanche`.
private let nullHash: UInt64 = 0xF1A7_0000_4E55_4C4C

extension Column {
    /// Writes the hash of each value of `rows` to `output`, one word a row. A null's slot is never looked at.
    func hashValues(_ rows: Range<Int>, into output: UnsafeMutablePointer<UInt64>) {
        switch storage {
        case .boolean(let b): hashWords(b.values, rows, output) { UInt64($0) }
        case .int32(let b): hashWords(b.values, rows, output) { UInt64(bitPattern: Int64($0)) }
        case .int64(let b): hashWords(b.values, rows, output) { UInt64(bitPattern: $0) }
        case .float(let b): hashWords(b.values, rows, output) { canonicalBits(Double($0)) }
        case .double(let b): hashWords(b.values, rows, output) { canonicalBits($0) }
        case .decimal(let b):
            for row in rows {
                let value = b[row]
                output[row - rows.lowerBound] = hashPair(
                    UInt64(truncatingIfNeeded: value), UInt64(truncatingIfNeeded: value >> 64))
            }
        case .bytes(let offsets, let bytes):
            let content = UnsafeRawBufferPointer(bytes.values)
            for row in rows {
                output[row - rows.lowerBound] = XXHash64.hash(
                    UnsafeRawBufferPointer(rebasing: content[Int(offsets[row])..<Int(offsets[row + 1])]))
            }
        case .fixed(let b, let width):
            let content = UnsafeRawBufferPointer(b.values)
            for row in rows {
                output[row - rows.lowerBound] = XXHash64.hash(
                    UnsafeRawBufferPointer(rebasing: content[row * width..<(row + 1) * width]))
            }
        case .structure(let children): hashStructs(children, rows, output)
        case .list(let offsets, let element): hashLists(offsets, element[0], rows, output)
        case .map(let offsets, let entries): hashMaps(offsets, entries[0], entries[1], rows, output)
        }
        guard let validity else { return }
        for row in rows where validity[row] == 0 { output[row - rows.lowerBound] = nullHash }
    }

    private func hashStructs(_ children: [Column], _ rows: Range<Int>, _ output: UnsafeMutablePointer<UInt64>) {
        for index in 0..<rows.count { output[index] = UInt64(children.count) }
        withHashRoom(rows.count) { values in
            for child in children {
                child.hashValues(rows, into: values)
                for index in 0..<rows.count { output[index] = XXHash64.absorb(output[index], values[index]) }
            }
        }
        for index in 0..<rows.count { output[index] = XXHash64.avalanche(output[index]) }
    }

    private func hashLists(
        _ offsets: Buffer<Int32>, _ element: Column, _ rows: Range<Int>, _ output: UnsafeMutablePointer<UInt64>
    ) {
        let first = Int(offsets[rows.lowerBound])
        let last = Int(offsets[rows.upperBound])
        withHashRoom(last - first) { values in
            element.hashValues(first..<last, into: values)
            for row in rows {
                let range = Int(offsets[row]) - first..<Int(offsets[row + 1]) - first
                var hash = XXHash64.prime3 &+ UInt64(range.count)
                for index in range { hash = XXHash64.absorb(hash, values[index]) }
                output[row - rows.lowerBound] = XXHash64.avalanche(hash)
            }
        }
    }

    /// The entries are summed, so that their order does not count.
    private func hashMaps(
        _ offsets: Buffer<Int32>, _ key: Column, _ value: Column, _ rows: Range<Int>,
        _ output: UnsafeMutablePointer<UInt64>
    ) {
        let first = Int(offsets[rows.lowerBound])
        let last = Int(offsets[rows.upperBound])
        let count = last - first
        withHashRoom(2 * count) { room in
            key.hashValues(first..<last, into: room)
            value.hashValues(first..<last, into: room + count)
            for row in rows {
                let range = Int(offsets[row]) - first..<Int(offsets[row + 1]) - first
                var total = XXHash64.prime4 &+ UInt64(range.count)
                for index in range { total &+= hashPair(room[index], room[count + index]) }
                output[row - rows.lowerBound] = XXHash64.avalanche(total)
            }
        }
    }
}

@inline(__always) private func hashWords<Element: BitwiseCopyable>(
    _ values: UnsafeBufferPointer<Element>, _ rows: Range<Int>, _ output: UnsafeMutablePointer<UInt64>,
    _ bits: (Element) -> UInt64
) {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= values.count, "row range out of the column")
    guard let start = values.baseAddress else { return }
    for row in rows {
        output[row - rows.lowerBound] = XXHash64.avalanche(bits(start[row]) ^ XXHash64.prime1)
    }
}

@inline(__always) private func hashPair(_ a: UInt64, _ b: UInt64) -> UInt64 {
    XXHash64.avalanche(XXHash64.absorb(XXHash64.absorb(XXHash64.prime2, a), b))
}

@inline(__always) private func canonicalBits(_ value: Double) -> UInt64 {
    value.isNaN ? Double.nan.bitPattern : value.bitPattern
}

private func withHashRoom(_ count: Int, _ body: (UnsafeMutablePointer<UInt64>) -> Void) {
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: max(count, 1)) { body($0.baseAddress!) }
}

import Base
import Columnar
import Testing

@testable import Parquet

/// The tables behind dictionary pages, against Swift's own dictionary.
@Suite struct DictionaryTests {
    /// Lengths around every limit of the comparison, with ends or beginnings in common, and zeros.
    @Test func stringsOfEveryLength() {
        var generator = Generator(seed: 21, nullPercent: 0, isRepetitive: false)
        var strings: [[UInt8]] = [[], [0], [0, 0], [UInt8](repeating: 0, count: 8)]
        for length in Array(0...72) + [127, 254, 255, 256, 257, 600] {
            let base = (0..<length).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
            strings.append(base)
            let positions = Set([0, 7, 8, 15, 16, 31, 32, length / 2, length - 1])
            for position in positions where position >= 0 && position < length {
                var other = base
                other[position] ^= 1
                strings.append(other)
            }
        }
        for _ in 0..<3000 { strings.append(Array("s\(generator.below(900))".utf8)) }
        strings += strings.reversed()

        var known: [[UInt8]: UInt32] = [:]
        let expected = strings.map { string -> UInt32 in
            if known[string] == nil { known[string] = UInt32(known.count) }
            return known[string]!
        }
        let builder = ColumnBuilder(.binary)
        for string in strings { builder.append(.binary(string)) }
        let column = builder.finish()
        guard case .bytes(let offsets, let bytes) = column.storage else {
            Issue.record("not bytes")
            return
        }
        let dictionary = ByteDictionary()
        let found = Buffer<UInt32>(repeating: 0, count: strings.count)
        var start = 0
        // In segments, so that later ones meet a table that has grown.
        while start < strings.count {
            let count = min(500, strings.count - start)
            let part = ByteStrings(bytes: bytes, offsets: offsets, width: 0, start: start, count: count)
            #expect(dictionary.encode(part, into: found.pointer + start, bytesMax: 1 << 20))
            start += count
        }
        #expect(found.array == expected)
        #expect(dictionary.count == known.count)
        for (string, index) in known { #expect(Array(dictionary.entry(Int(index))) == string) }
    }

    @Test func wordsAndTheirBound() {
        var generator = Generator(seed: 22, nullPercent: 0, isRepetitive: false)
        var words: [UInt64] = [0, 0, .max, 1 << 63, 0x8000_0000, UInt64(UInt32.max)]
        for _ in 0..<20_000 { words.append(UInt64(generator.below(5000)) << 40) }
        for word in 0..<3000 { words.append(UInt64(word)) }
        var known: [UInt64: UInt32] = [:]
        let expected = words.map { word -> UInt32 in
            if known[word] == nil { known[word] = UInt32(known.count) }
            return known[word]!
        }
        let dictionary = WordDictionary<UInt64>()
        let indices = Buffer<UInt32>()
        for start in stride(from: 0, to: words.count, by: 1000) {
            let part = Array(words[start..<min(words.count, start + 1000)])
            part.withUnsafeBufferPointer {
                let fits = dictionary.encode($0.baseAddress!, count: part.count, into: indices, bytesMax: 1 << 20)
                #expect(fits)
            }
        }
        #expect(indices.array == expected)
        #expect(dictionary.values.count == known.count)
        let small = WordDictionary<UInt64>()
        let untouched = Buffer<UInt32>()
        words.withUnsafeBufferPointer {
            #expect(!small.encode($0.baseAddress!, count: words.count, into: untouched, bytesMax: 800))
        }
        #expect(untouched.isEmpty && small.values.count == 100)
    }

    @Test func levelsAreCounted() {
        var generator = Generator(seed: 23, nullPercent: 0, isRepetitive: false)
        for count in [0, 1, 7, 8, 9, 31, 2039, 2040, 2041, 5000] {
            let levels = (0..<count).map { _ in UInt8(generator.below(4)) }
            var page = PageLevels(maximum: 3)
            levels.withUnsafeBufferPointer { if let base = $0.baseAddress { page.append(base, count: count) } }
            let expected = (0...3).map { level in levels.count { Int($0) == level } }
            #expect(page.countAtMaximum == expected[3])
            #expect(page.histogram(atMaximum: expected[3]) == expected)
            page.removeAll()
            page.appendMaximum(5)
            #expect(page.histogram(atMaximum: 5) == [0, 0, 0, 5])
        }
        let same = [UInt8](repeating: 2, count: 10_000)
        var page = PageLevels(maximum: 3)
        same.withUnsafeBufferPointer { page.append($0.baseAddress!, count: same.count) }
        #expect(page.histogram(atMaximum: 0) == [0, 0, 10_000, 0])
    }

    @Test func nanAndOrderOfReals() {
        for count in 0..<40 {
            var generator = Generator(seed: UInt64(count), nullPercent: 0, isRepetitive: false)
            let values = (0..<count).map { _ -> Double in
                let number = generator.below(10)
                return number == 0 ? .nan : number == 1 ? -.infinity : Double(number) - 5
            }
            let found = values.withUnsafeBufferPointer { buffer -> (bounds: ColumnBounds, nanCount: Int) in
                guard let base = buffer.baseAddress else { return (.empty, 0) }
                return BoundsKernels.reals(base, count: count)
            }
            let real = values.filter { !$0.isNaN }
            #expect(found.nanCount == count - real.count)
            #expect(found.bounds == (real.isEmpty ? .empty : .real(real.min()!, real.max()!)))
        }
    }
}

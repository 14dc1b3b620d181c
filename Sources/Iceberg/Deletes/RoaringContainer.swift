/// A set of 16-bit numbers in one of Roaring's three forms.
///
/// 1. At most 4096 members are a sorted array; more are 65,536 bits. Members come and go in these two forms only.
/// 2. Runs are for storage: `runOptimized` makes them where they are smaller, and a change undoes them first.
///
/// Spec: https://github.com/RoaringBitmap/RoaringFormatSpec#containers
struct RoaringContainer: Hashable, Sendable {
    enum Form: Hashable, Sendable {
        case array
        case bits
        case runs
    }

    static let arrayCountMax = 4096
    static let bitsByteCount = 8192
    static let wordCount = 1024

    private(set) var form = Form.array
    /// Sorted members, or for runs pairs of a first member and the number of members after it.
    private(set) var values: [UInt16] = []
    private(set) var words: [UInt64] = []
    private(set) var count = 0

    init() {}

    /// Precondition: `sorted` ascends strictly and has at most 4096 members.
    init(sorted: [UInt16]) {
        precondition(sorted.count <= Self.arrayCountMax)
        values = sorted
        count = sorted.count
    }

    /// Precondition: there are 1024 words, and `count` of their bits are set.
    init(words: [UInt64], count: Int) {
        precondition(words.count == Self.wordCount)
        form = .bits
        self.words = words
        self.count = count
        shrink()
    }

    /// Precondition: the pairs ascend, neither overlap nor pass 65,535, and hold `count` members.
    init(runs: [UInt16], count: Int) {
        form = .runs
        values = runs
        self.count = count
    }

    /// Equal when they hold the same members, in whatever form.
    static func == (a: RoaringContainer, b: RoaringContainer) -> Bool {
        if a.count != b.count { return false }
        if a.form == b.form { return a.values == b.values && a.words == b.words }
        let (a, b) = (a.withoutRuns, b.withoutRuns)
        return a.values == b.values && a.words == b.words
    }

    func hash(into hasher: inout Hasher) { hasher.combine(count) }

    func contains(_ value: UInt16) -> Bool {
        switch form {
        case .array:
            let place = lowerBound(value)
            return place < values.count && values[place] == value
        case .bits: return words[Int(value >> 6)] >> UInt64(value & 63) & 1 != 0
        case .runs:
            // The last run that starts at or before the value decides.
            var (low, high) = (0, values.count / 2)
            while low < high {
                let middle = (low + high) / 2
                if values[2 * middle] <= value { low = middle + 1 } else { high = middle }
            }
            return low > 0 && value - values[2 * low - 2] <= values[2 * low - 1]
        }
    }

    private func lowerBound(_ value: UInt16) -> Int {
        var (low, high) = (0, values.count)
        while low < high {
            let middle = (low + high) / 2
            if values[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// False when it was there before.
    @discardableResult mutating func insert(_ value: UInt16) -> Bool {
        if form == .runs { self = withoutRuns }
        if form == .array {
            // Positions mostly come in order.
            if let last = values.last, last >= value {
                let place = lowerBound(value)
                if values[place] == value { return false }
                values.insert(value, at: place)
            } else {
                values.append(value)
            }
            count += 1
            if count > Self.arrayCountMax { becomeBits() }
            return true
        }
        let (word, bit) = (Int(value >> 6), UInt64(1) << UInt64(value & 63))
        if words[word] & bit != 0 { return false }
        words[word] |= bit
        count += 1
        return true
    }

    mutating func formUnion(_ other: RoaringContainer) {
        if form == .runs { self = withoutRuns }
        if other.form == .array, other.count <= 16 || form == .bits {
            for value in other.values { insert(value) }
            return
        }
        if form == .array { becomeBits() }
        other.forEachRange(in: 0...UInt16.max) { low, high in
            for value in low...high { words[Int(value >> 6)] |= 1 << UInt64(value & 63) }
        }
        count = words.reduce(0) { $0 + $1.nonzeroBitCount }
        shrink()
    }

    private mutating func becomeBits() {
        var bits = [UInt64](repeating: 0, count: Self.wordCount)
        for value in values { bits[Int(value >> 6)] |= 1 << UInt64(value & 63) }
        form = .bits
        words = bits
        values = []
    }

    /// Bits with few members become an array.
    private mutating func shrink() {
        if form == .bits, count <= Self.arrayCountMax { self = RoaringContainer(sorted: members) }
    }

    /// Ascending.
    var members: [UInt16] {
        if form == .array { return values }
        var sorted: [UInt16] = []
        sorted.reserveCapacity(count)
        forEachRange(in: 0...UInt16.max) { low, high in sorted.append(contentsOf: low...high) }
        return sorted
    }

    /// Calls `body` with the first and last member of every run of members within `range`, ascending. What an array
    /// or the words hold side by side may come in pieces.
    func forEachRange(in range: ClosedRange<UInt16>, _ body: (UInt16, UInt16) -> Void) {
        switch form {
        case .array:
            var place = lowerBound(range.lowerBound)
            while place < values.count, values[place] <= range.upperBound {
                body(values[place], values[place])
                place += 1
            }
        case .bits:
            for index in Int(range.lowerBound >> 6)...Int(range.upperBound >> 6) {
                var word = words[index]
                let base = UInt16(index << 6)
                while word != 0 {
                    let value = base + UInt16(word.trailingZeroBitCount)
                    word &= word - 1
                    if range.contains(value) { body(value, value) }
                }
            }
        case .runs:
            for pair in stride(from: 0, to: values.count, by: 2) {
                let low = max(values[pair], range.lowerBound)
                let high = min(values[pair] + values[pair + 1], range.upperBound)
                if low <= high { body(low, high) }
            }
        }
    }

    /// The same members as an array or bits.
    var withoutRuns: RoaringContainer {
        guard form == .runs else { return self }
        var bits = [UInt64](repeating: 0, count: Self.wordCount)
        forEachRange(in: 0...UInt16.max) { low, high in
            for value in low...high { bits[Int(value >> 6)] |= 1 << UInt64(value & 63) }
        }
        return RoaringContainer(words: bits, count: count)
    }

    /// The same members in the smallest form. A tie keeps arrays and bits, as the reference does.
    var runOptimized: RoaringContainer {
        var runs: [UInt16] = []
        // More runs than these never pay.
        let runsMax = form == .bits ? Self.bitsByteCount / 4 : max(1, count)
        var last: (low: UInt16, high: UInt16)?
        var isWorthwhile = true
        forEachRange(in: 0...UInt16.max) { low, high in
            if let open = last, open.high &+ 1 == low, low != 0 {
                last = (open.low, high)
            } else {
                if let open = last, isWorthwhile { runs += [open.low, open.high - open.low] }
                last = (low, high)
                isWorthwhile = isWorthwhile && runs.count / 2 < runsMax
            }
        }
        if let open = last { runs += [open.low, open.high - open.low] }
        let plainBytes = count <= Self.arrayCountMax ? 2 * count : Self.bitsByteCount
        guard isWorthwhile, plainBytes > 2 + 2 * runs.count else { return withoutRuns }
        return RoaringContainer(runs: runs, count: count)
    }

    /// Bytes as stored.
    var storedBytes: Int {
        switch form {
        case .array: 2 * count
        case .bits: Self.bitsByteCount
        case .runs: 2 + 2 * values.count
        }
    }

    /// Bytes of memory held, roughly.
    var byteCount: Int { 2 * values.capacity + 8 * words.capacity + 64 }
}

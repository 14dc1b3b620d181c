/// A set of row positions of one data file, 0 for its first row.
///
/// Positions are divided by their upper 32 bits, and these by their next 16 bits into Roaring containers; both lists
/// are sorted by key. A file has far fewer than 2^32 rows, so there is one list in nearly every set.
///
/// ```swift
/// var positions = RowPositions([1, 5])
/// positions.insert(7)
/// positions.contains(5)  // true
/// ```
public struct RowPositions: Hashable, Sendable {
    /// The containers of positions with the same upper 32 bits.
    struct Bitmap: Hashable, Sendable {
        var keys: [UInt16] = []
        var containers: [RoaringContainer] = []

        var count: Int { containers.reduce(0) { $0 + $1.count } }

        /// Where the container for `key` is, or belongs.
        func place(_ key: UInt16) -> Int {
            // Positions mostly come in order.
            if let last = keys.last, last < key { return keys.count }
            var (low, high) = (0, keys.count)
            while low < high {
                let middle = (low + high) / 2
                if keys[middle] < key { low = middle + 1 } else { high = middle }
            }
            return low
        }

        mutating func insert(_ value: UInt32) -> Bool {
            let key = UInt16(value >> 16)
            let place = place(key)
            if place == keys.count || keys[place] != key {
                keys.insert(key, at: place)
                containers.insert(RoaringContainer(), at: place)
            }
            return containers[place].insert(UInt16(truncatingIfNeeded: value))
        }

        func contains(_ value: UInt32) -> Bool {
            let key = UInt16(value >> 16)
            let place = place(key)
            return place < keys.count && keys[place] == key
                && containers[place].contains(UInt16(truncatingIfNeeded: value))
        }
    }

    /// Ascending.
    var highKeys: [UInt32] = []
    var bitmaps: [Bitmap] = []

    /// The largest position that the serialised form can hold.
    public static let positionMax = Int64(Int32.max - 1) << 32 | 0xffff_ffff

    public init() {}

    /// Precondition: every position lies in 0...`positionMax`.
    public init<S: Sequence<Int64>>(_ positions: S) {
        for position in positions { insert(position) }
    }

    public var isEmpty: Bool { count == 0 }

    public var count: Int { bitmaps.reduce(0) { $0 + $1.count } }

    /// False when it was there before. Precondition: the position lies in 0...`positionMax`.
    @discardableResult public mutating func insert(_ position: Int64) -> Bool {
        precondition(position >= 0 && position <= Self.positionMax, "a row position out of range")
        let high = UInt32(position >> 32)
        let place = place(high)
        if place == highKeys.count || highKeys[place] != high {
            highKeys.insert(high, at: place)
            bitmaps.insert(Bitmap(), at: place)
        }
        return bitmaps[place].insert(UInt32(truncatingIfNeeded: position))
    }

    public func contains(_ position: Int64) -> Bool {
        guard position >= 0, position <= Self.positionMax else { return false }
        let high = UInt32(position >> 32)
        let place = place(high)
        return place < highKeys.count && highKeys[place] == high
            && bitmaps[place].contains(UInt32(truncatingIfNeeded: position))
    }

    private func place(_ high: UInt32) -> Int { highKeys.firstIndex { $0 >= high } ?? highKeys.count }

    public mutating func formUnion(_ other: RowPositions) {
        for (high, bitmap) in zip(other.highKeys, other.bitmaps) {
            let place = place(high)
            guard place < highKeys.count, highKeys[place] == high else {
                highKeys.insert(high, at: place)
                bitmaps.insert(bitmap, at: place)
                continue
            }
            for (key, container) in zip(bitmap.keys, bitmap.containers) {
                let inner = bitmaps[place].place(key)
                if inner < bitmaps[place].keys.count, bitmaps[place].keys[inner] == key {
                    bitmaps[place].containers[inner].formUnion(container)
                } else {
                    bitmaps[place].keys.insert(key, at: inner)
                    bitmaps[place].containers.insert(container, at: inner)
                }
            }
        }
    }

    /// Calls `body` with ascending ranges that together hold the positions within `range`.
    func forEachRange(in range: Range<Int64>, _ body: (Range<Int64>) -> Void) {
        guard !range.isEmpty else { return }
        let (first, last) = (Swift.max(0, range.lowerBound), range.upperBound - 1)
        for (high, bitmap) in zip(highKeys, bitmaps) {
            let start = Int64(high) << 32
            guard start <= last, start | 0xffff_ffff >= first else { continue }
            let lowKey = first <= start ? 0 : UInt16(truncatingIfNeeded: first >> 16)
            var place = bitmap.place(lowKey)
            while place < bitmap.keys.count {
                let base = start | Int64(bitmap.keys[place]) << 16
                guard base <= last else { return }
                let low = UInt16(clamping: first - base)
                let high = UInt16(clamping: last - base)
                bitmap.containers[place].forEachRange(in: low...high) {
                    body(base | Int64($0)..<(base | Int64($1)) + 1)
                }
                place += 1
            }
        }
    }

    /// The rows 0..<`count` that are left when row 0 has the position `first`; nil when none of them is in the set.
    func rowsLeft(from first: Int64, count: Int) -> [Int32]? {
        var left: [Int32]?
        var next: Int32 = 0
        forEachRange(in: first..<first + Int64(count)) { gone in
            if left == nil {
                left = []
                left?.reserveCapacity(count)
            }
            left!.append(contentsOf: next..<Int32(gone.lowerBound - first))
            next = Int32(gone.upperBound - first)
        }
        left?.append(contentsOf: next..<Int32(count))
        return left
    }

    /// How many positions of `range` are in the set.
    func count(in range: Range<Int64>) -> Int {
        var count = 0
        forEachRange(in: range) { count += $0.count }
        return count
    }

    /// Bytes of memory held, roughly.
    var byteCount: Int {
        bitmaps.reduce(64) { total, bitmap in bitmap.containers.reduce(total + 64) { $0 + $1.byteCount } }
    }
}

extension RowPositions: Sequence {
    /// Every position, ascending; holds the members of one container at a time.
    public struct Iterator: IteratorProtocol {
        fileprivate let positions: RowPositions
        private var bitmap = 0
        private var container = 0
        private var base: Int64 = 0
        private var members: [UInt16] = []
        private var place = 0

        fileprivate init(_ positions: RowPositions) { self.positions = positions }

        public mutating func next() -> Int64? {
            while place == members.count {
                guard bitmap < positions.bitmaps.count else { return nil }
                let open = positions.bitmaps[bitmap]
                guard container < open.keys.count else {
                    bitmap += 1
                    container = 0
                    continue
                }
                base = Int64(positions.highKeys[bitmap]) << 32 | Int64(open.keys[container]) << 16
                members = open.containers[container].members
                place = 0
                container += 1
            }
            defer { place += 1 }
            return base | Int64(members[place])
        }
    }

    public func makeIterator() -> Iterator { Iterator(self) }

    public var underestimatedCount: Int { count }
}

import Base
import Columnar

/// Makes columns of a batch's buffers.
///
/// What Arrow leaves open becomes what `Column` promises: the slot of a null is zero or empty, the members of a null
/// struct are null, offsets start at 0.
struct ArrowColumnDecoder {
    var regions: ArrowRegions
    private let dictionaries: [Int64: Column]

    init(header: ArrowBatchHeader, body: UnsafeRawBufferPointer, dictionaries: [Int64: Column], budget: Int) {
        regions = ArrowRegions(header, body, budget: budget)
        self.dictionaries = dictionaries
    }

    static let tooLarge = FirnError(
        .limitExceeded, "batch_too_large", "A batch of the Arrow data takes more memory than one may.")

    func finish() throws(FirnError) { try regions.finish() }

    /// Passes the buffers of a column.
    mutating func skip(_ field: ArrowField) throws(FirnError) {
        _ = try regions.nextNode()
        if field.dictionary != nil { return try regions.skip(2) }
        switch field.type {
        case .null: break
        case .structure, .fixedList: try regions.skip(1)
        case .bytes: try regions.skip(3)
        case .byteViews: try regions.skip(2 + regions.nextVariadicCount())
        case .map:
            try regions.skip(2)
            _ = try regions.nextNode()
            try regions.skip(1)
        default: try regions.skip(2)
        }
        for child in field.children { try skip(child) }
    }

    /// The next column, of at least `rows` rows; `within` has 0 where the struct around is null.
    mutating func column(_ field: ArrowField, rows: Int, within: Buffer<UInt8>?) throws(FirnError) -> Column {
        let node = try regions.nextNode()
        guard node.length == rows else {
            throw .malformedArrow("'\(field.path)' has \(node.length) rows, not \(rows)")
        }
        try regions.spend(rows, 1)
        if field.type == .null, field.dictionary == nil { return try nulls(field, rows) }
        let validity = try validity(node, rows, within, field)
        let nullCount = validity.map { bits in bits.values.reduce(0) { $0 + ($1 == 0 ? 1 : 0) } } ?? 0
        let live = nullCount == 0 ? nil : validity
        let storage: Column.Storage
        if let dictionary = field.dictionary {
            return try resolved(dictionary, field, rows, live, nullCount)
        }
        switch field.type {
        case .bytes(let isWide): storage = try bytes(field, rows, live, isWide: isWide)
        case .byteViews: storage = try views(field, rows, live)
        case .structure:
            var children: [Column] = []
            for child in field.children { children.append(try column(child, rows: rows, within: live)) }
            storage = .structure(children)
        case .list(let isWide):
            let offsets = try self.offsets(field, rows, isWide: isWide)
            let child = try items(field.children[0], atLeast: offsets.last)
            storage = try list(offsets, live, [child]) { .list(offsets: $0, element: $1) }
        case .fixedList(let size):
            let offsets = try fixedOffsets(field, rows, size)
            let child = try items(field.children[0], atLeast: offsets.last)
            storage = try list(offsets, live, [child]) { .list(offsets: $0, element: $1) }
        case .map:
            let offsets = try self.offsets(field, rows, isWide: false)
            let entries = try regions.nextNode()
            try regions.skip(1)
            guard entries.length >= offsets.last else { throw .malformedArrow("'\(field.path)' has too few entries") }
            let key = try column(field.children[0], rows: entries.length, within: nil)
            let value = try column(field.children[1], rows: entries.length, within: nil)
            storage = try list(offsets, live, [key, value]) { .map(offsets: $0, entries: $1) }
        default: storage = try values(field, rows, live)
        }
        return Column(type: field.field.type, rowCount: rows, validity: live, nullCount: nullCount, storage: storage)
    }

    /// The child of a list, whose length only its own node says.
    private mutating func items(_ field: ArrowField, atLeast count: Int) throws(FirnError) -> Column {
        let length = try regions.peekLength()
        guard length >= count else { throw .malformedArrow("'\(field.path)' has too few items") }
        return try column(field, rows: length, within: nil)
    }

    private mutating func nulls(_ field: ArrowField, _ rows: Int) throws(FirnError) -> Column {
        try regions.spend(rows, 5)
        return Column(
            type: .string, rowCount: rows, validity: Buffer(repeating: 0, count: rows), nullCount: rows,
            storage: .bytes(offsets: Buffer(repeating: 0, count: rows + 1), bytes: Buffer()))
    }

    /// One byte a row; nil when all rows have a value.
    private mutating func validity(
        _ node: (length: Int, nullCount: Int), _ rows: Int, _ within: Buffer<UInt8>?, _ field: ArrowField
    ) throws(FirnError) -> Buffer<UInt8>? {
        let region = try regions.next()
        guard node.nullCount != 0, region.count > 0 else { return within }
        try region.require((rows + 7) / 8, stride: 1, field)
        let bits = Buffer<UInt8>(capacity: rows)
        for row in 0..<rows { bits.pointer[row] = region.bit(row) }
        bits.commit(rows)
        if let within { for row in 0..<rows { bits.pointer[row] &= within[row] } }
        return bits
    }

    // MARK: - Dictionaries

    private mutating func resolved(
        _ dictionary: ArrowDictionary, _ field: ArrowField, _ rows: Int, _ live: Buffer<UInt8>?, _ nullCount: Int
    ) throws(FirnError) -> Column {
        let region = try regions.next()
        try region.require(rows, stride: dictionary.indexBits / 8, field)
        // Also what nulls take: the width of a fixed type is the stream's own.
        if case .fixed(let width) = field.type { try regions.spend(rows + 1, width) }
        guard let values = dictionaries[dictionary.id] else {
            if nullCount == rows { return try nulls(field, rows).retyped(field.field.type) }
            throw .malformedArrow("'\(field.path)' comes before its dictionary")
        }
        // Null rows take a null at the dictionary's end.
        let padded = live == nil ? values : Column.joining([values, Self.oneNull(values.type)])
        var indices: [Int32] = []
        indices.reserveCapacity(rows)
        for row in 0..<rows {
            if let live, live[row] == 0 {
                indices.append(Int32(values.rowCount))
                continue
            }
            let index = Self.index(region, row, dictionary)
            guard index >= 0, index < values.rowCount else {
                throw .malformedArrow("'\(field.path)' has the index \(index) into \(values.rowCount) values")
            }
            indices.append(Int32(index))
        }
        try spend(indices, padded)
        return padded.taking(indices)
    }

    private static func index(_ region: ArrowRegion, _ row: Int, _ dictionary: ArrowDictionary) -> Int {
        switch (dictionary.indexBits, dictionary.isSigned) {
        case (8, true): Int(region.load(row, as: Int8.self))
        case (8, false): Int(region.load(row, as: UInt8.self))
        case (16, true): Int(region.load(row, as: Int16.self))
        case (16, false): Int(region.load(row, as: UInt16.self))
        case (32, true): Int(region.load(row, as: Int32.self))
        case (32, false): Int(region.load(row, as: UInt32.self))
        case (_, true): Int(region.load(row, as: Int64.self))
        default: Int(exactly: region.load(row, as: UInt64.self)) ?? -1
        }
    }

    private static func oneNull(_ type: DataType) -> Column {
        let builder = ColumnBuilder(type, rowCapacity: 1)
        builder.appendNull()
        return builder.finish()
    }

    /// What a dictionary unfolds to is bounded like everything else.
    private mutating func spend(_ indices: [Int32], _ values: Column) throws(FirnError) {
        guard case .bytes(let offsets, _) = values.storage else {
            return try regions.spend(indices.count, 16)
        }
        var total = 0
        for index in indices { total += Int(offsets[Int(index) + 1] - offsets[Int(index)]) }
        guard total < Int(Int32.max) else { throw Self.tooLarge }
        try regions.spend(total + indices.count * 4, 1)
    }
}

extension ArrowRegions {
    /// The rows of the next column.
    func peekLength() throws(FirnError) -> Int {
        var copy = self
        return try copy.nextNode().length
    }
}

extension Column {
    /// An all-null column as one of another type.
    fileprivate func retyped(_ type: DataType) -> Column {
        let builder = ColumnBuilder(type, rowCapacity: rowCount)
        for _ in 0..<rowCount { builder.appendNull() }
        return builder.finish()
    }
}

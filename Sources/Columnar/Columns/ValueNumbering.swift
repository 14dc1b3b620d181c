import Base

/// Numbers the distinct values of columns of one type in order of appearance, from 1; 0 is null.
///
/// Values are equal as SQL groups them: zeros of both signs are one value, and NaN counts as null.
public final class ValueNumbering {
    private enum Table {
        case words(WordTable)
        case texts(TextDictionary)
    }

    public let type: DataType
    private let table: Table
    private var hasNull = false
    /// The empty string has a number before it occurs.
    private var hasEmpty = false

    /// Nil for a type whose values are nested.
    public init?(_ type: DataType) {
        self.type = type
        switch type {
        case .boolean, .int, .date, .long, .time, .timestamp, .timestamptz, .timestampNs, .timestamptzNs, .float,
            .double:
            table = .words(WordTable())
        case .string, .binary, .uuid, .fixed, .decimal: table = .texts(TextDictionary())
        case .structure, .list, .map, .variant, .unknown: return nil
        }
    }

    /// One more than the highest number.
    public var count: Int {
        switch table {
        case .words(let words): words.count + 1
        case .texts(let texts): texts.count + 1
        }
    }

    public var byteCount: Int {
        switch table {
        case .words(let words): words.byteCount
        case .texts(let texts): texts.byteCount
        }
    }

    /// The number of each row's value; nil when the values would take more than `bytesMax`.
    public func encode(_ column: Column, bytesMax: Int) -> Buffer<Int32>? {
        let output: Buffer<Int32>?
        switch (table, column.storage) {
        case (.words(let words), .boolean(let b)): output = encode(column, words) { Int64(b.pointer[$0]) }
        case (.words(let words), .int32(let b)):
            let values = b.pointer
            output = encode(column, words) { Int64(values[$0]) }
        case (.words(let words), .int64(let b)):
            let values = b.pointer
            output = encode(column, words) { values[$0] }
        case (.words(let words), .float(let b)):
            let column = column.nullingNaN { b[$0].isNaN }
            output = encode(column, words) { Int64((b[$0] == 0 ? 0 : b[$0]).bitPattern) }
        case (.words(let words), .double(let b)):
            let column = column.nullingNaN { b[$0].isNaN }
            output = encode(column, words) { Int64(bitPattern: (b[$0] == 0 ? 0 : b[$0]).bitPattern) }
        case (.texts(let texts), .bytes(let offsets, let bytes)):
            output = encode(column, texts, offsets, bytes, bytesMax)
        case (.texts(let texts), .fixed(let bytes, let width)):
            output = encode(column, texts, bytes.pointer, width, bytesMax)
        case (.texts(let texts), .decimal(let b)):
            output = encode(
                column, texts, UnsafeRawPointer(b.pointer).assumingMemoryBound(to: UInt8.self), 16, bytesMax)
        default: preconditionFailure("values of \(column.type) among those of \(type)")
        }
        return byteCount > bytesMax ? nil : output
    }

    @inline(__always)
    private func encode(_ column: Column, _ words: WordTable, _ word: (Int) -> Int64) -> Buffer<Int32> {
        let rows = column.rowCount
        let output = Buffer<Int32>(capacity: rows)
        let to = output.pointer
        if let validity = column.validity {
            hasNull = true
            for row in 0..<rows { to[row] = validity[row] == 0 ? 0 : words.number(of: word(row)) &+ 1 }
        } else {
            words.encode(rows: rows, word) { to[$0] = $1 &+ 1 }
        }
        output.commit(rows)
        return output
    }

    private func encode(
        _ column: Column, _ texts: TextDictionary, _ offsets: Buffer<Int32>, _ bytes: Buffer<UInt8>, _ bytesMax: Int
    ) -> Buffer<Int32>? {
        let rows = column.rowCount
        guard let output = texts.encode(offsets, bytes, rows: rows, bytesMax: bytesMax) else { return nil }
        let to = output.pointer
        if let validity = column.validity {
            hasNull = true
            for row in 0..<rows { to[row] = validity[row] == 0 ? 0 : to[row] &+ 1 }
        } else {
            for row in 0..<rows { to[row] &+= 1 }
        }
        if !hasEmpty { hasEmpty = output.values.contains(1) }
        return output
    }

    /// Whether a row had the value of a number.
    public func isThere(_ number: Int32) -> Bool {
        switch (number, table) {
        case (0, _): hasNull
        case (1, .texts): hasEmpty
        default: true
        }
    }

    /// By number, where its value stands among all in the order of the type; null first.
    public func ranks() -> [Int32] {
        let values = values()
        var order = (1..<Int32(count)).map { $0 }
        switch values.storage {
        case .boolean(let b): order.sort { b[Int($0)] < b[Int($1)] }
        case .int32(let b): order.sort { b[Int($0)] < b[Int($1)] }
        case .int64(let b): order.sort { b[Int($0)] < b[Int($1)] }
        case .float(let b): order.sort { b[Int($0)] < b[Int($1)] }
        case .double(let b): order.sort { b[Int($0)] < b[Int($1)] }
        case .decimal(let b): order.sort { b[Int($0)] < b[Int($1)] }
        case .bytes(let offsets, let bytes): order.sort { Self.precedes(offsets, bytes, Int($0), Int($1)) }
        case .fixed(let bytes, _):
            let offsets = Self.offsets(count, bytes.count / count)
            order.sort { Self.precedes(offsets, bytes, Int($0), Int($1)) }
        case .structure, .list, .map: preconditionFailure("values of \(type)")
        }
        var ranks = [Int32](repeating: 0, count: count)
        for (rank, number) in order.enumerated() { ranks[Int(number)] = Int32(rank + 1) }
        return ranks
    }

    private static func precedes(_ offsets: Buffer<Int32>, _ bytes: Buffer<UInt8>, _ a: Int, _ b: Int) -> Bool {
        let (startA, startB) = (Int(offsets[a]), Int(offsets[b]))
        let (countA, countB) = (Int(offsets[a + 1]) - startA, Int(offsets[b + 1]) - startB)
        let base = UnsafePointer(bytes.pointer)
        let order = ByteRuns.compare(base + startA, base + startB, min(countA, countB))
        return order != 0 ? order < 0 : countA < countB
    }

    /// Of values that are all `width` bytes long, packed without the nulls'.
    private func encode(
        _ column: Column, _ texts: TextDictionary, _ values: UnsafePointer<UInt8>, _ width: Int, _ bytesMax: Int
    ) -> Buffer<Int32>? {
        let (offsets, bytes) = (Buffer<Int32>([0]), Buffer<UInt8>(capacity: column.rowCount * width))
        for row in 0..<column.rowCount {
            if !column.isNull(row) { bytes.append(UnsafeBufferPointer(start: values + row * width, count: width)) }
            offsets.append(Int32(bytes.count))
        }
        return encode(column, texts, offsets, bytes, bytesMax)
    }

    private static func offsets(_ rows: Int, _ width: Int) -> Buffer<Int32> {
        let offsets = Buffer<Int32>(capacity: rows + 1)
        for row in 0...rows { offsets.append(Int32(row * width)) }
        return offsets
    }

    /// The value of every number.
    public func values() -> Column {
        let builder = ColumnBuilder(type, rowCapacity: count)
        builder.appendNull()
        switch (table, builder.storage) {
        case (.words(let words), let storage):
            for word in words.words.values {
                switch storage {
                case .boolean(let b): b.append(UInt8(truncatingIfNeeded: word))
                case .int32(let b): b.append(Int32(truncatingIfNeeded: word))
                case .int64(let b): b.append(word)
                case .float(let b): b.append(Float(bitPattern: UInt32(truncatingIfNeeded: word)))
                case .double(let b): b.append(Double(bitPattern: UInt64(bitPattern: word)))
                default: preconditionFailure("words of \(type)")
                }
                builder.endValue()
            }
        case (.texts(let texts), let storage):
            guard case .bytes(let offsets, let bytes) = texts.values(.binary).storage else { break }
            for number in 0..<texts.count {
                append(bytes.values[Int(offsets[number])..<Int(offsets[number + 1])], to: storage)
                builder.endValue()
            }
        }
        return builder.finish()
    }

    /// The empty string of a fixed width stands for nothing.
    private func append(_ slice: Slice<UnsafeBufferPointer<UInt8>>, to storage: ColumnBuilder.Storage) {
        let value = UnsafeBufferPointer(rebasing: slice)
        switch storage {
        case .bytes(_, let b): b.append(value)
        case .fixed(let b, let width):
            if value.isEmpty { b.append(repeating: 0, count: width) } else { b.append(value) }
        case .decimal(let b):
            b.append(value.isEmpty ? 0 : UnsafeRawPointer(value.baseAddress!).loadUnaligned(as: Int128.self))
        default: preconditionFailure("texts of \(type)")
        }
    }
}

extension Column {
    /// This column with null for NaN.
    fileprivate func nullingNaN(_ isNaN: (Int) -> Bool) -> Column {
        guard (0..<rowCount).contains(where: isNaN) else { return self }
        let bits = Buffer<UInt8>(capacity: rowCount)
        var nulls = 0
        for row in 0..<rowCount {
            let isValue = !isNull(row) && !isNaN(row)
            bits.append(isValue ? 1 : 0)
            if !isValue { nulls += 1 }
        }
        return Column(type: type, rowCount: rowCount, validity: bits, nullCount: nulls, storage: storage)
    }
}

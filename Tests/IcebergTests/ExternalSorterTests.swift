import Base
import Columnar
import Glibc
import Synchronization
import TestSupport
import Testing

@testable import Iceberg

/// Rows leave the sorter as a stable sort by single values would have them, whatever memory it has.
@Suite struct ExternalSorterTests {
    /// Every type, also nested.
    static let schema: Schema = {
        var fields = TransformValues.types.enumerated().map { index, type in
            Field(id: index + 1, name: "c\(index + 1)", required: false, type: type)
        }
        let inner = StructType(fields: [
            Field(id: 101, name: "a", required: false, type: .string),
            Field(
                id: 102, name: "b", required: false,
                type: .list(ListType(elementId: 103, element: .int, elementRequired: false))),
        ])
        let entry = MapType(keyId: 105, key: .string, valueId: 106, value: .structure(inner), valueRequired: false)
        fields.append(Field(id: 100, name: "s", required: false, type: .structure(inner)))
        fields.append(Field(id: 104, name: "m", required: false, type: .map(entry)))
        fields.append(Field(id: 200, name: "number", required: true, type: .long))
        return Schema(fields: fields)
    }()

    static func value(_ random: SeededRandom, _ type: DataType) -> Value {
        switch type {
        case .structure(let type):
            return random.chance(1, in: 5) ? .null : .structure(type.fields.map { value(random, $0.type) })
        case .list(let type):
            guard random.chance(4, in: 5) else { return .null }
            return .list((0..<random.next(below: 4)).map { _ in value(random, type.element) })
        case .map(let type):
            guard random.chance(4, in: 5) else { return .null }
            return .map(
                (0..<random.next(below: 3)).map { .init(key: .string("k\($0)"), value: value(random, type.value)) })
        // Few values, so that there are ties.
        case .string where random.chance(1, in: 2):
            return .string(String(repeating: "prefix", count: random.next(below: 4)) + "\(random.next(below: 5))")
        case .long where random.chance(1, in: 2): return .long(Int64(random.next(below: 4)))
        default: return TransformValues.value(random, type)
        }
    }

    static func batches(_ random: SeededRandom, rows: Int) -> [RecordBatch] {
        var batches: [RecordBatch] = []
        var number = 0
        while number < rows {
            let builder = BatchBuilder(schema)
            for _ in 0..<min(rows - number, 1 + random.next(below: 5000)) {
                for (field, column) in zip(schema.fields, builder.columns) {
                    column.append(field.id == 200 ? .long(Int64(number)) : value(random, field.type))
                }
                number += 1
            }
            batches.append(builder.finish())
        }
        return batches
    }

    static func rows(_ batches: [RecordBatch]) -> [[Value]] {
        batches.flatMap { batch in
            (0..<batch.rowCount).map { row in batch.columns.map { $0.value(at: row) } }
        }
    }

    /// A comparison by single values, which shares nothing with the sorter's.
    static func precedes(_ a: [Value], _ b: [Value], _ order: SortOrder) -> Bool? {
        for field in order.fields {
            let place = schema.fields.firstIndex { $0.id == field.sourceId }!
            let (x, y) = (field.transform.apply(a[place]), field.transform.apply(b[place]))
            if x == .null || y == .null {
                if x == y { continue }
                return (x == .null) == (field.nullOrder == .first)
            }
            guard let isLess = isLess(x, y) else { continue }
            return isLess == (field.direction == .ascending)
        }
        return nil
    }

    private static func isLess(_ x: Value, _ y: Value) -> Bool? {
        switch (ValueOrder.isNaN(x), ValueOrder.isNaN(y)) {
        case (true, true): return nil
        case (true, false): return false
        case (false, true): return true
        default:
            guard let result = ValueOrder.compare(x, y), result != .equal else { return nil }
            return result == .less
        }
    }

    static func order(_ random: SeededRandom) -> SortOrder {
        var fields: [SortField] = []
        for _ in 0..<1 + random.next(below: 3) {
            let place = random.next(below: TransformValues.types.count)
            let type = TransformValues.types[place]
            let transforms = TransformValues.transforms.filter { $0.accepts(type) && $0 != .void }
            fields.append(
                SortField(
                    sourceId: place + 1,
                    transform: random.chance(2, in: 3) ? .identity : transforms[random.next(below: transforms.count)],
                    direction: random.chance(1, in: 2) ? .ascending : .descending,
                    nullOrder: random.chance(1, in: 2) ? .first : .last))
        }
        return SortOrder(orderId: 1, fields: fields)
    }

    @Test(arguments: 0..<12)
    func rowsLeaveInOrder(_ seed: Int) throws {
        let random = SeededRandom(seed: UInt64(seed))
        let order = Self.order(random)
        let batches = Self.batches(random, rows: 3000)
        let rowOrder = try #require(RowOrder(order, schema: Self.schema))
        let space = MemorySpill()
        let sorter = ExternalSorter(order: rowOrder, schema: Self.schema, memoryBytesMax: 1 << 20, spill: space)
        for batch in batches { try sorter.add(batch) }
        var found: [[Value]] = []
        try sorter.finish { found += Self.rows([$0]) }
        #expect(sorter.isEmpty && sorter.bufferedBytes == 0)
        let expected = Self.rows(batches).enumerated().sorted { a, b in
            Self.precedes(a.element, b.element, order) ?? (a.offset < b.offset)
        }.map(\.element)
        #expect(found.map(\.last) == expected.map(\.last), "\(order)")
        // The rest of each row came along.
        for (a, b) in zip(found, expected) where !zip(a, b).allSatisfy({ $0.isAlike($1) }) {
            Issue.record("a row has changed: \(a) is not \(b)")
            break
        }
        #expect(space.openFiles == 0)
    }

    /// Rows many times the bound: several passes of merging, and memory that stays within it.
    @Test func memoryIsBounded() throws {
        let schema = Schema(fields: [
            Field(id: 1, name: "key", required: false, type: .string),
            Field(id: 2, name: "number", required: true, type: .long),
        ])
        let random = SeededRandom(seed: 5)
        let order = SortOrder(orderId: 1, fields: [SortField(sourceId: 1, direction: .descending)])
        let space = MemorySpill()
        let bound = 1 << 20
        let sorter = ExternalSorter(
            order: try #require(RowOrder(order, schema: schema)), schema: schema, memoryBytesMax: bound, spill: space)
        var keys: [String] = []
        for _ in 0..<60 {
            let builder = BatchBuilder(schema)
            for _ in 0..<2500 {
                let key = String(repeating: "x", count: 60) + String(random.next(below: 4000))
                builder.columns[0].append(.string(key))
                builder.columns[1].append(.long(Int64(keys.count)))
                keys.append(key)
            }
            try sorter.add(builder.finish())
            #expect(sorter.bufferedBytes <= bound)
        }
        #expect(space.filesMade > 10 && sorter.spilledBytes > keys.count * 60)
        var found: [Int] = []
        try sorter.finish { batch in
            #expect(batch.byteCount < bound / 2)
            if case .int64(let numbers) = batch.columns[1].storage { found += numbers.array.map(Int.init) }
        }
        let expected = keys.indices.sorted { keys[$0] == keys[$1] ? $0 < $1 : keys[$0] > keys[$1] }
        #expect(found == expected)
        #expect(space.openFiles == 0)
    }

    /// Text waits as numbers until its dictionary is full, and comes back as it was, nested or not.
    @Test(arguments: [0, 12_000, 24_000])
    func codedTextComesBack(_ rowsOfFewValues: Int) throws {
        let inner = StructType(fields: [Field(id: 4, name: "a", required: false, type: .string)])
        let schema = Schema(fields: [
            Field(id: 1, name: "key", required: true, type: .long),
            Field(id: 2, name: "text", required: false, type: .string),
            Field(id: 3, name: "s", required: false, type: .structure(inner)),
            Field(
                id: 5, name: "l", required: false,
                type: .list(ListType(elementId: 6, element: .binary, elementRequired: false))),
        ])
        let random = SeededRandom(seed: UInt64(rowsOfFewValues))
        let order = SortOrder(orderId: 1, fields: [SortField(sourceId: 1)])
        let space = MemorySpill()
        let sorter = ExternalSorter(
            order: try #require(RowOrder(order, schema: schema)), schema: schema, memoryBytesMax: 1 << 20, spill: space)
        var batches: [RecordBatch] = []
        for start in stride(from: 0, to: 24_000, by: 2400) {
            let builder = BatchBuilder(schema)
            for row in start..<start + 2400 {
                let few = row < rowsOfFewValues
                func text() -> String {
                    "some text, \(few ? random.next(below: 300) : row * 7 + random.next(below: 7))"
                }
                builder.columns[0].append(.long(Int64(random.next(below: 5000))))
                builder.columns[1].append([.null, .string(""), .string(text())].randomElement(random))
                builder.columns[2].append(random.chance(1, in: 9) ? .null : .structure([.string(text())]))
                builder.columns[3].append(
                    .list((0..<random.next(below: 3)).map { _ in .binary(Array(text().utf8)) }))
            }
            batches.append(builder.finish())
            try sorter.add(batches[batches.count - 1])
        }
        var found: [[Value]] = []
        try sorter.finish { batch in
            #expect(batch.schema == schema)
            found += Self.rows([batch])
        }
        let expected = Self.rows(batches).enumerated().sorted { a, b in
            guard case .long(let x) = a.element[0], case .long(let y) = b.element[0], x != y else {
                return a.offset < b.offset
            }
            return x < y
        }.map(\.element)
        #expect(found == expected)
        #expect(space.filesMade > 0 && space.openFiles == 0)
    }

    /// Text that differs late, or only in its length, or by zeros at its end.
    @Test func longKeysAreToldApart() throws {
        let schema = Schema(fields: [Field(id: 1, name: "key", required: false, type: .binary)])
        let random = SeededRandom(seed: 6)
        for isDescending in [false, true] {
            var keys: [[UInt8]] = []
            for _ in 0..<4000 {
                let shared = [UInt8](repeating: 7, count: [0, 3, 8, 40].randomElement(random))
                let zeros = [UInt8](repeating: 0, count: random.next(below: 20))
                keys.append(shared + zeros + (random.chance(1, in: 2) ? [] : [UInt8(random.next(below: 3))]))
            }
            let builder = BatchBuilder(schema)
            for key in keys { builder.columns[0].append(.binary(key)) }
            let field = SortField(sourceId: 1, direction: isDescending ? .descending : .ascending)
            let sorter = try #require(RowSorter(SortOrder(orderId: 1, fields: [field]), schema: schema))
            let found = try #require(sorter.permutation(of: builder.finish()))
            let expected = keys.indices.sorted { a, b in
                if keys[a] == keys[b] { return a < b }
                return keys[a].lexicographicallyPrecedes(keys[b]) != isDescending
            }
            #expect(found.map(Int.init) == expected)
        }
    }

    @Test func fullDiskIsReported() throws {
        let random = SeededRandom(seed: 1)
        let order = try #require(RowOrder(SortOrder(orderId: 1, fields: [SortField(sourceId: 2)]), schema: Self.schema))
        let space = MemorySpill(bytesMax: 100_000)
        let sorter = ExternalSorter(order: order, schema: Self.schema, memoryBytesMax: 1 << 20, spill: space)
        let error = #expect(throws: FirnError.self) {
            for batch in Self.batches(random, rows: 4000) { try sorter.add(batch) }
            try sorter.finish { _ in }
        }
        #expect(error?.kind == .storageFull && error?.code == "spill_failed")
    }

    /// What is put aside has no name, so there is nothing that a killed process could leave.
    @Test func temporaryFilesHaveNoNames() throws {
        var template = Array("/tmp/firn-spill-XXXXXX".utf8CString)
        let folder = String(cString: mkdtemp(&template))
        defer { rmdir(folder) }
        let file = try FolderSpillSpace(folder: folder).makeFile()
        let bytes = [UInt8]((0..<200).map { UInt8($0) })
        try bytes.withUnsafeBytes { try file.append($0) }
        try bytes.withUnsafeBytes { try file.append($0) }
        #expect(try PosixFileSystem().list(folder).isEmpty)
        var back = [UInt8](repeating: 0, count: 150)
        try back.withUnsafeMutableBytes { try file.read(into: $0, at: 100) }
        #expect(back == Array((bytes + bytes)[100..<250]) && file.byteCount == 400)
        let error = #expect(throws: FirnError.self) { try FolderSpillSpace(folder: folder + "/none").makeFile() }
        #expect(error?.code == "spill_failed" && error?.kind == .io)
    }
}

/// Temporary files in memory, on a disk of some size.
final class MemorySpill: SpillSpace {
    private struct State {
        var bytesLeft: Int
        var made = 0
        var open = 0
    }

    private let state: Mutex<State>

    init(bytesMax: Int = Int.max) { state = Mutex(State(bytesLeft: bytesMax)) }

    var filesMade: Int { state.withLock { $0.made } }
    var openFiles: Int { state.withLock { $0.open } }

    func makeFile() throws(FirnError) -> any SpillFile {
        state.withLock {
            $0.made += 1
            $0.open += 1
        }
        return MemorySpillFile(space: self)
    }

    fileprivate func take(_ bytes: Int) throws(FirnError) {
        let fits = state.withLock { state in
            guard bytes <= state.bytesLeft else { return false }
            state.bytesLeft -= bytes
            return true
        }
        guard fits else { throw FirnError(.storageFull, "spill_failed", "the disk is full") }
    }

    fileprivate func closed() { state.withLock { $0.open -= 1 } }
}

private final class MemorySpillFile: SpillFile {
    private let space: MemorySpill
    private var bytes: [UInt8] = []

    init(space: MemorySpill) { self.space = space }
    deinit { space.closed() }

    var byteCount: Int { bytes.count }

    func append(_ more: UnsafeRawBufferPointer) throws(FirnError) {
        try space.take(more.count)
        bytes.append(contentsOf: more)
    }

    func read(into room: UnsafeMutableRawBufferPointer, at offset: Int) throws(FirnError) {
        bytes.withUnsafeBytes {
            room.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + room.count]))
        }
    }
}

extension Value {
    /// As `isSame`, at any depth.
    fileprivate func isAlike(_ other: Value) -> Bool {
        switch (self, other) {
        case (.structure(let a), .structure(let b)), (.list(let a), .list(let b)):
            a.count == b.count && zip(a, b).allSatisfy { $0.isAlike($1) }
        case (.map(let a), .map(let b)):
            a.count == b.count && zip(a, b).allSatisfy { $0.key.isAlike($1.key) && $0.value.isAlike($1.value) }
        default: isSame(as: other)
        }
    }
}

extension Array {
    fileprivate func randomElement(_ random: SeededRandom) -> Element { self[random.next(below: count)] }
}

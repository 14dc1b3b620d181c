import Base
import Columnar

/// Adds what the pages of one leaf state to the sums of their rows, without making columns of them.
///
/// 1. The values of a dictionary are hashed once, and their hashes are gathered by index; other values a page at a
///    time.
/// 2. Outside lists entry i belongs to row i; an entry whose level is below the maximum has no value.
/// 3. In lists, levels tell where rows and lists begin and end; a value's hash is mixed with its place.
struct LeafHasher {
    private let statements: LeafStatements
    private let sums: RowSums
    /// Rows that have started.
    private var rows = 0
    private var dictionary: Buffer<UInt64>?
    private let hashes = Buffer<UInt64>()
    private var lists: ListWalk

    init(_ statements: LeafStatements, _ sums: RowSums) {
        self.statements = statements
        self.sums = sums
        lists = ListWalk(depth: statements.leaf.repetitionMax)
    }

    /// Adds the next page of `stream`.
    mutating func add(_ page: LeafPage, _ stream: inout LeafStream) throws {
        guard page.rows <= sums.rowCount - rows else {
            throw stream.reader.named(RunLengthDecoder.malformed("the column holds more rows than the row group"))
        }
        if page.repetition != nil {
            try hash(page, &stream)
            guard lists.add(page, statements, UnsafePointer(hashes.pointer), sums.pointer, &rows) else {
                throw stream.reader.named(RunLengthDecoder.malformed("levels that no list can have"))
            }
            return
        }
        let target = sums.pointer + rows
        rows += page.rows
        for known in statements.structs { addPresence(known, page, target) }
        guard statements.type != nil, page.present > 0 else { return }
        if let indices = page.indices, page.definition == nil {
            let table = try table(&stream).pointer
            let used = indices.pointer
            for row in 0..<page.entries { target[row] &+= table[Int(used[row])] }
            return
        }
        try hash(page, &stream)
        let found = hashes.pointer
        guard let levels = page.definition?.pointer else {
            for row in 0..<page.entries { target[row] &+= found[row] }
            return
        }
        let maximum = UInt8(statements.leaf.definitionMax)
        var next = 0
        for row in 0..<page.entries {
            // The hash behind the last one is read, and never counts.
            let isPresent = levels[row] == maximum
            target[row] &+= isPresent ? found[next] : 0
            next &+= isPresent ? 1 : 0
        }
    }

    /// Ends the last row. Precondition: all pages were added.
    mutating func finish() { if rows > 0 { lists.end(statements, sums.pointer + rows - 1) } }

    private func addPresence(_ known: LeafStatements.Struct, _ page: LeafPage, _ target: UnsafeMutablePointer<UInt64>) {
        let stated = ValueHash.present &* known.factor
        let wanted = UInt8(known.definition)
        guard known.definition > 0, let levels = page.definition?.pointer else {
            for row in 0..<page.entries { target[row] &+= stated }
            return
        }
        for row in 0..<page.entries { target[row] &+= levels[row] >= wanted ? stated : 0 }
    }

    /// Brings the hashes of the page's values to `hashes`; outside lists, scaled for the sum.
    private mutating func hash(_ page: LeafPage, _ stream: inout LeafStream) throws {
        hashes.removeAll()
        hashes.reserve(page.present + 1)
        guard let type = statements.type, page.present > 0 else { return }
        let out = hashes.pointer
        if let indices = page.indices {
            let (table, used) = (try table(&stream).pointer, indices.pointer)
            for index in 0..<page.present { out[index] = table[Int(used[index])] }
        } else {
            do throws(FirnError) {
                let storage = try ValueConversion.storage(page.values, statements.leaf, as: type)
                ValueHash.hash(storage, 0..<page.present, into: out)
            } catch { throw stream.reader.named(error) }
            scale(out, page.present)
        }
        hashes.commit(page.present)
    }

    private func scale(_ hashes: UnsafeMutablePointer<UInt64>, _ count: Int) {
        guard statements.leaf.repetitionMax == 0 else { return }
        for index in 0..<count { hashes[index] &*= statements.factor }
    }

    private mutating func table(_ stream: inout LeafStream) throws -> Buffer<UInt64> {
        if let dictionary { return dictionary }
        let values = try stream.dictionary()
        let table = Buffer<UInt64>(capacity: values.count)
        do throws(FirnError) {
            let storage = try ValueConversion.storage(values, statements.leaf, as: statements.type ?? .binary)
            ValueHash.hash(storage, 0..<values.count, into: table.pointer)
        } catch { throw stream.reader.named(error) }
        scale(table.pointer, values.count)
        table.commit(values.count)
        dictionary = table
        return table
    }
}

/// Where an entry of a leaf inside lists stands.
private struct ListWalk {
    private let depth: Int
    /// By list, from the outermost: elements so far, -1 for a list that is not there.
    private let counts: Buffer<Int>
    /// Of the element at hand of each list; the first is that of the row itself.
    private let places: Buffer<UInt64>
    /// Places and lengths of short lists of the first level.
    private let firstPlaces: [UInt64]
    private let firstLengths: [UInt64]
    private static let firstMax = 64

    init(depth: Int) {
        self.depth = depth
        counts = Buffer(repeating: -1, count: depth)
        places = Buffer(repeating: 0, count: depth + 1)
        firstPlaces = depth == 0 ? [] : (0..<Self.firstMax).map { ValueHash.place(0, $0) }
        firstLengths = depth == 0 ? [] : (0..<Self.firstMax).map { ValueHash.length($0) }
    }

    /// False for levels that contradict each other.
    mutating func add(
        _ page: LeafPage, _ statements: LeafStatements, _ hashes: UnsafePointer<UInt64>,
        _ sums: UnsafeMutablePointer<UInt64>, _ rows: inout Int
    ) -> Bool {
        guard let repetition = page.repetition?.pointer, let definition = page.definition?.pointer else {
            return page.entries == 0
        }
        if depth == 1 {
            return addFlat(page.entries, repetition, definition, statements, hashes, sums, &rows)
        }
        let maximum = statements.leaf.definitionMax
        var next = 0
        for entry in 0..<page.entries {
            let (level, reached) = (Int(repetition[entry]), Int(definition[entry]))
            if level == 0 {
                if rows > 0 { end(statements, sums + rows - 1) }
                rows &+= 1
            } else {
                guard rows > 0 else { return false }
                end(statements, sums + rows - 1, beneath: level)
                guard counts[level - 1] > 0 else { return false }
                places[level] = ValueHash.place(places[level - 1], counts[level - 1])
                counts[level - 1] += 1
            }
            let sum = sums + rows - 1
            for inner in level..<depth {
                guard reached >= statements.lists[inner].definition else { break }
                counts[inner] = 0
                guard reached > statements.lists[inner].definition else { break }
                counts[inner] = 1
                places[inner + 1] = ValueHash.place(places[inner], 0)
            }
            for known in statements.structs where level <= known.depth && reached >= known.definition {
                sum.pointee &+= placed(ValueHash.present, known.depth) &* known.factor
            }
            if reached == maximum {
                if statements.type != nil { sum.pointee &+= placed(hashes[next], depth) &* statements.factor }
                next &+= 1
            }
        }
        return true
    }

    private func placed(_ hash: UInt64, _ depth: Int) -> UInt64 {
        depth == 0 ? hash : XXHash64.avalanche(hash ^ places[depth])
    }

    /// Lists directly in a row, by far the most.
    private mutating func addFlat(
        _ entries: Int, _ repetition: UnsafePointer<UInt8>, _ definition: UnsafePointer<UInt8>,
        _ statements: LeafStatements, _ hashes: UnsafePointer<UInt64>, _ sums: UnsafeMutablePointer<UInt64>,
        _ rows: inout Int
    ) -> Bool {
        let list = UInt8(statements.lists[0].definition)
        let maximum = UInt8(statements.leaf.definitionMax)
        let factor = statements.type == nil ? 0 : statements.factor
        var count = counts[0]
        var row = rows &- 1
        var next = 0
        for entry in 0..<entries {
            let reached = definition[entry]
            let startsRow = repetition[entry] == 0
            if startsRow {
                if row >= 0 { sums[row] &+= length(count, statements) }
                row &+= 1
                count = reached >= list ? 0 : -1
                for known in statements.structs where known.depth == 0 && Int(reached) >= known.definition {
                    sums[row] &+= ValueHash.present &* known.factor
                }
            }
            guard reached > list else {
                guard startsRow else { return false }
                continue
            }
            guard count >= 0, startsRow || count > 0 else { return false }
            let place = count < Self.firstMax ? firstPlaces[count] : ValueHash.place(0, count)
            count &+= 1
            for known in statements.structs where known.depth == 1 && Int(reached) >= known.definition {
                sums[row] &+= XXHash64.avalanche(ValueHash.present ^ place) &* known.factor
            }
            if reached == maximum {
                sums[row] &+= XXHash64.avalanche(hashes[next] ^ place) &* factor
                next &+= 1
            }
        }
        counts[0] = count
        rows = row &+ 1
        return true
    }

    private func length(_ count: Int, _ statements: LeafStatements) -> UInt64 {
        guard count >= 0, let factor = statements.lists[0].factor else { return 0 }
        return (count < Self.firstMax ? firstLengths[count] : ValueHash.length(count)) &* factor
    }

    /// Ends the lists inside the element of list number `outer`, 0 for all: their lengths are known now.
    mutating func end(_ statements: LeafStatements, _ sum: UnsafeMutablePointer<UInt64>, beneath outer: Int = 0) {
        var inner = depth
        while inner > outer {
            inner -= 1
            if counts[inner] >= 0, let factor = statements.lists[inner].factor {
                sum.pointee &+= placed(ValueHash.length(counts[inner]), inner) &* factor
            }
            counts[inner] = -1
        }
    }
}

import Base

/// The state beneath `SimulatedFileSystem`: what programs see, and what would survive a power loss.
///
/// 1. A file has its live bytes (the page cache), its durable bytes, and the operations between the two.
/// 2. A directory entry is live at once and durable after a sync of its directory; a rename is one atomic change.
/// 3. Power loss keeps what is durable plus a random part of what is not: none, all, a prefix cut at any byte, or any
///    subset of 512-byte pieces, with holes and lost tails read as NUL where the file had grown. Of the directory
///    changes it keeps a subset in which a change survives only when all earlier ones to the same names and files do.
/// 4. A failed file sync drops the unsynced operations, as Linux marks such pages clean: a later sync that succeeds
///    does not bring them back, while reads still show them
///    (https://www.usenix.org/conference/atc20/presentation/rebello).
struct SimulatedDisk: Sendable {
    enum Change: Sendable {
        case write(offset: Int, bytes: [UInt8])
        case truncate(Int)
    }

    struct Node: Sendable {
        var live: [UInt8] = []
        var durable: [UInt8] = []
        var pending: [Change] = []
    }

    enum Entry: Sendable, Equatable {
        case directory
        case file(Int)
    }

    /// Entries set or removed together.
    struct EntryChange: Sendable {
        var entries: [(path: String, entry: Entry?)]
        var node: Int?
    }

    static let sectorBytes = 512

    var nodes: [Node] = []
    var live: [String: Entry] = ["/": .directory]
    var durable: [String: Entry] = ["/": .directory]
    var pending: [EntryChange] = []

    /// Bytes of all reachable files.
    var usedBytes: Int {
        live.values.reduce(0) { sum, entry in
            guard case .file(let node) = entry else { return sum }
            return sum + nodes[node].live.count
        }
    }

    // MARK: Changes

    mutating func write(_ node: Int, _ bytes: [UInt8], at offset: Int) {
        guard !bytes.isEmpty else { return }
        let change = Change.write(offset: offset, bytes: bytes)
        Self.apply(change, to: &nodes[node].live)
        nodes[node].pending.append(change)
    }

    mutating func truncate(_ node: Int, to size: Int) {
        Self.apply(.truncate(size), to: &nodes[node].live)
        nodes[node].pending.append(.truncate(size))
    }

    mutating func sync(_ node: Int) {
        for change in nodes[node].pending { Self.apply(change, to: &nodes[node].durable) }
        nodes[node].pending = []
    }

    /// Some of the unsynced operations reach the disk, the rest never will.
    mutating func failSync(_ node: Int, random: SeededRandom) {
        Self.applyPart(nodes[node].pending, to: &nodes[node].durable, random: random)
        nodes[node].pending = []
    }

    mutating func change(_ change: EntryChange) {
        for (path, entry) in change.entries { live[path] = entry }
        pending.append(change)
    }

    mutating func syncDirectory(_ path: String) {
        var rest: [EntryChange] = []
        for change in pending {
            if change.entries.contains(where: { $0.path.parentDirectory == path }) {
                for (path, entry) in change.entries { durable[path] = entry }
            } else {
                rest.append(change)
            }
        }
        pending = rest
    }

    // MARK: Power loss

    mutating func losePower(random: SeededRandom) {
        for node in nodes.indices {
            Self.applyPart(nodes[node].pending, to: &nodes[node].durable, random: random)
            nodes[node].pending = []
            nodes[node].live = nodes[node].durable
        }
        keepSomeEntries(random: random)
        // An entry below a directory that did not survive is out of reach.
        for path in durable.keys.sorted() where path != "/" && durable[path.parentDirectory] != .directory {
            durable[path] = nil
        }
        live = durable
    }

    private mutating func keepSomeEntries(random: SeededRandom) {
        let mode = random.next(below: 4)
        var lostPaths: Set<String> = []
        var lostNodes: Set<Int> = []
        for change in pending {
            let depends =
                change.entries.contains { lostPaths.contains($0.path) }
                || change.node.map { lostNodes.contains($0) } ?? false
            let kept = mode == 0 ? false : mode == 1 ? true : random.chance(1, in: 2)
            if kept && !depends {
                for (path, entry) in change.entries { durable[path] = entry }
            } else {
                lostPaths.formUnion(change.entries.map(\.path))
                if let node = change.node { lostNodes.insert(node) }
            }
        }
        pending = []
    }

    private static func applyPart(_ changes: [Change], to bytes: inout [UInt8], random: SeededRandom) {
        guard !changes.isEmpty else { return }
        switch random.next(below: 4) {
        case 0: return
        case 1: for change in changes { apply(change, to: &bytes) }
        case 2: applyPrefix(changes, to: &bytes, random: random)
        default: applySectors(changes, to: &bytes, random: random)
        }
    }

    /// A prefix in time, its last write cut at any byte; sometimes the file's length ran ahead of its data.
    private static func applyPrefix(_ changes: [Change], to bytes: inout [UInt8], random: SeededRandom) {
        let whole = random.next(below: changes.count)
        for change in changes[..<whole] { apply(change, to: &bytes) }
        guard case .write(let offset, let data) = changes[whole] else { return }
        apply(.write(offset: offset, bytes: Array(data.prefix(random.next(below: data.count + 1)))), to: &bytes)
        if random.chance(1, in: 2) { grow(&bytes, to: offset + data.count) }
    }

    /// Any subset of sectors, in any order of arrival.
    private static func applySectors(_ changes: [Change], to bytes: inout [UInt8], random: SeededRandom) {
        for change in changes {
            guard case .write(let offset, let data) = change else {
                if random.chance(1, in: 2) { apply(change, to: &bytes) }
                continue
            }
            var start = 0
            while start < data.count {
                let end = min(data.count, ((offset + start) / sectorBytes + 1) * sectorBytes - offset)
                if random.chance(1, in: 2) {
                    apply(.write(offset: offset + start, bytes: Array(data[start..<end])), to: &bytes)
                } else if random.chance(1, in: 2) {
                    grow(&bytes, to: offset + end)
                }
                start = end
            }
        }
    }

    private static func apply(_ change: Change, to bytes: inout [UInt8]) {
        switch change {
        case .write(let offset, let data):
            guard !data.isEmpty else { return }
            grow(&bytes, to: offset + data.count)
            bytes.replaceSubrange(offset..<offset + data.count, with: data)
        case .truncate(let size):
            grow(&bytes, to: size)
            bytes.removeLast(bytes.count - size)
        }
    }

    private static func grow(_ bytes: inout [UInt8], to size: Int) {
        if size > bytes.count { bytes += [UInt8](repeating: 0, count: size - bytes.count) }
    }
}

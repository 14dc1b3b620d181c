import Base
import Synchronization

/// An in-memory disk for tests: it forgets what was not synced, fails on demand, and fills up.
///
/// ```swift
/// let files = SimulatedFileSystem(seed: 7)
/// files.powerOff(atCall: 12)          // the 12th changing call from now on is the last that starts
/// … run the code under test, which sees `.io` errors from there on …
/// files.crash(seed: 3)                // power returns; unsynced work is lost, torn or kept at random
/// … open everything again and check …
/// ```
///
/// Thread-safe. Two disks with the same seed, given the same calls in the same order, hold the same bytes.
public final class SimulatedFileSystem: FileSystem {
    private let state: Mutex<State>
    private let random: SeededRandom

    public init(seed: UInt64, capacityBytes: Int? = nil) {
        var state = State()
        state.capacityBytes = capacityBytes
        self.state = Mutex(state)
        random = SeededRandom(seed: seed)
    }

    private init(state: State, seed: UInt64) {
        self.state = Mutex(state)
        random = SeededRandom(seed: seed)
    }

    // MARK: The test's side

    /// A second disk in the same state, to try several continuations of one history.
    public func copy(seed: UInt64) -> SimulatedFileSystem {
        SimulatedFileSystem(state: state.withLock { $0 }, seed: seed)
    }

    /// Changing calls so far.
    public var callCount: Int { state.withLock { $0.calls } }
    /// Every changing call so far: `write /wal/1.wal`.
    public var trace: [String] { state.withLock { $0.trace } }
    /// Bytes of all files.
    public var usedBytes: Int { state.withLock { $0.disk.usedBytes } }
    /// Writes that would make files grow past this many bytes fail with ENOSPC.
    public var capacityBytes: Int? {
        get { state.withLock { $0.capacityBytes } }
        set { state.withLock { $0.capacityBytes = newValue } }
    }

    public func inject(_ fault: Fault) { state.withLock { $0.faults.append(fault) } }
    public func clearFaults() { state.withLock { $0.faults = [] } }

    /// Cuts the power during the given changing call, counted from 1 from now: whether that call has an effect is part
    /// of the crash's lottery, and every later call fails with `.io`.
    public func powerOff(atCall call: Int) { state.withLock { $0.powerOffAt = $0.calls + call } }

    /// Cuts the power now: every later call fails until `crash` or `restart`. Stop what still runs before those.
    public func powerOff() { state.withLock { $0.isOff = true } }

    /// Power loss and return: unsynced bytes and directory entries survive in part, as `seed` decides.
    public func crash(seed: UInt64) {
        state.withLock { state in
            state.disk.losePower(random: SeededRandom(seed: seed))
            Self.reboot(&state)
        }
    }

    /// `kill -9` and restart: every written byte is still there, locks and open files are not.
    public func restart() { state.withLock { Self.reboot(&$0) } }

    private static func reboot(_ state: inout State) {
        state.generation += 1
        state.locks = []
        state.isOff = false
        state.powerOffAt = nil
        state.faults = []
    }

    /// Every file with its live bytes.
    public var contents: [String: [UInt8]] {
        state.withLock { state in
            state.disk.live.compactMapValues { entry in
                guard case .file(let node) = entry else { return nil }
                return state.disk.nodes[node].live
            }
        }
    }

    /// Damages a file at rest.
    public func flipBit(_ bit: Int, at offset: Int, of path: String) {
        state.withLock { state in
            guard case .file(let node)? = state.disk.live[path] else { preconditionFailure("no file \(path)") }
            state.disk.nodes[node].live[offset] ^= 1 << UInt8(bit)
            if offset < state.disk.nodes[node].durable.count {
                state.disk.nodes[node].durable[offset] ^= 1 << UInt8(bit)
            }
        }
    }

    // MARK: FileSystem

    public func open(_ path: String, _ mode: FileMode) throws(FirnError) -> any File {
        let exists = state.withLock { $0.disk.live[path] != nil }
        let creates = mode == .createNew || (mode == .replace && !exists)
        let (node, generation) = try perform(creates ? .create : mode == .replace ? .truncate : .open, path) {
            (state) throws(FirnError) -> (Int, Int) in
            switch state.disk.live[path] {
            case .directory?: throw Self.error(.io, "open", path, "is a directory")
            case .file(let node)?:
                guard mode != .createNew else { throw Self.error(.alreadyExists, "open", path, "file exists") }
                if mode == .replace { state.disk.truncate(node, to: 0) }
                return (node, state.generation)
            case nil:
                guard creates, state.disk.live[path.parentDirectory] == .directory else {
                    throw Self.error(.notFound, "open", path, "no such file or directory")
                }
                let node = state.disk.nodes.count
                state.disk.nodes.append(SimulatedDisk.Node())
                state.disk.change(.init(entries: [(path, .file(node))], node: node))
                return (node, state.generation)
            }
        }
        return SimulatedFile(files: self, node: node, path: path, generation: generation)
    }

    public func size(_ path: String) throws(FirnError) -> Int? {
        try perform(.list, path) { (state) throws(FirnError) -> Int? in
            switch state.disk.live[path] {
            case .file(let node)?: state.disk.nodes[node].live.count
            case .directory?: 4096
            case nil: nil
            }
        }
    }

    public func list(_ directory: String) throws(FirnError) -> [DirectoryEntry] {
        try perform(.list, directory) { (state) throws(FirnError) -> [DirectoryEntry] in
            state.disk.live.filter { $0.key != "/" && $0.key.parentDirectory == directory }
                .map { DirectoryEntry(name: $0.key.lastPathComponent, isDirectory: $0.value == .directory) }
                .sorted { $0.name < $1.name }
        }
    }

    public func createDirectories(_ path: String) throws(FirnError) {
        if try size(path) != nil { return }
        try createDirectories(path.parentDirectory)
        try perform(.makeDirectory, path) { (state) throws(FirnError) in
            state.disk.change(.init(entries: [(path, .directory)], node: nil))
        }
        try syncDirectory(path.parentDirectory)
    }

    public func remove(_ path: String) throws(FirnError) {
        try perform(.remove, path) { (state) throws(FirnError) in
            guard case .file(let node)? = state.disk.live[path] else { return }
            state.disk.change(.init(entries: [(path, nil)], node: node))
        }
    }

    public func removeEmptyDirectory(_ path: String) throws(FirnError) {
        try perform(.remove, path) { (state) throws(FirnError) in
            let isUsed = state.disk.live.keys.contains { $0 != "/" && $0.parentDirectory == path }
            guard state.disk.live[path] == .directory, !isUsed else { return }
            state.disk.change(.init(entries: [(path, nil)], node: nil))
        }
    }

    public func rename(_ from: String, to: String) throws(FirnError) {
        try perform(.rename, from) { (state) throws(FirnError) in
            guard case .file(let node)? = state.disk.live[from], state.disk.live[to.parentDirectory] == .directory
            else {
                throw Self.error(.notFound, "rename", from, "no such file or directory")
            }
            state.disk.change(.init(entries: [(from, nil), (to, .file(node))], node: node))
        }
    }

    public func syncDirectory(_ path: String) throws(FirnError) {
        try perform(.syncDirectory, path) { (state) throws(FirnError) in
            guard state.disk.live[path] == .directory else {
                throw Self.error(.notFound, "open", path, "no such file or directory")
            }
            if !state.isOff { state.disk.syncDirectory(path) }
        }
    }

    public func lock(_ path: String) throws(FirnError) -> (any FileLock)? {
        if try size(path) == nil { try open(path, .replace).close() }
        return try perform(.lock, path) { (state) throws(FirnError) -> (any FileLock)? in
            guard state.locks.insert(path).inserted else { return nil }
            return SimulatedLock(files: self, path: path, generation: state.generation)
        }
    }

    // MARK: Files

    fileprivate func unlock(_ path: String, generation: Int) {
        state.withLock { state in
            if state.generation == generation { state.locks.remove(path) }
        }
    }

    fileprivate func read(_ file: SimulatedFile, _ range: Range<Int>) throws(FirnError) -> [UInt8] {
        try perform(.read, file.path, generation: file.generation) { (state) throws(FirnError) -> [UInt8] in
            Array(state.disk.nodes[file.node].live[range.clamped(to: 0..<state.disk.nodes[file.node].live.count)])
        }
    }

    fileprivate func fileSize(_ file: SimulatedFile) throws(FirnError) -> Int {
        try perform(.open, file.path, generation: file.generation) { (state) throws(FirnError) -> Int in
            state.disk.nodes[file.node].live.count
        }
    }

    fileprivate func write(_ file: SimulatedFile, _ bytes: [UInt8], at offset: Int) throws(FirnError) {
        let random = random
        try perform(
            .write, file.path, generation: file.generation,
            onFailure: {
                $0.disk.write(file.node, Array(bytes.prefix(random.next(below: bytes.count + 1))), at: offset)
            }
        ) { (state) throws(FirnError) in
            if let capacity = state.capacityBytes {
                let size = state.disk.nodes[file.node].live.count
                let room = max(size, size + capacity - state.disk.usedBytes)
                if offset + bytes.count > room {
                    state.disk.write(file.node, Array(bytes.prefix(max(0, room - offset))), at: offset)
                    throw Self.error(.storageFull, "write", file.path, "no space left on device")
                }
            }
            state.disk.write(file.node, bytes, at: offset)
        }
    }

    fileprivate func truncate(_ file: SimulatedFile, to size: Int) throws(FirnError) {
        try perform(.truncate, file.path, generation: file.generation) { (state) throws(FirnError) in
            state.disk.truncate(file.node, to: size)
        }
    }

    fileprivate func sync(_ file: SimulatedFile) throws(FirnError) {
        let random = random
        try perform(
            .sync, file.path, generation: file.generation,
            onFailure: { $0.disk.failSync(file.node, random: random) }
        ) { (state) throws(FirnError) in
            if !state.isOff { state.disk.sync(file.node) }
        }
    }

    // MARK: Every call

    private func perform<Result: Sendable>(
        _ call: Call, _ path: String, generation: Int? = nil, onFailure: (inout State) -> Void = { _ in },
        _ body: (inout State) throws(FirnError) -> Result
    ) throws(FirnError) -> Result {
        try state.withLock { (state) throws(FirnError) -> Result in
            guard !state.isOff else { throw Self.error(.io, call.rawValue, path, "the power is off") }
            guard generation == nil || generation == state.generation else {
                throw Self.error(.io, call.rawValue, path, "the file was opened before a crash")
            }
            if call.changesDisk {
                state.calls += 1
                state.trace.append("\(call.rawValue) \(path)")
                if state.calls == state.powerOffAt { state.isOff = true }
            }
            if !state.isOff, let failure = Self.fault(&state, call, path) {
                onFailure(&state)
                let kind: FirnError.Kind = failure == .noSpace ? .storageFull : .io
                throw Self.error(kind, call.rawValue, path, "injected \(failure)")
            }
            let result = try body(&state)
            guard !state.isOff else { throw Self.error(.io, call.rawValue, path, "the power went off") }
            return result
        }
    }

    private static func fault(_ state: inout State, _ call: Call, _ path: String) -> Failure? {
        var failure: Failure?
        for index in state.faults.indices {
            let fault = state.faults[index]
            let matches = fault.call.map { $0 == call } ?? call.changesDisk
            guard matches, fault.path.isEmpty || path.contains(fault.path) else { continue }
            state.faults[index].at -= 1
            if fault.at == 1 || (fault.sticky && fault.at < 1) { failure = fault.failure }
        }
        return failure
    }

    private static func error(
        _ kind: FirnError.Kind, _ call: String, _ path: String, _ reason: String
    ) -> FirnError {
        FirnError(kind, "\(call)_failed", "\(call) failed: \(reason)", context: ["file": path])
    }
}

private final class SimulatedLock: FileLock {
    private let files: SimulatedFileSystem
    private let path: String
    private let generation: Int

    init(files: SimulatedFileSystem, path: String, generation: Int) {
        self.files = files
        self.path = path
        self.generation = generation
    }

    deinit { files.unlock(path, generation: generation) }
}

private final class SimulatedFile: File {
    let files: SimulatedFileSystem
    let node: Int
    let path: String
    let generation: Int

    init(files: SimulatedFileSystem, node: Int, path: String, generation: Int) {
        self.files = files
        self.node = node
        self.path = path
        self.generation = generation
    }

    func size() throws(FirnError) -> Int { try files.fileSize(self) }

    func read(at offset: Int, count: Int) throws(FirnError) -> [UInt8] {
        try files.read(self, offset..<offset + count)
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FirnError) {
        try files.write(self, Array(bytes), at: offset)
    }

    func truncate(to size: Int) throws(FirnError) { try files.truncate(self, to: size) }
    func sync() throws(FirnError) { try files.sync(self) }
    func close() {}
}

import Base

extension SimulatedFileSystem {
    /// The kinds of call. All but the last four change the disk and count as calls.
    public enum Call: String, Sendable, CaseIterable {
        case create, write, truncate, sync, rename, remove, makeDirectory, syncDirectory
        case read, open, list, lock

        var changesDisk: Bool {
            switch self {
            case .read, .open, .list, .lock: false
            default: true
            }
        }
    }

    public enum Failure: Sendable {
        /// EIO.
        case io
        /// ENOSPC.
        case noSpace
    }

    /// A call to fail.
    public struct Fault: Sendable {
        /// Nil for any call that changes the disk.
        public var call: Call?
        /// Only calls whose path contains this; all when empty.
        public var path: String
        /// Counts matching calls from the moment of injection, from 1.
        public var at: Int
        public var failure: Failure
        /// Fails all matching calls from there on until `clearFaults`.
        public var sticky: Bool

        public init(_ call: Call?, path: String = "", at: Int = 1, _ failure: Failure, sticky: Bool = false) {
            self.call = call
            self.path = path
            self.at = at
            self.failure = failure
            self.sticky = sticky
        }
    }

    struct State: Sendable {
        var disk = SimulatedDisk()
        var capacityBytes: Int?
        var faults: [Fault] = []
        var calls = 0
        var trace: [String] = []
        var powerOffAt: Int?
        var isOff = false
        /// Raised by crash and restart: handles and locks from before are dead.
        var generation = 0
        var locks: Set<String> = []
    }
}

import Base
import Synchronization

/// Bytes that accepted but uncommitted records may hold in memory (G7).
public final class MemoryBudget: Sendable {
    public let limit: Int
    private let used = Mutex(0)

    public init(limit: Int) { self.limit = limit }

    public var bytesUsed: Int { used.withLock { $0 } }

    /// Takes `bytes`, or throws `.overloaded` (`memory_limit`) when that would pass the limit.
    ///
    /// A single reservation larger than the whole limit is let through when nothing else is held, so that one large
    /// body makes progress instead of being refused for ever.
    func reserve(_ bytes: Int) throws(FirnError) {
        let granted = used.withLock { used in
            guard used + bytes <= limit || used == 0 else { return false }
            used += bytes
            return true
        }
        guard granted else {
            throw FirnError(
                .overloaded, "memory_limit",
                "the server holds as many uncommitted bytes as it may (\(limit)); try again in a moment")
        }
    }

    /// Changes a reservation from `old` to `new` bytes; growth is never refused, since the work is already done.
    func adjust(from old: Int, to new: Int) { used.withLock { $0 += new - old } }

    func release(_ bytes: Int) {
        used.withLock { used in
            used -= bytes
            precondition(used >= 0, "more memory released than reserved")
        }
    }
}

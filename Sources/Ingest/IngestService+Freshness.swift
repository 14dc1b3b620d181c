import Base

/// How fresh a reader wants a table, and how many snapshots readers may cause.
public struct ReadFreshness: Sendable, Hashable {
    /// How old acknowledged records may be that a reader does not see; 0 for none.
    public static let stalenessProperty = "firn.read.max-staleness-ms"
    /// The least time between two snapshots that readers ask for.
    public static let intervalProperty = "firn.read.min-snapshot-interval-ms"
    public static let stalenessMsMax = 86_400_000
    /// A reader waits this long at most because of others.
    public static let intervalMsMax = 10_000

    public var maxStalenessMs: Int
    public var minSnapshotIntervalMs: Int

    public init(maxStalenessMs: Int = 0, minSnapshotIntervalMs: Int = 200) {
        self.maxStalenessMs = maxStalenessMs
        self.minSnapshotIntervalMs = minSnapshotIntervalMs
    }

    /// Throws `.invalidInput` (`bad_property`) for properties that `init(properties:)` would pass over.
    static func check(_ properties: [String: String]) throws(FirnError) {
        let bounds = [stalenessProperty: stalenessMsMax, intervalProperty: intervalMsMax]
        for (key, text) in properties where key.hasPrefix("firn.read.") {
            guard let max = bounds[key], let number = Int(text), (0...max).contains(number) else {
                throw FirnError(
                    .invalidInput, "bad_property",
                    "\(key) cannot be so: known are \(stalenessProperty) (0 to \(stalenessMsMax)) and "
                        + "\(intervalProperty) (0 to \(intervalMsMax))", context: ["property": key])
            }
        }
    }

    /// As the table's properties say; what does not parse counts as absent.
    public init(properties: [String: String]) {
        func number(_ name: String, _ fallback: Int, _ max: Int) -> Int {
            properties[name].flatMap { Int($0) }.flatMap { (0...max).contains($0) ? $0 : nil } ?? fallback
        }
        self.init(
            maxStalenessMs: number(Self.stalenessProperty, 0, Self.stalenessMsMax),
            minSnapshotIntervalMs: number(Self.intervalProperty, 200, Self.intervalMsMax))
    }
}

extension IngestService {
    /// Waits until a reader of the table sees every record that was acknowledged before the call, or all but the
    /// youngest, as `freshness` says (G5). False when there was nothing to wait for, and then nothing was done.
    ///
    /// Readers that come together share one commit. One that comes soon after a snapshot waits for the end of the
    /// interval, but only if there are records that it would not see.
    ///
    /// Throws what the flush throws; the records stay durable and are committed later.
    @discardableResult
    public func freshen(_ table: UUID, _ freshness: ReadFreshness) async throws -> Bool {
        guard let ingestor = tables.withLock({ $0.registry[table] }),
            let position = ingestor.newestUncommitted(olderThanMs: freshness.maxStalenessMs)
        else { return false }
        _ = try await withCheckedThrowingContinuation { continuation in
            ingestor.whenCommitted(position, gapMs: freshness.minSnapshotIntervalMs) { continuation.resume(with: $0) }
            tick.signal()
        }
        return true
    }
}

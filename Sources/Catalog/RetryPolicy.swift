import Base
import Iceberg

/// How long to keep trying after another writer won: Iceberg's `commit.retry.*` properties.
///
/// The waits start at 5 ms where Iceberg's default is 100 ms, and there are many more of them: the other writers share
/// this machine's catalog, their transactions take milliseconds, and this process's own commits never compete.
struct RetryPolicy {
    let retriesMax: Int
    let waitMsMin: Int
    let waitMsMax: Int
    let totalMsMax: Int

    init(_ properties: TableProperties) {
        let day = 86_400_000
        retriesMax = properties.integer("commit.retry.num-retries", default: 100, in: 0...10_000)
        waitMsMin = properties.integer("commit.retry.min-wait-ms", default: 5, in: 0...day)
        waitMsMax = properties.integer("commit.retry.max-wait-ms", default: 1000, in: 0...day)
        totalMsMax = properties.integer("commit.retry.total-timeout-ms", default: 1_800_000, in: 0...(7 * day))
    }

    /// Milliseconds to wait before attempt `attempt + 1`; nil to give up. Doubles each time, plus up to half at random
    /// so that two losers do not meet again.
    func waitMs(afterAttempt attempt: Int, elapsedMs: Int, random: UInt64) -> Int? {
        guard attempt <= retriesMax, elapsedMs < totalMsMax else { return nil }
        let doubled = waitMsMin << min(attempt - 1, 20)
        let wait = min(doubled, waitMsMax)
        return wait + (wait > 1 ? Int(random % UInt64(wait / 2 + 1)) : 0)
    }
}

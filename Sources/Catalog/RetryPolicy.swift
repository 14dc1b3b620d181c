import Base
import Iceberg

/// How long to keep trying: after another writer won, by Iceberg's `commit.retry.*` properties; to learn how an unclear
/// commit ended, by `commit.status-check.*`.
///
/// The waits start at 5 ms where Iceberg's defaults are 100 ms and a second, and there are many more of the first kind:
/// the other writers share this machine's catalog, their transactions take milliseconds, and this process's own commits
/// never compete.
///
/// Spec: https://iceberg.apache.org/docs/latest/configuration/#table-behavior-properties
struct RetryPolicy {
    let retriesMax: Int
    let waitMsMin: Int
    let waitMsMax: Int
    let totalMsMax: Int

    init(_ properties: TableProperties) {
        self.init(properties, "commit.retry", retries: 100)
    }

    /// Of looking for an unclear commit.
    static func statusCheck(_ properties: TableProperties) -> RetryPolicy {
        RetryPolicy(properties, "commit.status-check", retries: 3)
    }

    private init(_ properties: TableProperties, _ prefix: String, retries: Int) {
        let day = 86_400_000
        retriesMax = properties.integer("\(prefix).num-retries", default: retries, in: 0...10_000)
        waitMsMin = properties.integer("\(prefix).min-wait-ms", default: 5, in: 0...day)
        waitMsMax = properties.integer("\(prefix).max-wait-ms", default: 1000, in: 0...day)
        totalMsMax = properties.integer("\(prefix).total-timeout-ms", default: 1_800_000, in: 0...(7 * day))
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

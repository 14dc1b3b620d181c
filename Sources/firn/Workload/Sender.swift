import Base
import Glibc
import Synchronization

/// One producer that sends a workload's batches with a rising sequence and repeats each until it is acknowledged.
final class Sender: @unchecked Sendable {
    struct Outcome: Sendable {
        var batches = 0
        var records = 0
        var bytes = 0
        var retries = 0
        /// Time from first byte sent to acknowledgement, one entry a batch.
        var ackNanos: [Int64] = []
    }

    /// Where the server is now; changes when a killed one comes back on another port.
    final class Address: Sendable {
        private let value: Mutex<String>
        init(_ value: String) { self.value = Mutex(value) }
        var current: String {
            get { value.withLock { $0 } }
            set { value.withLock { $0 = newValue } }
        }
    }

    private let outcome = Mutex(Outcome())
    var snapshot: Outcome { outcome.withLock { $0 } }

    /// Sends one batch until it is durable. Throws what a retry cannot mend.
    func send(
        _ body: [UInt8], records: Int, table: String, producer: String, sequence: Int, to address: Address,
        client: inout FirnClient?
    ) throws {
        let clock = Environment.live.clock
        let parts = table.split(separator: ".")
        let start = clock.monotonicNanos()
        while true {
            do {
                if client == nil { client = try FirnClient(address.current) }
                try client!.call(
                    "POST", "/v1/tables/\(parts[0])/\(parts[1])/records",
                    headers: [
                        "Content-Type": "application/x-ndjson", "Firn-Producer": producer,
                        "Firn-Sequence": String(sequence),
                    ], body: body, retry: false)
                let nanos = clock.monotonicNanos() - start
                outcome.withLock { outcome in
                    outcome.batches += 1
                    outcome.records += records
                    outcome.bytes += body.count
                    outcome.ackNanos.append(nanos)
                }
                return
            } catch let error as FirnError where error.isRetryable || error.kind == .overloaded {
                client = nil
                outcome.withLock { $0.retries += 1 }
                guard clock.monotonicNanos() - start < 60_000_000_000 else { throw error }
                usleep(20_000)
            }
        }
    }
}

extension Sender.Outcome {
    /// The acknowledgement time below which the given share (0 to 1) lies, in milliseconds.
    func ackMs(quantile: Double) -> Double {
        guard !ackNanos.isEmpty else { return 0 }
        let sorted = ackNanos.sorted()
        return Double(sorted[min(sorted.count - 1, Int(Double(sorted.count) * quantile))]) / 1e6
    }

    static func + (a: Self, b: Self) -> Self {
        Self(
            batches: a.batches + b.batches, records: a.records + b.records, bytes: a.bytes + b.bytes,
            retries: a.retries + b.retries, ackNanos: a.ackNanos + b.ackNanos)
    }
}

import Base
import Logging
import Synchronization

/// What the listeners have seen since start.
final class HTTPCounters: Sendable {
    struct Totals: Sendable {
        /// Answers by status code, of the ingest route and of all others.
        var ingest: [Int: Int] = [:]
        var other: [Int: Int] = [:]
        /// Failures by the error's stable code.
        var codes: [String: Int] = [:]
        var connections = 0
        var accepted = 0
    }

    /// Codes are Firn's own, so there are not many; this only keeps a defect from filling the memory.
    private static let codesMax = 200

    private let state = Mutex(Totals())

    var totals: Totals { state.withLock { $0 } }

    func connections(_ count: Int) {
        state.withLock { totals in
            if count > totals.connections { totals.accepted += 1 }
            totals.connections = count
        }
    }

    func answered(_ status: Int, code: String?, isIngest: Bool) {
        state.withLock { totals in
            if isIngest {
                totals.ingest[status, default: 0] += 1
            } else {
                totals.other[status, default: 0] += 1
            }
            guard let code, totals.codes[code] != nil || totals.codes.count < Self.codesMax else { return }
            totals.codes[code, default: 0] += 1
        }
    }

    /// Counts a failed request of the front door, and writes it to the log: what the server is to blame for at info.
    func failed(_ error: any Error, status: Int, target: String, logger: Logger) {
        let known = error as? FirnError
        answered(status, code: known?.code ?? "internal_error", isIngest: true)
        logger.log(
            level: status >= 500 ? .info : .debug, "request failed",
            metadata: [
                "target": "\(target)", "status": "\(status)", "code": "\(known?.code ?? "internal_error")",
                "error": "\(error)",
            ])
    }
}

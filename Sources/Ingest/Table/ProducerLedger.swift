import Base
import Catalog

/// Decides for each stamped batch of one table whether it is new. Pure: no clock, no I/O, no lock.
///
/// A batch passes through three states, and each has one way on:
///   1. `begin` reserves its identity (in flight); a second holder of the same identity waits, a later sequence of the
///      same producer is told that the producer is busy.
///   2. `durable` makes it the producer's newest batch: from now on it is a duplicate. `abandon` forgets the
///      reservation instead: the batch never happened.
///   3. `committed` drops what the catalog now answers for.
struct ProducerLedger {
    enum Decision: Equatable {
        case fresh
        /// The first answer; for a sequence so old that its answer is no longer kept, an empty one that stands at the
        /// newest position.
        case duplicate(StoredAnswer)
        /// The same, under an epoch that is higher than any durable one: that must be logged before the answer, or a
        /// crash would let the predecessor back in. `newest` is the producer's newest durable sequence.
        case takeover(StoredAnswer, newest: Int64)
        /// The same batch is being worked on by another request.
        case inFlight
        /// Another batch of this producer is being worked on.
        case busy
        case fenced(currentEpoch: Int64)
    }

    struct Producer {
        var epoch: Int64
        /// The epoch that a restart would know.
        var durableEpoch: Int64?
        /// The newest durable sequence; nil before the first.
        var sequence: Int64?
        var committedSequence: Int64?
        var recent = RecentAnswers()
        var inFlight: Int64?
    }

    private var producers: [String: Producer] = [:]
    /// Keys in flight (nil) or durable but not committed. Committed keys are looked up in the catalog.
    private var keys: [String: StoredAnswer?] = [:]

    init(committed marks: [ProducerMark]) throws(FirnError) {
        for mark in marks {
            producers[mark.producer] = Producer(
                epoch: mark.epoch, durableEpoch: mark.epoch, sequence: mark.sequence,
                committedSequence: mark.sequence, recent: try RecentAnswers(decoding: mark.answer, mark.sequence))
        }
    }

    func producer(_ id: String) -> Producer? { producers[id] }

    mutating func begin(_ stamp: ProducerStamp) -> Decision {
        switch stamp {
        case .none: return .fresh
        case .key(let key):
            guard let known = keys[key] else {
                keys[key] = .some(nil)
                return .fresh
            }
            return known.map { .duplicate($0) } ?? .inFlight
        case .sequence(let id, let epoch, let sequence):
            var producer = producers[id] ?? Producer(epoch: epoch)
            guard epoch >= producer.epoch else { return .fenced(currentEpoch: producer.epoch) }
            // A successor waits for what its predecessor still has in flight: that lands before it or not at all.
            if producer.inFlight != nil, epoch > producer.epoch { return .inFlight }
            producer.epoch = epoch
            defer { producers[id] = producer }
            if let newest = producer.sequence, sequence <= newest {
                let answer = producer.recent[sequence] ?? .forgotten(at: producer.recent.newestPosition)
                guard epoch > producer.durableEpoch ?? .min else { return .duplicate(answer) }
                if producer.inFlight != nil { return .inFlight }
                // Nothing of this producer may be logged before the takeover is, or it would move its marks back.
                producer.inFlight = newest
                return .takeover(answer, newest: newest)
            }
            if let other = producer.inFlight { return other == sequence ? .inFlight : .busy }
            producer.inFlight = sequence
            return .fresh
        }
    }

    /// True while a batch that `begin` would call in flight for this stamp has neither landed nor failed.
    func isInFlight(_ stamp: ProducerStamp) -> Bool {
        switch stamp {
        case .none: false
        case .key(let key): keys[key].map { $0 == nil } ?? false
        case .sequence(let id, _, _): producers[id]?.inFlight != nil
        }
    }

    mutating func durable(_ stamp: ProducerStamp, answer: StoredAnswer) {
        switch stamp {
        case .none: return
        case .key(let key): keys[key] = .some(answer)
        case .sequence(let id, let epoch, let sequence):
            var producer = producers[id] ?? Producer(epoch: epoch)
            producer.epoch = max(epoch, producer.epoch)
            producer.durableEpoch = max(epoch, producer.durableEpoch ?? epoch)
            // A takeover repeats the newest sequence, whose answer stands.
            if sequence > producer.sequence ?? .min {
                producer.sequence = sequence
                producer.recent.append(sequence, answer)
            }
            if producer.inFlight == sequence { producer.inFlight = nil }
            producers[id] = producer
        }
    }

    mutating func abandon(_ stamp: ProducerStamp) {
        switch stamp {
        case .none: return
        case .key(let key): keys[key] = nil
        case .sequence(let id, _, let sequence):
            guard producers[id]?.inFlight == sequence else { return }
            producers[id]?.inFlight = nil
            if producers[id]?.sequence == nil { producers[id] = nil }
        }
    }

    mutating func committed(producers marks: [ProducerMark], keys marksOfKeys: [IdempotencyMark]) {
        for mark in marks { producers[mark.producer]?.committedSequence = mark.sequence }
        for mark in marksOfKeys { keys[mark.key] = nil }
    }
}

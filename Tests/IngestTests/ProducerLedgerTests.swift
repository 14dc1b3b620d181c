import Base
import Catalog
import Testing

@testable import Ingest

@Suite struct ProducerLedgerTests {
    private func answer(_ accepted: Int, at position: UInt64) -> StoredAnswer {
        StoredAnswer(accepted: accepted, rejections: [], rejectedCount: 0, position: position)
    }

    private func stamp(_ sequence: Int64, epoch: Int64 = 0) -> ProducerStamp {
        .sequence(producer: "p", epoch: epoch, sequence: sequence)
    }

    @Test func aRepeatedSequenceGetsTheFirstAnswer() throws {
        var ledger = try ProducerLedger(committed: [])
        #expect(ledger.begin(stamp(5)) == .fresh)
        ledger.durable(stamp(5), answer: answer(3, at: 9))
        #expect(ledger.begin(stamp(5)) == .duplicate(answer(3, at: 9)))
        #expect(ledger.begin(stamp(4)) == .duplicate(answer(0, at: 9)))
        #expect(ledger.begin(stamp(8)) == .fresh)
    }

    @Test func aBatchInFlightBlocksItsTwinAndItsSuccessor() throws {
        var ledger = try ProducerLedger(committed: [])
        #expect(ledger.begin(stamp(1)) == .fresh)
        #expect(ledger.begin(stamp(1)) == .inFlight)
        #expect(ledger.begin(stamp(2)) == .busy)
        ledger.abandon(stamp(1))
        #expect(ledger.begin(stamp(1)) == .fresh)
    }

    @Test func anAbandonedBatchNeverHappened() throws {
        var ledger = try ProducerLedger(committed: [])
        #expect(ledger.begin(stamp(1)) == .fresh)
        ledger.abandon(stamp(1))
        #expect(ledger.producer("p") == nil)
        #expect(ledger.begin(.key("k")) == .fresh)
        #expect(ledger.begin(.key("k")) == .inFlight)
        ledger.abandon(.key("k"))
        #expect(ledger.begin(.key("k")) == .fresh)
    }

    @Test func aHigherEpochFencesTheLower() throws {
        var ledger = try ProducerLedger(committed: [])
        #expect(ledger.begin(stamp(1, epoch: 1)) == .fresh)
        ledger.durable(stamp(1, epoch: 1), answer: answer(1, at: 1))
        #expect(ledger.begin(stamp(2, epoch: 2)) == .fresh)
        #expect(ledger.begin(stamp(3, epoch: 1)) == .fenced(currentEpoch: 2))
    }

    @Test func committedMarksSurviveARestart() throws {
        let mark = ProducerMark(
            producer: "p", epoch: 3, sequence: 7, position: 11, accepted: 2, answer: answer(2, at: 11).encode())
        var ledger = try ProducerLedger(committed: [mark])
        #expect(ledger.producer("p")?.committedSequence == 7)
        #expect(ledger.begin(stamp(7, epoch: 3)) == .duplicate(answer(2, at: 11)))
        #expect(ledger.begin(stamp(8, epoch: 2)) == .fenced(currentEpoch: 3))
        #expect(ledger.begin(stamp(8, epoch: 3)) == .fresh)
    }

    @Test func aKeyIsADuplicateUntilTheCatalogAnswersForIt() throws {
        var ledger = try ProducerLedger(committed: [])
        #expect(ledger.begin(.key("k")) == .fresh)
        ledger.durable(.key("k"), answer: answer(1, at: 4))
        #expect(ledger.begin(.key("k")) == .duplicate(answer(1, at: 4)))
        ledger.committed(
            producers: [],
            keys: [IdempotencyMark(key: "k", position: 4, answer: answer(1, at: 4).encode(), createdMs: 0)])
        #expect(ledger.begin(.key("k")) == .fresh)
    }

    @Test func answersSurviveTheCatalog() throws {
        let full = StoredAnswer(
            accepted: 2,
            rejections: [Rejection(line: 3, column: "a.b", code: "out_of_range", message: "too \"large\"")],
            rejectedCount: 1, position: 1 << 60)
        #expect(try StoredAnswer(decoding: full.encode()) == full)
    }

    @Test func everyRecentSequenceGetsItsOwnAnswer() throws {
        var ledger = try ProducerLedger(committed: [])
        for sequence in 1...40 as ClosedRange<Int64> {
            #expect(ledger.begin(stamp(sequence)) == .fresh)
            ledger.durable(stamp(sequence), answer: answer(Int(sequence), at: UInt64(sequence)))
        }
        #expect(ledger.begin(stamp(9)) == .duplicate(answer(9, at: 9)))
        #expect(ledger.begin(stamp(8)) == .duplicate(answer(0, at: 40)))
        // What the catalog keeps of the producer gives the same after a restart.
        let recent = try #require(ledger.producer("p")).recent
        let mark = ProducerMark(
            producer: "p", epoch: 0, sequence: 39, position: 39, accepted: 39, answer: recent.encode(through: 39))
        var again = try ProducerLedger(committed: [mark])
        #expect(again.begin(stamp(9)) == .duplicate(answer(9, at: 9)))
        #expect(again.begin(stamp(39)) == .duplicate(answer(39, at: 39)))
        #expect(again.begin(stamp(40)) == .fresh)
    }

    @Test func aSuccessorsRepeatedBatchIsATakeoverUntilItIsDurable() throws {
        var ledger = try ProducerLedger(committed: [])
        #expect(ledger.begin(stamp(5, epoch: 1)) == .fresh)
        ledger.durable(stamp(5, epoch: 1), answer: answer(3, at: 9))
        let takeover = ProducerLedger.Decision.takeover(answer(3, at: 9), newest: 5)
        #expect(ledger.begin(stamp(5, epoch: 2)) == takeover)
        // Nothing overtakes it: neither its successor's next batch nor a second repetition.
        #expect(ledger.begin(stamp(6, epoch: 2)) == .busy)
        #expect(ledger.begin(stamp(5, epoch: 2)) == .inFlight)
        #expect(ledger.begin(stamp(6, epoch: 1)) == .fenced(currentEpoch: 2))
        ledger.abandon(stamp(5, epoch: 2))
        #expect(ledger.begin(stamp(5, epoch: 2)) == takeover)
        ledger.durable(stamp(5, epoch: 2), answer: answer(0, at: 10))
        #expect(ledger.begin(stamp(5, epoch: 2)) == .duplicate(answer(3, at: 9)))
        #expect(ledger.begin(stamp(6, epoch: 2)) == .fresh)
    }

    @Test func aSuccessorWaitsForWhatItsPredecessorHasInFlight() throws {
        var ledger = try ProducerLedger(committed: [])
        #expect(ledger.begin(stamp(1, epoch: 1)) == .fresh)
        #expect(ledger.begin(stamp(2, epoch: 2)) == .inFlight)
        ledger.durable(stamp(1, epoch: 1), answer: answer(1, at: 1))
        #expect(ledger.begin(stamp(2, epoch: 2)) == .fresh)
    }
}

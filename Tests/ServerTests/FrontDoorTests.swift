import Base
import Testing

@testable import Ingest
@testable import Server

@Suite struct AdmissionTests {
    private func admission(requests: Int = 10, bytes: Int = 1000) -> Admission {
        Admission(limits: Admission.Limits(requestsMax: requests, bytesMax: bytes))
    }

    @Test func oneTableLeavesHalfToTheOthers() {
        let admission = admission()
        for _ in 0..<5 { #expect(admission.enter(table: "a", bytes: 1) == nil) }
        #expect(admission.enter(table: "a", bytes: 1)?.code == "table_in_flight_requests")
        for _ in 0..<5 { #expect(admission.enter(table: "b", bytes: 1) == nil) }
        #expect(admission.enter(table: "c", bytes: 1)?.code == "in_flight_requests")
        admission.leave(table: "a", requests: 1, bytes: 1)
        #expect(admission.enter(table: "c", bytes: 1) == nil)
    }

    @Test func bytesAreBoundedToo() {
        let admission = admission()
        #expect(admission.reserve(bytes: 500, table: "a") == nil)
        #expect(admission.reserve(bytes: 1, table: "a")?.code == "table_in_flight_bytes")
        #expect(admission.reserve(bytes: 500, table: "b") == nil)
        #expect(admission.enter(table: "c", bytes: 1)?.code == "in_flight_bytes")
        #expect(admission.enter(table: "a", bytes: 0) == nil)
        admission.leave(table: "a", requests: 1, bytes: 500)
        #expect(admission.reserve(bytes: 400, table: "c") == nil)
    }

    @Test func aLoneBodyLargerThanAllBoundsStillPasses() {
        let admission = admission()
        #expect(admission.reserve(bytes: 5000, table: "a") == nil)
        #expect(admission.reserve(bytes: 1, table: "b") != nil)
        admission.leave(table: "a", requests: 0, bytes: 5000)
        #expect(admission.load == Admission.Load())
        #expect(admission.reserve(bytes: 1, table: "b") == nil)
    }
}

@Suite struct AnswerBytesTests {
    private let date = Array("Date: x\r\n".utf8)

    @Test func anAnswerIsAWholeMessage() {
        let bytes = AnswerBytes.make(
            .ok, type: "text/plain", body: Array("hello".utf8), retryAfter: true, closes: true, date: date)
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nRetry-After: 1\r\n"
                + "Date: x\r\nServer: firn\r\nConnection: close\r\n\r\nhello")
    }

    @Test func aProblemSaysWhenToComeBack() {
        let problem = Problem(FirnError(.overloaded, "memory_limit", "full"))
        let text = String(decoding: AnswerBytes.problem(problem, closes: false, date: date), as: UTF8.self)
        #expect(text.hasPrefix("HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/problem+json\r\n"))
        #expect(text.contains("Retry-After: 1\r\n") && !text.contains("Connection"))
        #expect(text.hasSuffix("\"code\":\"memory_limit\",\"detail\":\"full\"}\n"))
    }

    /// Two ways to write an answer must not drift apart.
    @Test func answersAreWrittenAsTheirJSON() {
        var answers: [IngestAnswer] = []
        for rejected in [0, 2] {
            for deadLettered in [0, 1] where deadLettered <= rejected {
                for snapshot in [nil, Int64(77)] {
                    for state in [IngestAnswer.State.durable, .committed] {
                        answers.append(
                            IngestAnswer(
                                accepted: 12_345, rejections: [], rejectedCount: rejected, deadLettered: deadLettered,
                                duplicate: state == .durable, state: state, position: 9_876_543_210,
                                snapshotId: snapshot))
                    }
                }
            }
        }
        for answer in answers {
            #expect(AnswerBytes.json(answer) == answer.json.serialize() + [UInt8(ascii: "\n")])
        }
    }

    /// The example of RFC 9110, and a leap day.
    @Test func datesHaveTheFormOfTheStandard() {
        func text(_ second: Int64) -> String { String(decoding: DateField.format(second), as: UTF8.self) }
        #expect(text(784_111_777) == "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n")
        #expect(text(1_709_208_000) == "Date: Thu, 29 Feb 2024 12:00:00 GMT\r\n")
    }
}

import Base
import HTTPTypes
import Ingest
import Synchronization

/// HTTP/1.1 answers as bytes.
enum AnswerBytes {
    static let goOn = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)

    /// A whole answer: status line, fields, body.
    static func make(
        _ status: HTTPResponse.Status, type: String, body: [UInt8], retryAfter: Bool = false, closes: Bool,
        date: [UInt8]
    ) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(192 + body.count)
        line(status, into: &out)
        out += "Content-Type: ".utf8
        out += type.utf8
        out += "\r\nContent-Length: ".utf8
        append(body.count, into: &out)
        out += "\r\n".utf8
        if retryAfter { out += "Retry-After: 1\r\n".utf8 }
        finishHead(closes: closes, date: date, into: &out)
        out += body
        return out
    }

    /// The answer to an accepted batch.
    static func accepted(_ answer: IngestAnswer, closes: Bool, date: [UInt8]) -> [UInt8] {
        make(.ok, type: "application/json", body: json(answer), closes: closes, date: date)
    }

    /// `IngestAnswer.json` as a line. The answer to most requests, all of it accepted into one table, is written
    /// without building the tree: this runs on the log's thread, between two syncs.
    static func json(_ answer: IngestAnswer) -> [UInt8] {
        var out: [UInt8] = []
        if answer.rejectedCount == 0, answer.deadLettered == 0, answer.parts.isEmpty, answer.snapshotId == nil {
            out.reserveCapacity(128)
            out += "{\"accepted\":".utf8
            append(answer.accepted, into: &out)
            out += ",\"rejected\":[],\"duplicate\":".utf8
            out += (answer.duplicate ? "true" : "false").utf8
            out += ",\"state\":\"".utf8
            out += answer.state.rawValue.utf8
            out += "\",\"position\":".utf8
            append(Int(truncatingIfNeeded: answer.position), into: &out)
            out.append(UInt8(ascii: "}"))
        } else {
            out = answer.json.serialize()
        }
        out.append(UInt8(ascii: "\n"))
        return out
    }

    static func problem(_ problem: Problem, closes: Bool, date: [UInt8]) -> [UInt8] {
        make(
            problem.status, type: Problem.contentType, body: problem.body, retryAfter: problem.isRetryable,
            closes: closes, date: date)
    }

    static func line(_ status: HTTPResponse.Status, into out: inout [UInt8]) {
        out += "HTTP/1.1 ".utf8
        append(status.code, into: &out)
        out.append(UInt8(ascii: " "))
        out += status.reasonPhrase.utf8
        out += "\r\n".utf8
    }

    static func finishHead(closes: Bool, date: [UInt8], into out: inout [UInt8]) {
        out += date
        out += closes ? "Server: firn\r\nConnection: close\r\n\r\n".utf8 : "Server: firn\r\n\r\n".utf8
    }

    /// A number from 0 in decimal.
    static func append(_ number: Int, into out: inout [UInt8]) {
        if number >= 10 { append(number / 10, into: &out) }
        out.append(UInt8(ascii: "0") + UInt8(number % 10))
    }
}

/// The `Date` field line, made once a second.
final class DateField: Sendable {
    private let clock: any Clock
    private let state = Mutex((second: Int64.min, line: [UInt8]()))

    init(clock: any Clock) { self.clock = clock }

    var line: [UInt8] {
        let second = clock.nowMs() / 1000
        return state.withLock { state in
            if state.second != second { state = (second, Self.format(second)) }
            return state.line
        }
    }

    /// The value alone.
    var value: String { String(decoding: line.dropFirst(6).dropLast(2), as: UTF8.self) }

    /// RFC 9110 section 5.6.7: `Date: Sun, 06 Nov 1994 08:49:37 GMT`.
    static func format(_ second: Int64) -> [UInt8] {
        let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        // "1994-11-06T08:49:37…": the parts are cut from the ISO form.
        let iso = Array(CivilTime.formatTimestamp(micros: second * 1_000_000, utc: true).utf8)
        func part(_ range: Range<Int>) -> String { String(decoding: iso[range], as: UTF8.self) }
        let month = months[Int(part(5..<7))! - 1]
        let day = days[Int((second / 86_400) % 7)]
        return Array("Date: \(day), \(part(8..<10)) \(month) \(part(0..<4)) \(part(11..<19)) GMT\r\n".utf8)
    }
}

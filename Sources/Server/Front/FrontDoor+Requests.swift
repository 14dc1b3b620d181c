import Base
import CPlatform
import Ingest

/// From bytes to requests to whoever answers them.
extension FrontDoor {
    /// Reads on in a connection's requests until the bytes are used up or it has to wait.
    func understand(_ bytes: UnsafeBufferPointer<UInt8>, of connection: FrontConnection) {
        var at = 0
        while connection.phase == .open {
            guard !connection.isHeld, connection.pending.count < FrontOptions.pipelinedMax else {
                connection.leftover = Array(bytes[at...])
                return
            }
            let wasBetween = connection.reader.isBetweenRequests
            let (taken, event) = connection.reader.take(UnsafeBufferPointer(rebasing: bytes[at...]))
            at += taken
            switch event {
            case .needsMore:
                if wasBetween, !connection.reader.isBetweenRequests { connection.watchedSince = now }
                if connection.reader.isInBody { reserveBody(connection) }
                return
            case .head: decide(connection)
            case .request: complete(connection)
            case .http2: return handOver(connection, bytes[at...])
            case .fault(let error): return refuseAll(connection, error)
            }
        }
    }

    /// The head is here: is the body wanted?
    private func decide(_ connection: FrontConnection) {
        connection.watchedSince = now
        connection.call = nil
        connection.refusal = nil
        connection.isCatalog = connection.reader.head.starts(with: RestErrorMiddleware.rootBytes)
        do throws(FirnError) {
            connection.call = try connection.heads.call(connection.reader.head)
        } catch {
            connection.refusal = error
        }
        let head = connection.reader.head
        if let length = head.contentLength, length > bodyBytesMax {
            return refuseAll(connection, RequestReader.bodyTooLarge(bodyBytesMax))
        }
        if let refusal = connection.refusal {
            // A peer that waits for "100 Continue" may or may not send the body now: only closing is unambiguous.
            if head.expectsContinue, head.hasBody { return refuseAll(connection, refusal) }
            connection.reader.dropBody()
        } else {
            connection.reader.keepBody()
            connection.owesContinue = head.expectsContinue && head.hasBody
        }
    }

    /// Counts the memory that a body takes while it comes; past the bounds the rest of it is swallowed.
    private func reserveBody(_ connection: FrontConnection) {
        let held = connection.reader.bodyBytesHeld
        guard connection.refusal == nil, held > connection.reserved else { return }
        let name = connection.call?.shareName ?? ""
        if let error = parts.admission.reserve(bytes: held - connection.reserved, table: name) {
            connection.refusal = error
            connection.reader.stopKeeping()
            releaseBody(connection)
        } else {
            connection.reserved = held
        }
    }

    func releaseBody(_ connection: FrontConnection) {
        parts.admission.leave(table: connection.call?.shareName ?? "", requests: 0, bytes: connection.reserved)
        connection.reserved = 0
    }

    private func complete(_ connection: FrontConnection) {
        let mayOverlap = connection.call.map { !$0.isOrdered } ?? false
        let waits =
            !connection.pending.isEmpty
            && !(mayOverlap && connection.pending[0].isIngest) && connection.refusal == nil
        if waits { connection.isHeld = true } else { dispatch(connection) }
    }

    /// Hands the complete request to whoever answers it.
    func dispatch(_ connection: FrontConnection) {
        let closes = connection.reader.head.wantsClose
        let path = connection.call == nil ? nil : connection.call?.shareName
        let serial = connection.begin(isIngest: path != nil)
        if let refusal = connection.refusal {
            releaseBody(connection)
            connection.reader.next()
            return refuse(connection, serial, refusal, closes: closes)
        }
        if let call = connection.call {
            let body = connection.reader.takeBody()
            connection.reader.next()
            ingest(call, body, connection, serial, closes: closes)
        } else {
            let outlet = RouterBridge.Outlet(
                mailbox: mailbox, connection: connection.id, serial: serial, head: connection.reader.head,
                closes: closes, date: date.line)
            let body = connection.reader.takeBody()
            let held = connection.reserved
            connection.reserved = 0
            let presence = connection.presence(of: serial)
            parts.bridge.run(RouterBridge.request(connection.reader.head, body: body), outlet, presence) { [self] in
                parts.admission.leave(table: "", requests: 0, bytes: held)
                return isDraining.load(ordering: .relaxed)
            }
            connection.reader.next()
        }
    }

    private func ingest(
        _ call: IngestCall, _ body: [UInt8], _ connection: FrontConnection, _ serial: UInt64, closes: Bool
    ) {
        let held = max(body.count, connection.reserved)
        if let error = parts.admission.enter(table: call.shareName, bytes: held - connection.reserved) {
            releaseBody(connection)
            return refuse(connection, serial, error, closes: closes)
        }
        connection.reserved = 0
        let id = connection.id
        let finish: @Sendable (Result<IngestAnswer, any Error>) -> Void = { [self] result in
            parts.admission.leave(table: call.shareName, requests: 1, bytes: held)
            let isLast = closes || isDraining.load(ordering: .relaxed)
            let bytes: [UInt8]
            switch result {
            case .success(let answer):
                parts.counters.answered(200, code: nil, isIngest: true)
                bytes = AnswerBytes.accepted(answer, closes: isLast, date: date.line)
            case .failure(let error): bytes = problem(error, target: call.shareName, closes: isLast)
            }
            mailbox.post(.answer(connection: id, serial: serial, bytes: bytes, closes: isLast))
        }
        submit(call, body, finish)
    }

    /// Decompression, and taking a request for several tables apart, run on a pool; other bodies go straight on.
    private func submit(
        _ call: IngestCall, _ body: [UInt8], _ finish: @escaping @Sendable (Result<IngestAnswer, any Error>) -> Void
    ) {
        guard call.coding != nil || call.target.isSeveral else {
            return Self.submit(call, body, to: parts.ingest, finish)
        }
        parts.pool.submit { [parts, bodyBytesMax] in
            do {
                let plain = try call.coding?.decode(body, limit: bodyBytesMax) ?? body
                Self.submit(call, plain, to: parts.ingest, finish)
            } catch {
                finish(.failure(error))
            }
        }
    }

    private static func submit(
        _ call: IngestCall, _ body: [UInt8], to ingest: IngestService,
        _ finish: @escaping @Sendable (Result<IngestAnswer, any Error>) -> Void
    ) {
        guard !body.isEmpty else {
            return finish(.failure(FirnError(.invalidInput, "empty_body", "the body holds no record")))
        }
        switch call.target {
        case .several:
            do {
                ingest.submit(
                    IngestRequest(
                        parts: try SectionSplitter.split(body, format: call.format), stamp: call.stamp,
                        waitCommitted: call.waitsForCommit), completion: finish)
            } catch {
                finish(.failure(error))
            }
        case .table(let table):
            ingest.submit(
                IngestRequest(
                    table: table, body: body, format: call.format, stamp: call.stamp,
                    waitCommitted: call.waitsForCommit),
                completion: finish)
        }
    }

    // MARK: Refusals

    private func refuse(_ connection: FrontConnection, _ serial: UInt64, _ error: FirnError, closes: Bool) {
        let isLast = closes || isDraining.load(ordering: .relaxed)
        let target = connection.call?.shareName ?? "-"
        let bytes =
            connection.isCatalog
            ? catalogError(error, closes: isLast) : problem(error, target: target, closes: isLast)
        connection.answer(serial, bytes, closes: isLast)
    }

    /// Answers and closes: where the next request would start is unknown, or nobody should wait for it.
    func refuseAll(_ connection: FrontConnection, _ error: FirnError) {
        releaseBody(connection)
        connection.reader.giveUp()
        connection.owesContinue = false
        let serial = connection.begin(isIngest: false)
        refuse(connection, serial, error, closes: true)
    }

    /// An error's answer, counted and told to the log.
    private func problem(_ error: any Error, target: String, closes: Bool) -> [UInt8] {
        let problem = Problem(error)
        parts.counters.failed(error, status: problem.status.code, target: target, logger: parts.logger)
        return AnswerBytes.problem(problem, closes: closes, date: date.line)
    }

    private func catalogError(_ error: FirnError, closes: Bool) -> [UInt8] {
        let answer = RestError(error)
        parts.counters.failed(error, status: answer.status.code, target: "-", logger: parts.logger)
        return AnswerBytes.make(
            answer.status, type: "application/json", body: answer.json.serialize(), retryAfter: answer.isRetryable,
            closes: closes, date: date.line)
    }

    /// HTTP/2 is NIO's: it gets the socket and every byte that was taken from it.
    private func handOver(_ connection: FrontConnection, _ rest: Slice<UnsafeBufferPointer<UInt8>>) {
        guard connection.firstSerial == 0, connection.pending.isEmpty else {
            return refuseAll(connection, RequestHead.fault("HTTP/2 cannot start in the middle of a connection"))
        }
        let taken = connection.reader.head.bytes + Array(rest)
        _ = firn_epoll_forget(epoll, connection.descriptor)
        detach(connection)
        parts.http2.adopt(connection.descriptor, taken: taken)
    }
}

import Base
import CPlatform
import Glibc

/// The life of a connection: accepted, read, sent to, closed.
extension FrontDoor {
    private static let acceptsPerRound = 64
    private static let receivesPerRound = 16

    func acceptWaiting() {
        for _ in 0..<Self.acceptsPerRound where listener >= 0 {
            let descriptor = firn_accept(listener)
            guard descriptor >= 0 else {
                if firn_errno() == EMFILE || firn_errno() == ENFILE { turnAwayOne() }
                return
            }
            guard connectionCount + parts.http2.openCount < options.connectionsMax else {
                refuse(descriptor)
                continue
            }
            open(descriptor)
        }
    }

    private func open(_ descriptor: Int32) {
        let index = freeSlots.popLast() ?? slots.count
        if index == slots.count { slots.append(nil) }
        let id = generation << 24 | UInt64(index + 2)
        generation += 1
        let connection = FrontConnection(descriptor: descriptor, id: id, bodyBytesMax: bodyBytesMax, now: now)
        guard firn_epoll_watch_edges(epoll, descriptor, id) == 0 else {
            close(descriptor)
            freeSlots.append(index)
            return
        }
        slots[index] = connection
        connectionCount += 1
        parts.counters.connections(connectionCount)
        touch(connection)
    }

    /// Says why in one packet, as far as the socket takes it.
    private func refuse(_ descriptor: Int32) {
        let error = FirnError(
            .overloaded, "too_many_connections", "the server has as many connections as it may; try again in a moment")
        parts.counters.answered(Problem.status(error).code, code: error.code, isIngest: false)
        let bytes = AnswerBytes.problem(Problem(error), closes: true, date: date.line)
        _ = bytes.withUnsafeBytes { firn_send(descriptor, $0.baseAddress, $0.count) }
        firn_shut_sending(descriptor)
        close(descriptor)
    }

    /// Without a free descriptor a waiting connection would wake this thread for ever.
    private func turnAwayOne() {
        guard spare >= 0 else { return }
        close(spare)
        let descriptor = firn_accept(listener)
        if descriptor >= 0 { refuse(descriptor) }
        spare = firn_eventfd()
    }

    /// Forgets a connection and closes its socket.
    func end(_ connection: FrontConnection) {
        guard connection.phase != .closed else { return }
        detach(connection)
        close(connection.descriptor)
    }

    /// Forgets a connection and resets it: its peer sees an error rather than an end.
    func reset(_ connection: FrontConnection) {
        var now = linger(l_onoff: 1, l_linger: 0)
        setsockopt(connection.descriptor, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
        end(connection)
    }

    /// Forgets a connection; its socket is somebody else's now.
    func detach(_ connection: FrontConnection) {
        connection.phase = .closed
        let index = Int(connection.id & 0xff_ffff) - 2
        slots[index] = nil
        freeSlots.append(index)
        connectionCount -= 1
        parts.counters.connections(connectionCount)
        releaseBody(connection)
        connection.clientLeft()
        resumeStreamers(of: connection, error: FirnError(.cancelled, "connection_lost", "the connection is closed"))
    }

    // MARK: Serving

    /// Does all that can be done for a connection now.
    func serve(_ connection: FrontConnection) {
        guard connection.phase != .closed else { return }
        if connection.phase == .open { takeIn(connection) }
        guard connection.phase != .closed else { return }
        if connection.owesContinue { goOn(connection) }
        let before = connection.outputBytes
        guard connection.flush() else { return end(connection) }
        if !connection.hasOutput || connection.outputBytes < before {
            connection.stalledSince = connection.hasOutput ? now : nil
        } else if connection.stalledSince == nil {
            connection.stalledSince = now
        }
        if connection.outputBytes < FrontOptions.streamBytesMax { resumeStreamers(of: connection, error: nil) }
        if !connection.hasOutput { settle(connection) }
    }

    /// Everything is sent: decides whether the connection goes on.
    private func settle(_ connection: FrontConnection) {
        switch connection.phase {
        case .open:
            guard connection.pending.isEmpty, !connection.isHeld else { return }
            let isIdle = connection.reader.isBetweenRequests && connection.leftover.isEmpty
            if connection.isInputOver || isIdle && isDraining.load(ordering: .relaxed) { return end(connection) }
            if isIdle { connection.watchedSince = now }
        case .lastAnswer:
            if connection.isInputOver { return end(connection) }
            firn_shut_sending(connection.descriptor)
            connection.phase = .lingering
            connection.watchedSince = now
            swallow(connection)
        case .lingering: swallow(connection)
        case .closed: break
        }
    }

    private func goOn(_ connection: FrontConnection) {
        guard connection.reader.bodyBytesTaken == 0, connection.reader.isInBody else {
            connection.owesContinue = false
            return
        }
        guard connection.pending.isEmpty else { return }
        connection.owesContinue = false
        connection.queue(AnswerBytes.goOn)
    }

    private func takeIn(_ connection: FrontConnection) {
        for _ in 0..<Self.receivesPerRound {
            guard connection.phase == .open else { return }
            if connection.isHeld {
                guard connection.pending.isEmpty else { return }
                connection.isHeld = false
                dispatch(connection)
                continue
            }
            guard connection.pending.count < FrontOptions.pipelinedMax else { return }
            if !connection.leftover.isEmpty {
                let bytes = connection.leftover
                connection.leftover = []
                bytes.withUnsafeBufferPointer { understand($0, of: connection) }
                continue
            }
            guard connection.isReadable, !connection.isInputOver else { return }
            let count = firn_receive(connection.descriptor, buffer, FrontOptions.receiveBytes)
            guard count > 0 else { return receiveStopped(connection, count) }
            // A short read has emptied the socket, and the next bytes raise a new edge.
            if count < FrontOptions.receiveBytes { connection.isReadable = connection.sawHangup }
            understand(UnsafeBufferPointer(start: buffer, count: count), of: connection)
        }
        // One busy connection must not keep the others waiting.
        touch(connection)
    }

    private func receiveStopped(_ connection: FrontConnection, _ count: Int) {
        if count == 0 {
            connection.isInputOver = true
            connection.clientLeft()
        } else if firn_errno() == EAGAIN {
            connection.isReadable = false
        } else if firn_errno() != EINTR {
            end(connection)
        }
    }

    /// Reads and forgets, so that the answer is not lost to a reset.
    private func swallow(_ connection: FrontConnection) {
        for _ in 0..<Self.receivesPerRound where connection.isReadable {
            let count = firn_receive(connection.descriptor, buffer, FrontOptions.receiveBytes)
            if count > 0 { continue }
            if count < 0 && firn_errno() == EAGAIN {
                connection.isReadable = false
                return
            }
            return end(connection)
        }
        if connection.isReadable { touch(connection) }
    }

    private func resumeStreamers(of connection: FrontConnection, error: FirnError?) {
        guard !connection.streamers.isEmpty else { return }
        let waiting = connection.streamers
        connection.streamers = []
        for streamer in waiting {
            if let error { streamer.resume(throwing: error) } else { streamer.resume() }
        }
    }

    // MARK: Time

    /// Ends what takes too long; looked at twice a second.
    func sweep() {
        for connection in slots {
            guard let connection else { continue }
            if let since = connection.stalledSince, now - since > FrontOptions.sendNanosMax {
                end(connection)
                continue
            }
            let elapsed = now - connection.watchedSince
            switch connection.phase {
            case .lingering: if elapsed > FrontOptions.lingerNanosMax { end(connection) }
            case .open: if connection.pending.isEmpty, !connection.isHeld { sweepOpen(connection, elapsed) }
            case .lastAnswer, .closed: break
            }
        }
    }

    private func sweepOpen(_ connection: FrontConnection, _ elapsed: Int64) {
        if connection.reader.isInBody {
            let due =
                (elapsed - FrontOptions.bodyGraceNanos) / 1_000_000_000 * Int64(FrontOptions.bodyBytesPerSecondMin)
            if Int64(connection.reader.bodyBytesTaken) < due { timeOut(connection, "the body") }
        } else if !connection.reader.isBetweenRequests {
            if elapsed > FrontOptions.headNanosMax { timeOut(connection, "the head") }
        } else if elapsed > FrontOptions.idleNanosMax {
            end(connection)
        }
    }

    private func timeOut(_ connection: FrontConnection, _ part: String) {
        refuseAll(
            connection, FirnError(.invalidInput, "request_timeout", "\(part) of the request came too slowly"))
        serve(connection)
    }
}

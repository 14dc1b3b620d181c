import Base
import Columnar
import Iceberg
import Storage
import Synchronization
import Testing

@testable import Catalog

/// Commits to a table that another catalog keeps: what is committed there is committed here once, whatever becomes of
/// requests, answers and processes.
@Suite struct RemoteCommitTests {
    @Test func commitsLandThereAndMarksHere() throws {
        let world = try RemoteWorld()
        try world.append(1)
        try world.append(2)
        #expect(try world.rows() == 4)
        #expect(try world.edge.logPosition(world.uuid) == 2)
        #expect(try world.edge.producers(world.uuid).map(\.sequence) == [2])
        #expect(try world.edge.loadTable(world.id).metadata.currentSnapshotId == world.there().currentSnapshotId)
        try world.checkFiles()
        // A mark alone needs no answer from there.
        world.remote.answers = [.silent]
        let mark = IngestMark(expectedPosition: 2, position: 3)
        _ = try world.edge.committer(for: world.id).append([], ingest: mark)
        #expect(try world.edge.logPosition(world.uuid) == 3)
    }

    @Test(arguments: [
        ([RemoteAnswers.Answer.lost], 1), ([.silent], 2), ([.late], 2), ([.silent, .busy], 3), ([.late, .silent], 2),
        ([.silent, .lost], 2),
    ])
    func unclearAnswersAreAskedForAgain(_ answers: [RemoteAnswers.Answer], requests: Int) throws {
        let world = try RemoteWorld()
        world.remote.answers = answers
        try world.append(1)
        #expect(try world.rows() == 2)
        #expect(world.remote.requests == requests)
        #expect(try world.edge.logPosition(world.uuid) == 1)
        try world.checkFiles()
    }

    @Test func aRivalIsBuiltOn() throws {
        let world = try RemoteWorld()
        world.remote.answers = [.rival]
        try world.append(1)
        #expect(try world.rows() == 3)
        #expect(world.remote.requests == 2)
        try world.checkFiles()
    }

    /// The process ends where it stands; the next one finds out how the commit ended, and ends it.
    @Test(arguments: [FaultPoint.commitBeforeTransaction, .remoteRecorded, .remoteAnswered, .commitAfterTransaction])
    func everyStepIsSurvived(_ point: FaultPoint) throws {
        let world = try RemoteWorld()
        try world.append(1)
        try world.startEdge(dyingAt: point)
        #expect(throws: (any Error).self) { try world.append(2) }
        try world.startEdge()
        // What a commit may have made live is no litter.
        _ = try world.edge.collectGarbage()
        let isBegun = point != .commitBeforeTransaction
        let settlement = try world.edge.committer(for: world.id).settle()
        #expect(settlement == (point == .remoteRecorded || point == .remoteAnswered ? .committed : .nothingOpen))
        #expect(try world.edge.logPosition(world.uuid) == (isBegun ? 2 : 1))
        if !isBegun { try world.append(2) }
        #expect(try world.rows() == 4)
        try world.append(3)
        #expect(try world.rows() == 6)
        try world.checkFiles()
    }

    @Test(arguments: ["rolled back", "expired", "as it is"])
    func whatWasCommittedIsKnownWhateverBecameOfIt(_ fate: String) throws {
        let world = try RemoteWorld()
        try world.append(1)
        let base = try #require(world.there().currentSnapshotId)
        world.remote.answers = [.last]
        #expect(fails(.outcomeUnknown) { try world.append(2) })
        try world.comeBack()
        let hub = try world.hub.committer(for: world.id)
        switch fate {
        case "rolled back": _ = try hub.rollback(to: base)
        case "expired":
            _ = try hub.append(world.hub.writeDataFiles(1, of: try world.hub.loadTable(world.id)), ingest: nil)
            let lost = try #require(world.there().currentSnapshot?.parentSnapshotId)
            _ = try hub.expireNext(TableCommitter.ExpiryRequest(snapshotIds: [lost]))
            #expect(try world.there().snapshot(id: lost) == nil)
        default: break
        }
        let requests = world.remote.requests
        #expect(try world.edge.committer(for: world.id).settle() == .committed)
        #expect(world.remote.requests == requests)
        #expect(try world.edge.logPosition(world.uuid) == 2)
        #expect(try world.rows() == (fate == "rolled back" ? 2 : fate == "expired" ? 5 : 4))
    }

    /// A cache that lags shows neither the commit nor the base that it was made on: that says nothing.
    @Test func anOlderStateIsNotBelieved() throws {
        let world = try RemoteWorld()
        try world.append(1)
        world.remote.keepState(of: world.id)
        try world.append(2)
        world.remote.answers = [.hidden]
        #expect(fails(.outcomeUnknown) { try world.append(3) })
        #expect(fails(.io, "remote_unavailable") { _ = try world.edge.loadTable(world.id) })
        world.remote.showsKept = false
        try world.comeBack()
        #expect(try world.edge.committer(for: world.id).settle() == .committed)
        #expect(try world.rows() == 6)
        try world.checkFiles()
    }

    @Test func whatWasOvertakenIsLitter() throws {
        let world = try RemoteWorld()
        world.remote.answers = Array(repeating: .silent, count: 20)
        #expect(fails(.outcomeUnknown) { try world.append(1) })
        #expect(try world.edge.hasOpenCommit(world.uuid))
        // Another process leaves it alone while this one lives.
        let other = try world.anotherEdge()
        #expect(
            fails(.conflict, "commit_conflict") {
                _ = try other.committer(for: world.id).setProperties(["commit.retry.num-retries": "1", "a": "b"])
            })
        #expect(fails(.conflict, "remote_commit_open") { try world.edge.detach(world.id) })
        let hub = try world.hub.committer(for: world.id)
        _ = try hub.append(world.hub.writeDataFiles(1, of: try world.hub.loadTable(world.id)), ingest: nil)
        world.remote.answers = []
        #expect(try world.edge.committer(for: world.id).settle() == .notCommitted)
        #expect(try world.edge.logPosition(world.uuid) == 0)
        _ = try world.edge.collectGarbage()
        try world.checkFiles()
        try world.append(1)
        #expect(try world.rows() == 3)
    }

    @Test func whatAnswersNoMoreFailsAndChangesNothing() throws {
        let world = try RemoteWorld()
        try world.append(1)
        world.remote.isAway = true
        #expect(fails(.io, "remote_unavailable") { try world.append(2) })
        #expect(fails(.io, "remote_unavailable") { _ = try world.edge.loadTable(world.id) })
        #expect(try world.edge.lastKnownTable(world.id).metadata.currentSnapshotId == world.there().currentSnapshotId)
        #expect(try world.edge.findTable(world.uuid)?.identifier == world.id)
        // Without the metadata file too, in another process; only history is missing then.
        try world.hub.store.delete(try world.hub.loadTable(world.id).metadataLocation)
        let known = try world.anotherEdge().lastKnownTable(world.id).metadata
        let schema = try world.there().currentSchema
        #expect(known.tableUUID == world.uuid && known.currentSchema == schema)
        #expect(known.snapshots.isEmpty && known.currentSnapshotId == nil)
        #expect(try !world.edge.hasOpenCommit(world.uuid))
        #expect(try world.edge.findOrphans() == [])
        try world.comeBack()
        try world.append(2)
        #expect(try world.rows() == 4)
    }

    @Test func anotherTableUnderTheNameIsNotWrittenTo() throws {
        let world = try RemoteWorld()
        try world.append(1)
        try world.hub.dropTable(world.id, purge: false)
        #expect(fails(.notFound, "remote_table_not_found") { try world.append(2) })
        _ = try world.hub.createTable(world.id, schema: ScratchWarehouse.schema)
        #expect(fails(.conflict, "remote_table_replaced") { try world.append(2) })
        #expect(try world.edge.logPosition(world.uuid) == 1)
        #expect(try world.hub.livePaths(world.id) == [])
    }

    @Test func whatIsNotOursToDoIsRefused() throws {
        let world = try RemoteWorld()
        try world.append(1)
        let own = try world.edge.createTable(
            try TableIdentifier(parsing: "shop.own"), schema: ScratchWarehouse.schema)
        let other = try TableIdentifier(parsing: "shop.other")
        #expect(fails(.unsupported, "attached_table") { try world.edge.dropTable(world.id, purge: true) })
        #expect(fails(.unsupported, "attached_table") { try world.edge.renameTable(world.id, to: other) })
        #expect(
            fails(.unsupported, "attached_table") {
                _ = try world.edge.registerTable(world.id, metadata: own.metadataLocation, overwrite: true)
            })
        #expect(fails(.alreadyExists, "already_attached") { try world.attach(other) })
        #expect(fails(.alreadyExists, "table_exists") { try world.attach(world.id) })
        #expect(fails(.invalidInput, "not_attached") { try world.edge.detach(own.identifier) })
        let parts = try [own.identifier, world.id].map { id in
            let table = try world.edge.loadTable(id)
            return try world.edge.committer(for: id).appending(world.edge.writeDataFiles(1, of: table), ingest: nil)
        }
        #expect(fails(.unsupported, "attached_table") { _ = try world.edge.commit(jointly: parts) })
        #expect(try world.edge.livePaths(own.identifier) == [])
        // Other programs that open this catalog's file do not take it for a table.
        let types = try world.edge.core.database.read { database in
            try database.query("SELECT iceberg_type FROM iceberg_tables ORDER BY table_name").map { $0[0].textValue }
        }
        #expect(types == ["REST", "TABLE"])
        try world.edge.detach(world.id)
        #expect(try world.edge.listTables() == [own.identifier])
        #expect(try world.hub.listTables() == [world.id])
        // What the log holds of it must not be committed again.
        try world.attach(other)
        #expect(try world.edge.logPosition(world.uuid) == 1)
    }
}

/// A warehouse that keeps `shop.orders`, and another one that has it attached.
final class RemoteWorld {
    let scratch: ScratchWarehouse
    let id: TableIdentifier
    let uuid: UUID
    let remote: RemoteAnswers
    private let path = "/tmp/firn-edge-" + Environment.live.uuid().description
    private(set) var edge: Warehouse
    private var next: UInt64 = 0

    var hub: Warehouse { scratch.warehouse }

    init() throws {
        scratch = try ScratchWarehouse()
        let table = try scratch.makeTable(properties: ["commit.retry.num-retries": "2"])
        id = table.identifier
        uuid = table.metadata.tableUUID
        remote = RemoteAnswers(scratch.warehouse)
        edge = try Warehouse(directory: path, environment: .live, create: true, remotes: remote)
        try attach(id)
    }

    deinit {
        let plain = LocalStore(files: PosixFileSystem())
        for location in (try? plain.list(path)) ?? [] { try? plain.delete(location) }
        try? plain.removeEmptyFolders(path)
    }

    func attach(_ name: TableIdentifier) throws {
        _ = try edge.attach(
            name, to: RemoteTableName(namespace: id.namespace, name: id.name),
            at: RemoteEndpoint(uri: "http://127.0.0.1:1"))
    }

    func anotherEdge() throws -> Warehouse {
        try Warehouse(directory: path, environment: .live, create: false, remotes: remote)
    }

    /// Ends the process and starts another, which ends at this point.
    func startEdge(dyingAt point: FaultPoint? = nil) throws {
        var environment = Environment.live
        if let point { environment.faults = FaultPoints { if $0 == point { throw simulatedCrash } } }
        edge = try Warehouse(directory: path, environment: environment, create: false, remotes: remote)
        try edge.recover()
    }

    /// Commits a batch of two files as ingestion does.
    func append(_ position: UInt64) throws {
        let table = try edge.findTable(uuid)!
        let files = try edge.writeDataFiles(2, of: table)
        let producer = ProducerMark(
            producer: "p", epoch: 0, sequence: Int64(position), position: position, accepted: 2, answer: [1, 2])
        let key = IdempotencyMark(key: "k\(position)", position: position, answer: [3], createdMs: 1)
        let mark = IngestMark(
            expectedPosition: position - 1, position: position, producers: [producer], keys: [key])
        do {
            _ = try edge.committer(for: id).append(files, ingest: mark)
        } catch let error as FirnError where error.kind != .outcomeUnknown {
            try edge.ledger.abandon(files.map(\.path))
            throw error
        }
        #expect(try edge.idempotencyKeys(uuid).last?.key == "k\(position)")
    }

    /// The other catalog answers again, and is asked.
    func comeBack() throws {
        remote.isAway = false
        _ = Semaphore().wait(milliseconds: Int(RemoteTables.restMs) + 50)
    }

    func there() throws -> TableMetadata { try hub.loadTable(id).metadata }

    /// Each file is a row; one that is there twice counts twice.
    func rows() throws -> Int { try hub.livePaths(id).count }

    /// Nothing is on disk but what the table needs, and nothing is left open.
    func checkFiles() throws {
        #expect(try scratch.filesOnDisk() == scratch.liveFiles())
        #expect(try edge.ledger.entries() == [])
        #expect(try !edge.hasOpenCommit(uuid))
    }
}

/// A warehouse as a remote catalog, with whatever a network and a process in between can do to an answer.
final class RemoteAnswers: RemoteConnector, RemoteCatalog {
    enum Answer: Sendable {
        /// Committed, and nobody hears of it.
        case lost
        /// The same, and then it does not answer any more.
        case last
        /// The same, and then it shows the state that was kept.
        case hidden
        /// Not committed, and nobody hears of that.
        case silent
        /// Nobody hears of it, and it is committed just before the next request.
        case late
        /// Refused because of another commit, which changed nothing that matters.
        case busy
        /// Another writer commits first.
        case rival
    }

    private struct State {
        var answers: [Answer] = []
        var requests = 0
        var isAway = false
        var later: [UInt8]?
        var kept: RemoteTable?
        var showsKept = false
    }

    private let hub: Warehouse
    private let state = Mutex(State())

    init(_ hub: Warehouse) { self.hub = hub }

    var answers: [Answer] {
        get { state.withLock { $0.answers } }
        set { state.withLock { $0.answers = newValue } }
    }
    var requests: Int { state.withLock { $0.requests } }
    var isAway: Bool {
        get { state.withLock { $0.isAway } }
        set { state.withLock { $0.isAway = newValue } }
    }

    /// Whether loads show the state that was kept.
    var showsKept: Bool {
        get { state.withLock { $0.showsKept } }
        set { state.withLock { $0.showsKept = newValue } }
    }

    func keepState(of id: TableIdentifier) {
        let table = try? show(RemoteTableName(namespace: id.namespace, name: id.name))
        state.withLock { $0.kept = table }
    }

    func connect(_ endpoint: RemoteEndpoint) throws -> any RemoteCatalog { self }

    func load(_ table: RemoteTableName, unless tag: String?) throws -> RemoteTable? {
        guard !isAway else { throw FirnError(.io, "remote_unavailable", "the test says so") }
        let kept = state.withLock { $0.showsKept ? $0.kept : nil }
        let found = try kept ?? show(table)
        return found.tag == tag ? nil : found
    }

    func commit(_ request: [UInt8], to table: RemoteTableName, key: UUID) throws -> RemoteTable {
        let (answer, later) = state.withLock { state in
            state.requests += 1
            defer { state.later = nil }
            return (state.answers.isEmpty ? nil : state.answers.removeFirst(), state.later)
        }
        guard !isAway else { throw FirnError(.io, "remote_unavailable", "the test says so") }
        if let later { try apply(later, table) }
        let unknown = FirnError(.outcomeUnknown, "remote_outcome_unknown", "the test says so")
        switch answer {
        case nil: try apply(request, table)
        case .lost:
            try apply(request, table)
            throw unknown
        case .last:
            try apply(request, table)
            isAway = true
            throw unknown
        case .hidden:
            try apply(request, table)
            showsKept = true
            throw unknown
        case .silent: throw unknown
        case .busy: throw FirnError(.conflict, "remote_conflict", "the test says so")
        case .late:
            state.withLock { $0.later = request }
            throw unknown
        case .rival:
            let loaded = try hub.loadTable(try local(table))
            _ = try hub.committer(for: loaded.identifier).append(hub.writeDataFiles(1, of: loaded), ingest: nil)
            try apply(request, table)
        }
        return try show(table)
    }

    private func local(_ table: RemoteTableName) throws -> TableIdentifier {
        try TableIdentifier(namespace: table.namespace, name: table.name)
    }

    private func show(_ table: RemoteTableName) throws -> RemoteTable {
        do {
            let found = try hub.loadTable(try local(table))
            return RemoteTable(
                metadataLocation: found.metadataLocation, metadata: found.metadata, tag: found.metadataLocation)
        } catch let error as FirnError where error.kind == .notFound {
            throw FirnError(.notFound, "remote_table_not_found", error.message)
        }
    }

    private func apply(_ request: [UInt8], _ table: RemoteTableName) throws {
        let json = try JSONValue(parsing: request, source: "request")
        let requirements = try (json["requirements"]?.arrayValue ?? []).map { try TableRequirement(json: $0) }
        do {
            _ = try hub.committer(for: try local(table)).apply(
                try TableUpdate.list(json: json["updates"]!), requirements: requirements)
        } catch let error as FirnError where error.kind == .conflict {
            throw FirnError(.conflict, "remote_conflict", error.message)
        } catch let error as FirnError where error.kind == .notFound {
            throw FirnError(.notFound, "remote_table_not_found", error.message)
        }
    }
}

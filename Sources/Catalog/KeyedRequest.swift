import Base
import SQLiteKit

/// A request whose sender gave it a key, so that it takes effect once however often it is sent.
///
/// The change that it asks for keeps its answer in the change's own transaction: there is no moment at which one is
/// there without the other, and of two that run at once one rolls back.
public struct KeyedRequest: Sendable {
    public let key: String
    /// Tells the request from others that come under the same key.
    public let fingerprint: String
    /// The status of the answer when all goes well.
    public let status: Int
    /// How long an answer is kept.
    public let lifetimeMs: Int64

    public init(key: String, fingerprint: String, status: Int, lifetimeMs: Int64) {
        self.key = key
        self.fingerprint = fingerprint
        self.status = status
        self.lifetimeMs = lifetimeMs
    }

    /// What an earlier request with the key was answered.
    public struct Answer: Sendable, Hashable {
        public let status: Int
        public let body: [UInt8]
        /// The metadata file of the table that the answer showed; then there is no body.
        public let metadataLocation: String?

        public init(status: Int, body: [UInt8] = [], metadataLocation: String? = nil) {
            self.status = status
            self.body = body
            self.metadataLocation = metadataLocation
        }
    }

    /// Keeps an answer, and forgets those that are too old. Throws `.conflict` (`request_repeated`) when there is one
    /// under the key already: somebody else was faster.
    func keep(_ answer: Answer, nowMs: Int64, in database: Database) throws {
        try database.run("DELETE FROM firn_rest_answers WHERE created_ms < ?", [.integer(nowMs - lifetimeMs)])
        do {
            try database.run(
                """
                INSERT INTO firn_rest_answers (key, fingerprint, status, body, metadata_location, created_ms)
                VALUES (?, ?, ?, ?, ?, ?)
                """,
                [
                    .text(key), .text(fingerprint), SQLValue(answer.status), .blob(answer.body),
                    SQLValue(answer.metadataLocation), .integer(nowMs),
                ])
        } catch  where error.kind == .alreadyExists {
            throw FirnError(.conflict, "request_repeated", "the same request was carried out meanwhile")
        }
    }
}

extension Warehouse {
    /// The answer that a request with this key had; nil for a new key, and when the answer is too old.
    ///
    /// Throws `.invalidInput` (`idempotency_key_reused`) when the key came with another request.
    public func answer(to request: KeyedRequest) throws -> KeyedRequest.Answer? {
        let oldest = environment.clock.nowMs() - request.lifetimeMs
        return try core.database.read { database in
            guard
                let row = try database.queryRow(
                    """
                    SELECT fingerprint, status, body, metadata_location FROM firn_rest_answers
                    WHERE key = ? AND created_ms >= ?
                    """, [.text(request.key), .integer(oldest)])
            else { return nil }
            guard let fingerprint = row[0].textValue, let status = row[1].integerValue, case .blob(let body) = row[2]
            else { throw MarkStore.malformed("firn_rest_answers") }
            guard fingerprint == request.fingerprint else {
                throw FirnError(
                    .invalidInput, "idempotency_key_reused",
                    "this idempotency key came with another request; use a new key for each request")
            }
            return KeyedRequest.Answer(status: Int(status), body: body, metadataLocation: row[3].textValue)
        }
    }

    /// Keeps the answer to a request that changed nothing, such as a refusal. Throws `.conflict` (`request_repeated`).
    public func keep(_ answer: KeyedRequest.Answer, to request: KeyedRequest) throws {
        try core.database.write { try request.keep(answer, nowMs: environment.clock.nowMs(), in: $0) }
    }

    /// Keeps the answer to a change inside the change's transaction.
    func keepSuccess(
        of request: KeyedRequest?, body: [UInt8] = [], metadataLocation: String? = nil, in database: Database
    ) throws {
        guard let request else { return }
        let answer = KeyedRequest.Answer(status: request.status, body: body, metadataLocation: metadataLocation)
        try request.keep(answer, nowMs: environment.clock.nowMs(), in: database)
    }
}

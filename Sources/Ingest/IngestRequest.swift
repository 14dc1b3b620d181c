import Base
import Catalog

/// One body on its way in.
public struct IngestRequest: Sendable {
    public var table: TableIdentifier
    /// After `Content-Encoding` was undone.
    public var body: [UInt8]
    public var format: RecordFormat
    public var stamp: ProducerStamp
    /// Answer when the records are in a snapshot, not when they are durable.
    public var waitCommitted: Bool

    public init(
        table: TableIdentifier, body: [UInt8], format: RecordFormat, stamp: ProducerStamp = .none,
        waitCommitted: Bool = false
    ) {
        self.table = table
        self.body = body
        self.format = format
        self.stamp = stamp
        self.waitCommitted = waitCommitted
    }
}

extension IngestService {
    /// Lands one body and calls back once, from any thread: when its records are durable, committed where the request
    /// waits for that, or refused. Never blocks.
    ///
    /// Fails as `ingest` throws.
    public func submit(
        _ request: IngestRequest, completion: @escaping @Sendable (Result<IngestAnswer, any Error>) -> Void
    ) {
        Task {
            do {
                completion(
                    .success(
                        try await ingest(
                            request.body, format: request.format, into: request.table, stamp: request.stamp,
                            waitCommitted: request.waitCommitted)))
            } catch {
                completion(.failure(error))
            }
        }
    }
}

import Base
import Columnar

/// A body whose records come as columns of its own schema: what Avro, Arrow and Parquet have in common.
protocol RecordSource {
    /// The body's own columns, in Iceberg types. A positive id is one that the body states; all ids differ.
    var schema: Schema { get }
    /// Fields of a type that knows no value but null.
    var nullFieldIds: Set<Int> { get }
    /// True when instants of the body also stand for timestamps without a zone, because its format once had no others.
    var instantsAreTimestamps: Bool { get }

    /// The next rows of the top-level fields at the indices `wanted`, which are the same in every call; nil at the end.
    mutating func next(_ wanted: [Int]) throws(FirnError) -> RecordBatch?
}

extension RecordSource {
    var nullFieldIds: Set<Int> { [] }
    var instantsAreTimestamps: Bool { false }
}

extension FirnError {
    /// The same error as the answer to a body: what would be damage in a file of ours is a bad request.
    func ofBody(_ format: RecordFormat) -> FirnError {
        let isDamage = kind == .corrupted || kind == .internal
        return FirnError(
            isDamage ? .invalidInput : kind, isDamage ? "malformed_body" : code,
            isDamage ? "The body is no readable \(format.rawValue) data: \(message)." : message,
            context: context.filter { $0.key != "file" }, cause: cause)
    }
}

/// Runs `body`; an untyped error of a format's module becomes one about the request.
func readingBody<T>(_ format: RecordFormat, _ body: () throws -> T) throws(FirnError) -> T {
    do {
        return try body()
    } catch let error as FirnError {
        throw error.ofBody(format)
    } catch {
        throw FirnError(.internal, "unexpected_error", "reading a body failed: \(error)")
    }
}

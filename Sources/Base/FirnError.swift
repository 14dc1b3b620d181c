/// The one error type of Firn.
///
/// `kind` is coarse and tells a caller what to do next; `code` is a stable identifier for programs
/// (`unknown_column`, `body_too_large`); `message` is one clear sentence for people, with the next step where there
/// is one. The mapping from kind to HTTP status lives in one file of the `Server` module.
public struct FirnError: Error, Sendable, CustomStringConvertible {
    public enum Kind: String, Sendable, CaseIterable {
        /// The request or file is wrong and will stay wrong.
        case invalidInput
        case notFound
        case alreadyExists
        /// Somebody else changed the state first; reload and try again.
        case conflict
        /// The operation may or may not have happened; look before a retry.
        case outcomeUnknown
        /// Valid, but outside what this version does.
        case unsupported
        /// Stored bytes contradict their checksum or format.
        case corrupted
        /// A configured bound was passed; a smaller request may do.
        case limitExceeded
        /// Too much in flight; the same request may do later.
        case overloaded
        /// The disk is full or read-only.
        case storageFull
        /// The operating system refused an I/O call.
        case io
        /// A newer epoch has taken over.
        case fenced
        case cancelled
        /// A defect in Firn.
        case `internal`
    }

    public let kind: Kind
    public let code: String
    public let message: String
    /// Where it happened: `file`, `offset`, `column`, `line`, `table`.
    public let context: [String: String]
    public let cause: (any Error)?

    public init(
        _ kind: Kind, _ code: String, _ message: String, context: [String: String] = [:], cause: (any Error)? = nil
    ) {
        self.kind = kind
        self.code = code
        self.message = message
        self.context = context
        self.cause = cause
    }

    /// True when the same call may succeed later without a change by the caller.
    public var isRetryable: Bool {
        switch kind {
        case .conflict, .overloaded, .storageFull, .io: true
        default: false
        }
    }

    /// The same error with more context; existing keys win, since the innermost place knows best.
    public func adding(_ more: [String: String]) -> FirnError {
        FirnError(kind, code, message, context: context.merging(more) { old, _ in old }, cause: cause)
    }

    public var description: String {
        guard !context.isEmpty else { return message }
        let place = context.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ", ")
        return "\(message) (\(place))"
    }
}

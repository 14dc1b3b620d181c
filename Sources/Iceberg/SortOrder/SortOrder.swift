/// One key of a sort order.
public struct SortField: Hashable, Sendable {
    public enum Direction: String, Sendable { case ascending = "asc", descending = "desc" }
    public enum NullOrder: String, Sendable { case first = "nulls-first", last = "nulls-last" }

    public var sourceId: Int
    public var transform: Transform
    public var direction: Direction
    public var nullOrder: NullOrder

    public init(
        sourceId: Int, transform: Transform = .identity, direction: Direction = .ascending,
        nullOrder: NullOrder? = nil
    ) {
        self.sourceId = sourceId
        self.transform = transform
        self.direction = direction
        self.nullOrder = nullOrder ?? (direction == .ascending ? .first : .last)
    }
}

/// The order of rows inside a data file; order 0 has no keys. Spec: https://iceberg.apache.org/spec/#sorting
public struct SortOrder: Hashable, Sendable {
    public var orderId: Int
    public var fields: [SortField]

    public init(orderId: Int = 0, fields: [SortField] = []) {
        self.orderId = orderId
        self.fields = fields
    }

    public static let unsorted = SortOrder()

    public var isUnsorted: Bool { fields.isEmpty }
}

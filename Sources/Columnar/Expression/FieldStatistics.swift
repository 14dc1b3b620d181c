/// What is known of one field over many rows, without reading them.
public struct FieldStatistics: Sendable {
    /// Not above any value that is neither null nor NaN; nil when unknown.
    public var lower: Value?
    /// Not below any such value; nil when unknown.
    public var upper: Value?
    public var mayHaveNull = true
    public var mayHaveNaN = true
    /// Every value is null.
    public var allNull = false
    /// Every value is NaN or null.
    public var noneComparable = false
    /// There is one distinct value: `lower`, null or NaN.
    public var isExact = false

    /// Of values within bounds; nothing is taken for granted beyond them.
    public init(lower: Value? = nil, upper: Value? = nil, mayHaveNull: Bool = true, mayHaveNaN: Bool = true) {
        self.lower = lower
        self.upper = upper
        self.mayHaveNull = mayHaveNull
        self.mayHaveNaN = mayHaveNaN
    }
}

extension FieldStatistics {
    /// Of one known value.
    public init(exactly value: Value) {
        self.init()
        let isNaN = ValueOrder.isNaN(value)
        allNull = value == .null
        mayHaveNull = allNull
        mayHaveNaN = isNaN
        noneComparable = isNaN || allNull
        isExact = true
        if !noneComparable { (lower, upper) = (value, value) }
    }

    /// Some writers put NaN in bounds, where it says nothing.
    public mutating func dropNaNBounds() {
        if lower.map(ValueOrder.isNaN) == true { lower = nil }
        if upper.map(ValueOrder.isNaN) == true { upper = nil }
    }
}

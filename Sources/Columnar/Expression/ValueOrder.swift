/// The order of single values, as predicates and bounds need it.
public enum ValueOrder {
    /// The first value against the second.
    public enum Result: Sendable { case less, equal, greater }

    /// Nil when the two cannot be compared: null, NaN, nested or unrelated types. Int and long, float and double, and
    /// decimals of any scale compare with each other, since literals and bounds may predate a promotion.
    public static func compare(_ a: Value, _ b: Value) -> Result? {
        switch (a, b) {
        case (.boolean(let x), .boolean(let y)): return order(x ? 1 : 0, y ? 1 : 0)
        case (.date(let x), .date(let y)): return order(x, y)
        case (.time(let x), .time(let y)): return order(x, y)
        case (.timestamp(let x), .timestamp(let y)), (.timestamptz(let x), .timestamptz(let y)),
            (.timestampNs(let x), .timestampNs(let y)), (.timestamptzNs(let x), .timestamptzNs(let y)):
            return order(x, y)
        case (.string(let x), .string(let y)): return order(utf8: x, y)
        case (.uuid(let x), .uuid(let y)): return order(x, y)
        case (.binary(let x), .binary(let y)): return order(bytes: x, y)
        case (.decimal(let x, let scaleX), .decimal(let y, let scaleY)):
            if scaleX == scaleY { return order(x, y) }
            let scale = max(scaleX, scaleY)
            guard let wideX = rescale(x, scale - scaleX), let wideY = rescale(y, scale - scaleY) else { return nil }
            return order(wideX, wideY)
        default:
            if let x = integer(a), let y = integer(b) { return order(x, y) }
            guard let x = floating(a), let y = floating(b), !x.isNaN, !y.isNaN else { return nil }
            return order(x, y)
        }
    }

    /// True for the NaN of either width, whatever its bits.
    public static func isNaN(_ value: Value) -> Bool {
        switch value {
        case .float(let v): v.isNaN
        case .double(let v): v.isNaN
        default: false
        }
    }

    private static func integer(_ value: Value) -> Int64? {
        switch value {
        case .int(let v): Int64(v)
        case .long(let v): v
        default: nil
        }
    }

    private static func floating(_ value: Value) -> Double? {
        switch value {
        case .float(let v): Double(v)
        case .double(let v): v
        default: nil
        }
    }

    private static func order<T: Comparable>(_ x: T, _ y: T) -> Result { x < y ? .less : x == y ? .equal : .greater }

    /// Text orders by UTF-8 bytes, which is the order of code points; Swift's own `<` normalises first.
    private static func order(utf8 x: String, _ y: String) -> Result {
        if x.utf8.elementsEqual(y.utf8) { return .equal }
        return x.utf8.lexicographicallyPrecedes(y.utf8) ? .less : .greater
    }

    private static func order(bytes x: [UInt8], _ y: [UInt8]) -> Result {
        x == y ? .equal : x.lexicographicallyPrecedes(y) ? .less : .greater
    }

    private static func rescale(_ value: Int128, _ digits: Int) -> Int128? {
        var value = value
        for _ in 0..<digits {
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            if overflow { return nil }
            value = product
        }
        return value
    }
}

extension Value {
    /// The value in the case of a type that differs by a promotion, so that hashes and tuples agree; nil when the type
    /// cannot hold it. Null fits every type.
    public func fitting(_ type: DataType) -> Value? {
        switch (type, self) {
        case (_, .null): self
        case (.int, .long(let v)): Int32(exactly: v).map { .int($0) }
        case (.long, .int(let v)): .long(Int64(v))
        case (.double, .float(let v)): .double(Double(v))
        case (.float, .double(let v)): Double(Float(v)) == v || v.isNaN ? .float(Float(v)) : nil
        case (.boolean, .boolean), (.int, .int), (.long, .long), (.float, .float), (.double, .double), (.date, .date),
            (.time, .time), (.timestamp, .timestamp), (.timestamptz, .timestamptz), (.timestampNs, .timestampNs),
            (.timestamptzNs, .timestamptzNs), (.string, .string), (.uuid, .uuid),
            (.fixed, .binary), (.binary, .binary):
            self
        case (.decimal(_, let scale), .decimal(_, let other)): scale == other ? self : nil
        default: nil
        }
    }

    /// A default value of a column whose type is promoted; nil where the new type cannot hold it.
    func promoted(to type: DataType) -> Value? {
        switch (type, self) {
        case (.timestamp, .date(let days)): Self.scaled(days, 86_400_000_000).map { .timestamp($0) }
        case (.timestampNs, .date(let days)): Self.scaled(days, 86_400_000_000_000).map { .timestampNs($0) }
        default: fitting(type)
        }
    }

    private static func scaled(_ value: Int32, _ factor: Int64) -> Int64? {
        let (product, overflow) = Int64(value).multipliedReportingOverflow(by: factor)
        return overflow ? nil : product
    }
}

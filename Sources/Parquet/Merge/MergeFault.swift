import Base

/// A defect that a merge is made to have once, so that tests can see it found.
public struct MergeFault: Sendable, Hashable {
    public enum Kind: Sendable, CaseIterable {
        case dropPage
        case doublePage
        /// A copied page takes the place of the one behind it too.
        case repeatCopy
        /// Indices of a page are looked up in a dictionary that is not theirs.
        case wrongDictionary
        /// Two values of a column change places between their rows.
        case swapValues
        /// One value becomes another one of its column.
        case changeValue
    }

    public let kind: Kind
    /// The column it happens to, by its place among the leaves.
    public let column: Int

    public init(_ kind: Kind, column: Int) {
        self.kind = kind
        self.column = column
    }

    /// Damages a page, after it was hashed; how often it is to be appended, nil when the fault does not fit it.
    func apply(_ page: LeafPage, _ map: Buffer<UInt32>?) -> Int? {
        switch kind {
        case .dropPage: return 0
        case .doublePage: return 2
        case .repeatCopy: return nil
        case .wrongDictionary:
            guard let map, map.count > 1 else { return nil }
            for index in 1..<map.count { map.mutableValues.swapAt(index, index - 1) }
            return 1
        case .swapValues, .changeValue:
            if let indices = page.indices { return apply(indices) }
            if case .int64(let values) = page.values { return apply(values) }
            if case .int32(let values) = page.values { return apply(values) }
            return nil
        }
    }

    private func apply<T: Equatable>(_ values: Buffer<T>) -> Int? {
        guard let other = (0..<values.count).first(where: { values[$0] != values[0] }) else { return nil }
        if kind == .swapValues { values.mutableValues.swapAt(0, other) } else { values[0] = values[other] }
        return 1
    }
}

import Base
import Columnar

/// What a predicate over rows says about whole files: none of their rows can match, or all of them do.
///
/// 1. None: the predicate's projection excludes the file's partition tuple, or the predicate its bounds.
/// 2. All: no row can fail. A row fails when the predicate is false or null, so the complement of every leaf is its
///    negation or null; the complement must be excluded as in 1, leaf by leaf, by tuple or bounds.
///
/// Spec: https://iceberg.apache.org/spec/#scan-planning
public struct FileFilter {
    private let metadata: TableMetadata
    private let predicate: Expression
    private let complement: Expression
    private let types: [Int: DataType]
    private let specs: [Int: Projection]

    private struct Projection {
        let fields: [Field]
        let places: [Int: Int]
        let projection: PartitionProjection
        let predicate: Expression
    }

    public init(_ filter: Expression, _ metadata: TableMetadata) {
        self.metadata = metadata
        func isFloating(_ id: Int) -> Bool { metadata.columnType(id: id).map { $0 == .float || $0 == .double } ?? true }
        let predicate = filter.withoutNegation(isFloating: isFloating)
        self.predicate = predicate
        complement = Self.complement(of: filter).withoutNegation(isFloating: isFloating)
        fieldIds = filter.fieldIds
        types = Dictionary(
            uniqueKeysWithValues: filter.fieldIds.compactMap { id in metadata.columnType(id: id).map { (id, $0) } })
        specs = Dictionary(
            metadata.partitionSpecs.map { spec in
                let fields = metadata.partitionFields(of: spec)
                let projection = PartitionProjection(spec: spec, columnType: metadata.columnType)
                return (
                    spec.specId,
                    Projection(
                        fields: fields,
                        places: Dictionary(fields.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { a, _ in a }),
                        projection: projection, predicate: projection.project(predicate))
                )
            }, uniquingKeysWith: { first, _ in first })
    }

    /// Columns whose counts and bounds the decisions need.
    let fieldIds: Set<Int>

    func mayMatch(_ manifest: ManifestFile) -> Bool {
        guard let spec = specs[manifest.specId], let summaries = manifest.partitions,
            summaries.count == spec.fields.count
        else { return true }
        return Pruning.mayMatch(spec.predicate) { id in
            spec.places[id].map { summaries[$0].statistics(spec.fields[$0].type) }
        }
    }

    func mayMatch(_ file: DataFile) -> Bool { mayMatch(predicate, file, specs[file.specId]?.predicate) }

    /// True when every row of the data file matches.
    public func allMatch(_ file: DataFile) -> Bool { excludes(complement, file) }

    private func excludes(_ expression: Expression, _ file: DataFile) -> Bool {
        switch expression {
        case .or(let a, let b): excludes(a, file) && excludes(b, file)
        case .and(let a, let b): excludes(a, file) || excludes(b, file)
        default: !mayMatch(expression, file, specs[file.specId]?.projection.project(expression))
        }
    }

    private func mayMatch(_ expression: Expression, _ file: DataFile, _ projected: Expression?) -> Bool {
        if let projected, let places = specs[file.specId]?.places {
            let tuplePasses = Pruning.mayMatch(projected) { id in
                places[id].map { FieldStatistics(exactly: file.partition[$0]) }
            }
            guard tuplePasses else { return false }
        }
        return Pruning.mayMatch(expression) { id in types[id].flatMap { file.statistics(id, $0) } }
    }

    /// A predicate that passes every row that `predicate` does not pass, and maybe more.
    private static func complement(of predicate: Expression) -> Expression {
        switch predicate {
        case .alwaysTrue: .alwaysFalse
        case .alwaysFalse: .alwaysTrue
        case .and(let a, let b): .or(complement(of: a), complement(of: b))
        case .or(let a, let b): .and(complement(of: a), complement(of: b))
        case .not(let inner): inner.fieldIds.sorted().reduce(inner) { .or($0, .isNull(fieldId: $1)) }
        case .isNull(let id): .notNull(fieldId: id)
        case .notNull(let id): .isNull(fieldId: id)
        case .isIn(let id, let values):
            .or(.all(values.map { .compare(fieldId: id, .notEqual, $0) }), .isNull(fieldId: id))
        case .compare(let id, _, _), .startsWith(let id, _): .or(.not(predicate), .isNull(fieldId: id))
        }
    }
}

extension ManifestFile.FieldSummary {
    fileprivate func statistics(_ type: DataType) -> FieldStatistics {
        let isFloating = type == .float || type == .double
        var statistics = FieldStatistics(
            lower: lowerBound.flatMap { SingleValue.decode($0, type) },
            upper: upperBound.flatMap { SingleValue.decode($0, type) }, mayHaveNull: containsNull,
            mayHaveNaN: isFloating && containsNaN != false)
        statistics.dropNaNBounds()
        return statistics
    }
}

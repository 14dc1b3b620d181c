import Base
import Columnar
import Storage

/// The files of a snapshot that may hold matching rows.
public struct ScanPlan: Sendable {
    public var tasks: [FileScanTask] = []
    /// Data manifests with live files.
    public var manifestsTotal = 0
    /// Of these, pruned without being read.
    public var manifestsSkipped = 0
    /// Live data files, those of skipped manifests included.
    public var filesTotal = 0
    public var filesSkipped = 0
    /// The snapshot has live delete files, whether or not one applies to a task.
    public var hasDeletes = false
}

/// Finds the data files of a snapshot that may hold rows a filter passes.
///
/// 1. A manifest, of data or deletes, is skipped when its partition summaries exclude the filter.
/// 2. The delete files of the others are indexed.
/// 3. A data file is skipped when its partition tuple excludes the filter, or its column bounds do.
/// 4. Each remaining file becomes a task with the delete files that apply to it.
///
/// Spec: https://iceberg.apache.org/spec/#scan-planning
public enum ScanPlanner {
    /// - Parameters:
    ///   - filter: over field ids of the table; rows that pass are in the planned files.
    ///   - statistics: fill counts and bounds of all columns in the tasks.
    ///   - ids: of columns whose counts and bounds are filled besides those of the filter.
    ///   - dataManifests: paths of the only manifests whose data files are wanted; nil for all.
    ///
    /// Throws `.corrupted` for damaged manifests, and for delete files that no spec allows (`bad_delete_file`,
    /// `duplicate_deletion_vector`).
    public static func plan(
        metadata: TableMetadata, snapshot: Snapshot, filter: Expression = .alwaysTrue, statistics: Bool = false,
        statisticsOf ids: Set<Int> = [], dataManifests: Set<String>? = nil, store: any ObjectStore
    ) throws -> ScanPlan {
        let predicate = filter.withoutNegation { id in
            metadata.columnType(id: id).map { $0 == .float || $0 == .double } ?? true
        }
        let manifests = try Manifests.list(of: snapshot, store: store).filter(\.mayHaveLiveFiles)
        var plan = ScanPlan()
        var deletes = DeleteIndex(metadata: metadata)
        for manifest in manifests where manifest.content == .deletes {
            plan.hasDeletes = true
            let (_, projected, fields) = try projection(manifest, predicate, metadata)
            if mayMatch(manifest, projected, fields) { try deletes.add(manifest, store: store) }
        }
        for manifest in manifests
        where manifest.content == .data && dataManifests?.contains(manifest.path) != false {
            plan.manifestsTotal += 1
            try add(manifest, predicate, metadata, deletes, statistics ? nil : ids, store, to: &plan)
        }
        return plan
    }

    /// The data manifests that `plan` would read for the filter, in the order of the snapshot's list.
    ///
    /// - Parameter filter: without `not`.
    public static func dataManifests(
        metadata: TableMetadata, snapshot: Snapshot, filter: Expression, store: any ObjectStore
    ) throws -> [ManifestFile] {
        try Manifests.list(of: snapshot, store: store).filter { manifest in
            guard manifest.content == .data, manifest.mayHaveLiveFiles else { return false }
            let (_, projected, fields) = try projection(manifest, filter, metadata)
            return mayMatch(manifest, projected, fields)
        }
    }

    /// The filter as a manifest's partition tuples can answer it.
    private static func projection(
        _ manifest: ManifestFile, _ predicate: Expression, _ metadata: TableMetadata
    ) throws(FirnError) -> (spec: PartitionSpec, projected: Expression, fields: [Field]) {
        guard let spec = metadata.spec(id: manifest.specId) else {
            throw FirnError(
                .corrupted, "bad_manifest", "a manifest has the unknown partition spec \(manifest.specId)",
                context: ["file": manifest.path])
        }
        let projected = PartitionProjection(spec: spec, columnType: metadata.columnType).project(predicate)
        return (spec, projected, metadata.partitionFields(of: spec))
    }

    private static func mayMatch(_ manifest: ManifestFile, _ projected: Expression, _ fields: [Field]) -> Bool {
        guard let summaries = manifest.partitions, summaries.count == fields.count else { return true }
        return Pruning.mayMatch(projected) { summary(summaries, fields, $0) }
    }

    private static func add(
        _ manifest: ManifestFile, _ predicate: Expression, _ metadata: TableMetadata, _ deletes: DeleteIndex,
        _ further: Set<Int>?, _ store: any ObjectStore, to plan: inout ScanPlan
    ) throws {
        let (spec, projected, fields) = try projection(manifest, predicate, metadata)
        guard mayMatch(manifest, projected, fields) else {
            plan.manifestsSkipped += 1
            plan.filesTotal += manifest.liveFilesCount
            plan.filesSkipped += manifest.liveFilesCount
            return
        }
        let places = Dictionary(
            fields.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
        let ids = predicate.fieldIds
        let types = Dictionary(uniqueKeysWithValues: ids.map { ($0, metadata.columnType(id: $0)) })
        let wanted = further.map { ids.union(deletes.equalityFieldIds).union($0) }
        try Manifests.read(manifest, metadata, wanted.map { .fields($0) } ?? .all, store) { entry in
            guard entry.isLive, entry.dataFile.content == .data else { return true }
            plan.filesTotal += 1
            let file = entry.dataFile
            let tuplePasses = Pruning.mayMatch(projected) { id in
                places[id].map { FieldStatistics(exactly: file.partition[$0]) }
            }
            let matches =
                tuplePasses
                && Pruning.mayMatch(predicate) { id in
                    if id == MetadataColumn.file.fieldId { return FieldStatistics(exactly: .string(file.path)) }
                    return (types[id] ?? nil).flatMap { file.statistics(id, $0) }
                }
            if matches {
                plan.tasks.append(
                    try deletes.task(file, sequenceNumber: entry.sequenceNumber ?? 0, spec: spec))
            } else {
                plan.filesSkipped += 1
            }
            return true
        }
    }

    private static func summary(
        _ summaries: [ManifestFile.FieldSummary], _ fields: [Field], _ id: Int
    ) -> FieldStatistics? {
        guard let index = fields.firstIndex(where: { $0.id == id }) else { return nil }
        let summary = summaries[index]
        let type = fields[index].type
        let isFloating = type == .float || type == .double
        var statistics = FieldStatistics(
            lower: summary.lowerBound.flatMap { SingleValue.decode($0, type) },
            upper: summary.upperBound.flatMap { SingleValue.decode($0, type) },
            mayHaveNull: summary.containsNull, mayHaveNaN: isFloating && summary.containsNaN != false)
        statistics.dropNaNBounds()
        return statistics
    }
}

extension DataFile {
    /// What the entry says about a column; nil when it says nothing.
    public func statistics(_ id: Int, _ type: DataType) -> FieldStatistics? {
        var statistics = FieldStatistics()
        statistics.lower = lowerBounds[id].flatMap { SingleValue.decode($0, type) }
        statistics.upper = upperBounds[id].flatMap { SingleValue.decode($0, type) }
        statistics.dropNaNBounds()
        // A column that does not count as float has no NaN.
        statistics.mayHaveNaN = type == .float || type == .double
        if let nans = nanValueCounts[id], nans == 0 { statistics.mayHaveNaN = false }
        guard type.isPrimitive, let nulls = nullValueCounts[id] else { return statistics }
        statistics.mayHaveNull = nulls != 0
        if let values = valueCounts[id], values >= 0, nulls >= values {
            statistics.allNull = true
        } else if let values = valueCounts[id], let nans = nanValueCounts[id], nulls + nans >= values {
            statistics.noneComparable = true
        }
        return statistics
    }
}

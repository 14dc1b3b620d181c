import Base
import Columnar
import Storage

/// One data file to read.
public struct FileScanTask: Sendable {
    /// Counts and bounds of columns are only filled for what the plan asked for.
    public let dataFile: DataFile
    /// The data sequence number.
    public let sequenceNumber: Int64
    /// The spec of the file's partition tuple.
    public let spec: PartitionSpec
}

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
    /// The snapshot has live delete files, though none applies to a task.
    public var hasDeletes = false
}

/// Finds the data files of a snapshot that may hold rows a filter passes.
///
/// 1. A manifest is skipped when its partition summaries exclude the filter.
/// 2. A file is skipped when its partition tuple excludes the filter, or its column bounds do.
/// 3. Delete files that apply to a remaining file cannot be honoured yet: the plan is refused, never wrong.
///
/// Spec: https://iceberg.apache.org/spec/#scan-planning
public enum ScanPlanner {
    /// - Parameters:
    ///   - filter: over field ids of the table; rows that pass are in the planned files.
    ///   - statistics: fill counts and bounds of all columns in the tasks.
    ///
    /// Throws `.unsupported` with code `delete_files`, or `default_values` for a version 3 schema whose columns have
    /// defaults; `.corrupted` for damaged manifests.
    public static func plan(
        metadata: TableMetadata, snapshot: Snapshot, filter: Expression = .alwaysTrue, statistics: Bool = false,
        store: any ObjectStore
    ) throws -> ScanPlan {
        guard !metadata.hasDefaults(schemaId: snapshot.schemaId ?? metadata.currentSchemaId),
            !metadata.hasDefaults(schemaId: metadata.currentSchemaId)
        else {
            throw FirnError(.unsupported, "default_values", "columns with default values cannot be read yet")
        }
        let predicate = filter.withoutNegation { id in
            metadata.columnType(id: id).map { $0 == .float || $0 == .double } ?? true
        }
        let manifests = try Manifests.list(of: snapshot, store: store).filter(\.mayHaveLiveFiles)
        var plan = ScanPlan()
        for manifest in manifests where manifest.content == .data {
            plan.manifestsTotal += 1
            try add(manifest, predicate, metadata, statistics, store, to: &plan)
        }
        for manifest in manifests where manifest.content == .deletes {
            try checkDeletes(manifest, metadata, store, &plan)
        }
        return plan
    }

    private static func add(
        _ manifest: ManifestFile, _ predicate: Expression, _ metadata: TableMetadata, _ statistics: Bool,
        _ store: any ObjectStore, to plan: inout ScanPlan
    ) throws {
        guard let spec = metadata.spec(id: manifest.specId) else {
            throw FirnError(
                .corrupted, "bad_manifest", "a manifest has the unknown partition spec \(manifest.specId)",
                context: ["file": manifest.path])
        }
        let fields = metadata.partitionFields(of: spec)
        let projected = PartitionProjection(spec: spec, columnType: metadata.columnType).project(predicate)
        if let summaries = manifest.partitions, summaries.count == fields.count,
            !Pruning.mayMatch(projected, { summary(summaries, fields, $0) })
        {
            plan.manifestsSkipped += 1
            let files = (manifest.addedFilesCount ?? 0) + (manifest.existingFilesCount ?? 0)
            plan.filesTotal += files
            plan.filesSkipped += files
            return
        }
        let places = Dictionary(
            fields.enumerated().map { ($1.id, $0) }, uniquingKeysWith: { first, _ in first })
        let ids = predicate.fieldIds
        let types = Dictionary(uniqueKeysWithValues: ids.map { ($0, metadata.columnType(id: $0)) })
        try Manifests.read(manifest, metadata, statistics ? .all : .fields(ids), store) { entry in
            guard entry.isLive, entry.dataFile.content == .data else { return true }
            plan.filesTotal += 1
            let file = entry.dataFile
            let tuplePasses = Pruning.mayMatch(projected) { id in
                places[id].map { FieldStatistics(exactly: file.partition[$0]) }
            }
            let matches =
                tuplePasses
                && Pruning.mayMatch(predicate) { id in
                    (types[id] ?? nil).flatMap { file.statistics(id, $0) }
                }
            if matches {
                plan.tasks.append(
                    FileScanTask(dataFile: file, sequenceNumber: entry.sequenceNumber ?? 0, spec: spec))
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

    private static func checkDeletes(
        _ manifest: ManifestFile, _ metadata: TableMetadata, _ store: any ObjectStore, _ plan: inout ScanPlan
    ) throws {
        var hasDeletes = plan.hasDeletes
        let tasks = plan.tasks.map {
            ManifestEntry(
                status: .existing, snapshotId: nil, sequenceNumber: $0.sequenceNumber, fileSequenceNumber: nil,
                dataFile: $0.dataFile)
        }
        try Manifests.read(manifest, metadata, .fields([DeleteFiles.pathFieldId]), store) { delete in
            guard delete.isLive else { return true }
            hasDeletes = true
            if let target = tasks.first(where: { DeleteFiles.applies(delete, to: $0, metadata) }) {
                throw FirnError(
                    .unsupported, "delete_files",
                    "the snapshot has delete files, which cannot be applied yet; compact the table with the engine "
                        + "that wrote them",
                    context: ["file": target.dataFile.path])
            }
            return true
        }
        plan.hasDeletes = hasDeletes
    }
}

extension DataFile {
    /// What the entry says about a column; nil when it says nothing.
    func statistics(_ id: Int, _ type: DataType) -> FieldStatistics? {
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

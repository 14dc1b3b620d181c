import Base
import Columnar

/// Some files of a scan, and where the others are to be had.
public struct ScanPage: Sendable {
    private(set) var items: [Item]
    /// To be handed to `RequestedScan.page(of:)`, in any order.
    public private(set) var planTasks: [String]
    private let scan: RequestedScan

    /// A file, and what is left of the filter for its rows.
    struct Item {
        let task: FileScanTask
        let residual: RowFilter
    }

    /// Files with the same values in their partition have the same left of the filter.
    struct Partition: Hashable {
        let specId: Int
        let values: [Value]

        init(_ task: FileScanTask) {
            specId = task.spec.specId
            values = task.dataFile.partition
        }
    }

    public var tasks: [FileScanTask] { items.map(\.task) }

    init(items: [Item], planTasks: [String], scan: RequestedScan) {
        self.items = items
        self.planTasks = planTasks
        self.scan = scan
    }

    /// Leaves out what a client does not need that wants no more than these many rows.
    mutating func cut(_ rowsMin: Int64) {
        var rows: Int64 = 0
        for (index, item) in items.enumerated() {
            // Rows of which the client may still drop some do not count.
            guard item.residual == .alwaysTrue, let count = item.task.liveRecordCount else { continue }
            rows += min(count, Int64(Int32.max))
            guard rows >= rowsMin else { continue }
            items.removeSubrange((index + 1)...)
            planTasks = []
            return
        }
    }

    /// The members of the protocol's answer. A delete file that several tasks need is there once.
    ///
    /// Spec: https://github.com/apache/iceberg/blob/main/open-api/rest-catalog-open-api.yaml (ScanTasks)
    public var members: [JSONValue.Member] {
        var places: [DeleteFileKey: Int64] = [:]
        var deletes: [JSONValue] = []
        var residuals: [Partition: JSONValue] = [:]
        var shown: [JSONValue] = []
        for item in items {
            let task = item.task
            var references: [JSONValue] = []
            for entry in task.deletes {
                let key = entry.dataFile.deleteKey
                if places[key] == nil {
                    places[key] = Int64(deletes.count)
                    deletes.append(json(of: entry.dataFile))
                }
                references.append(.integer(places[key]!))
            }
            let partition = Partition(task)
            let residual = residuals[partition] ?? item.residual.json
            residuals[partition] = residual
            var members = [JSONValue.Member("data-file", json(of: task.dataFile))]
            if !references.isEmpty { members.append(.init("delete-file-references", .array(references))) }
            members.append(.init("residual-filter", residual))
            shown.append(.object(members))
        }
        var members: [JSONValue.Member] = []
        if !deletes.isEmpty { members.append(.init("delete-files", .array(deletes))) }
        members.append(.init("file-scan-tasks", .array(shown)))
        if !planTasks.isEmpty { members.append(.init("plan-tasks", .array(planTasks.map { .string($0) }))) }
        return members
    }

    private func json(of file: DataFile) -> JSONValue {
        file.json(
            partitionTypes: scan.metadata.spec(id: file.specId).map {
                scan.metadata.partitionFields(of: $0).map(\.type)
            } ?? [], showsStatistics: scan.shows)
    }
}

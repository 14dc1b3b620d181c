import Base

/// What plans would cost and bring, before anything runs.
///
/// Costs are estimates: bytes written are those read less the share of rows known to be deleted; CPU time follows from
/// the throughputs below; memory is what a run is allowed, or less where the files are small.
public struct CompactionForecast: Sendable {
    /// Input bytes a CPU second merges, and sorts (`make bench-compact`).
    public static let mergeBytesPerCPUSecond: Double = 55e6
    public static let sortBytesPerCPUSecond: Double = 25e6
    /// Bounds of memory of one group, as files are joined and as they are sorted.
    public static let mergeMemoryBytes: Int64 = 256 << 20
    public static let sortMemoryBytes: Int64 = 512 << 20

    public struct Place: Hashable, Sendable {
        /// The partition's folders; empty for an unpartitioned table.
        public let path: String
        public let filesBefore: Int
        public let filesAfter: Int
        public let filesMax: Int
        public let bytes: Int64
    }

    public let plans: [CompactionPlan]
    /// The partitions that plans are about, those that lose most files first.
    public let places: [Place]
    public let bounds: CompactionBounds
    public let totals: PlaceTotals
    public let options: CompactionOptions
    private let layout: TableLayout

    public init(_ plans: [CompactionPlan], of state: CompactionState, options: CompactionOptions) {
        self.plans = plans
        self.options = options
        layout = state.layout
        totals = state.totals
        let bounds = state.bounds(options)
        self.bounds = bounds
        places = Dictionary(grouping: plans, by: \.place).map { place, plans in
            let before = state.places[place] ?? PlaceTotals()
            let saved = plans.reduce(0) { $0 + $1.files.count - $1.expectedOutputFiles }
            return Place(
                path: state.layout.path(place), filesBefore: before.files, filesAfter: before.files - saved,
                filesMax: bounds.filesMax(bytes: before.bytes), bytes: before.bytes)
        }.sorted { ($1.filesBefore - $1.filesAfter, $0.path) < ($0.filesBefore - $0.filesAfter, $1.path) }
    }

    public var filesRead: Int { plans.reduce(0) { $0 + $1.files.count } }
    public var filesWritten: Int { plans.reduce(0) { $0 + $1.expectedOutputFiles } }
    public var bytesRead: Int64 { plans.reduce(0) { $0 + $1.bytes } }
    /// Each file by itself, so that huge ones do not overflow.
    public var bytesWritten: Int64 {
        plans.reduce(0) { sum, plan in
            sum + plan.files.reduce(0) { $0 + $1.fileBytes - Int64(Double($1.fileBytes) * $1.deletedShare) }
        }
    }
    public var rowsRead: Int64 { plans.reduce(0) { $0 + $1.rows } }
    /// Rows known to be deleted that the outputs leave out; equality deletes may drop more.
    public var rowsDropped: Int64 { plans.reduce(0) { $0 + $1.deletedRows } }
    /// Data files that every plan of a query has to look at, before and after.
    public var entriesSaved: Int { filesRead - filesWritten }

    public var cpuSeconds: Double {
        plans.reduce(0) {
            $0 + Double($1.bytes)
                / ($1.strategy == .binPack ? Self.mergeBytesPerCPUSecond : Self.sortBytesPerCPUSecond)
        }
    }

    /// Of the largest group.
    public var memoryBytes: Int64 {
        plans.map { plan in
            // Columns in memory are several times as large as in a file.
            let rows = plan.bytes > Int64.max / 8 ? Int64.max : 8 * plan.bytes + (8 << 20)
            return min(rows, plan.strategy == .binPack ? Self.mergeMemoryBytes : Self.sortMemoryBytes)
        }.max() ?? 0
    }

    /// For people; one line a plan, the most pressing first.
    public func text(plansMax: Int = 50) -> String {
        guard !plans.isEmpty else { return "nothing to do\n" }
        var lines = plans.prefix(plansMax).map { $0.explain(spec: layout.spec($0.specId)) }
        if plans.count > plansMax { lines.append("... and \(plans.count - plansMax) more (--output json has all)") }
        let millis = Int64((cpuSeconds * 1000).rounded(.up))
        lines += [
            "",
            "reads       \(filesRead) files, \(ByteText.format(bytesRead)), \(rowsRead) rows",
            "writes      \(filesWritten) files, about \(ByteText.format(bytesWritten))",
            "costs       about \(DurationText.format(milliseconds: max(1, millis))) of one core, "
                + "at most \(ByteText.format(memoryBytes)) of memory a group",
            "gains       \(entriesSaved) fewer files to plan and open (\(totals.files) -> "
                + "\(totals.files - entriesSaved)), \(rowsDropped) deleted rows dropped",
        ]
        if let worst = places.first, places.count > 1 || !worst.path.isEmpty {
            lines.append(
                "partitions  \(places.count); most in \(worst.path.isEmpty ? "the table" : worst.path): "
                    + "\(worst.filesBefore) -> \(worst.filesAfter) files, bound \(worst.filesMax)")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    public var json: JSONValue {
        .object([
            .init("plans", .array(plans.map(json(of:)))),
            .init("files-read", .integer(Int64(filesRead))), .init("files-written", .integer(Int64(filesWritten))),
            .init("bytes-read", .integer(bytesRead)), .init("bytes-written", .integer(bytesWritten)),
            .init("rows-read", .integer(rowsRead)), .init("deleted-rows-dropped", .integer(rowsDropped)),
            .init("cpu-seconds", .double(cpuSeconds)), .init("memory-bytes", .integer(memoryBytes)),
            .init("planning-entries-saved", .integer(Int64(entriesSaved))),
            .init("table-files-before", .integer(Int64(totals.files))),
            .init("table-files-after", .integer(Int64(totals.files - entriesSaved))),
            .init("target-bytes", .integer(bounds.targetBytes)), .init("flush-bytes", .integer(bounds.flushBytes)),
            .init("write-amplification-bound", .double(bounds.amplificationMax)),
            .init(
                "partitions",
                .array(
                    places.map { place in
                        .object([
                            .init("partition", .string(place.path)),
                            .init("files-before", .integer(Int64(place.filesBefore))),
                            .init("files-after", .integer(Int64(place.filesAfter))),
                            .init("files-bound", .integer(Int64(place.filesMax))),
                            .init("bytes", .integer(place.bytes)),
                        ])
                    })),
        ])
    }

    private func json(of plan: CompactionPlan) -> JSONValue {
        let strategy =
            switch plan.strategy {
            case .binPack: "binpack"
            case .sort: "sort"
            case .zOrder: "zorder"
            }
        return .object([
            .init("partition", .string(layout.path(plan.place))), .init("spec-id", .integer(Int64(plan.specId))),
            .init("output-spec-id", .integer(Int64(plan.outputSpecId))),
            .init("strategy", .string(strategy)), .init("reason", .string(plan.reason.rawValue)),
            .init("files", .integer(Int64(plan.files.count))),
            .init("output-files", .integer(Int64(plan.expectedOutputFiles))),
            .init("bytes", .integer(plan.bytes)), .init("rows", .integer(plan.rows)),
            .init("deleted-rows", .integer(plan.deletedRows)),
        ])
    }
}

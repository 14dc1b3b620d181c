import Columnar
import Iceberg

/// One run of the policy: `CompactionPolicy` says what it does.
struct CompactionPlanner {
    let state: CompactionState
    let options: CompactionOptions
    let nowMs: Int64
    let request: CompactionRequest
    let strategy: CompactionStrategy
    private let bounds: CompactionBounds

    /// Why a partition is merged.
    private enum Drive: Comparable {
        /// Only if others are.
        case ready
        case due
        /// By a trigger: while there is a run.
        case triggered
        case cold
    }

    private struct Group {
        let files: [CompactionCandidate]
        let reason: CompactionPlan.Reason
        var isDue = false
    }

    init(
        state: CompactionState, options: CompactionOptions, nowMs: Int64, request: CompactionRequest,
        strategy: CompactionStrategy
    ) {
        self.state = state
        self.options = options
        self.nowMs = nowMs
        self.request = request
        self.strategy = strategy
        bounds = state.bounds(options)
    }

    func plans() -> [CompactionPlan] {
        let included = state.places.filter { request.includes(state.layout.path($0.key)) }
        if request.isForced { return forced(included) }
        var drives: [CompactionPlace: Drive] = [:]
        var withDeletes: [CompactionPlace] = []
        for (place, totals) in included {
            if let drive = drive(place, totals) { drives[place] = drive }
            if totals.filesWithDeletes > 0 { withDeletes.append(place) }
        }
        if !drives.values.contains(where: { $0 > .ready }) { drives = [:] }
        let files = state.candidates(in: Set(drives.keys).union(withDeletes))
        var plans: [(excess: Int, drive: Drive, plan: CompactionPlan)] = []
        var rewritten: [CompactionCandidate] = []
        for (place, candidates) in files {
            let totals = included[place]!
            let dirty = candidates.filter { isDirty($0, totals) }
            let drive = dirty.isEmpty ? drives[place] : max(drives[place] ?? .triggered, .triggered)
            guard let drive else { continue }
            let groups = groups(of: candidates, totals, drive)
            let taken = Set(groups.lazy.flatMap(\.files).map(\.path))
            let excess = bounds.excess(files: totals.files, bytes: totals.bytes)
            plans += groups.map { (excess, drive, plan($0, in: place)) }
            rewritten += dirty.filter { !taken.contains($0.path) }
        }
        plans.sort { ($1.excess, $0.plan.bytes, $0.plan) < ($0.excess, $1.plan.bytes, $1.plan) }
        var bytes: Int64 = 0
        let kept = plans.filter { _, drive, plan in
            bytes += plan.bytes
            return drive > .ready || bytes <= CompactionPolicy.readyBytesMax
        }
        return kept.map(\.plan) + singles(rewritten, .deletes)
    }

    private func isDirty(_ file: CompactionCandidate, _ totals: PlaceTotals) -> Bool {
        file.hasDeletes
            && (file.deletedShare(placeRows: totals.rows) >= options.deletedShareMin
                || file.deleteFiles >= options.deleteFilesMin)
    }

    private func drive(_ place: CompactionPlace, _ totals: PlaceTotals) -> Drive? {
        guard totals.smallFiles >= 2 else { return nil }
        if let newest = state.commits.timeMs(sequence: totals.newestSequence), let wait = options.coldAfterMs,
            nowMs - newest >= wait
        {
            return .cold
        }
        if isTriggered(place, totals) { return .triggered }
        let excess = bounds.excess(files: totals.files, bytes: totals.bytes)
        return excess >= bounds.due ? .due : excess >= bounds.ready ? .ready : nil
    }

    private func isTriggered(_ place: CompactionPlace, _ totals: PlaceTotals) -> Bool {
        if let least = options.inputFilesMin, totals.smallFiles >= least { return true }
        if let least = options.inputBytesMin, totals.smallBytes >= least { return true }
        if let least = options.commitsMin, state.commits.commitsSinceCompaction >= least { return true }
        guard let most = options.ageMsMax else { return false }
        let small = state.candidates(in: [place])[place] ?? []
        let oldest = small.lazy.filter { $0.fileBytes < options.targetBytes }.map(\.sequenceNumber).min()
        return oldest.flatMap { state.commits.timeMs(sequence: $0) }.map { nowMs - $0 >= most } ?? false
    }

    private func groups(of candidates: [CompactionCandidate], _ totals: PlaceTotals, _ drive: Drive) -> [Group] {
        var files = candidates.filter { $0.fileBytes < options.targetBytes }
            .sorted { ($0.fileBytes, $0.path) < ($1.fileBytes, $1.path) }
        var excess = bounds.excess(files: totals.files, bytes: totals.bytes)
        let isDue = drive <= .due
        var groups: [Group] = []
        while files.count >= 2, !isDue || excess >= min(bounds.due, drive == .ready ? bounds.ready : bounds.due) {
            guard let range = fillers(files, totals, groups) ?? run(files, drive, excess) else { break }
            let group = Array(files[range])
            files.removeSubrange(range)
            excess -= group.count - 1
            let bytes = group.reduce(0) { $0 + $1.fileBytes }
            let isFull = bytes >= options.targetBytes - options.targetBytes / 4
            groups.append(
                Group(
                    files: group, reason: drive == .cold ? .cold : isFull ? .full : .tier,
                    isDue: excess + group.count - 1 >= bounds.due))
        }
        return groups
    }

    /// The two smallest files of half the target and more, if what all of those lack makes a whole file. Once a
    /// partition and look.
    private func fillers(
        _ files: [CompactionCandidate], _ totals: PlaceTotals, _ groups: [Group]
    ) -> Range<Int>? {
        let target = Double(options.targetBytes)
        guard groups.isEmpty,
            let first = files.firstIndex(where: { 2 * $0.fileBytes >= options.targetBytes }), first + 1 < files.count,
            files[first].fileBytes + files[first + 1].fileBytes <= options.groupBytesMax
        else { return nil }
        let smaller = files[..<first].reduce(0) { $0 + $1.fileBytes }
        let lacking = Double(totals.files - first) - Double(totals.bytes - smaller) / target
        return lacking >= 1 ? first..<first + 2 : nil
    }

    private func run(_ files: [CompactionCandidate], _ drive: Drive, _ excess: Int) -> Range<Int>? {
        // The table's own number of files is about when to merge more, not about the bound.
        let choice = MergeChoice.best(
            of: files.lazy.map(\.fileBytes), targetBytes: options.targetBytes, bytesMax: options.groupBytesMax,
            filesMin: drive == .triggered ? options.inputFilesMin ?? 2 : 2, filesMax: options.groupFilesMax,
            bitsMin: drive == .cold ? CompactionPolicy.coldBitsMin : 1,
            aim: drive == .cold ? .last : excess >= max(bounds.urgent, bounds.due + 1) ? .relief : .bits)
        if let choice { return 0..<choice.count }
        guard excess >= bounds.urgent, files[0].fileBytes + files[1].fileBytes <= options.groupBytesMax else {
            return nil
        }
        return 0..<2
    }

    private func plan(_ group: Group, in place: CompactionPlace) -> CompactionPlan {
        // Small merges are read and written again soon; only what stays is worth an order.
        let isSmall = group.reason == .tier
        return CompactionPlan(
            specId: place.specId, partition: place.partition, files: group.files.sorted(by: Self.isOlder),
            reason: group.reason, strategy: isSmall ? .binPack : strategy,
            outputSpecId: isSmall ? place.specId : state.layout.specId, targetBytes: options.targetBytes,
            isDue: group.isDue)
    }

    private func singles(_ files: [CompactionCandidate], _ reason: CompactionPlan.Reason) -> [CompactionPlan] {
        files.sorted(by: Self.isOlder).map { plan(Group(files: [$0], reason: reason), in: $0.place) }
    }

    static func isOlder(_ a: CompactionCandidate, _ b: CompactionCandidate) -> Bool {
        (a.sequenceNumber, a.path) < (b.sequenceNumber, b.path)
    }
}

import Columnar
import Iceberg

extension CompactionPlanner {
    /// Everything that is asked for, whatever it costs, place by place.
    ///
    /// 1. Without an order asked for: small files are packed from the smallest up, each group as far as the target goes
    ///    and of two files or more. A file that has deletes and no group is rewritten by itself.
    /// 2. With one: all files that are not in this order yet, or are small, in groups of `sortedTargetsMax` targets.
    /// 3. With `evolves`: files of another spec or sort order than the table's, by themselves where no group has them.
    func forced(_ places: [CompactionPlace: PlaceTotals]) -> [CompactionPlan] {
        var plans: [CompactionPlan] = []
        for (place, files) in state.candidates(in: places.keys) {
            let groups = isOrderAsked ? ordered(files) : packed(files)
            let taken = Set(groups.lazy.joined().map(\.path))
            let left = files.filter { !taken.contains($0.path) }
            plans += groups.map { plan($0, .forced, place) }
            plans += left.filter { $0.hasDeletes }.map { plan([$0], .deletes, place) }
            plans += left.filter { !$0.hasDeletes && request.evolves && isOutdated($0) }
                .map { plan([$0], .evolution, place) }
        }
        return plans.sorted { ($0.reason == .deletes ? 1 : 0, $0) < ($1.reason == .deletes ? 1 : 0, $1) }
    }

    private var isOrderAsked: Bool {
        switch request.layout {
        case .sort, .zOrder: true
        case .automatic, .binPack, nil: false
        }
    }

    private func isOutdated(_ file: CompactionCandidate) -> Bool {
        if file.specId != state.layout.specId { return true }
        guard case .sort(let order) = strategy else { return false }
        return file.sortOrderId != order.orderId
    }

    private func packed(_ files: [CompactionCandidate]) -> [[CompactionCandidate]] {
        let small = files.filter { $0.fileBytes < options.smallBytesBelow }
            .sorted { ($0.fileBytes, $0.path) < ($1.fileBytes, $1.path) }
        return groups(small, bytesMax: options.outputBytesMax).filter { $0.count >= 2 }
    }

    private func ordered(_ files: [CompactionCandidate]) -> [[CompactionCandidate]] {
        var unordered = files
        if case .sort(let order) = strategy {
            unordered = files.filter { $0.sortOrderId != order.orderId || $0.fileBytes < options.smallBytesBelow }
            // One small file in its order has nobody to join.
            if unordered.count == 1, unordered[0].sortOrderId == order.orderId { unordered = [] }
        }
        let (bytesMax, isOver) = options.targetBytes.multipliedReportingOverflow(by: CompactionPolicy.sortedTargetsMax)
        return groups(unordered.sorted(by: Self.isOlder), bytesMax: isOver ? Int64.max : bytesMax)
    }

    /// Cuts files into neighbours within these bytes; one of more is by itself.
    private func groups(_ files: [CompactionCandidate], bytesMax: Int64) -> [[CompactionCandidate]] {
        var groups: [[CompactionCandidate]] = []
        var group: [CompactionCandidate] = []
        var sum: Int64 = 0
        for file in files {
            let bytes = max(file.fileBytes, 1)
            if !group.isEmpty, bytes > bytesMax - sum || group.count >= options.groupFilesMax {
                groups.append(group)
                (group, sum) = ([], 0)
            }
            group.append(file)
            sum = sum.addingReportingOverflow(bytes).partialValue
        }
        return group.isEmpty ? groups : groups + [group]
    }

    private func plan(
        _ files: [CompactionCandidate], _ reason: CompactionPlan.Reason, _ place: CompactionPlace
    ) -> CompactionPlan {
        CompactionPlan(
            specId: place.specId, partition: place.partition, files: files.sorted(by: Self.isOlder), reason: reason,
            strategy: strategy, outputSpecId: state.layout.specId, targetBytes: options.targetBytes)
    }
}

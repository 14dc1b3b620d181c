import Iceberg

/// A table at one snapshot, as far as the policy needs it: what the policy is a function of.
public struct CompactionState: Sendable {
    /// All live data files.
    public let totals: PlaceTotals
    /// By partition.
    public let places: [CompactionPlace: PlaceTotals]
    public let layout: TableLayout
    public let commits: CommitFacts
    /// In the order of the manifest list.
    let manifests: [ManifestFacts]

    /// Data files below the target and those with deletes, of a format that can be rewritten.
    public var candidates: [CompactionCandidate] { manifests.flatMap { $0.parts.flatMap { $0.candidates } } }

    /// Those of some places. Costs a look-up for each manifest and place, however many candidates there are.
    func candidates(in places: some Collection<CompactionPlace>) -> [CompactionPlace: [CompactionCandidate]] {
        var found: [CompactionPlace: [CompactionCandidate]] = [:]
        for place in places {
            for manifest in manifests {
                guard let more = manifest.candidates(in: place), !more.isEmpty else { continue }
                found[place, default: []] += more
            }
        }
        return found
    }

    /// The bounds on a partition's files: for files as the property says or recent commits brought them; else as small
    /// files are now.
    public func bounds(_ options: CompactionOptions) -> CompactionBounds {
        let seen = totals.smallFiles > 0 ? max(1, totals.smallBytes / Int64(totals.smallFiles)) : nil
        return CompactionBounds(
            targetBytes: options.targetBytes,
            flushBytes: options.flushBytes ?? commits.flushBytes ?? seen ?? options.targetBytes >> 10)
    }
}

extension CompactionState {
    /// A table of these data files, all of which can be rewritten, and of `others` that are no candidates.
    init(
        _ files: [CompactionCandidate], others: [CompactionPlace: PlaceTotals] = [:], options: CompactionOptions,
        commits: CommitFacts = CommitFacts(),
        layout: TableLayout = TableLayout()
    ) {
        var facts = ManifestFacts()
        var totals = PlaceTotals()
        for file in files {
            facts.add(file.place) { part in
                part.totals.add(file, options)
                part.candidates.append(file)
            }
            totals.add(file, options)
        }
        var places = others
        for other in others.values { totals += other }
        for part in facts.parts { places[part.place, default: PlaceTotals()] += part.totals }
        self.init(
            totals: totals, places: places,
            layout: layout, commits: commits, manifests: [facts])
    }
}

/// What one data manifest says, by place.
struct ManifestFacts: Sendable {
    struct Part: Sendable {
        let place: CompactionPlace
        var totals = PlaceTotals()
        var candidates: [CompactionCandidate] = []
    }

    private(set) var parts: [Part] = []
    private var indexes: [CompactionPlace: Int] = [:]

    mutating func add(_ place: CompactionPlace, _ change: (inout Part) -> Void) {
        if let index = indexes[place] { return change(&parts[index]) }
        indexes[place] = parts.count
        var part = Part(place: place)
        change(&part)
        parts.append(part)
    }

    func candidates(in place: CompactionPlace) -> [CompactionCandidate]? { indexes[place].map { parts[$0].candidates } }
}

import Base
import Columnar

/// Decides which files are merged, from table metadata alone. A pure function.
///
/// Let `T` be the largest output (`CompactionOptions.outputBytesMax`) and `S` = 0.75 `T`. Files of `S` and more are
/// done. The others, per spec and partition, are sorted by size, smallest first, and cut into groups of neighbours:
///
/// 1. From the smallest file not yet placed, take neighbours while their sum stays within `T`.
/// 2. The longest such run is a group which is either *full*: it has two files or more and sums to `S` or more; or a
///    *tier*: it has `inputFilesMin` files or more, and its largest file is no larger than the rest together.
/// 3. When there is none, that smallest file stays, and 1 continues with the next.
///
/// *Write amplification.* A full group makes a file that is never read again. In a tier every input is at most half
/// of the output, so the file that holds a given row doubles with each tier rewrite. A row that arrives in a file of
/// `b` bytes is therefore rewritten at most `1 + ceil(log2(S / b))` times, however many small files follow it: ten for
/// 1 MiB files and a target of 512 MiB. (With the usual fan-in of five and more it is about half of that. Sizes are
/// taken to add up; where compression makes the output smaller the log counts bytes after it.)
///
/// *Files left.* At rest a partition has at most `2 * bytes / T` files above `T / 2`, and below that at most
/// `inputFilesMin + 2 + log2(S / smallest)`: past the first few, a file that does not fit a tier is larger than all
/// before it together.
///
/// Forced, 2 becomes "two files or more": everything small is packed, whatever it costs.
///
/// A file, of any size, of which `deletedShareMin` of the rows are deleted is rewritten by itself when no group takes
/// it; forced, every file is that has deletes. A rewrite drops that share of the rows, so it pays for itself the sooner
/// the higher the share: at 0.3, a row is rewritten for deletes at most once for every 0.3 rows deleted.
public enum CompactionPolicy {
    /// Rewrites of one row at most, for rows that arrive in files of `fileBytes`; see above.
    public static func rewritesMax(fileBytes: Int64, options: CompactionOptions) -> Int {
        var size = max(fileBytes, 1)
        var rewrites = 1
        while size < options.smallBytesBelow {
            size *= 2
            rewrites += 1
        }
        return rewrites
    }

    /// Plans for a table with these live files, in the order of spec, partition of the oldest file, and size; then
    /// those of files with many deleted rows. Every file is in at most one plan.
    public static func plans(
        _ files: [CompactionCandidate], options: CompactionOptions, isForced: Bool = false
    ) -> [CompactionPlan] {
        struct Place: Hashable {
            let specId: Int
            let partition: [Value]
        }
        var places: [Place] = []
        var smallFiles: [Place: [CompactionCandidate]] = [:]
        for file in files.sorted(by: isOlder) where file.fileBytes < options.smallBytesBelow {
            let place = Place(specId: file.specId, partition: file.partition)
            if smallFiles[place] == nil { places.append(place) }
            smallFiles[place, default: []].append(file)
        }
        let grouped = places.flatMap { place in
            groups(of: smallFiles[place]!, options, isForced).map { group, reason in
                CompactionPlan(
                    specId: place.specId, partition: place.partition, files: group.sorted(by: isOlder),
                    reason: reason)
            }
        }
        let taken = Set(grouped.lazy.flatMap(\.files).map(\.path))
        let dirty = files.sorted(by: isOlder).filter {
            !taken.contains($0.path) && ($0.deletedShare >= options.deletedShareMin || isForced && $0.hasDeletes)
        }
        return grouped
            + dirty.map {
                CompactionPlan(specId: $0.specId, partition: $0.partition, files: [$0], reason: .deletes)
            }
    }

    private static func groups(
        of files: [CompactionCandidate], _ options: CompactionOptions, _ isForced: Bool
    ) -> [(files: [CompactionCandidate], reason: CompactionPlan.Reason)] {
        let sorted = files.sorted { ($0.fileBytes, $0.path) < ($1.fileBytes, $1.path) }
        var groups: [(files: [CompactionCandidate], reason: CompactionPlan.Reason)] = []
        var start = 0
        while start < sorted.count - 1 {
            if let (end, reason) = longestGroup(sorted, from: start, options, isForced) {
                groups.append((Array(sorted[start..<end]), reason))
                start = end
            } else {
                start += 1
            }
        }
        return groups
    }

    private static func longestGroup(
        _ sorted: [CompactionCandidate], from start: Int, _ options: CompactionOptions, _ isForced: Bool
    ) -> (end: Int, reason: CompactionPlan.Reason)? {
        var sum: Int64 = 0
        var longest: (end: Int, reason: CompactionPlan.Reason)?
        for index in start..<min(sorted.count, start + options.groupFilesMax) {
            let bytes = max(sorted[index].fileBytes, 1)
            guard bytes <= options.outputBytesMax - sum else { break }
            let before = sum
            sum += bytes
            let count = index - start + 1
            guard count >= 2 else { continue }
            if isForced {
                longest = (index + 1, .forced)
            } else if sum >= options.smallBytesBelow {
                longest = (index + 1, .full)
            } else if count >= options.inputFilesMin && bytes <= before {
                longest = (index + 1, .tier)
            }
        }
        return longest
    }

    private static func isOlder(_ a: CompactionCandidate, _ b: CompactionCandidate) -> Bool {
        (a.sequenceNumber, a.path) < (b.sequenceNumber, b.path)
    }
}

import Glibc

/// Whether the dictionaries of merged chunks go on to be one dictionary.
///
/// Stored bytes are estimated from what the inputs' footers and dictionaries say, nothing is compressed to find out:
/// 1. A value that a dictionary holds costs its index, and its share of the entries: those expected in the whole chunk,
///    judged by how many of the input's values differ (`DistinctEstimate`).
/// 2. A value without dictionary costs about what an entry does where it is new, and a short match where it repeats.
/// 3. What was expected is compared with what came: a dictionary that goes on to grow after some inputs is given up,
///    for all further chunks of the column too.
struct MergedDictionaries {
    /// A chunk's dictionary and its values.
    struct Input {
        let entries: Int
        let storedBytes: Int
        let values: Int
        /// How many chunks like this one make an output's.
        let chunks: Int

        var entryBytes: Double { Double(storedBytes) / Double(max(1, entries)) }
        var share: Double { Double(entries) / Double(max(1, values)) }
        /// Stored bytes of a value without dictionary.
        var plainBytes: Double { entryBytes * share + min(MergedDictionaries.repeatBytes, entryBytes) * (1 - share) }
    }

    /// What a string or number costs that stood in the page before: a match of the compressor.
    private static let repeatBytes = 2.5
    /// A dictionary with fewer entries than this share of the values always pays.
    private static let obviousShare = 1.0 / 16
    /// Growth means nothing before so many inputs.
    private static let inputsMin = 8

    private var inputs = 0

    /// Whether an output chunk shall begin with a dictionary.
    func beginsWell(_ input: Input) -> Bool {
        guard input.entries > 0, input.values > 0 else { return true }
        if input.share <= Self.obviousShare { return true }
        let all = input.values * max(1, input.chunks)
        let expected = max(
            Double(input.entries),
            DistinctEstimate(values: input.values, distinct: input.entries).distinct(among: all))
        return log2(max(2, expected)) / 8 + input.entryBytes * expected / Double(all) < input.plainBytes
    }

    /// Notes how many entries of an input were new; false when the dictionary grows for nothing.
    mutating func note(_ input: Input, newEntries: Int, entries: Int) -> Bool {
        inputs += 1
        let share = Double(newEntries) / Double(max(1, input.values))
        guard inputs >= Self.inputsMin, share > Self.obviousShare else { return true }
        return log2(Double(max(2, entries))) / 8 + input.entryBytes * share < input.plainBytes
    }
}

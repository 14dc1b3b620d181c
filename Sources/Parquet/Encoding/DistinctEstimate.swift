import Glibc

/// How many distinct values a column chunk will have, judged by its first ones.
///
/// The values are taken for draws from N equally likely ones: of n draws, N (1 - e^(-n/N)) are expected to differ. N is
/// found from what was counted, and answers for any other number of draws.
struct DistinctEstimate {
    /// N; infinite when no value has repeated.
    private let population: Double

    init(values: Int, distinct: Int) {
        guard distinct < values, distinct > 0 else {
            population = distinct > 0 ? .infinity : 0
            return
        }
        let (values, distinct) = (Double(values), Double(distinct))
        // The count grows with N, from N itself; few repeats mean an N of about n² / 2 repeats.
        var low = distinct
        var high = max(2 * distinct, values * values / (values - distinct))
        for _ in 0..<50 {
            let middle = (low + high) / 2
            if Self.expected(middle, values) < distinct { low = middle } else { high = middle }
        }
        population = high
    }

    private static func expected(_ population: Double, _ values: Double) -> Double {
        population * -expm1(-values / population)
    }

    /// Distinct values expected among so many.
    func distinct(among values: Int) -> Double {
        population == .infinity ? Double(values) : population == 0 ? 0 : Self.expected(population, Double(values))
    }
}

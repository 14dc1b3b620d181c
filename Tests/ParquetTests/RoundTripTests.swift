import Testing

@testable import Parquet

@Suite struct RoundTripTests {}

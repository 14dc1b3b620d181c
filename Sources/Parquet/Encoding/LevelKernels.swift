/// Loops over levels of one byte, written so that the compiler turns them into vector code.
enum LevelKernels {
    /// How many of `count` levels equal `wanted`.
    static func count(_ levels: UnsafePointer<UInt8>, _ count: Int, equalTo wanted: UInt8) -> Int {
        let raw = UnsafeRawPointer(levels)
        let pattern = SIMD16(repeating: wanted)
        let ones = SIMD16<UInt8>(repeating: 1)
        var total = 0
        var at = 0
        while at &+ 16 <= count {
            // Sums of up to 255 fit a byte.
            let blocks = min(255, (count &- at) / 16)
            var sums = SIMD16<UInt8>.zero
            for _ in 0..<blocks {
                let block = raw.loadUnaligned(fromByteOffset: at, as: SIMD16<UInt8>.self)
                sums &+= SIMD16<UInt8>.zero.replacing(with: ones, where: block .== pattern)
                at &+= 16
            }
            let words = SIMD16<UInt16>(truncatingIfNeeded: sums)
            total &+= Int(words.wrappedSum())
        }
        for index in at..<count { total &+= levels[index] == wanted ? 1 : 0 }
        return total
    }

    static func greatest(_ levels: UnsafePointer<UInt8>, _ count: Int) -> UInt8 {
        var greatest: UInt8 = 0
        for index in 0..<count { greatest = max(greatest, levels[index]) }
        return greatest
    }

    /// Writes 1 for each level of at least `wanted`, 0 for the others.
    static func reaches(
        _ levels: UnsafePointer<UInt8>, _ count: Int, _ wanted: UInt8, into out: UnsafeMutablePointer<UInt8>
    ) {
        for index in 0..<count { out[index] = levels[index] >= wanted ? 1 : 0 }
    }
}

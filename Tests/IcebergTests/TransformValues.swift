import Base
import Columnar
import TestSupport

@testable import Iceberg

/// Random values of every type that can be a source of a transform, edges included.
enum TransformValues {
    static let types: [DataType] = [
        .boolean, .int, .long, .float, .double, .decimal(precision: 9, scale: 2), .decimal(precision: 38, scale: 0),
        .date, .time, .timestamp, .timestamptz, .timestampNs, .timestamptzNs, .string, .uuid, .fixed(5), .binary,
    ]

    static let transforms: [Transform] = [
        .identity, .void, .year, .month, .day, .hour, .bucket(1), .bucket(16), .bucket(Int(Int32.max)), .truncate(1),
        .truncate(7), .truncate(1000), .truncate(Int(Int32.max)),
    ]

    static func value(_ random: SeededRandom, _ type: DataType) -> Value {
        if random.chance(1, in: 8) { return .null }
        switch type {
        case .boolean: return .boolean(random.chance(1, in: 2))
        case .int: return .int(Int32(truncatingIfNeeded: word(random)))
        case .long: return .long(word(random))
        case .float: return .float([0, -1.5, .infinity, -.infinity, .nan, Float(word(random))].pick(random))
        case .double: return .double([0, -1.5, .infinity, -.infinity, .nan, Double(word(random))].pick(random))
        case .decimal(let precision, let scale):
            let limit = (0..<precision).reduce(Int128(1)) { product, _ in product * 10 }
            return .decimal(Int128(word(random)) * Int128(word(random)) % limit, scale: scale)
        case .date: return .date(Int32(truncatingIfNeeded: word(random) % 3_000_000))
        case .time: return .time(Int64(random.next(below: 86_400_000_000)))
        case .timestamp: return .timestamp(word(random) % 253_402_300_800_000_000)
        case .timestamptz: return .timestamptz(word(random) % 253_402_300_800_000_000)
        case .timestampNs: return .timestampNs(word(random))
        case .timestamptzNs: return .timestamptzNs(word(random))
        case .string:
            return .string(String((0..<random.next(below: 12)).map { _ in Array("ab é😀\u{0}z").pick(random) }))
        case .uuid: return .uuid(UUID(high: UInt64(bitPattern: word(random)), low: UInt64(bitPattern: word(random))))
        case .fixed(let width): return .binary((0..<width).map { _ in UInt8(random.next(below: 256)) })
        default: return .binary((0..<random.next(below: 12)).map { _ in UInt8(random.next(below: 256)) })
        }
    }

    /// Small, large and extreme ones.
    private static func word(_ random: SeededRandom) -> Int64 {
        let wide = Int64(truncatingIfNeeded: random.next())
        return [Int64(random.next(below: 41)) - 20, wide >> 40, wide, .min, .max, 0].pick(random)
    }

    static func column(_ random: SeededRandom, _ type: DataType, rows: Int) -> Column {
        let builder = ColumnBuilder(type)
        for _ in 0..<rows { builder.append(value(random, type)) }
        return builder.finish()
    }
}

extension Array {
    fileprivate func pick(_ random: SeededRandom) -> Element { self[random.next(below: count)] }
}

extension Value {
    /// Equality by bits where floats are compared, so that NaN equals itself.
    func isSame(as other: Value) -> Bool {
        switch (self, other) {
        case (.float(let a), .float(let b)): a.bitPattern == b.bitPattern || a.isNaN && b.isNaN
        case (.double(let a), .double(let b)): a.bitPattern == b.bitPattern || a.isNaN && b.isNaN
        default: self == other
        }
    }
}

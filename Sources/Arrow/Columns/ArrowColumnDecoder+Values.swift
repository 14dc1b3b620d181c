import Base
import Columnar

/// Values of fixed width.
extension ArrowColumnDecoder {
    mutating func values(
        _ field: ArrowField, _ rows: Int, _ live: Buffer<UInt8>?
    ) throws(FirnError) -> Column.Storage {
        let region = try regions.next()
        switch field.type {
        case .bool:
            try region.require((rows + 7) / 8, stride: 1, field)
            try regions.spend(rows, 1)
            return .boolean(Self.map(rows, live) { region.bit($0) })
        case .int(let bits, let signed): return try integers(field, region, rows, live, bits, signed)
        case .float(16):
            try region.require(rows, stride: 2, field)
            try regions.spend(rows, 4)
            return .float(Self.map(rows, live) { Self.half(region.load($0)) })
        case .float(32): return .float(try copy(field, region, rows, live))
        case .float: return .double(try copy(field, region, rows, live))
        case .decimal(let bits): return try decimals(field, region, rows, live, bits)
        case .date(let isDays): return try dates(field, region, rows, live, isDays)
        case .time(let unit, let bits):
            if bits == 32 {
                try region.require(rows, stride: 4, field)
                try regions.spend(rows, 8)
                let scale: Int64 = unit == .seconds ? 1_000_000 : 1000
                return .int64(Self.map(rows, live) { Int64(region.load($0, as: Int32.self)) * scale })
            }
            let times: Buffer<Int64> = try copy(field, region, rows, live)
            return .int64(unit == .nanoseconds ? try divided(times, by: 1000, field) : times)
        case .timestamp(let unit):
            let times: Buffer<Int64> = try copy(field, region, rows, live)
            switch unit {
            case .seconds: return .int64(try multiplied(times, by: 1_000_000, field))
            case .milliseconds: return .int64(try multiplied(times, by: 1000, field))
            case .microseconds, .nanoseconds: return .int64(times)
            }
        case .fixed(let width): return try fixed(field, region, rows, live, width)
        default: preconditionFailure("'\(field.path)' has no fixed width")
        }
    }

    /// What `value` gives for every row with a value, zero elsewhere.
    @inline(__always)
    static func map<T: BitwiseCopyable & ExpressibleByIntegerLiteral>(
        _ rows: Int, _ live: Buffer<UInt8>?, _ value: (Int) -> T
    ) -> Buffer<T> {
        let out = Buffer<T>(capacity: rows)
        let target = out.pointer
        if let live = live?.pointer {
            for row in 0..<rows { target[row] = live[row] == 0 ? 0 : value(row) }
        } else {
            for row in 0..<rows { target[row] = value(row) }
        }
        out.commit(rows)
        return out
    }

    private mutating func copy<T: BitwiseCopyable & ExpressibleByIntegerLiteral>(
        _ field: ArrowField, _ region: ArrowRegion, _ rows: Int, _ live: Buffer<UInt8>?
    ) throws(FirnError) -> Buffer<T> {
        try region.require(rows, stride: MemoryLayout<T>.stride, field)
        try regions.spend(rows, MemoryLayout<T>.stride)
        guard live == nil, rows > 0 else { return Self.map(rows, live) { region.load($0) } }
        let out = Buffer<T>(capacity: rows)
        UnsafeMutableRawPointer(out.pointer).copyMemory(
            from: region.bytes.baseAddress!, byteCount: rows * MemoryLayout<T>.stride)
        out.commit(rows)
        return out
    }

    private mutating func integers(
        _ field: ArrowField, _ region: ArrowRegion, _ rows: Int, _ live: Buffer<UInt8>?, _ bits: Int, _ signed: Bool
    ) throws(FirnError) -> Column.Storage {
        if signed, bits == 32 { return .int32(try copy(field, region, rows, live)) }
        if signed, bits == 64 { return .int64(try copy(field, region, rows, live)) }
        try region.require(rows, stride: bits / 8, field)
        try regions.spend(rows, 16)
        switch (bits, signed) {
        case (8, true): return .int32(Self.map(rows, live) { Int32(region.load($0, as: Int8.self)) })
        case (8, false): return .int32(Self.map(rows, live) { Int32(region.load($0, as: UInt8.self)) })
        case (16, true): return .int32(Self.map(rows, live) { Int32(region.load($0, as: Int16.self)) })
        case (16, false): return .int32(Self.map(rows, live) { Int32(region.load($0, as: UInt16.self)) })
        case (32, _): return .int64(Self.map(rows, live) { Int64(region.load($0, as: UInt32.self)) })
        default: return .decimal(Self.map(rows, live) { Int128(region.load($0, as: UInt64.self)) })
        }
    }

    private mutating func decimals(
        _ field: ArrowField, _ region: ArrowRegion, _ rows: Int, _ live: Buffer<UInt8>?, _ bits: Int
    ) throws(FirnError) -> Column.Storage {
        try region.require(rows, stride: bits / 8, field)
        try regions.spend(rows, 16)
        switch bits {
        case 32: return .decimal(Self.map(rows, live) { Int128(region.load($0, as: Int32.self)) })
        case 64: return .decimal(Self.map(rows, live) { Int128(region.load($0, as: Int64.self)) })
        default:
            // Two words: a 128-bit load of ours may want an alignment that the stream does not have.
            return .decimal(
                Self.map(rows, live) { row in
                    let low = region.load(row * 2, as: UInt64.self)
                    return Int128(region.load(row * 2 + 1, as: Int64.self)) << 64 | Int128(low)
                })
        }
    }

    private mutating func dates(
        _ field: ArrowField, _ region: ArrowRegion, _ rows: Int, _ live: Buffer<UInt8>?, _ isDays: Bool
    ) throws(FirnError) -> Column.Storage {
        if isDays { return .int32(try copy(field, region, rows, live)) }
        let millis: Buffer<Int64> = try copy(field, region, rows, live)
        let days = try divided(millis, by: 86_400_000, field)
        guard days.values.allSatisfy({ Int32(exactly: $0) != nil }) else {
            throw .malformedArrow("a date of '\(field.path)' is out of range")
        }
        return .int32(Self.map(rows, nil) { Int32(truncatingIfNeeded: days[$0]) })
    }

    private mutating func fixed(
        _ field: ArrowField, _ region: ArrowRegion, _ rows: Int, _ live: Buffer<UInt8>?, _ width: Int
    ) throws(FirnError) -> Column.Storage {
        try region.require(rows, stride: width, field)
        try regions.spend(rows, width)
        let out = Buffer<UInt8>(capacity: rows * width)
        if rows > 0 {
            UnsafeMutableRawPointer(out.pointer).copyMemory(
                from: region.bytes.baseAddress!, byteCount: rows * width)
        }
        out.commit(rows * width)
        if let live {
            for row in 0..<rows where live[row] == 0 { (out.pointer + row * width).update(repeating: 0, count: width) }
        }
        return .fixed(out, width: width)
    }

    private func multiplied(
        _ times: Buffer<Int64>, by scale: Int64, _ field: ArrowField
    ) throws(FirnError) -> Buffer<Int64> {
        for row in 0..<times.count {
            let (value, overflow) = times[row].multipliedReportingOverflow(by: scale)
            guard !overflow else { throw .malformedArrow("a timestamp of '\(field.path)' is out of range") }
            times[row] = value
        }
        return times
    }

    /// The format wants dates in milliseconds to be whole days; times in nanoseconds have to be whole microseconds.
    private func divided(
        _ times: Buffer<Int64>, by unit: Int64, _ field: ArrowField
    ) throws(FirnError) -> Buffer<Int64> {
        for row in 0..<times.count {
            let (value, rest) = times[row].quotientAndRemainder(dividingBy: unit)
            guard rest == 0 else {
                throw FirnError(
                    .invalidInput, "inexact", "A value of the Arrow column '\(field.path)' could only be kept rounded.",
                    context: ["column": field.path, "line": String(row + 1)])
            }
            times[row] = value
        }
        return times
    }

    /// IEEE 754 binary16.
    private static func half(_ bits: UInt16) -> Float {
        let sign: Float = bits >> 15 == 0 ? 1 : -1
        let exponent = Int(bits >> 10 & 31)
        let fraction = Float(bits & 1023)
        switch exponent {
        case 0: return sign * fraction * 0x1p-24
        case 31: return fraction == 0 ? sign * .infinity : .nan
        default: return sign * (1024 + fraction) * Float(sign: .plus, exponent: exponent - 25, significand: 1)
        }
    }
}

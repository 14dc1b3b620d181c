import Base

/// Decompresses raw Snappy blocks.
///
/// Format: https://github.com/google/snappy/blob/main/format_description.txt
enum Snappy {
    /// Decompresses `input` into exactly `output.count` bytes; throws `.corrupted` (`bad_snappy`) for anything else.
    static func decompress(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(FirnError) {
        var at = 0
        guard let length = declaredLength(input, &at), length == output.count else {
            throw damaged("its length is not the page's")
        }
        guard output.count > 0, let source = input.baseAddress, let target = output.baseAddress else { return }
        var done = 0
        while at < input.count {
            let tag = input[at]
            at += 1
            let isLiteral = tag & 3 == 0
            var length = Int(tag >> 2) + 1
            var offset = 0
            // Bytes that follow the tag: a long literal's length, or a copy's offset.
            let extra = isLiteral ? max(0, length - 60) : tag & 3 == 3 ? 4 : Int(tag & 3)
            guard extra <= input.count - at else { throw damaged("it ends inside a tag") }
            var number = 0
            for index in 0..<extra { number |= Int(input[at + index]) << (index * 8) }
            at += extra
            if isLiteral {
                if extra > 0 { length = number + 1 }
                guard length <= input.count - at, length <= output.count - done else {
                    throw damaged("a literal passes the end")
                }
                (target + done).copyMemory(from: source + at, byteCount: length)
                at += length
            } else {
                offset = number
                if tag & 3 == 1 {
                    length = Int(tag >> 2 & 7) + 4
                    offset |= Int(tag >> 5) << 8
                }
                guard offset > 0, offset <= done, length <= output.count - done else {
                    throw damaged("a copy reaches outside the block")
                }
                copy(target + done, distance: offset, length: length)
            }
            done += length
        }
        guard done == output.count else { throw damaged("it ends early") }
    }

    /// A copy may overlap its own output, which repeats it.
    private static func copy(_ target: UnsafeMutableRawPointer, distance: Int, length: Int) {
        if distance >= length {
            target.copyMemory(from: target - distance, byteCount: length)
            return
        }
        let bytes = target.assumingMemoryBound(to: UInt8.self)
        for index in 0..<length { bytes[index] = bytes[index &- distance] }
    }

    private static func declaredLength(_ input: UnsafeRawBufferPointer, _ at: inout Int) -> Int? {
        var value = 0
        for shift in stride(from: 0, through: 28, by: 7) {
            guard at < input.count else { return nil }
            let next = input[at]
            at += 1
            value |= Int(next & 0x7f) << shift
            if next & 0x80 == 0 { return value }
        }
        return nil
    }

    private static func damaged(_ message: String) -> FirnError {
        FirnError(.corrupted, "bad_snappy", "snappy data is damaged: \(message)")
    }
}

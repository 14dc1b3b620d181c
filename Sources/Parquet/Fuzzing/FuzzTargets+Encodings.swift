import Base

/// One target an encoding: whatever can be decoded is encoded again and must decode to the same.
extension FuzzTargets {
    static let encodings: [Target] = [
        Target(name: "run-length") { input in tolerate { try runLength(input) } },
        Target(name: "plain") { input in tolerate { try decode(input, .plain) } },
        Target(name: "run-length-booleans") { input in tolerate { try decode(input, .rle) } },
        Target(name: "delta-binary-packed") { input in tolerate { try deltas(input) } },
        Target(name: "delta-length-byte-array") { input in tolerate { try strings(input, isPrefixed: false) } },
        Target(name: "delta-byte-array") { input in tolerate { try strings(input, isPrefixed: true) } },
        Target(name: "byte-stream-split") { input in tolerate { try byteStreamSplit(input) } },
    ]

    /// The first byte is a parameter of the target, the next two a count, the rest is what a page would hold.
    static func parameters(_ input: UnsafeRawBufferPointer) -> (Int, Int, UnsafeRawBufferPointer)? {
        guard input.count >= 3 else { return nil }
        let region = UnsafeRawBufferPointer(rebasing: input[3...])
        return (Int(input[0]), Int(input[1]) | Int(input[2]) << 8, region)
    }

    private static func runLength(_ input: UnsafeRawBufferPointer) throws(FirnError) {
        guard let (parameter, count, region) = parameters(input) else { return }
        let width = parameter % 33
        let values = Buffer<UInt32>(capacity: count)
        try RunLengthDecoder.decode(region, width: width, count: count, into: values.pointer)
        values.commit(count)
        guard width > 0 else { return }
        let encoded = Buffer<UInt8>()
        RunLengthEncoder.encode(UnsafePointer(values.pointer), count: count, width: width, into: encoded)
        let again = Buffer<UInt32>(capacity: count)
        must { () throws(FirnError) in
            try RunLengthDecoder.decode(
                UnsafeRawBufferPointer(encoded.values), width: width, count: count, into: again.pointer)
        }
        again.commit(count)
        precondition(values.array == again.array, "runs change when they are encoded again")
    }

    /// Any encoding, into a column of a physical type that the parameter names.
    private static func decode(_ input: UnsafeRawBufferPointer, _ encoding: ParquetEncoding) throws(FirnError) {
        guard let (parameter, count, region) = parameters(input) else { return }
        var element = ParquetFooter.SchemaElement(name: "c")
        element.physicalType = ParquetPhysicalType(rawValue: Int32(parameter & 7))
        element.typeLength = (parameter >> 3) + 1
        let values = try PhysicalValues(element)
        try values.append(region, encoding, count: count)
        precondition(values.count == count, "another number of values than asked for")
    }

    private static func deltas(_ input: UnsafeRawBufferPointer) throws(FirnError) {
        guard let (parameter, count, region) = parameters(input) else { return }
        let expected = parameter & 2 != 0 ? count : nil
        if parameter & 1 == 0 {
            try deltas(region, expected, Int32.self)
        } else {
            try deltas(region, expected, Int64.self)
        }
    }

    private static func deltas<T: FixedWidthInteger & SignedInteger & BitwiseCopyable>(
        _ region: UnsafeRawBufferPointer, _ count: Int?, _ type: T.Type
    ) throws(FirnError) where T.Magnitude: FixedWidthInteger & UnsignedInteger & BitwiseCopyable {
        let (values, again, encoded) = (Buffer<T>(), Buffer<T>(), Buffer<UInt8>())
        _ = try DeltaBinaryPacked.decode(region, count: count, into: values)
        DeltaBinaryPacked.encode(UnsafePointer(values.pointer), count: values.count, into: encoded)
        _ = must { () throws(FirnError) in
            try DeltaBinaryPacked.decode(UnsafeRawBufferPointer(encoded.values), count: values.count, into: again)
        }
        precondition(values.array == again.array, "differences change when they are encoded again")
    }

    private static func strings(_ input: UnsafeRawBufferPointer, isPrefixed: Bool) throws(FirnError) {
        guard let (_, count, region) = parameters(input) else { return }
        let (offsets, bytes) = (Buffer<Int32>([0]), Buffer<UInt8>())
        let (againOffsets, againBytes) = (Buffer<Int32>([0]), Buffer<UInt8>())
        let encoded = Buffer<UInt8>()
        if isPrefixed {
            try DeltaByteArray.decode(region, count: count, offsets: offsets, bytes: bytes)
            DeltaByteArray.encode(
                UnsafePointer(bytes.pointer), offsets: UnsafePointer(offsets.pointer), count: count, into: encoded)
        } else {
            try DeltaLengthByteArray.decode(region, count: count, offsets: offsets, bytes: bytes)
            DeltaLengthByteArray.encode(
                UnsafePointer(bytes.pointer), offsets: UnsafePointer(offsets.pointer), count: count, into: encoded)
        }
        let page = UnsafeRawBufferPointer(encoded.values)
        must { () throws(FirnError) in
            if isPrefixed {
                try DeltaByteArray.decode(page, count: count, offsets: againOffsets, bytes: againBytes)
            } else {
                try DeltaLengthByteArray.decode(page, count: count, offsets: againOffsets, bytes: againBytes)
            }
        }
        precondition(
            offsets.array == againOffsets.array && bytes.array == againBytes.array,
            "strings change when they are encoded again")
    }

    private static func byteStreamSplit(_ input: UnsafeRawBufferPointer) throws(FirnError) {
        guard let (parameter, count, region) = parameters(input) else { return }
        let width = 1 + parameter % 20
        let (values, encoded) = (Buffer<UInt8>(capacity: count * width), Buffer<UInt8>())
        try ByteStreamSplit.decode(region, count: count, width: width, into: UnsafeMutableRawPointer(values.pointer))
        values.commit(count * width)
        ByteStreamSplit.encode(UnsafeRawPointer(values.pointer), count: count, width: width, into: encoded)
        let again = Buffer<UInt8>(capacity: count * width)
        must { () throws(FirnError) in
            try ByteStreamSplit.decode(
                UnsafeRawBufferPointer(encoded.values), count: count, width: width,
                into: UnsafeMutableRawPointer(again.pointer))
        }
        again.commit(count * width)
        precondition(values.array == again.array, "streams change when they are split again")
    }
}

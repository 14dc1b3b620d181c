import Avro
import Base
import Columnar

/// An Avro object container file as a source of records, some thousands at a time.
struct AvroSource: RecordSource {
    let schema: Schema
    let nullFieldIds: Set<Int>
    /// Before local timestamps came, `timestamp-micros` was the only one there was.
    let instantsAreTimestamps = true
    private let plans: [AvroPlan]
    private var file: AvroFileReader
    private var block: (count: Int, records: ByteReader)?
    /// Bytes of unfolded blocks, and of columns, that may still come.
    private var budget: Int
    private let bytesMax: Int
    private let rowBytes: Int

    /// Records decoded at once.
    private static let rowsMax = 1 << 14

    init(_ body: [UInt8], bytesMax: Int) throws(FirnError) {
        file = try readingBody(.avro) { try AvroFileReader(body, source: "body") }
        var types = AvroTypes(file.schema)
        let (fields, plans) = try types.fields(of: file.schema.root)
        schema = Schema(fields: fields)
        nullFieldIds = types.nullFieldIds
        self.plans = plans
        self.bytesMax = bytesMax
        rowBytes = plans.reduce(1) { $0 + $1.rowBytes }
        budget = bytesMax
    }

    mutating func next(_ wanted: [Int]) throws(FirnError) -> RecordBatch? {
        let builders = wanted.map { ColumnBuilder(schema.fields[$0].type) }
        var places = [ColumnBuilder?](repeating: nil, count: plans.count)
        for (builder, index) in zip(builders, wanted) { places[index] = builder }
        var rows = 0
        do throws(FirnError) {
            while rows < Self.rowsMax, var (left, records) = try currentBlock() {
                let take = min(left, Self.rowsMax - rows)
                var values = AvroValues(reader: records, budget: budget)
                for _ in 0..<take {
                    try values.spend(rowBytes)
                    for index in plans.indices { try values.read(plans[index], into: places[index]) }
                }
                rows += take
                left -= take
                records = values.reader
                budget = values.budget
                guard left > 0 || records.isAtEnd else {
                    throw records.corrupted("bytes follow the last record of a block")
                }
                block = left > 0 ? (left, records) : nil
            }
        } catch {
            throw error.code == "batch_too_large" ? .batchTooLarge(bytesMax) : error.ofBody(.avro)
        }
        guard rows > 0 else { return nil }
        let fields = wanted.map { schema.fields[$0] }
        return RecordBatch(schema: Schema(fields: fields), columns: builders.map { $0.finish() }, rowCount: rows)
    }

    /// The block being read, or the next one that holds a record.
    private mutating func currentBlock() throws(FirnError) -> (Int, ByteReader)? {
        while true {
            if let block { return block }
            guard let next = try file.nextBlock() else { return nil }
            // However small a block is stored, what it unfolds to has to be read.
            budget -= next.records.remaining
            guard budget >= 0 else { throw .batchTooLarge(bytesMax) }
            if next.count > 0 {
                block = next
            } else if !next.records.isAtEnd {
                throw next.records.corrupted("bytes in a block without records")
            }
        }
    }
}

/// Reads values one after the other.
struct AvroValues {
    var reader: ByteReader
    /// Bytes of columns that may still come; items without bytes of their own would otherwise cost nothing.
    var budget: Int

    @inline(__always) mutating func spend(_ bytes: Int) throws(FirnError) {
        budget &-= bytes
        if budget < 0 { throw .batchTooLarge(0) }
    }

    /// Reads a value; nil drops it.
    mutating func read(_ plan: AvroPlan, into builder: ColumnBuilder?) throws(FirnError) {
        switch plan {
        case .null: builder?.appendNull()
        case .optional(let null, let inner):
            if try reader.avroBranch(of: 2) == null {
                builder?.appendNull()
            } else {
                try read(inner, into: builder)
            }
        case .boolean:
            let value = try reader.avroBoolean()
            if case .boolean(let b) = builder?.storage { b.append(value ? 1 : 0) }
            builder?.endValue()
        case .int: put(try reader.avroInt(), builder)
        case .long: put(try reader.avroLong(), builder)
        case .scaled(let scale, let isInt):
            let (value, overflow) = (isInt ? Int64(try reader.avroInt()) : try reader.avroLong())
                .multipliedReportingOverflow(by: scale)
            guard !overflow else { throw reader.corrupted("a time in milliseconds is out of range") }
            put(value, builder)
        case .float:
            let value = try reader.avroFloat()
            if case .float(let b) = builder?.storage { b.append(value) }
            builder?.endValue()
        case .double:
            let value = try reader.avroDouble()
            if case .double(let b) = builder?.storage { b.append(value) }
            builder?.endValue()
        case .bytes, .string: put(try reader.take(try reader.avroLength()), builder)
        case .fixed(let size): put(try reader.take(size), builder)
        case .enumeration(let symbols):
            let symbol = symbols[try reader.avroBranch(of: symbols.count)]
            try spend(symbol.count)
            put(symbol[...], builder)
        case .decimal(let size): try decimal(size, builder)
        case .uuidText: try uuid(builder)
        case .list, .map, .entries, .structure: try nested(plan, builder)
        }
    }

    private mutating func nested(_ plan: AvroPlan, _ builder: ColumnBuilder?) throws(FirnError) {
        switch plan {
        case .list(let item, let bytes):
            var element: ColumnBuilder?
            if case .list(_, let own) = builder?.storage { element = own }
            try blocks(bytes) { values throws(FirnError) in try values.read(item, into: element) }
        case .map(let value, let bytes): try entries(.string, value, bytes, builder)
        case .entries(let key, let value, let bytes): try entries(key, value, bytes, builder)
        case .structure(let members):
            var children: [ColumnBuilder]?
            if case .structure(let own) = builder?.storage { children = own }
            for index in members.indices { try read(members[index], into: children?[index]) }
        default: preconditionFailure("a plain value")
        }
        builder?.endValue()
    }

    private mutating func entries(
        _ key: AvroPlan, _ value: AvroPlan, _ bytes: Int, _ builder: ColumnBuilder?
    ) throws(FirnError) {
        var own: (key: ColumnBuilder, value: ColumnBuilder)?
        if case .map(_, let keys, let values) = builder?.storage { own = (keys, values) }
        try blocks(bytes) { values throws(FirnError) in
            try values.read(key, into: own?.key)
            try values.read(value, into: own?.value)
        }
    }

    private mutating func blocks(
        _ bytes: Int, _ item: (inout AvroValues) throws(FirnError) -> Void
    ) throws(FirnError) {
        while case let count = try reader.avroBlock(), count > 0 {
            for _ in 0..<count {
                try spend(bytes)
                try item(&self)
            }
        }
    }

    @inline(__always) private func put(_ value: Int32, _ builder: ColumnBuilder?) {
        if case .int32(let b) = builder?.storage { b.append(value) }
        builder?.endValue()
    }

    @inline(__always) private func put(_ value: Int64, _ builder: ColumnBuilder?) {
        if case .int64(let b) = builder?.storage { b.append(value) }
        builder?.endValue()
    }

    @inline(__always) private mutating func put(_ value: ArraySlice<UInt8>, _ builder: ColumnBuilder?) {
        switch builder?.storage {
        case .bytes(_, let b), .fixed(let b, _): value.withUnsafeBufferPointer { b.append($0) }
        default: break
        }
        builder?.endValue()
    }

    private mutating func decimal(_ size: Int?, _ builder: ColumnBuilder?) throws(FirnError) {
        let count = if let size { size } else { try reader.avroLength() }
        let bytes = try reader.take(count)
        guard let builder, case .decimal(let b) = builder.storage,
            case .decimal(let precision, _) = builder.type
        else { return }
        let isNegative = bytes.first.map { $0 >= 0x80 } ?? false
        // Bytes before the last sixteen may only repeat the sign.
        let sign: UInt8 = isNegative ? 0xff : 0
        guard bytes.dropLast(16).allSatisfy({ $0 == sign }),
            bytes.count <= 16 || (bytes.suffix(16).first! >= 0x80) == isNegative
        else { throw reader.corrupted("a decimal passes its precision") }
        var value: Int128 = isNegative ? -1 : 0
        for byte in bytes.suffix(16) { value = value << 8 | Int128(byte) }
        guard value.magnitude < Int128.powerOfTen(precision).magnitude else {
            throw reader.corrupted("a decimal passes its precision")
        }
        b.append(value)
        builder.endValue()
    }

    private mutating func uuid(_ builder: ColumnBuilder?) throws(FirnError) {
        let text = try reader.avroString()
        guard let builder, case .fixed(let b, _) = builder.storage else { return }
        guard let value = UUID(text) else { throw reader.corrupted("'\(text.prefix(48))' is no uuid") }
        value.bytes.withUnsafeBufferPointer { b.append($0) }
        builder.endValue()
    }
}

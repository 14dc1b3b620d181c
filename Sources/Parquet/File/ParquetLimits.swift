/// Bounds that a file could otherwise push, each with its reason.
enum ParquetLimits {
    /// Nesting of Thrift values and of the schema tree: deeper than any real schema, shallow enough for the stack.
    static let depthMax = 128
    /// Bytes of a footer: some three hundred thousand column chunks.
    static let footerBytesMax = 64 << 20
    /// Levels are held in one byte each.
    static let levelMax = 255
    /// Rows of a row group and entries of a column chunk: list offsets are 32-bit, levels cost two bytes an entry.
    static let chunkEntriesMax = 1 << 28
    /// A page of nulls takes a few bytes whatever its length, so the entries a chunk may claim start from this ...
    static let chunkEntriesFree = 1 << 20
    /// ... and grow by this for every stored byte.
    static let chunkEntriesPerByte = 1 << 16
    /// Bytes of a page before compression, read or written. Writers make pages of one or some megabytes; what
    /// a codec can unfold from a few bytes knows no such measure.
    static let pageBytesMax = 256 << 20
    /// Page sizes that are asked for stay so far below the bound that one segment of values cannot pass it.
    static let pageBytesTargetMax = 32 << 20
    /// The end of the file fetched at once on opening: footer and, for a small file, everything else.
    static let tailBytes = 64 << 10
    /// Footer and index statistics of byte arrays are cut to this many bytes.
    static let statisticsBytesMax = 64
    /// Bytes of a Bloom filter: parquet-java's bound too.
    static let bloomFilterBytesMax = 128 << 20
    /// Bytes between two wanted ranges that are read along with them: a request to an object store costs as much time
    /// as some hundred kilobytes, and a local file knows no difference.
    static let requestGapBytesMax = 64 << 10
    /// Ranges are merged, and column chunks fetched together, up to this size: it bounds what is held undecoded.
    static let requestBytesTarget = 8 << 20
    /// The first bytes of a Bloom filter of unknown size; its header takes some twenty.
    static let bloomFilterHeaderBytes = 64
    /// Room for byte arrays is made in advance up to this many bytes for every stored one.
    static let reservedBytesPerByte = 32
}

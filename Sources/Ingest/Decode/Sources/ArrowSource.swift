import Arrow
import Base
import Columnar

/// An Arrow stream or file as a source of records. The body must outlive it.
struct ArrowSource: RecordSource {
    let schema: Schema
    let nullFieldIds: Set<Int>
    private var reader: ArrowReader

    init(_ body: UnsafeRawBufferPointer, bytesMax: Int) throws(FirnError) {
        do throws(FirnError) {
            reader = try ArrowReader(body, bytesMax: bytesMax)
        } catch { throw error.ofBody(.arrow) }
        schema = reader.schema
        nullFieldIds = reader.nullFieldIds
    }

    mutating func next(_ wanted: [Int]) throws(FirnError) -> RecordBatch? {
        do throws(FirnError) {
            return try reader.next(columns: wanted)
        } catch { throw error.ofBody(.arrow) }
    }
}

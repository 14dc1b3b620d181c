import Base
import Columnar

/// What in this module meets bytes nobody vouches for, as a function of those bytes; see `FuzzTargets` of Parquet.
package enum ArrowFuzzTargets {
    package struct Target: Sendable {
        package let name: String
        package let run: @Sendable (UnsafeRawBufferPointer) -> Void
    }

    /// The one list.
    package static let all: [Target] = [
        Target(name: "arrow-stream") { input in
            do { try stream(input) } catch let error as FirnError {
                precondition(error.kind != .internal, "an internal error: \(error)")
            } catch { preconditionFailure("an untyped error: \(error)") }
        }
    ]

    package static func target(_ name: String) -> Target? { all.first { $0.name == name } }

    /// Every batch, and what its offsets refer to.
    private static func stream(_ input: UnsafeRawBufferPointer) throws {
        var reader = try ArrowReader(input, bytesMax: 16 << 20)
        let columns = Array(reader.schema.fields.indices)
        while let batch = try reader.next(columns: columns) {
            for row in 0..<min(batch.rowCount, 100) {
                var text: [UInt8] = []
                batch.appendJSON(row: row, into: &text)
            }
            for column in batch.columns { _ = column.taking([Int32](repeating: 0, count: min(1, column.rowCount))) }
        }
    }
}

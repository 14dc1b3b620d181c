import Base
import Columnar
import Synchronization

/// Idle decoders of one table. Building one costs more than decoding a small body.
final class DecoderCache: Sendable {
    private struct Key: Equatable {
        let schemaId: Int
        let settings: DecodeSettings
        let keepsRejected: Bool
        let batchBytesMax: Int
    }

    private struct State {
        var key: Key?
        var idle: [RecordDecoder] = []
    }

    private static let idleMax = 4
    private let state = Mutex(State())

    /// Throws as `decode(_:format:schema:settings:options:)`.
    func decode(
        _ body: [UInt8], format: RecordFormat, schema: Schema, settings: DecodeSettings, options: DecoderOptions
    ) throws(FirnError) -> DecodedBatch {
        let key = Key(
            schemaId: schema.schemaId, settings: settings, keepsRejected: options.keepsRejected,
            batchBytesMax: options.batchBytesMax)
        let idle = state.withLock { $0.key == key ? $0.idle.popLast() : nil }
        let decoder: RecordDecoder
        if let idle {
            decoder = idle
        } else {
            decoder = recordDecoder(schema: schema, settings: settings, options: options)
        }
        let decoded = try decoder.decode(body, format: format)
        state.withLock { state in
            if state.key != key { state = State(key: key) }
            if state.idle.count < Self.idleMax { state.idle.append(decoder) }
        }
        return decoded
    }
}

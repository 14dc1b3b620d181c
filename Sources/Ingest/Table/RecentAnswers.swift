import Base

/// The answers to a producer's latest batches, so that a repeated one gets its first answer again.
struct RecentAnswers: Equatable, Sendable {
    /// Batches remembered of one producer.
    static let batchesMax = 32
    /// Rejections kept of a batch that is not the newest.
    static let rejectionsMax = 20

    private struct Entry: Equatable, Sendable {
        let sequence: Int64
        let answer: StoredAnswer
    }

    private var entries: [Entry] = []

    init() {}

    subscript(_ sequence: Int64) -> StoredAnswer? { entries.last { $0.sequence == sequence }?.answer }

    var newestPosition: UInt64 { entries.last?.answer.position ?? 0 }

    /// Precondition: sequences rise.
    mutating func append(_ sequence: Int64, _ answer: StoredAnswer) {
        if let last = entries.last, last.answer.rejections.count > Self.rejectionsMax {
            entries[entries.count - 1] = Entry(
                sequence: last.sequence,
                answer: StoredAnswer(
                    accepted: last.answer.accepted,
                    rejections: Array(last.answer.rejections.prefix(Self.rejectionsMax)),
                    rejectedCount: last.answer.rejectedCount, deadLettered: last.answer.deadLettered,
                    position: last.answer.position))
        }
        entries.append(Entry(sequence: sequence, answer: answer))
        if entries.count > Self.batchesMax { entries.removeFirst(entries.count - Self.batchesMax) }
    }

    /// JSON for the catalog, of the answers up to a sequence.
    func encode(through sequence: Int64) -> [UInt8] {
        JSONValue.array(
            entries.filter { $0.sequence <= sequence }.map { entry in
                .object([.init("sequence", .integer(entry.sequence)), .init("answer", entry.answer.json)])
            }
        ).serialize()
    }

    /// Reads what `encode` writes; a single answer, of the sequence given, is what earlier versions wrote.
    init(decoding bytes: [UInt8], _ sequence: Int64) throws(FirnError) {
        let json = try JSONValue(parsing: bytes, source: "stored answers")
        guard let items = json.arrayValue else {
            entries = [Entry(sequence: sequence, answer: StoredAnswer(json: json))]
            return
        }
        entries = items.suffix(Self.batchesMax).map { item in
            Entry(sequence: item["sequence"]?.intValue ?? 0, answer: StoredAnswer(json: item["answer"] ?? .null))
        }
    }
}

/// Counts the bytes of records that are not released yet.
///
/// Keeps a mark every `markBytes`, not one a record: a few thousand marks describe gigabytes, and a release is late by
/// one mark at most until everything is released.
struct LogUsage: Sendable {
    private struct Mark {
        let position: UInt64
        let bytes: Int
    }

    static let markBytes = 64 << 10

    private var marks: [Mark] = []
    private var head = 0
    private var written = 0
    private var releasedBytes = 0
    private(set) var lastPosition: UInt64 = 0
    private(set) var releasedPosition: UInt64 = 0

    var bytesInUse: Int { written - releasedBytes }

    /// Counts records that end at `position`.
    mutating func append(through position: UInt64, bytes: Int) {
        written += bytes
        lastPosition = position
        if written - (marks.last?.bytes ?? releasedBytes) >= Self.markBytes {
            marks.append(Mark(position: position, bytes: written))
        }
    }

    mutating func release(through position: UInt64) {
        guard position > releasedPosition else { return }
        releasedPosition = position
        if position >= lastPosition {
            releasedBytes = written
            marks = []
            head = 0
            return
        }
        while head < marks.count, marks[head].position <= position {
            releasedBytes = marks[head].bytes
            head += 1
        }
        if head > 1024 || head == marks.count {
            marks.removeFirst(head)
            head = 0
        }
    }
}

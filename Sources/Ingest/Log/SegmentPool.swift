import Base

/// Makes segment files: reuses released ones, prepares new ones ahead of need.
///
/// A file becomes a segment in this order: all its space reserved, header written; sync; rename to the segment's name;
/// sync of the directory. So writing a record never has to allocate, and a crash leaves either no segment or one with a
/// valid header. When a segment is needed and no file is ready, a short one bridges the gap: where the file system has
/// to fill it with zeros, a whole one would keep appenders waiting.
struct SegmentPool {
    private struct Spare {
        let file: any File
        var filled = 0
    }

    let directory: LogDirectory
    let segmentBytes: Int
    let recycledMax: Int
    private(set) var recycled: [String]
    private var spare: Spare?
    /// Short segments begun since a file was last ready; each is twice as long as the one before.
    private var shortsInARow = 0
    /// A segment that was renamed or removed while the directory is not yet synced.
    private var retiring: (number: UInt64, recycled: String?)?

    init(directory: LogDirectory, options: LogOptions, recycled: [String]) {
        self.directory = directory
        segmentBytes = options.segmentBytes
        recycledMax = options.recycledSegmentsMax
        self.recycled = recycled
    }

    /// True when a file of full length is ready to become a segment.
    var isReady: Bool { !recycled.isEmpty || spare?.filled == segmentBytes }

    /// Reserves and syncs one more slice of the spare file. After a failure the spare is gone, and its space with it.
    mutating func prepareSlice() throws(FirnError) {
        if spare == nil { spare = Spare(file: try directory.files.open(directory.sparePath, .replace)) }
        let file = spare!.file
        let filled = spare!.filled
        let count = min(LogOptions.allocatedBytes, segmentBytes - filled)
        do throws(FirnError) {
            try file.allocate(filled..<filled + count)
            try file.sync()
            spare!.filled = filled + count
        } catch {
            file.close()
            spare = nil
            try? directory.files.remove(directory.sparePath)
            throw error
        }
    }

    /// A new segment, durable and empty, with room for a frame of `frameBytes`; sets the header's file length.
    /// `wasNamed` tells whether a failure may have left a file under the segment's name.
    mutating func begin(
        _ header: inout SegmentHeader, frameBytes: Int, wasNamed: inout Bool
    ) throws(FirnError) -> any File {
        wasNamed = false
        let isShort = !isReady
        let (file, path) = try takeFile()
        do throws(FirnError) {
            header.fileBytes = UInt64(isShort ? shortBytes(frameBytes) : segmentBytes)
            shortsInARow = isShort ? shortsInARow + 1 : 0
            if isShort { try file.allocate(0..<Int(header.fileBytes)) }
            try file.write(header.encode(), at: 0)
            try file.sync()
            file.close()
            wasNamed = true
            try directory.files.rename(path, to: directory.segmentPath(header.number))
            try directory.files.syncDirectory(directory.path)
            // Opened anew so that errors name the segment.
            return try directory.files.open(directory.segmentPath(header.number), .overwritePages)
        } catch {
            if !wasNamed {
                file.close()
                try? directory.files.remove(path)
            }
            throw error
        }
    }

    private mutating func takeFile() throws(FirnError) -> (any File, path: String) {
        if let path = recycled.popLast() { return (try directory.files.open(path, .update), path) }
        if isReady, let file = spare?.file {
            spare = nil
            return (file, directory.sparePath)
        }
        return (try directory.files.open(directory.shortPath, .replace), directory.shortPath)
    }

    private func shortBytes(_ frameBytes: Int) -> Int {
        let needed = (SegmentHeader.byteCount + frameBytes + 4095) & ~4095
        let wanted = max(LogOptions.shortSegmentBytes, segmentBytes / 16) << min(shortsInARow, 4)
        return min(segmentBytes, max(needed, wanted))
    }

    /// Takes a segment out of the log, durably. After a failure the same segment must be tried again before another:
    /// segments have to vanish oldest first.
    mutating func retire(_ number: UInt64, reuse: Bool) throws(FirnError) {
        if retiring?.number != number {
            let path = directory.segmentPath(number)
            var kept: String?
            if reuse, recycled.count < recycledMax, try directory.files.size(path) == segmentBytes {
                let target = directory.recycledPath(number)
                try directory.files.rename(path, to: target)
                kept = target
            } else {
                try directory.files.remove(path)
            }
            retiring = (number, kept)
        }
        try directory.files.syncDirectory(directory.path)
        if let path = retiring?.recycled { recycled.append(path) }
        retiring = nil
    }

    mutating func close() {
        spare?.file.close()
        if spare != nil { try? directory.files.remove(directory.sparePath) }
        spare = nil
    }
}

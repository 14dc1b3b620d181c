import Base
import Columnar
import Iceberg
import Storage

/// 128 bits that stand for a path or a partition, so that a million of them fit in memory: two different ones are as
/// good as never the same.
struct FileKey: Hashable, Sendable {
    let high: UInt64
    let low: UInt64

    init(bytes: [UInt8]) {
        high = XXHash64.hash(bytes)
        low = XXHash64.hash(bytes, seed: 0x9e37_79b9)
    }

    /// Locations of one file are one key, however they are spelled.
    init(path: String) { self.init(bytes: Array(Self.canonical(path).utf8)) }

    /// What an entry stands for: a file, or one deletion vector of a file that may hold several.
    init(_ file: DataFile) {
        guard file.format == "PUFFIN", let offset = file.contentOffset else {
            self.init(path: file.path)
            return
        }
        self.init(bytes: Array("\(Self.canonical(file.path))#\(offset)".utf8))
    }

    /// A partition of a spec.
    init(specId: Int, partition: [Value]) {
        var bytes = Array("\(specId)".utf8)
        for value in partition {
            let encoded = SingleValue.encode(value)
            bytes += Array(":\(encoded?.count ?? -1):".utf8) + (encoded ?? [])
        }
        self.init(bytes: bytes)
    }

    private static func canonical(_ path: String) -> String {
        if path.hasPrefix("file:///"), !path.dropFirst(8).contains("//") { return path }
        return (try? ObjectLocation.normalized(path)) ?? path
    }
}

/// Which manifests hold which live files: finds files that are live twice, and tells whether a file is live.
///
/// 1. A file's first manifest is kept for every file, further ones only for files that have some.
/// 2. A file in two manifests is fine while no snapshot lists both, as after a merge of manifests.
struct LiveFileIndex: Sendable {
    enum Insertion { case new, known, twiceInManifest }

    private var first: [FileKey: Int32] = [:]
    private var more: [FileKey: [Int32]] = [:]

    var count: Int { first.count }

    mutating func insert(_ key: FileKey, manifest: Int) -> Insertion {
        let manifest = Int32(truncatingIfNeeded: manifest)
        guard let known = first[key] else {
            first[key] = manifest
            return .new
        }
        if known == manifest || more[key]?.last == manifest { return .twiceInManifest }
        more[key, default: []].append(manifest)
        return .known
    }

    func manifests(of key: FileKey) -> [Int] {
        guard let known = first[key] else { return [] }
        return [Int(known)] + (more[key] ?? []).map(Int.init)
    }

    func contains(_ key: FileKey) -> Bool { first[key] != nil }

    /// Files in two manifests of one snapshot, with the later manifest and that snapshot.
    ///
    /// - Parameter snapshots: of every manifest, ascending.
    func duplicates(snapshots: [[Int32]]) -> [(key: FileKey, manifest: Int, snapshot: Int)] {
        var shared: [Int64: Int32] = [:]
        func common(_ a: Int32, _ b: Int32) -> Int32 {
            let pair = Int64(a) << 32 | Int64(b)
            if let known = shared[pair] { return known }
            let others = Set(snapshots[Int(b)])
            let found = snapshots[Int(a)].last { others.contains($0) } ?? -1
            shared[pair] = found
            return found
        }
        var found: [(FileKey, Int, Int)] = []
        for (key, rest) in more {
            let all = [first[key]!] + rest
            for index in 1..<all.count {
                guard let snapshot = all[..<index].lazy.map({ common($0, all[index]) }).first(where: { $0 >= 0 })
                else { continue }
                found.append((key, Int(all[index]), Int(snapshot)))
                break
            }
        }
        return found
    }
}

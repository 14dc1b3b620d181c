import Base
import Glibc
import Testing

@testable import Maintenance

/// A busy table on virtual time. `FIRN_SIMULATION_DAYS=365 swift test -c release -Xswiftc -enable-testing --filter
/// SimulationTests` runs the whole year and prints its figures; without the variable it is a day or two.
@Suite struct SimulationTests {
    private static let daysAsked = getenv("FIRN_SIMULATION_DAYS").flatMap { Int(String(cString: $0)) }

    private func show(_ title: String, _ rows: [(String, Any)]) {
        guard Self.daysAsked != nil else { return }
        var text = title + "\n"
        for (name, value) in rows {
            text += "  " + name + String(repeating: " ", count: max(1, 34 - name.count)) + "\(value)\n"
        }
        _ = text.withCString { write(1, $0, strlen($0)) }
    }

    @Test func flushesEverySecond() throws {
        let days = Self.daysAsked ?? 1
        var simulation = FlushSimulation(targetBytes: 128 << 20, seed: 1)
        try simulation.run(days: days)
        let figures = simulation.figures
        let bounds = CompactionBounds(
            targetBytes: 128 << 20, flushBytes: figures.arrivedBytes / Int64(figures.flushes))
        show(
            "\(days) days, a flush each second",
            [
                ("flushes", figures.flushes), ("arrived", ByteText.format(figures.arrivedBytes)),
                ("merges", figures.merges), ("commits of merges", figures.commits),
                ("write amplification", figures.amplification), ("its bound", bounds.amplificationMax),
                ("of it cold partitions", Double(figures.coldBytes) / Double(figures.arrivedBytes)),
                ("of it deletes", Double(figures.deleteBytes) / Double(figures.arrivedBytes)),
                ("partitions", figures.partitions), ("not at rest", figures.openPartitions),
                ("live files", figures.liveFiles), ("live", ByteText.format(figures.liveBytes)),
                ("files above the bound, at worst", figures.overBoundMax),
                ("files of a partition, at worst", figures.filesPerPartitionMax),
            ])
        #expect(figures.overBoundMax <= 0)
        #expect(figures.amplification < bounds.amplificationMax)
        // At rest: full files, and what is left of each partition.
        #expect(figures.liveFiles <= Int(figures.liveBytes >> 27) + figures.partitions * (bounds.tiers / 2 + 1))
        #expect(figures.openPartitions <= 12 * 4 + 4)
        #expect(figures.merges > figures.commits)
    }

    @Test func metadataStaysSmall() throws {
        let days = Self.daysAsked ?? 2
        let simulation = try MetadataSimulation()
        try simulation.run(steps: days * 144)
        let figures = simulation.figures
        let bounds = CompactionBounds(
            targetBytes: MetadataSimulation.targetBytes,
            flushBytes: figures.arrivedBytes / Int64(figures.arrivedFiles))
        show(
            "\(days) days of metadata, a commit every ten minutes",
            [
                ("commits", figures.commits), ("files arrived", figures.arrivedFiles),
                ("replacing commits", figures.replaces), ("write amplification", figures.amplification),
                ("its bound", bounds.amplificationMax), ("live files", figures.liveFiles),
                ("partitions", figures.partitions), ("files above the bound, at worst", figures.overBoundMax),
                ("snapshots, at worst", figures.snapshotsMax),
                ("metadata file bytes, at worst", figures.metadataBytesMax),
                ("manifests, at worst", figures.manifestsMax),
                ("manifest bytes, at worst", figures.manifestBytesMax),
                ("entries a live file, at worst", figures.entriesPerFileMax),
                ("delete files, at worst", figures.deleteFilesMax),
            ])
        #expect(figures.overBoundMax <= 0)
        #expect(figures.amplification < bounds.amplificationMax)
        // Three commits a step at most, over the time kept, and what waits to be worth expiring.
        #expect(figures.snapshotsMax <= 3 * 6 + 6 + 17)
        #expect(figures.metadataBytesMax < 64 << 10)
        #expect(figures.manifestsMax <= 2 * 20 + Int(figures.manifestBytesMax >> 23) + 3)
        #expect(figures.entriesPerFileMax < 4)
        #expect(figures.liveFiles <= figures.partitions * (bounds.tiers + 1) + Int(figures.arrivedBytes >> 23))
    }
}

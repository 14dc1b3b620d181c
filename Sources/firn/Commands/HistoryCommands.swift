import ArgumentParser
import Base
import Catalog
import Iceberg
import Maintenance
import Query

/// A table and its committer.
struct TableArgument: ParsableArguments {
    @OptionGroup var location: WarehouseOptions
    @Argument(help: "namespace.table") var table: String

    func committer() throws -> TableCommitter {
        try location.open().committer(for: TableIdentifier(parsing: table))
    }
}

/// A snapshot as people name it.
enum SnapshotName {
    /// A snapshot id, a branch or tag, or an ISO 8601 time. Throws `.notFound` (`snapshot_not_found`).
    static func find(_ text: String, in table: Table) throws(FirnError) -> Snapshot {
        let name = table.identifier.description
        guard let snapshot = try table.metadata.state(VersionSelector(parsing: text), table: name).snapshot else {
            throw FirnError(.notFound, "snapshot_not_found", "the table has no snapshot yet", context: ["table": name])
        }
        return snapshot
    }
}

struct Rollback: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make an older snapshot current again; nothing is deleted.",
        discussion: """
            The snapshots after it stay until they expire, so "firn rollback --any" can go back to them.

              firn rollback web.clicks 8472910463
              firn rollback web.clicks '2026-01-31T10:00:00Z'
            """)
    @OptionGroup var target: TableArgument
    @Argument(help: "A snapshot id from \"firn snapshots\", a branch or tag, or a time.") var snapshot: String
    @Option(help: "The branch that moves.") var branch = TableMetadata.mainBranch
    @Flag(help: "Allow a snapshot that is no ancestor of the current one.") var any = false

    func run() throws {
        let committer = try target.committer()
        let id = try SnapshotName.find(snapshot, in: committer.table()).snapshotId
        if any {
            _ = try committer.setCurrent(id, branch: branch)
        } else {
            do {
                _ = try committer.rollback(to: id, branch: branch)
            } catch let error as FirnError where error.code == "not_an_ancestor" {
                throw FirnError(
                    error.kind, error.code, error.message + "; --any goes there all the same", context: error.context)
            }
        }
        Console.out("\(committer.identifier) is at snapshot \(id)\n")
    }
}

struct TagCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tag", abstract: "Name snapshots, so that they stay and can be queried by name.",
        discussion: """
            firn tag create web.clicks end-of-january --keep 365d
            firn query "SELECT count(*) FROM web.clicks FOR VERSION AS OF 'end-of-january'"
            """,
        subcommands: [Create.self, Remove.self])

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Name a snapshot.")
        @OptionGroup var target: TableArgument
        @Argument(help: "The tag.") var name: String
        @Option(help: "The snapshot: an id, a branch or tag, or a time. Default: the current one.") var at: String?
        @Option(help: "Drop the tag when its snapshot is this old: 12h, 30d. Default: never.") var keep: String?
        @Flag(help: "Move the tag when it exists.") var replace = false

        func run() throws {
            try ReferenceChange(target, name, .tag, at: at, replace: replace).run {
                $0.maxReferenceAgeMs = try keep.map(DurationText.milliseconds)
            }
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Remove a tag; its snapshot may then expire.")
        @OptionGroup var target: TableArgument
        @Argument(help: "The tag.") var name: String

        func run() throws { try ReferenceChange.remove(target, name, .tag) }
    }
}

struct BranchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "branch", abstract: "Create, move and remove branches of a table's history.",
        discussion: """
            firn branch create web.clicks audit
            firn branch fast-forward web.clicks main --to audit
            """,
        subcommands: [Create.self, FastForward.self, Remove.self])

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Start a branch at a snapshot.")
        @OptionGroup var target: TableArgument
        @Argument(help: "The branch.") var name: String
        @Option(help: "The snapshot: an id, a branch or tag, or a time. Default: the current one.") var at: String?
        @Option(help: "Drop the branch when its head is this old: 12h, 30d. Default: never.") var keep: String?
        @Option(help: "Keep its snapshots for this long.") var keepSnapshots: String?
        @Option(help: "Keep at least so many of its snapshots.") var minSnapshots: Int?
        @Flag(help: "Move the branch when it exists.") var replace = false

        func run() throws {
            try ReferenceChange(target, name, .branch, at: at, replace: replace).run {
                $0.maxReferenceAgeMs = try keep.map(DurationText.milliseconds)
                $0.maxSnapshotAgeMs = try keepSnapshots.map(DurationText.milliseconds)
                $0.minSnapshotsToKeep = minSnapshots
            }
        }
    }

    struct FastForward: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Move a branch to where another branch or tag is, which must hold all of its commits.")
        @OptionGroup var target: TableArgument
        @Argument(help: "The branch that moves.") var name: String
        @Option(help: "The branch or tag to move to.") var to: String

        func run() throws {
            let committer = try target.committer()
            let result = try committer.fastForward(name, to: to)
            let head = result.table.metadata.refs[name]?.snapshotId ?? 0
            Console.out("\(name) of \(committer.identifier) is at snapshot \(head)\n")
        }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove a branch; what only it holds may then expire.")
        @OptionGroup var target: TableArgument
        @Argument(help: "The branch.") var name: String

        func run() throws { try ReferenceChange.remove(target, name, .branch) }
    }
}

struct CherryPick: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cherry-pick", abstract: "Apply what a snapshot of another branch changed.",
        discussion: """
            An append is appended again, a replacement of partitions replaces them again; a snapshot made right on \
            the branch's head becomes the head.
            """)
    @OptionGroup var target: TableArgument
    @Argument(help: "The snapshot: an id, or the branch or tag it is the head of.") var snapshot: String
    @Option(help: "The branch it is applied to.") var onto = TableMetadata.mainBranch

    func run() throws {
        let committer = try target.committer()
        let picked = try SnapshotName.find(snapshot, in: committer.table()).snapshotId
        let result = try committer.cherryPick(picked, onto: onto)
        let head = result.table.metadata.refs[onto]?.snapshotId ?? 0
        Console.out("\(onto) of \(committer.identifier) is at snapshot \(head)\n")
    }
}

/// Creates, moves or removes a branch or tag.
private struct ReferenceChange {
    private let target: TableArgument
    private let name: String
    private let kind: SnapshotReference.Kind
    private let at: String?
    private let replace: Bool

    init(_ target: TableArgument, _ name: String, _ kind: SnapshotReference.Kind, at: String?, replace: Bool) {
        self.target = target
        self.name = name
        self.kind = kind
        self.at = at
        self.replace = replace
    }

    func run(_ settings: (inout SnapshotReference) throws -> Void) throws {
        let committer = try target.committer()
        let table = try committer.table()
        if let known = table.metadata.refs[name] {
            guard known.kind == kind, name != TableMetadata.mainBranch else {
                throw FirnError(.alreadyExists, "reference_exists", "\"\(name)\" is a \(known.kind.rawValue) already")
            }
            guard replace else {
                throw FirnError(
                    .alreadyExists, "reference_exists",
                    "the \(kind.rawValue) \"\(name)\" exists already; --replace moves it")
            }
        }
        guard let snapshot = try at.map({ try SnapshotName.find($0, in: table) }) ?? table.metadata.currentSnapshot
        else {
            throw FirnError(.notFound, "snapshot_not_found", "the table has no snapshot yet")
        }
        var reference = SnapshotReference(snapshotId: snapshot.snapshotId, kind: kind)
        try settings(&reference)
        _ = try committer.setReference(name, reference)
        Console.out("\(kind.rawValue) \(name) of \(committer.identifier) is at snapshot \(snapshot.snapshotId)\n")
    }

    static func remove(_ target: TableArgument, _ name: String, _ kind: SnapshotReference.Kind) throws {
        let committer = try target.committer()
        guard let known = try committer.table().metadata.refs[name], known.kind == kind else {
            throw FirnError(.notFound, "reference_not_found", "the table has no \(kind.rawValue) \"\(name)\"")
        }
        _ = try committer.setReference(name, nil)
        Console.out("removed \(kind.rawValue) \(name) of \(committer.identifier)\n")
    }
}

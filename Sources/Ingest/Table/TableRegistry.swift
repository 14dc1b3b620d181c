import Base
import Catalog

/// The open ingestors: each table has one, whatever it is called, for two would commit the same stretch of the log past
/// each other. Names are only a way to find it.
struct TableRegistry {
    private var byUUID: [UUID: TableIngestor] = [:]
    private var names: [TableIdentifier: UUID] = [:]

    init() {}

    init(_ ingestors: [TableIngestor]) {
        for ingestor in ingestors { _ = add(ingestor, as: ingestor.identifier) }
    }

    var all: [TableIngestor] { Array(byUUID.values) }

    subscript(_ uuid: UUID) -> TableIngestor? { byUUID[uuid] }

    /// What the name was last seen to mean.
    subscript(_ identifier: TableIdentifier) -> TableIngestor? { names[identifier].flatMap { byUUID[$0] } }

    /// Makes the name mean this table; answers the ingestor that the table has already, else the one given.
    mutating func add(_ ingestor: TableIngestor, as identifier: TableIdentifier) -> TableIngestor {
        let known = byUUID[ingestor.tableUUID].flatMap { $0.condition == .dropped ? nil : $0 }
        let chosen = known ?? ingestor
        byUUID[ingestor.tableUUID] = chosen
        names[identifier] = ingestor.tableUUID
        return chosen
    }

    /// Forgets what the name meant; the table's ingestor stays.
    mutating func forget(_ identifier: TableIdentifier) { names[identifier] = nil }

    /// Lets go of tables that are gone.
    mutating func prune() {
        guard byUUID.values.contains(where: { $0.condition == .dropped }) else { return }
        byUUID = byUUID.filter { $0.value.condition != .dropped }
        names = names.filter { byUUID[$0.value] != nil }
    }
}

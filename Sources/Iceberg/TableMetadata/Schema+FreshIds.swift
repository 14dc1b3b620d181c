import Columnar

extension Schema {
    /// The schema with the ids a new table gives its columns: struct by struct from 1. Identifier fields follow theirs
    /// where the ids were unique.
    public var withFreshIds: Schema {
        var ids = FieldIds(after: 0)
        let fresh = ids.assign(fields)
        return Schema(
            schemaId: 0, fields: fresh, identifierFieldIds: identifierFieldIds.compactMap { ids.renumbered[$0] })
    }
}

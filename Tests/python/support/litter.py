"""G9: which files a warehouse should hold, and which it does."""

import sqlite3
from pathlib import Path

from support.readers import sql_catalog


def path_of(location: str) -> str:
    """The file behind a location. Percent signs are part of the name: locations are taken letter for letter."""
    assert location.startswith("file:///"), location
    return location.removeprefix("file://")


def tables_of(warehouse: Path) -> list[str]:
    with sqlite3.connect(f"file:{warehouse}/catalog.db?mode=ro", uri=True, timeout=30) as db:
        rows = db.execute("SELECT table_namespace, table_name FROM iceberg_tables").fetchall()
    return [f"{namespace}.{name}" for namespace, name in rows]


def reachable_files(warehouse: Path) -> set[str]:
    """Everything that some retained snapshot or the metadata log of some table refers to, as PyIceberg sees it."""
    catalog = sql_catalog(warehouse)
    live: set[str] = set()
    for name in tables_of(warehouse):
        table = catalog.load_table(name)
        live.add(path_of(table.metadata_location))
        live.update(path_of(entry.metadata_file) for entry in table.metadata.metadata_log)
        seen: set[str] = set()
        for snapshot in table.metadata.snapshots:
            live.add(path_of(snapshot.manifest_list))
            for manifest in snapshot.manifests(table.io):
                if manifest.manifest_path in seen:
                    continue
                seen.add(manifest.manifest_path)
                live.add(path_of(manifest.manifest_path))
                for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
                    live.add(path_of(entry.data_file.file_path))
    return live


def files_on_disk(warehouse: Path) -> set[str]:
    """Files of tables: everything below the warehouse but the catalog, the lock and the log."""
    root = Path(warehouse)
    found = set()
    for path in root.rglob("*"):
        inside = path.relative_to(root).parts
        if path.is_file() and len(inside) > 1 and inside[0] != "wal":
            found.add(str(path))
    return found


def assert_no_litter(warehouse: Path, foreign: frozenset[str] | set[str] = frozenset()) -> None:
    """`foreign` are paths that another writer began; what it leaves behind after a conflict is its own."""
    live, present = reachable_files(warehouse), files_on_disk(warehouse)
    assert not live - present, f"reachable but missing: {sorted(live - present)[:10]}"
    litter = present - live - foreign
    assert not litter, f"{len(litter)} files nobody refers to: {sorted(litter)[:10]}"

"""G4: tables of every partition transform, type, evolution, way to delete and format version, read by Firn and by four
other engines at every snapshot.

A part of the matrix runs by default; FIRN_MATRIX=full runs all of it (`make matrix`).
"""

import os
import random
import zlib

import pytest
from pyiceberg.table import StaticTable

from support.cli import firn
from support.matrix import TABLE, Cell, Life, State, canonical_rows, cells
from support.parquet_peers import chdb_query
from support.readers import duckdb_connection, metadata_location

FULL = os.environ.get("FIRN_MATRIX") == "full"


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    """chDB opens files below the working directory only."""
    monkeypatch.chdir("/")


def read_firn(warehouse, _location, snapshot: int, state: State) -> list[dict]:
    return firn("query", f"SELECT * FROM {TABLE} FOR VERSION AS OF {snapshot}", warehouse=warehouse).rows()


def read_pyiceberg(_warehouse, location, snapshot: int, _state) -> list[dict]:
    return StaticTable.from_metadata(location).scan(snapshot_id=snapshot).to_arrow().to_pylist()


def read_duckdb(_warehouse, location, snapshot: int, _state) -> list[dict]:
    with duckdb_connection() as connection:
        rows = connection.execute(f"SELECT * FROM iceberg_scan('{location}', snapshot_from_id => {snapshot})")
        return rows.to_arrow_table().to_pylist()


def read_polars(_warehouse, location, snapshot: int, _state) -> list[dict]:
    import polars

    return polars.scan_iceberg(location, snapshot_id=snapshot).collect().to_arrow().to_pylist()


def read_chdb(_warehouse, location, snapshot: int, state: State) -> list[dict]:
    folder, name = location.removeprefix("file://").split("/metadata/")
    setting = f"SETTINGS iceberg_metadata_file_path='metadata/{name}'"
    table = chdb_query(
        f"SELECT * FROM icebergLocal('{folder}', {setting}) SETTINGS iceberg_snapshot_id={snapshot}"
    )
    # ClickHouse calls bytes and text alike strings.
    place = table.column_names.index("bin")
    rows = table.set_column(place, "bin", table.column("bin").cast("binary")).to_pylist()
    for row in rows:
        # Its times of day count seconds.
        row["tm"] = None if row["tm"] is None else row["tm"] * 1_000_000
    return rows


def blunt(kind: str, value):
    """What is left of a value in ClickHouse: whole seconds of a time of day, no null structs, lists and maps."""
    if kind == "time":
        return value and value[:8]
    if kind.startswith("struct"):
        return None if value is None or all(member is None for member in value) else value
    if kind.startswith(("list", "map")):
        return value or None
    return value


READERS = {
    "firn": read_firn, "pyiceberg": read_pyiceberg, "duckdb": read_duckdb, "polars": read_polars, "chdb": read_chdb,
}  # fmt: skip


def gap(engine: str, cell: Cell, has_deletes: bool) -> str | None:
    """What an engine is known not to be able to read."""
    if engine != "chdb":
        return None
    if has_deletes and cell.version == 3:
        return "no deletion vectors up to 26.9"
    fields = cell.partition.replace("(3, ", "(").replace("(2, ", "(").replace("(5, ", "(").count(",") + 1
    if has_deletes and cell.partition and cell.evolves and fields != 2:
        # A logical error of its own: it cannot order partition tuples of different lengths.
        return "position deletes of partition specs with different numbers of fields"
    if cell.partition == "u" or "bin" in cell.partition:
        return "cannot print a partition of bytes that are no text"
    if cell.partition == "truncate(3, big)":
        return "knows no truncation of wide decimals"
    if cell.partition == "tm":
        return "reads a partition's time of day in other units than a file's"
    return None


@pytest.mark.limit(300)
@pytest.mark.parametrize("cell", cells(FULL), ids=str)
def test_every_snapshot_in_every_engine(warehouse, cell):
    life = Life(warehouse, cell, random.Random(zlib.crc32(str(cell).encode()))).run()
    location = metadata_location(warehouse, TABLE)
    compared = 0
    for snapshot, state in life.snapshots.items():
        rows = [dict(row) for row in state.rows.values()]
        expected = canonical_rows(state.columns, rows, "model")
        summary = StaticTable.from_metadata(location).snapshot_by_id(snapshot).summary
        has_deletes = int(summary["total-delete-files"]) > 0
        for engine, read in READERS.items():
            if gap(engine, cell, has_deletes):
                continue
            where = f"{engine}, {cell}, snapshot {snapshot}"
            found = canonical_rows(state.columns, read(warehouse, location, snapshot, state), where)
            assert found.keys() == expected.keys(), f"{where}: {len(found)} rows, not {len(expected)}"
            for key, row in expected.items():
                if found[key] != row:
                    for (name, kind), ours, theirs in zip(state.columns.items(), row, found[key]):
                        if engine == "chdb":
                            ours, theirs = blunt(kind, ours), blunt(kind, theirs)
                        assert theirs == ours, f"{where}: row {key}, {name}: {theirs!r} instead of {ours!r}"
            compared += 1
    assert compared >= 3 * len(life.snapshots)
    assert len(life.snapshots) == 7
    firn("verify", TABLE, "--data", warehouse=warehouse).ok()

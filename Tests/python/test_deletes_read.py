"""Deletes both ways: Firn's are read by the other engines, and those of other engines by Firn."""

import json

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.expressions import EqualTo
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import DoubleType, LongType, NestedField, StringType

from support.cli import firn
from support.forge import Forge
from support.parquet_peers import chdb_query
from support.readers import READERS, assert_same_rows, duckdb_connection, metadata_location

ROWS = [{"id": i, "kind": "abc"[i % 3], "v": None if i % 5 == 0 else i / 4} for i in range(300)]
EXPECTED = pa.schema([("id", pa.int64()), ("kind", pa.string()), ("v", pa.float64())])


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    """chDB opens files below the working directory only."""
    monkeypatch.chdir("/")


def create(warehouse, version: int, partition: str, properties: dict) -> None:
    arguments = ["--partition", partition] if partition else []
    for key, value in ({"format-version": version} | properties).items():
        arguments += ["--property", f"{key}={value}"]
    firn(
        "table", "create", "t.rows", "id long required, kind string, v double", "--identifier", "id", *arguments,
        warehouse=warehouse,
    ).ok()  # fmt: skip
    for part in range(3):
        lines = "".join(json.dumps(row) + "\n" for row in ROWS[part * 100 : part * 100 + 100])
        firn("ingest", "t.rows", "-", stdin=lines, warehouse=warehouse).ok()


def check(warehouse, expected: list[dict], engines=("pyiceberg", "duckdb", "polars", "chdb")) -> None:
    expected = sorted(expected, key=lambda row: row["id"])
    assert firn("query", "SELECT * FROM t.rows ORDER BY id", warehouse=warehouse).rows() == expected
    counted = firn("query", "SELECT count(*) AS n FROM t.rows", warehouse=warehouse).rows()
    assert counted == [{"n": len(expected)}]
    table = pa.Table.from_pylist(expected, schema=EXPECTED)
    for engine in engines:
        if engine == "chdb":
            location = metadata_location(warehouse, "t.rows").removeprefix("file://")
            folder, name = location.split("/metadata/")
            setting = f"SETTINGS iceberg_metadata_file_path='metadata/{name}'"
            rows = chdb_query(f"SELECT * FROM icebergLocal('{folder}', {setting})")
        else:
            rows = READERS[engine](warehouse, "t.rows")
        assert_same_rows(rows, table, engine)


@pytest.mark.parametrize("partition", ["", "kind"])
@pytest.mark.parametrize("granularity", ["partition", "file"])
def test_position_deletes_are_read_everywhere(warehouse, partition, granularity):
    create(warehouse, 2, partition, {"write.delete.granularity": granularity})
    firn("delete", "t.rows", "--where", "id % 7 = 0", warehouse=warehouse).ok()
    left = [row for row in ROWS if row["id"] % 7]
    check(warehouse, left)
    firn("delete", "t.rows", "--where", "id < 20 OR v > 70", warehouse=warehouse).ok()
    left = [row for row in left if row["id"] >= 20 and (row["v"] or 0) <= 70]
    check(warehouse, left)
    firn("compact", "t.rows", warehouse=warehouse).ok()
    check(warehouse, left)


@pytest.mark.parametrize("partition", ["", "kind"])
def test_deletion_vectors_are_read_everywhere(warehouse, partition):
    # ClickHouse knows no deletion vectors yet.
    engines = ("pyiceberg", "duckdb", "polars")
    create(warehouse, 3, partition, {})
    firn("delete", "t.rows", "--where", "id % 7 = 0", warehouse=warehouse).ok()
    left = [row for row in ROWS if row["id"] % 7]
    check(warehouse, left, engines)
    # The second vector of a data file takes up the first.
    firn("delete", "t.rows", "--where", "id % 11 = 1", warehouse=warehouse).ok()
    left = [row for row in left if row["id"] % 11 != 1]
    check(warehouse, left, engines)
    ids = {r["id"]: r for r in firn("query", LINEAGE, warehouse=warehouse).rows()}
    assert len({r["_row_id"] for r in ids.values()}) == len(left)
    firn("compact", "t.rows", warehouse=warehouse).ok()
    check(warehouse, left, (*engines, "chdb"))
    assert {r["id"]: r for r in firn("query", LINEAGE, warehouse=warehouse).rows()} == ids


LINEAGE = "SELECT id, _row_id, _last_updated_sequence_number FROM t.rows"


def test_a_puffin_file_is_shown(warehouse):
    create(warehouse, 3, "", {})
    firn("delete", "t.rows", "--where", "id IN (3, 5, 150)", warehouse=warehouse).ok()
    (puffin,) = warehouse.rglob("*.puffin")
    shown = json.loads(firn("inspect", puffin, "--output", "json").ok().stdout)
    assert {blob["type"] for blob in shown["blobs"]} == {"deletion-vector-v1"}
    assert sorted(blob["cardinality"] for blob in shown["blobs"]) == [1, 2]
    rows = firn("inspect", puffin, "--rows").rows()
    assert sorted(row["pos"] for row in rows) == [3, 5, 50]


# Deletes of other engines


@pytest.fixture
def foreign(tmp_path):
    """A table of PyIceberg with three data files, and its forge."""

    def make(partitioned: bool = False):
        root = tmp_path / "foreign"
        root.mkdir()
        catalog = SqlCatalog("c", uri=f"sqlite:///{root}/c.db", warehouse=f"file://{root}")
        catalog.create_namespace("n")
        schema = Schema(
            NestedField(1, "id", LongType(), required=False), NestedField(2, "kind", StringType(), required=False),
            NestedField(3, "v", DoubleType(), required=False),
        )  # fmt: skip
        spec = PartitionSpec(PartitionField(2, 1000, IdentityTransform(), "kind")) if partitioned else PartitionSpec()
        table = catalog.create_table("n.t", schema, partition_spec=spec, properties={"format-version": "2"})
        for part in range(3):
            rows = ROWS[part * 100 : part * 100 + 100]
            table.append(pa.Table.from_pylist(rows, schema=EXPECTED))
        return Forge(table.metadata_location)

    return make


def check_foreign(warehouse, forge: Forge, left: list[dict], duckdb: bool = True) -> None:
    """Firn and DuckDB agree with what the deletes mean."""
    table = pa.Table.from_pylist(left, schema=EXPECTED)
    if duckdb:
        with duckdb_connection() as connection:
            rows = connection.execute(f"SELECT * FROM iceberg_scan('{forge.location}')").to_arrow_table()
        assert_same_rows(rows, table, "duckdb")
    firn("table", "register", "t.rows", forge.location, warehouse=warehouse).ok()
    rows = firn("query", "SELECT * FROM t.rows ORDER BY id", warehouse=warehouse).rows()
    assert rows == sorted(left, key=lambda row: row["id"])
    some = firn("query", "SELECT id FROM t.rows WHERE id BETWEEN 90 AND 120 ORDER BY id", warehouse=warehouse).rows()
    assert some == sorted(({"id": r["id"]} for r in left if 90 <= r["id"] <= 120), key=lambda row: row["id"])
    # A rewrite applies the deletes for good, and every engine can read what comes of it.
    firn("compact", "t.rows", warehouse=warehouse).ok()
    check(warehouse, left)


def test_foreign_position_deletes(warehouse, foreign):
    forge = foreign()
    files = [file["file_path"] for file in forge.data_files()]
    paths = {path: position for position, path in enumerate(sorted(files))}
    # Unsorted, over several files, some twice, without bounds.
    rows = [(path, (37 * i) % 100) for i in range(40) for path in reversed(sorted(paths))]
    forge = forge.commit([forge.position_file(rows + rows[:10], "pos-a.parquet")])
    own = files[0]
    forge = forge.commit([forge.position_file([(own, 99), (own, 1)], "pos-b.parquet", referenced_data_file=own)])
    with duckdb_connection() as connection:
        base = connection.execute(
            "SELECT filename, file_row_number, id FROM read_parquet(?, filename=true, file_row_number=true)",
            [[path.removeprefix("file://") for path in files]],
        ).fetchall()
    gone = {(path.removeprefix("file://"), p) for path, p in rows} | {(own.removeprefix("file://"), p) for p in (1, 99)}
    kept = {row_id for name, position, row_id in base if (name, position) not in gone}
    check_foreign(warehouse, forge, [row for row in ROWS if row["id"] in kept])


def key_table(rows: list[dict], **fields: tuple[pa.DataType, int]) -> pa.Table:
    return pa.Table.from_pylist(
        rows,
        schema=pa.schema(
            [pa.field(n, kind, metadata={"PARQUET:field_id": str(i)}) for n, (kind, i) in fields.items()]
        ),
    )


def test_foreign_equality_deletes(warehouse, foreign):
    forge = foreign()
    numbers = key_table([{"id": i} for i in range(0, 300, 6)], id=(pa.int64(), 1))
    forge = forge.commit([forge.equality_file(numbers, [1], "eq-a.parquet")])
    pairs = key_table(
        [{"kind": "a", "v": None}, {"kind": "b", "v": 1.75}], kind=(pa.string(), 2), v=(pa.float64(), 3)
    )
    forge = forge.commit([forge.equality_file(pairs, [2, 3], "eq-b.parquet")])
    left = [
        row for row in ROWS if row["id"] % 6 and (row["kind"], row["v"]) not in {("a", None), ("b", 1.75)}
    ]  # fmt: skip
    assert len(left) < 245
    # DuckDB 1.5.5 drops rows too whose key columns are null where the delete's are not.
    check_foreign(warehouse, forge, left, duckdb=False)


def test_foreign_equality_deletes_of_one_column(warehouse, foreign):
    forge = foreign()
    numbers = key_table([{"id": i} for i in range(0, 300, 6)], id=(pa.int64(), 1))
    forge = forge.commit([forge.equality_file(numbers, [1], "eq-a.parquet")])
    check_foreign(warehouse, forge, [row for row in ROWS if row["id"] % 6])


def test_foreign_deletes_in_partitions(warehouse, foreign):
    forge = foreign(partitioned=True)
    numbers = key_table([{"id": i} for i in range(50)], id=(pa.int64(), 1))
    forge = forge.commit([forge.equality_file(numbers, [1], "eq.parquet", partition={"kind": "b"})])
    left = [row for row in ROWS if not (row["kind"] == "b" and row["id"] < 50)]
    paths = [file["file_path"] for file in forge.data_files() if file["partition"]["kind"] == "c"]
    rows = [(path, 0) for path in paths]
    forge = forge.commit([forge.position_file(rows, "pos.parquet", partition={"kind": "c"})])
    # Rows of a partition are in the order they came in.
    firsts = {min(r["id"] for r in ROWS[part * 100 : part * 100 + 100] if r["kind"] == "c") for part in range(3)}
    # DuckDB 1.5.5 applies equality deletes of one partition to all.
    check_foreign(warehouse, forge, [row for row in left if row["id"] not in firsts], duckdb=False)


def test_rows_appended_after_deletes_stay(warehouse, foreign):
    """An equality delete does not touch what was committed after it, nor with it."""
    forge = foreign()
    numbers = key_table([{"id": i} for i in range(10)], id=(pa.int64(), 1))
    forge = forge.commit([forge.equality_file(numbers, [1], "eq.parquet")])
    firn("table", "register", "t.rows", forge.location, warehouse=warehouse).ok()
    again = [{"id": i, "kind": "z", "v": 0.5} for i in range(5)]
    lines = "".join(json.dumps(row) + "\n" for row in again)
    firn("ingest", "t.rows", "-", stdin=lines, warehouse=warehouse).ok()
    left = again + ROWS[10:]
    check(warehouse, left, ("duckdb",))
    firn("compact", "t.rows", warehouse=warehouse).ok()
    check(warehouse, left)


def test_pyiceberg_deletes_beside_firns(warehouse):
    """PyIceberg rewrites files that have Firn's position deletes; neither loses the other's."""
    create(warehouse, 2, "", {})
    firn("delete", "t.rows", "--where", "id % 7 = 0", warehouse=warehouse).ok()
    catalog = SqlCatalog("firn", uri=f"sqlite:///{warehouse}/catalog.db", warehouse=f"file://{warehouse}")
    catalog.load_table("t.rows").delete(EqualTo("kind", "b"))
    left = [row for row in ROWS if row["id"] % 7 and row["kind"] != "b"]
    check(warehouse, left)
    firn("delete", "t.rows", "--where", "id % 5 = 0", warehouse=warehouse).ok()
    check(warehouse, [row for row in left if row["id"] % 5])

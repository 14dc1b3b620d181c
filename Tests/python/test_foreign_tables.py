"""Tables of PyIceberg and DuckDB, partitioned, evolved and with deletes, read at every snapshot and extended by Firn."""

import json
from pathlib import Path

import duckdb
import duckdb_extension_httpfs
import pyarrow as pa
import pytest
from pyiceberg.expressions import EqualTo, LessThan
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import BucketTransform, DayTransform, TruncateTransform
from pyiceberg.types import DoubleType, IntegerType, LongType, NestedField, StringType, TimestampType

from support.cli import firn
from support.readers import READERS, duckdb_connection, sql_catalog
from support.rest_catalog import RestCatalog

TABLE = "f.t"


def read_firn(warehouse, version: str = "") -> list[tuple]:
    rows = firn("query", f"SELECT id, kind, v FROM {TABLE} {version} ORDER BY id", warehouse=warehouse).rows()
    return [(row["id"], row["kind"], row["v"]) for row in rows]


def read_other(warehouse, engine: str, snapshot: int | None = None) -> list[tuple]:
    rows = READERS[engine](warehouse, TABLE, snapshot).select(["id", "kind", "v"]).to_pylist()
    return sorted((row["id"], row["kind"], row["v"]) for row in rows)


def extend(warehouse, expected: dict[int, tuple], engines=("pyiceberg", "duckdb", "polars")) -> None:
    """Everything Firn does to a table, on top of what is there; every engine sees it."""

    def check():
        rows = sorted(expected.values())
        assert read_firn(warehouse) == rows
        for engine in engines:
            assert read_other(warehouse, engine) == rows, engine

    check()
    new = [{"id": 1000 + n, "kind": "z", "v": n / 2} for n in range(20)]
    firn("ingest", TABLE, "-", stdin="".join(json.dumps(row) + "\n" for row in new), warehouse=warehouse).ok()
    expected |= {row["id"]: (row["id"], row["kind"], row["v"]) for row in new}
    check()
    firn("delete", TABLE, "--where", "id % 5 = 2", warehouse=warehouse).ok()
    for key in [key for key in expected if key % 5 == 2]:
        del expected[key]
    check()
    firn("schema", "add", TABLE, "note", "string", "--after", "id", warehouse=warehouse).ok()
    firn("compact", TABLE, warehouse=warehouse).ok()
    check()
    firn("ingest", TABLE, "-", stdin='{"id": 2000, "kind": "y", "v": null, "note": "n"}\n', warehouse=warehouse).ok()
    expected[2000] = (2000, "y", None)
    assert read_firn(warehouse) == sorted(expected.values(), key=lambda row: row[0])


@pytest.fixture
def home(warehouse) -> Path:
    firn("namespace", "create", "f", warehouse=warehouse).ok()
    return warehouse


def test_tables_of_pyiceberg(home):
    catalog = sql_catalog(home)
    schema = Schema(
        NestedField(1, "id", LongType(), required=False), NestedField(2, "kind", StringType(), required=False),
        NestedField(3, "n", IntegerType(), required=False), NestedField(4, "ts", TimestampType(), required=False),
        NestedField(5, "v", DoubleType(), required=False),
    )  # fmt: skip
    spec = PartitionSpec(
        PartitionField(1, 1000, BucketTransform(3), "id_bucket"),
        PartitionField(4, 1001, DayTransform(), "ts_day"),
    )  # fmt: skip
    table = catalog.create_table(TABLE, schema, partition_spec=spec, properties={"format-version": "2"})

    def rows(start: int, stop: int) -> pa.Table:
        base = pa.table({
            "id": pa.array(range(start, stop), pa.int64()), "kind": ["abc"[n % 3] for n in range(start, stop)],
            "n": pa.array(range(start, stop), pa.int32()),
            "ts": pa.array([n * 10**10 - 10**11 for n in range(start, stop)], pa.timestamp("us")),
            "v": [None if n % 4 == 0 else n / 8 for n in range(start, stop)],
        })  # fmt: skip
        return base.cast(table.schema().as_arrow())

    table.append(rows(0, 60))
    table.delete(EqualTo("kind", "b"))
    with table.update_schema() as update:
        update.update_column("n", LongType())
        update.rename_column("ts", "at")
        update.add_column("extra", StringType())
    with table.update_spec() as update:
        update.remove_field("ts_day")
        update.add_field("kind", TruncateTransform(1), "kind_trunc")
    more = pa.table({
        "id": pa.array(range(60, 100), pa.int64()), "kind": ["xyz"[n % 3] for n in range(60, 100)],
        "n": pa.array(range(60, 100), pa.int64()), "at": pa.array([n * 10**10 for n in range(60, 100)], pa.timestamp("us")),
        "v": [n / 8 for n in range(60, 100)], "extra": ["e"] * 40,
    }).cast(table.schema().as_arrow())  # fmt: skip
    table.append(more)
    table.overwrite(more.slice(0, 5), overwrite_filter=LessThan("id", 10))
    for snapshot in table.metadata.snapshots:
        other = read_other(home, "pyiceberg", snapshot.snapshot_id)
        key = lambda row: (row[0], row[1], row[2] is None, row[2] or 0)  # noqa: E731
        ours = read_firn(home, f"FOR VERSION AS OF {snapshot.snapshot_id}")
        assert sorted(ours, key=key) == sorted(other, key=key)
    firn("verify", TABLE, warehouse=home).ok()
    # One row of each id from here on.
    firn("delete", TABLE, "--where", "id BETWEEN 60 AND 64 OR v IS NULL", warehouse=home).ok()
    extend(home, {row[0]: row for row in read_other(home, "pyiceberg")})


def test_tables_of_duckdb(home):
    extension = Path(duckdb_extension_httpfs.__file__).parent / "extensions" / f"v{duckdb.__version__}"
    with RestCatalog(sql_catalog(home)) as rest, duckdb_connection() as connection:
        connection.execute(f"LOAD '{extension / 'httpfs.duckdb_extension'}'")
        connection.execute(f"ATTACH 'w' AS ice (TYPE iceberg, ENDPOINT '{rest.url}', AUTHORIZATION_TYPE 'none')")
        for statement in (
            "CREATE TABLE ice.f.t (id BIGINT, kind VARCHAR, v DOUBLE)",
            "INSERT INTO ice.f.t SELECT i, 'abc'[1 + i % 3], i / 4 FROM range(100) r(i)",
            "DELETE FROM ice.f.t WHERE id % 7 = 0",
            "UPDATE ice.f.t SET v = -1 WHERE id IN (5, 50)",
            "ALTER TABLE ice.f.t ADD COLUMN extra VARCHAR",
            "ALTER TABLE ice.f.t SET PARTITIONED BY (kind)",
            "INSERT INTO ice.f.t SELECT i, 'abc'[1 + i % 3], i / 4, 'x' FROM range(100, 150) r(i)",
            # Only rows of the new spec: DuckDB 1.5.5 files deletes of older data files under the new one, where the
            # spec, PyIceberg, Polars and Firn do not look for them.
            "DELETE FROM ice.f.t WHERE id > 140",
        ):
            try:
                connection.execute(statement)
            except duckdb.Error as error:
                raise AssertionError(f"{statement}: {error}; {rest.failures}") from error
        expected = connection.execute("SELECT id, kind, v FROM ice.f.t ORDER BY id").fetchall()
    metadata = sql_catalog(home).load_table(TABLE).metadata
    assert len(metadata.snapshots) == 5
    for snapshot in metadata.snapshots:
        other = read_other(home, "duckdb", snapshot.snapshot_id)
        assert read_firn(home, f"FOR VERSION AS OF {snapshot.snapshot_id}") == other
    assert read_firn(home) == expected
    extend(home, {row[0]: row for row in expected})

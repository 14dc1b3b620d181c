"""Engines that share no code with Firn, through its REST catalog: Polars, ClickHouse and Sail.

DuckDB, PyIceberg and Spark have files of their own. Sail (540 MB) comes with `make test-engines`; the others with the
environment of the tests.
"""

import json
import subprocess
import sys

import pytest

from support.cli import firn
from support.client import Client, ndjson
from support.readers import READERS
from support.rest import SCHEMA, Rest, pyiceberg_catalog
from support.server import clean_environment
from support.spark import Spark

TABLE = "shop.orders"
ROWS = [{"id": n, "name": f"n{n}"} for n in range(20)]


@pytest.fixture
def server(make_server, warehouse):
    """Not all engines try again what a compaction came before."""
    return make_server(warehouse, options=("--no-compaction",)).start()


@pytest.fixture
def client(server, warehouse) -> Client:
    """A table with rows in two snapshots, deletes beside them, and rows that are in no snapshot yet."""
    rest = Rest(server)
    rest.create_namespace("shop")
    rest.create_table(TABLE)
    client = rest.client
    client.records(TABLE, ndjson(ROWS[:10])).ok()
    client.flush(TABLE)
    client.records(TABLE, ndjson(ROWS[10:] + [{"id": 99, "name": "gone"}])).ok()
    client.flush(TABLE)
    firn("delete", TABLE, "--where", "id = 99", warehouse=warehouse).ok()
    return client


def sorted_rows(found: list) -> list:
    return sorted(found, key=lambda row: row["id"])


# Polars


@pytest.mark.parametrize("planner", ["plugin", "pyiceberg"])
@pytest.mark.parametrize("reader", ["native", "pyiceberg"])
def test_polars_reads(server, client, planner, reader, monkeypatch):
    polars = pytest.importorskip("polars", reason="polars is not installed")
    if planner == "plugin":
        pytest.importorskip("polars_iceberg", reason="polars-iceberg is not installed")
    monkeypatch.setenv("POLARS_ICEBERG_PLANNER", planner)
    client.records(TABLE, ndjson([{"id": 50, "name": "late"}])).ok()

    def read(table, **options):
        return polars.scan_iceberg(table, reader_override=reader, **options)

    table = pyiceberg_catalog(server).load_table(TABLE)
    assert sorted_rows(read(table).collect().to_dicts()) == ROWS + [{"id": 50, "name": "late"}]
    found = read(table).filter(polars.col("id") > 17).select("name").collect()["name"].to_list()
    assert sorted(found) == ["late", "n18", "n19"]
    first = table.snapshots()[0].snapshot_id
    assert sorted_rows(read(table, snapshot_id=first).collect().to_dicts()) == ROWS[:10]


def test_polars_writes(server, client, warehouse):
    polars = pytest.importorskip("polars", reason="polars is not installed")
    table = pyiceberg_catalog(server).load_table(TABLE)
    frame = polars.DataFrame({"id": [100, 101], "name": ["p", "q"]})
    frame.write_iceberg(table, mode="append")
    client.records(TABLE, ndjson([{"id": 102, "name": "r"}])).ok()
    client.flush(TABLE)
    more = [{"id": 100, "name": "p"}, {"id": 101, "name": "q"}, {"id": 102, "name": "r"}]
    for engine, read in READERS.items():
        assert sorted_rows(read(warehouse, TABLE).to_pylist()) == ROWS + more, engine


# ClickHouse

CLICKHOUSE = """
import json, sys
from chdb.session import Session
session = Session()
for statement in json.loads(sys.argv[1]):
    answer = session.query(statement, "JSONEachRow")
    print(json.dumps([json.loads(line) for line in str(answer).splitlines() if line]))
"""


def clickhouse(server, *statements: str, folder) -> list:
    """The rows of each statement, of a ClickHouse with the catalog attached as `lake`."""
    pytest.importorskip("chdb", reason="chdb is not installed")
    attach = (
        "SET allow_experimental_database_iceberg = 1",
        f"CREATE DATABASE lake ENGINE = DataLakeCatalog('{server.url}/iceberg/v1')"
        " SETTINGS catalog_type = 'rest', warehouse = 'warehouse', vended_credentials = 0",
    )
    # In a process of its own: it brings a whole server with signal handlers and threads.
    done = subprocess.run(
        [sys.executable, "-c", CLICKHOUSE, json.dumps([*attach, *statements])], capture_output=True, text=True,
        timeout=100, env=clean_environment(), cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()][len(attach) :]


def test_clickhouse_reads(server, client, tmp_path):
    Rest(server).create_namespace("a", "b")
    client.records(TABLE, ndjson([{"id": 50, "name": "late"}])).ok()
    tables, rows, few = clickhouse(
        server,
        "SHOW TABLES FROM lake",
        f"SELECT id, name FROM lake.`{TABLE}` ORDER BY id SETTINGS output_format_json_quote_64bit_integers = 0",
        f"SELECT count() AS n FROM lake.`{TABLE}` WHERE id BETWEEN 5 AND 7",
        folder=tmp_path,
    )
    assert tables == [{"name": TABLE}]
    assert rows == ROWS + [{"id": 50, "name": "late"}]
    assert int(few[0]["n"]) == 3


# Sail


@pytest.fixture
def sail(server, tmp_path):
    """Sail with the catalog attached as `lake`. It knows UTC by that name only."""
    catalogs = f'[{{type="iceberg-rest", name="lake", uri="{server.url}/iceberg", warehouse="warehouse"}}]'
    environment = {"SAIL_CATALOG__LIST": catalogs, "SAIL_CATALOG__DEFAULT_CATALOG": '"lake"', "TZ": "UTC"}
    sail = Spark("sail", tmp_path / "sail.log", environment)
    yield sail
    sail.close()


def test_sail_reads_and_writes(server, client, sail, warehouse):
    client.records(TABLE, ndjson([{"id": 50, "name": "late"}])).ok()
    found = sorted(sail.sql(f"SELECT id, name FROM lake.{TABLE}"))
    assert found == [[row["id"], row["name"]] for row in ROWS] + [[50, "late"]]
    # Without a location Sail asks for a folder of its own below where it runs, which is refused.
    sail.sql(f"CREATE TABLE lake.shop.t (a BIGINT, b STRING) USING iceberg LOCATION 'file://{warehouse}/shop/t'")
    sail.sql("INSERT INTO lake.shop.t VALUES (1, 'x'), (2, 'y'), (3, 'z'), (4, 'w')")
    sail.sql("DELETE FROM lake.shop.t WHERE a = 3")
    sail.sql("UPDATE lake.shop.t SET b = 'u' WHERE a = 2")
    sail.sql(
        "MERGE INTO lake.shop.t t USING (SELECT * FROM VALUES (1, 'm'), (9, 'new') AS v(a, b)) s ON t.a = s.a"
        " WHEN MATCHED THEN UPDATE SET b = s.b WHEN NOT MATCHED THEN INSERT (a, b) VALUES (s.a, s.b)"
    )
    expected = [(1, "m"), (2, "u"), (4, "w"), (9, "new")]
    assert sorted(map(tuple, sail.sql("SELECT a, b FROM lake.shop.t"))) == expected
    for engine, read in READERS.items():
        assert sorted((row["a"], row["b"]) for row in read(warehouse, "shop.t").to_pylist()) == expected, engine
    client.records("shop.t", ndjson([{"a": 10, "b": "ingested"}])).ok()
    assert sail.sql("SELECT count(*) FROM lake.shop.t") == [[5]]
    sail.sql("DROP TABLE lake.shop.t")
    Rest(server).error("GET", "/namespaces/shop/tables/t", 404, "NoSuchTableException")

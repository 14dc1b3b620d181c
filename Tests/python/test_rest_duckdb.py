"""DuckDB through the REST catalog: it reads and writes whole tables, and several in one transaction."""

import pytest

from support.client import Client, ndjson
from support.readers import READERS
from support.rest import duckdb_catalog, pyiceberg_catalog


@pytest.fixture
def server(make_server, warehouse):
    """DuckDB does not try again what a compaction came before."""
    return make_server(warehouse, options=("--no-compaction",)).start()


@pytest.fixture
def lake(server):
    with duckdb_catalog(server) as lake:
        lake.execute("CREATE SCHEMA lake.shop")
        yield lake


def pairs(warehouse, table) -> dict:
    """The rows as every engine sees them."""
    seen = {
        engine: sorted((row["a"], row["b"]) for row in read(warehouse, table).to_pylist())
        for engine, read in READERS.items()
    }
    first = seen["pyiceberg"]
    assert all(found == first for found in seen.values()), seen
    return first


def test_rows_are_inserted_updated_deleted_and_merged(lake, warehouse):
    lake.execute("CREATE TABLE lake.shop.t (a INTEGER, b VARCHAR)")
    lake.execute("INSERT INTO lake.shop.t VALUES (1, 'x'), (2, 'y'), (3, 'z')")
    lake.execute("INSERT INTO lake.shop.t SELECT i, 'r' FROM range(10, 15) r(i)")
    assert lake.execute("SELECT count(*) FROM lake.shop.t").fetchone() == (8,)
    lake.execute("DELETE FROM lake.shop.t WHERE a >= 12")
    lake.execute("UPDATE lake.shop.t SET b = 'u' WHERE a = 2")
    lake.execute(
        "MERGE INTO lake.shop.t AS t USING (VALUES (1, 'm'), (99, 'new')) AS s(a, b) ON t.a = s.a"
        " WHEN MATCHED THEN UPDATE SET b = s.b WHEN NOT MATCHED THEN INSERT VALUES (s.a, s.b)"
    )
    expected = [(1, "m"), (2, "u"), (3, "z"), (10, "r"), (11, "r"), (99, "new")]
    assert lake.execute("SELECT a, b FROM lake.shop.t ORDER BY a").fetchall() == expected
    assert pairs(warehouse, "shop.t") == expected


def test_tables_are_made_from_queries_altered_and_dropped(lake, warehouse):
    lake.execute("CREATE TABLE lake.shop.made AS SELECT i::INTEGER AS a, 'v' || i AS b FROM range(100) r(i)")
    assert len(pairs(warehouse, "shop.made")) == 100
    lake.execute("ALTER TABLE lake.shop.made ADD COLUMN c DOUBLE")
    lake.execute("INSERT INTO lake.shop.made VALUES (100, 'w', 1.5)")
    assert lake.execute("SELECT count(*), count(c) FROM lake.shop.made").fetchone() == (101, 1)
    with pytest.raises(Exception, match="(?i)exist"):
        lake.execute("CREATE TABLE lake.shop.made (a INTEGER)")
    names = lake.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'lake'").fetchall()
    assert names == [("made",)]
    lake.execute("DROP TABLE lake.shop.made")
    assert not (warehouse / "shop/made/none").exists()
    with pytest.raises(Exception):
        lake.execute("SELECT * FROM lake.shop.made")
    lake.execute("DROP SCHEMA lake.shop")


def test_several_tables_change_together_or_not_at_all(lake, server, warehouse):
    for name in ("one", "two"):
        lake.execute(f"CREATE TABLE lake.shop.{name} (a INTEGER, b VARCHAR)")
    lake.execute("BEGIN")
    lake.execute("INSERT INTO lake.shop.one VALUES (1, 'x')")
    lake.execute("INSERT INTO lake.shop.two VALUES (2, 'y')")
    lake.execute("COMMIT")
    assert pairs(warehouse, "shop.one") == [(1, "x")] and pairs(warehouse, "shop.two") == [(2, "y")]
    lake.execute("BEGIN")
    lake.execute("INSERT INTO lake.shop.one VALUES (3, 'x')")
    lake.execute("ROLLBACK")
    lake.execute("BEGIN")
    lake.execute("INSERT INTO lake.shop.one VALUES (4, 'x')")
    lake.execute("DELETE FROM lake.shop.two WHERE a = 2")
    # Somebody else changes one of the two meanwhile.
    pyiceberg_catalog(server).load_table("shop.two").delete("a = 2")
    with pytest.raises(Exception, match="(?i)commit"):
        lake.execute("COMMIT")
    assert pairs(warehouse, "shop.one") == [(1, "x")] and pairs(warehouse, "shop.two") == []


def test_a_table_that_is_made_and_filled_in_a_transaction(lake, warehouse):
    lake.execute("BEGIN")
    lake.execute("CREATE TABLE lake.shop.t (a INTEGER, b VARCHAR)")
    lake.execute("INSERT INTO lake.shop.t VALUES (1, 'x')")
    lake.execute("COMMIT")
    assert pairs(warehouse, "shop.t") == [(1, "x")]


def test_streamed_rows_are_read_and_changed(lake, server, warehouse):
    client = Client(server)
    client.create_table("shop.s", "a int, b string")
    client.records("shop.s", ndjson({"a": n, "b": "s"} for n in range(10))).ok()
    assert lake.execute("SELECT count(*) FROM lake.shop.s").fetchone() == (10,)
    client.records("shop.s", ndjson({"a": n, "b": "s"} for n in range(10, 20))).ok()
    lake.execute("DELETE FROM lake.shop.s WHERE a % 2 = 0")
    client.records("shop.s", ndjson([{"a": 21, "b": "t"}])).ok()
    assert lake.execute("SELECT count(*), sum(a) FROM lake.shop.s").fetchone() == (11, 121)
    assert len(pairs(warehouse, "shop.s")) == 11

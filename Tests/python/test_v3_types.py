"""Tables of format version 3: nanoseconds, defaults, unknown and variant, read by Firn and by engines of others."""

import datetime
import json
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.cli import firn
from support.readers import READERS, duckdb_connection, metadata_location, sql_catalog

TABLE = "app.v3"
SCHEMA = (
    "id long required, v variant, ts timestamptz_ns, t timestamp_ns, x unknown, qty int required default 0,"
    " name string default 'none', price decimal(6,2) default '1.50'"
)
DOCUMENTS = {
    1: {"a": 1, "b": ["x", None, 1.5], "c": {"deep": [[], {}]}},
    2: "text",
    3: [1, 2, 300, 70000, 5_000_000_000],
    4: True,
    5: None,
    # DuckDB prints decimals below one without their zero, which is no JSON, so there is none here.
    6: {"ü \"quoted\"": -12.001, "long": "y" * 100},
}
INSTANTS = {1: "2026-01-01T00:00:00.123456789Z", 2: "1969-12-31T23:59:59.999999999Z", 3: "2262-04-11T23:47:16.854775807Z"}


def records() -> str:
    lines = []
    for number, document in DOCUMENTS.items():
        record = {"id": number, "v": document}
        if number in INSTANTS:
            record |= {"ts": INSTANTS[number], "t": INSTANTS[number][:-1]}
        if number == 2:
            record |= {"qty": 5, "name": None, "price": "9.99"}
        lines.append(json.dumps(record))
    return "\n".join(lines)


@pytest.fixture
def table(warehouse) -> Path:
    firn("table", "create", TABLE, SCHEMA, "--property", "format-version=3", warehouse=warehouse).ok()
    firn("ingest", TABLE, "-", warehouse=warehouse, stdin=records()).ok()
    return warehouse


def data_files(warehouse: Path) -> list[str]:
    return sorted(str(path) for path in warehouse.rglob("*.parquet"))


def test_firn_reads_what_it_wrote(table):
    rows = firn("query", f"SELECT * FROM {TABLE} ORDER BY id", warehouse=table).rows()
    assert [row["v"] for row in rows] == list(DOCUMENTS.values())
    assert [row["ts"] for row in rows[:3]] == list(INSTANTS.values())
    assert all(row["x"] is None for row in rows)
    assert [row["qty"] for row in rows] == [0, 5, 0, 0, 0, 0]
    assert [row["name"] for row in rows] == ["none", None, "none", "none", "none", "none"]
    assert [row["price"] for row in rows] == ["1.50", "9.99", "1.50", "1.50", "1.50", "1.50"]


def test_variants_are_json_in_sql(table):
    rows = firn(
        "query", f"SELECT id, v->>'a' AS a, json_extract(v, '$.b[2]') AS b, json_type(v) AS kind FROM {TABLE} ORDER BY id",
        warehouse=table,
    ).rows()  # fmt: skip
    assert rows[0] == {"id": 1, "a": 1, "b": 1.5, "kind": "object"}
    assert [row["kind"] for row in rows] == ["object", "text", "array", "true", None, "object"]


def test_nanoseconds_compare_exactly(table):
    for condition, found in (
        ("ts = '2026-01-01T00:00:00.123456789Z'", [1]), ("ts > '2026-01-01T00:00:00.123456788Z'", [1, 3]),
        ("ts < '1970-01-01T00:00:00Z'", [2]), ("t >= '2262-04-11T23:47:16.854775807'", [3]),
    ):  # fmt: skip
        rows = firn("query", f"SELECT id FROM {TABLE} WHERE {condition} ORDER BY id", warehouse=table).rows()
        assert [row["id"] for row in rows] == found, condition


def test_parquet_files_are_those_of_the_specification(table):
    (path,) = data_files(table)
    schema = pq.ParquetFile(path).schema
    assert "unknown" not in str(schema) and "x" not in pq.ParquetFile(path).schema_arrow.names
    text = str(schema)
    assert "required binary field_id=-1 metadata" in text and "required binary field_id=-1 value" in text
    assert pq.ParquetFile(path).schema_arrow.field("ts").type == pa.timestamp("ns", "UTC")
    assert pq.ParquetFile(path).schema_arrow.field("t").type == pa.timestamp("ns")
    column = pq.read_table(path, columns=["id", "ts", "qty", "name", "price"]).sort_by("id")
    assert column["ts"].cast(pa.int64()).to_pylist()[:3] == [1767225600123456789, -1, 2**63 - 1]
    assert column["qty"].to_pylist() == [0, 5, 0, 0, 0, 0]
    assert column["price"].to_pylist()[:2] == [Decimal("1.50"), Decimal("9.99")]


def test_duckdb_reads_the_variants(table):
    (path,) = data_files(table)
    with duckdb.connect() as connection:
        described = connection.execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()
        assert dict((row[0], row[1]) for row in described)["v"] == "VARIANT"
        text = "CASE WHEN v IS NOT NULL THEN v::JSON::VARCHAR END"
        rows = connection.execute(f"SELECT id, {text} FROM '{path}' ORDER BY id").fetchall()
    for number, text in rows:
        found = None if text is None else json.loads(text, parse_float=Decimal)
        assert found == json.loads(json.dumps(DOCUMENTS[number]), parse_float=Decimal), number


def test_metadata_is_version_three(table):
    metadata = json.loads(Path(metadata_location(table, TABLE).removeprefix("file://")).read_text())
    assert metadata["format-version"] == 3 and metadata["next-row-id"] == len(DOCUMENTS)
    assert "format-version" not in metadata["properties"]
    fields = {field["name"]: field for field in metadata["schemas"][-1]["fields"]}
    assert [fields[name]["type"] for name in ("v", "ts", "t", "x")] == ["variant", "timestamptz_ns", "timestamp_ns", "unknown"]
    assert [fields[name]["write-default"] for name in ("qty", "name", "price")] == [0, "none", "1.50"]
    assert "write-default" not in fields["v"]


def test_duckdb_reads_a_table_with_variants(warehouse):
    firn("table", "create", TABLE, "id long, v variant, t timestamp_ns", "--property", "format-version=3",
         warehouse=warehouse).ok()  # fmt: skip
    body = '{"id":1,"v":{"a":[1]},"t":"2026-01-01T00:00:00.000000001"}\n{"id":2}'
    firn("ingest", TABLE, "-", warehouse=warehouse, stdin=body).ok()
    with duckdb_connection() as connection:
        # A cast to JSON makes null of NULL, so that is asked for by itself.
        columns = "id, CASE WHEN v IS NOT NULL THEN v::JSON::VARCHAR END, epoch_ns(t)"
        query = f"SELECT {columns} FROM iceberg_scan('{metadata_location(warehouse, TABLE)}')"
        rows = connection.execute(query + " ORDER BY id").fetchall()
    assert rows == [(1, '{"a":[1]}', 1767225600000000001), (2, None, None)]


@pytest.mark.parametrize("engine", ["pyiceberg", "polars"])
def test_others_read_nanoseconds_and_defaults(warehouse, engine):
    schema = "id long, ts timestamptz_ns, qty int required default 7, x unknown"
    firn("table", "create", TABLE, schema, "--property", "format-version=3", warehouse=warehouse).ok()
    body = '{"id":1,"ts":"2026-01-01T00:00:00.000000001Z"}\n{"id":2,"qty":8}'
    firn("ingest", TABLE, "-", warehouse=warehouse, stdin=body).ok()
    loaded = sql_catalog(warehouse).load_table(TABLE)
    assert loaded.metadata.format_version == 3
    assert loaded.schema().find_field("qty").write_default == 7
    rows = READERS[engine](warehouse, TABLE).sort_by("id")
    assert rows["ts"].cast(pa.int64()).to_pylist() == [1767225600000000001, None]
    assert rows["qty"].to_pylist() == [7, 8] and rows["x"].to_pylist() == [None, None]


def test_a_column_added_with_a_default_fills_old_rows(warehouse):
    firn("table", "create", TABLE, "id long", "--property", "format-version=3", warehouse=warehouse).ok()
    firn("ingest", TABLE, "-", warehouse=warehouse, stdin='{"id":1}').ok()
    firn("schema", "add", TABLE, "level", "int", "--required", "--default", "3", warehouse=warehouse).ok()
    firn("ingest", TABLE, "-", warehouse=warehouse, stdin='{"id":2}\n{"id":3,"level":9}').ok()
    rows = firn("query", f"SELECT id, level FROM {TABLE} ORDER BY id", warehouse=warehouse).rows()
    assert rows == [{"id": 1, "level": 3}, {"id": 2, "level": 3}, {"id": 3, "level": 9}]
    old = firn("query", f"SELECT count(*) AS n FROM {TABLE} WHERE level = 3", warehouse=warehouse).rows()
    assert old == [{"n": 2}]
    loaded = sql_catalog(warehouse).load_table(TABLE).scan().to_arrow().sort_by("id").to_pylist()
    assert loaded == rows


@pytest.mark.parametrize("column", ["v variant", "t timestamp_ns", "t timestamptz_ns", "x unknown", "n int default 1"])
def test_version_two_refuses_what_it_lacks(warehouse, column):
    line = firn("table", "create", "app.old", f"id long, {column}", warehouse=warehouse).failed()
    assert "format-version=3" in line


def test_inspect_shows_variants(table):
    (path,) = data_files(table)
    rows = firn("inspect", path, "--rows", "--output", "ndjson").rows()
    assert sorted((row["id"] for row in rows)) == list(DOCUMENTS)
    assert {row["id"]: row["v"] for row in rows} == DOCUMENTS
    shown = firn("inspect", path).ok().stdout
    assert "v.metadata" in shown and "variant" in shown

"""Tables and files of other engines are taken in where they are, and every engine reads the same rows from them."""

import datetime
import json
import urllib.parse

import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog.sql import SqlCatalog

from support.cli import firn
from support.readers import READERS, assert_same_records, sql_catalog

TABLE = "shop.events"
SCHEMA = (
    "id long, day date, country string, price double, n int, tags list<string>,"
    " device struct<os string, v long>"
)  # fmt: skip


def rows(start: int, count: int, day=datetime.date(2026, 1, 2), country="de") -> list[dict]:
    return [
        {
            "id": number, "day": day, "country": country, "price": number / 4 if number % 3 else None,
            "n": number % 5, "tags": ["a", f"t{number}"], "device": {"os": "linux", "v": number},
        }
        for number in range(start, start + count)
    ]  # fmt: skip


ARROW = pa.schema([
    ("id", pa.int64()), ("day", pa.date32()), ("country", pa.string()), ("price", pa.float64()), ("n", pa.int32()),
    ("tags", pa.list_(pa.string())), ("device", pa.struct([("os", pa.string()), ("v", pa.int64())])),
])  # fmt: skip


def write_pyarrow(path, records):
    pq.write_table(pa.Table.from_pylist(records, ARROW), path, row_group_size=40)


def write_duckdb(path, records):
    source = pa.Table.from_pylist(records, ARROW)  # noqa: F841, DuckDB finds it by name
    duckdb.connect().execute(f"COPY (SELECT * FROM source) TO '{path}' (FORMAT parquet)")


def write_polars(path, records):
    polars.from_arrow(pa.Table.from_pylist(records, ARROW)).write_parquet(path)


WRITERS = {"pyarrow": write_pyarrow, "duckdb": write_duckdb, "polars": write_polars}


def read_firn(warehouse, table):
    found = firn("query", f"SELECT id, n, country, price FROM {table} ORDER BY id", warehouse=warehouse).rows()
    return [(row["id"], row["n"], row["country"], row["price"]) for row in found]


def check(warehouse, expected):
    assert read_firn(warehouse, TABLE) == sorted((r["id"], r["n"], r["country"], r["price"]) for r in expected)
    for name, read in READERS.items():
        assert_same_records(read(warehouse, TABLE), expected, "id", name)


def entries(warehouse):
    return sql_catalog(warehouse).load_table(TABLE).inspect.files().to_pylist()


@pytest.mark.parametrize("partition", [None, "day, country, bucket(4, country)", "month(day), truncate(1, country)"])
def test_files_without_ids(warehouse, tmp_path, partition):
    options = ["--partition", partition] if partition else []
    firn("table", "create", TABLE, SCHEMA, *options, warehouse=warehouse).ok()
    folder = tmp_path / "files"
    folder.mkdir()
    expected = []
    for number, (name, write) in enumerate(WRITERS.items()):
        records = rows(number * 100, 90, datetime.date(2026, 1, 2 + number), country="abc"[number] + "x")
        write(folder / f"{name}.parquet", records)
        expected += records
    done = firn("table", "add-files", TABLE, folder, warehouse=warehouse).ok().stdout
    assert "added 3 files with 270 records" in done, done
    check(warehouse, expected)
    table = sql_catalog(warehouse).load_table(TABLE)
    assert len(table.metadata.snapshots) == 1 and table.metadata.snapshots[0].summary.operation.value == "append"
    assert json.loads(table.properties["schema.name-mapping.default"])[0] == {"field-id": 1, "names": ["id"]}
    for entry in entries(warehouse):
        assert entry["file_path"].startswith(f"file://{folder}/"), "files stay where they are"
        metrics = entry["readable_metrics"]
        assert metrics["id"]["null_value_count"] == 0 and metrics["price"]["null_value_count"] == 30
        assert metrics["id"]["upper_bound"] - metrics["id"]["lower_bound"] == 89
    sql = f"SELECT count(*) AS c FROM {TABLE} WHERE id >= 100 AND country = 'bx'"
    assert firn("query", sql, warehouse=warehouse).rows() == [{"c": 90}]
    # The same files again.
    error = firn("table", "add-files", TABLE, folder, warehouse=warehouse).failed()
    assert "already" in error
    # Compaction takes them in, and leaves them where they lie.
    firn("compact", TABLE, warehouse=warehouse).ok()
    check(warehouse, expected)
    firn("expire", TABLE, "--older-than", "1s", "--retain-last", "1", warehouse=warehouse).ok()
    firn("gc", warehouse=warehouse).ok()
    assert len(list(folder.iterdir())) == 3
    check(warehouse, expected)


def test_files_with_ids(warehouse, tmp_path):
    """Files of a PyIceberg table carry field ids, in the order in which Firn gives them too."""
    firn("table", "create", TABLE, SCHEMA, warehouse=warehouse).ok()
    (tmp_path / "other").mkdir()
    other = SqlCatalog("other", uri=f"sqlite:///{tmp_path}/other.db", warehouse=f"file://{tmp_path}/other")
    other.create_namespace("x")
    theirs = other.create_table("x.t", ARROW)
    expected = rows(0, 50)
    theirs.append(pa.Table.from_pylist(expected, ARROW))
    firn("table", "add-files", TABLE, tmp_path / "other" / "**" / "*.parquet", warehouse=warehouse).failed()
    files = [task.file.file_path for task in theirs.scan().plan_files()]
    firn("table", "add-files", TABLE, *files, warehouse=warehouse).ok()
    assert "schema.name-mapping.default" not in sql_catalog(warehouse).load_table(TABLE).properties
    check(warehouse, expected)
    # The same ids with other meanings.
    firn("table", "create", "shop.swapped", "day date, id long", warehouse=warehouse).ok()
    error = firn("table", "add-files", "shop.swapped", *files, warehouse=warehouse).failed()
    assert "another table" in error


def test_evolve(warehouse, tmp_path):
    firn("table", "create", TABLE, "id long, device struct<os string>", warehouse=warehouse).ok()
    write_pyarrow(tmp_path / "a.parquet", rows(0, 10))
    error = firn("table", "add-files", TABLE, tmp_path / "a.parquet", warehouse=warehouse).failed()
    assert '"tags" list<string>' in error and '"device.v" long' in error
    assert entries(warehouse) == []
    done = firn("table", "add-files", TABLE, tmp_path / "a.parquet", "--evolve", warehouse=warehouse).ok().stdout
    assert "add column tags list<string>" in done
    check(warehouse, rows(0, 10))


def test_hive_paths(warehouse, tmp_path):
    """A column that only the folders' names hold."""
    firn("table", "create", TABLE, "id long, n int, country string, price double", "--partition", "country",
         warehouse=warehouse).ok()  # fmt: skip
    expected = []
    for number, country in enumerate(["de", "a b/c%d", None]):
        text = "__HIVE_DEFAULT_PARTITION__" if country is None else urllib.parse.quote(country, safe="")
        folder = tmp_path / "hive" / f"country={text}"
        folder.mkdir(parents=True)
        records = [{"id": number * 10 + k, "n": k, "price": 0.5} for k in range(3)]
        schema = pa.schema([("id", pa.int64()), ("n", pa.int32()), ("price", pa.float64())])
        pq.write_table(pa.Table.from_pylist(records, schema), folder / "x.parquet")
        expected += [row | {"country": country} for row in records]
    firn("table", "add-files", TABLE, tmp_path / "hive", warehouse=warehouse).ok()
    assert read_firn(warehouse, TABLE) == sorted((r["id"], r["n"], r["country"], r["price"]) for r in expected)
    for name in ("pyiceberg", "duckdb"):
        assert_same_records(READERS[name](warehouse, TABLE), expected, "id", name)
    found = firn("query", f"SELECT count(*) AS c FROM {TABLE} WHERE country = 'a b/c%d'", warehouse=warehouse).rows()
    assert found == [{"c": 3}]


def test_refusals(warehouse, tmp_path):
    firn("table", "create", TABLE, SCHEMA.replace("id long", "id long required"), "--partition", "day",
         warehouse=warehouse).ok()  # fmt: skip

    def refused(records, schema=ARROW, *options):
        pq.write_table(pa.Table.from_pylist(records, schema), tmp_path / "x.parquet")
        return firn("table", "add-files", TABLE, tmp_path / "x.parquet", *options, warehouse=warehouse).failed()

    mixed = rows(0, 5) + rows(5, 5, datetime.date(2026, 1, 3))
    assert "several partitions" in refused(mixed)
    assert "is null in some rows" in refused([row | {"day": None if row["id"] else row["day"]} for row in rows(0, 5)])
    assert "required" in refused([row | {"id": None} for row in rows(0, 2)])
    text = pa.schema([field if field.name != "n" else pa.field("n", pa.string()) for field in ARROW])
    assert "is string in the file and int in the table" in refused([row | {"n": "x"} for row in rows(0, 2)], text)
    without = pa.schema([field for field in ARROW if field.name != "id"])
    assert "lacks the required column" in refused([{k: v for k, v in r.items() if k != "id"} for r in rows(0, 2)], without)
    without = pa.schema([field for field in ARROW if field.name != "day"])
    assert "partition" in refused([{k: v for k, v in r.items() if k != "day"} for r in rows(0, 2)], without)
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 this is not Parquet")
    firn("table", "add-files", TABLE, tmp_path / "bad.parquet", warehouse=warehouse).failed()
    firn("table", "add-files", TABLE, tmp_path / "nope.parquet", warehouse=warehouse).failed()
    assert entries(warehouse) == []
    # All or nothing.
    write_pyarrow(tmp_path / "good.parquet", rows(0, 5))
    firn("table", "add-files", TABLE, tmp_path / "good.parquet", tmp_path / "bad.parquet", warehouse=warehouse).failed()
    assert entries(warehouse) == []
    firn("table", "add-files", TABLE, tmp_path / "good.parquet", tmp_path / "good.parquet", warehouse=warehouse).ok()
    check(warehouse, rows(0, 5))
    # A file of another table goes when that table wants it to.
    firn("table", "create", "shop.other", SCHEMA, warehouse=warehouse).ok()
    own = [entry["file_path"] for entry in entries(warehouse)]
    firn("ingest", "shop.other", "-", warehouse=warehouse, stdin='{"id": 1}').ok()
    theirs = [task.file.file_path for task in sql_catalog(warehouse).load_table("shop.other").scan().plan_files()]
    assert "shop.other" in firn("table", "add-files", TABLE, *theirs, warehouse=warehouse).failed()
    firn("table", "add-files", "shop.other", *own, warehouse=warehouse).ok()


def test_register(warehouse, tmp_path):
    """A PyIceberg table outside the warehouse: read, appended to by both, compacted; its files stay."""
    (tmp_path / "other").mkdir()
    other = SqlCatalog("other", uri=f"sqlite:///{tmp_path}/other.db", warehouse=f"file://{tmp_path}/other")
    other.create_namespace("x")
    theirs = other.create_table("x.t", ARROW)
    expected = rows(0, 50)
    theirs.append(pa.Table.from_pylist(expected[:20], ARROW))
    theirs.append(pa.Table.from_pylist(expected[20:], ARROW))
    location = theirs.metadata_location.removeprefix("file://")
    done = firn("table", "register", TABLE, location, warehouse=warehouse).ok().stdout
    assert "2 snapshots" in done
    check(warehouse, expected)
    error = firn("table", "register", "shop.twice", location, warehouse=warehouse).failed()
    assert TABLE in error
    more = [{"id": 1000, "country": "fr", "n": 1, "price": 1.5}]
    firn("ingest", TABLE, "-", warehouse=warehouse, stdin=json.dumps(more[0])).ok()
    sql_catalog(warehouse).load_table(TABLE).append(pa.Table.from_pylist(rows(2000, 5), ARROW))
    full = {"day": None, "tags": None, "device": None}
    check(warehouse, expected + [more[0] | full] + rows(2000, 5))
    before = set((tmp_path / "other").rglob("*.parquet"))
    firn("compact", TABLE, warehouse=warehouse).ok()
    firn("gc", warehouse=warehouse).ok()
    assert before <= set((tmp_path / "other").rglob("*.parquet"))
    check(warehouse, expected + [more[0] | full] + rows(2000, 5))
    firn("table", "register", "shop.nope", tmp_path / "nope.metadata.json", warehouse=warehouse).failed()
    (tmp_path / "bad.metadata.json").write_text("{}")
    firn("table", "register", "shop.nope", tmp_path / "bad.metadata.json", warehouse=warehouse).failed()

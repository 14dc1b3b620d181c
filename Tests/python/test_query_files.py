"""Results as files: what `firn query --to` writes is read by PyArrow, and no file is ever half there."""

import csv
import json
import os
import signal
import subprocess
import time
from datetime import date, datetime, timezone
from datetime import time as clock
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import polars
import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
import pytest

from support.cli import firn
from support.processes import wait_until_busy
from support.readers import READERS, duckdb_connection
from support.server import BINARY, clean_environment

SCHEMA = """
    b boolean, i int, l long required, f float, d double, d9 decimal(9,2), d38 decimal(38,10), day date, t time,
    ts timestamp, tz timestamptz, s string, u uuid, fx fixed[2], bin binary, st struct<x int, y list<decimal(20,1)>>,
    li list<string>, m map<string, long>
"""
ROWS = [
    {
        "b": True, "i": -7, "l": 1, "f": 0.5, "d": 1e300, "d9": "-0.05", "d38": "1234567890123456789012345678.0000000001",
        "day": "1969-12-31", "t": "23:59:59.999999", "ts": "2026-01-31T10:00:00", "tz": "2026-01-31T10:00:00.5Z",
        "s": 'é "quoted", 😀', "u": "f79c3e09-677c-4bbd-a479-3f349cb785e7", "fx": "AP8=", "bin": "",
        "st": {"x": 1, "y": ["0.1", None]}, "li": ["a", None, ""], "m": {"k": 1, "z": None},
    },
    {"l": 2, "li": [], "m": {}, "st": {"x": None, "y": None}},
    {"l": 3, "b": False, "bin": "AQI="},
]  # fmt: skip
EXPECTED = [
    {
        "b": True, "i": -7, "l": 1, "f": 0.5, "d": 1e300, "d9": Decimal("-0.05"),
        "d38": Decimal("1234567890123456789012345678.0000000001"), "day": date(1969, 12, 31),
        "t": clock(23, 59, 59, 999999), "ts": datetime(2026, 1, 31, 10),
        "tz": datetime(2026, 1, 31, 10, 0, 0, 500000, timezone.utc), "s": 'é "quoted", 😀',
        "u": UUID("f79c3e09-677c-4bbd-a479-3f349cb785e7"), "fx": b"\x00\xff", "bin": b"",
        "st": {"x": 1, "y": [Decimal("0.1"), None]}, "li": ["a", None, ""], "m": [("k", 1), ("z", None)],
    },
    {"l": 2, "li": [], "m": [], "st": {"x": None, "y": None}},
    {"l": 3, "b": False, "bin": b"\x01\x02"},
]  # fmt: skip


@pytest.fixture
def table(warehouse):
    firn("table", "create", "t.rows", SCHEMA, warehouse=warehouse).ok()
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    firn("ingest", "t.rows", "-", stdin=lines, warehouse=warehouse).ok()
    return warehouse


def read(path) -> pa.Table:
    if path.suffix == ".parquet":
        return pq.read_table(path)
    with pa.memory_map(str(path)) as source:
        return (ipc.open_file if path.suffix == ".arrow" else ipc.open_stream)(source).read_all()


def check(table: pa.Table) -> None:
    table.validate(full=True)
    types = {field.name: field.type for field in table.schema}
    assert types["d38"] == pa.decimal128(38, 10) and types["tz"] == pa.timestamp("us", "UTC")
    assert types["ts"] == pa.timestamp("us") and types["t"] == pa.time64("us") and types["day"] == pa.date32()
    assert types["i"] == pa.int32() and types["f"] == pa.float32() and types["fx"] == pa.binary(2)
    rows = sorted(table.to_pylist(), key=lambda row: row["l"])
    for row, expected in zip(rows, EXPECTED, strict=True):
        assert {key: value for key, value in row.items() if value is not None} == expected


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".arrows"])
def test_columns_keep_their_types(table, tmp_path, suffix):
    path = tmp_path / f"rows{suffix}"
    done = firn("query", "SELECT * FROM t.rows", "--to", path, warehouse=table).ok()
    assert done.stdout == "" and sorted(os.listdir(tmp_path)) == [path.name, "warehouse"]
    check(read(path))


def test_other_engines_read_the_files(table, tmp_path):
    for suffix in (".parquet", ".arrow"):
        sql = "SELECT l, s, d9, tz, li, m FROM t.rows ORDER BY l"
        firn("query", sql, "--to", tmp_path / f"rows{suffix}", warehouse=table).ok()
    with duckdb_connection() as connection:
        rows = connection.sql(f"SELECT l, d9, li FROM '{tmp_path}/rows.parquet' ORDER BY l").fetchall()
    assert rows == [(1, Decimal("-0.05"), ["a", None, ""]), (2, None, []), (3, None, None)]
    for frame in (polars.read_parquet(tmp_path / "rows.parquet"), polars.read_ipc(tmp_path / "rows.arrow")):
        assert frame["l"].to_list() == [1, 2, 3] and frame["d9"][0] == Decimal("-0.05")
        assert frame["li"].to_list() == [["a", None, ""], [], None]


def test_version_3_types(warehouse, tmp_path):
    schema = "id long required, tn timestamp_ns, tzn timestamptz_ns, v variant"
    firn("table", "create", "t.v3", schema, "--property", "format-version=3", warehouse=warehouse).ok()
    row = {"id": 1, "tn": "2026-01-31T10:00:00.000000001", "tzn": "2026-01-31T10:00:00.123456789Z", "v": {"a": [1, "x"]}}
    firn("ingest", "t.v3", "-", stdin=json.dumps(row), warehouse=warehouse).ok()
    for suffix in (".parquet", ".arrow"):
        path = tmp_path / f"v3{suffix}"
        firn("query", "SELECT * FROM t.v3", "--to", path, warehouse=warehouse).ok()
        found = read(path)
        assert found.schema.field("tn").type == pa.timestamp("ns")
        assert found.schema.field("tzn").type == pa.timestamp("ns", "UTC")
        assert found["tn"].cast(pa.int64())[0].as_py() % 1_000_000_000 == 1
        assert found["tzn"].cast(pa.int64())[0].as_py() % 1_000_000_000 == 123_456_789
        assert json.loads(found["v"][0].as_py()) == {"a": [1, "x"]}


def test_text_files_hold_what_a_redirect_holds(table, tmp_path):
    for name in ("csv", "ndjson", "json"):
        path = tmp_path / f"rows.{name}"
        firn("query", "SELECT * FROM t.rows ORDER BY l", "--to", path, warehouse=table).ok()
        piped = firn("query", "SELECT * FROM t.rows ORDER BY l", "--output", name, warehouse=table).ok()
        assert path.read_bytes().decode() == piped.stdout, name
    assert len(list(csv.reader(open(tmp_path / "rows.csv", newline="")))) == 4


def test_a_redirect_takes_columns_too(table):
    for name, parse in (("parquet", pq.read_table), ("arrow", lambda s: ipc.open_file(s).read_all()),
                        ("arrows", lambda s: ipc.open_stream(s).read_all())):  # fmt: skip
        done = subprocess.run(
            [BINARY, "query", "SELECT * FROM t.rows", "--output", name, "--warehouse", table], capture_output=True,
            env=clean_environment(), check=True,
        )  # fmt: skip
        check(parse(pa.BufferReader(done.stdout)))


def test_expressions_and_clashes(table, tmp_path):
    path = tmp_path / "x.parquet"
    sql = "SELECT count(*) AS n, avg(l) AS mean, max(s) AS s, max(d38) AS d, NULL AS none FROM t.rows"
    firn("query", sql, "--to", path, warehouse=table).ok()
    found = pq.read_table(path)
    assert [str(field.type) for field in found.schema] == ["int64", "double", "string", "decimal128(38, 10)", "string"]
    assert found.to_pylist()[0]["d"] == Decimal("1234567890123456789012345678.0000000001")
    message = firn("query", "SELECT 1 AS v UNION ALL SELECT 'x'", "--to", path, "--overwrite", warehouse=table).failed()
    assert "CAST" in message and "'v'" in message
    message = firn("query", "SELECT l, l FROM t.rows", "--to", tmp_path / "y.arrow", warehouse=table).failed()
    assert "AS" in message
    # The failed queries have left nothing, and not taken away what was there.
    assert sorted(os.listdir(tmp_path)) == ["warehouse", "x.parquet"] and pq.read_table(path).num_rows == 1


def test_no_file_is_replaced_unasked(table, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("mine")
    assert "--overwrite" in firn("query", "SELECT 1", "--to", path, warehouse=table).failed()
    assert path.read_text() == "mine"
    firn("query", "SELECT 1 AS x", "--to", path, "--overwrite", warehouse=table).ok()
    assert path.read_text().split() == ["x", "1"]
    assert "folder" in firn("query", "SELECT 1", "--to", tmp_path / "no" / "x.csv", warehouse=table).failed()
    assert "folder" in firn("query", "SELECT 1", "--to", tmp_path, "--output", "csv", warehouse=table).failed()
    assert "--output" in firn("query", "SELECT 1", "--to", tmp_path / "x.xlsx", warehouse=table).failed()
    firn("query", "SELECT 1", "--overwrite", warehouse=table).usage_error()
    assert sorted(os.listdir(tmp_path)) == ["rows.csv", "warehouse"]


ENDLESS = "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s) SELECT n, hex(randomblob(50)) AS t FROM s"


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", ["x.parquet", "x.csv"])
def test_an_interrupted_query_leaves_nothing(table, tmp_path, ending, name):
    process = subprocess.Popen(
        [BINARY, "query", ENDLESS, "--to", tmp_path / name, "--warehouse", table], env=clean_environment(),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 30
        while not any(entry.endswith(".partial") for entry in os.listdir(tmp_path)):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.01)
        wait_until_busy(process.pid)
        process.send_signal(ending)
        assert process.wait(timeout=60) == -ending
    finally:
        process.kill()
        process.communicate()
    assert os.listdir(tmp_path) == ["warehouse"]


def test_an_ignored_signal_stays_ignored(table, tmp_path):
    """As under nohup: the query runs on, here into its time limit."""
    process = subprocess.Popen(
        [BINARY, "query", ENDLESS, "--to", tmp_path / "x.csv", "--warehouse", table, "--timeout", "3"],
        env=clean_environment(), preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )  # fmt: skip
    wait_until_busy(process.pid, 0.1)
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=60) == 1


def test_a_failed_query_leaves_nothing(table, tmp_path):
    message = firn("query", ENDLESS, "--to", tmp_path / "x.parquet", "--timeout", 1, warehouse=table).failed()
    assert "1000 ms" in message
    assert os.listdir(tmp_path) == ["warehouse"]


def test_memory_stays_bounded(table, tmp_path):
    """Two million rows of 108 bytes: no more of them is kept than a row group, whatever the format."""
    sql = ENDLESS.replace("UNION ALL SELECT n + 1 FROM s", "UNION ALL SELECT n + 1 FROM s WHERE n < 2000000")
    for name in ("big.parquet", "big.arrow"):
        command = [BINARY, "query", sql, "--to", tmp_path / name, "--warehouse", table]
        process = subprocess.Popen(command, env=clean_environment())
        peak = 0
        while process.poll() is None:
            for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    peak = max(peak, int(line.split()[1]))
            time.sleep(0.05)
        assert process.returncode == 0
        assert 10_000 < peak < 180_000, f"{name}: {peak} KiB"
        assert read(tmp_path / name).num_rows == 2_000_000


def test_through_a_server(make_server, table, tmp_path):
    server = make_server(table).start()
    for suffix in (".parquet", ".arrow", ".arrows"):
        path = tmp_path / f"rows{suffix}"
        firn("query", "SELECT * FROM t.rows", "--to", path, "--url", server.url).ok()
        check(read(path))
    firn("query", "SELECT * FROM t.none", "--to", tmp_path / "none.csv", "--url", server.url).failed()
    assert not (tmp_path / "none.csv").exists()


def test_import_of_a_result(table, tmp_path):
    """What a query has written can become a table again."""
    firn("query", "SELECT l, s, tz FROM t.rows", "--to", tmp_path / "x.parquet", warehouse=table).ok()
    firn("table", "create", "t.again", "l long, s string, tz timestamptz", warehouse=table).ok()
    firn("table", "add-files", "t.again", tmp_path / "x.parquet", warehouse=table).ok()
    assert READERS["pyiceberg"](table, "t.again").num_rows == 3

"""`firn query --engine duckdb`: the same rows as our own engine's, whatever the table's history."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.schema import Schema
from pyiceberg.types import DoubleType, LongType, NestedField, StringType

from support.cli import firn
from support.forge import Forge
from support.server import BINARY, clean_environment

# The newest that the pinned Python package of the same engine agrees with.
VERSION = "1.5.5"


@pytest.fixture(scope="session")
def duckdb_path(tmp_path_factory) -> str:
    """A PATH with a duckdb: the system's, or the one of PyPI in an environment of its own."""
    if found := shutil.which("duckdb"):
        return f"{Path(found).parent}:{os.environ['PATH']}"
    folder = tmp_path_factory.mktemp("duckdb")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), f"duckdb-cli=={VERSION}"]
    try:
        done = subprocess.run(install, capture_output=True, text=True, timeout=300)
    except subprocess.TimeoutExpired:
        pytest.skip("no duckdb on the PATH, and PyPI does not answer")
    programs = [path for path in folder.rglob("duckdb") if path.is_file() and path.stat().st_size > 1 << 20]
    if done.returncode != 0 or not programs:
        pytest.skip(f"no duckdb on the PATH, and none to be had: {done.stderr.strip()[-200:]}")
    (folder / "bin").mkdir(exist_ok=True)
    programs[0].chmod(0o755)
    link = folder / "bin" / "firn-test"
    link.mkdir()
    (link / "duckdb").symlink_to(programs[0])
    return f"{link}:{os.environ['PATH']}"


@pytest.fixture
def ask(warehouse, duckdb_path, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def ask(sql: str, *arguments, timeout=60):
        environment = {"PATH": duckdb_path, "TMPDIR": str(scratch)}
        done = firn("query", sql, "--engine", "duckdb", *arguments, warehouse=warehouse, env=environment, timeout=timeout)
        assert os.listdir(scratch) == [], "something is left of the query"
        return done

    ask.scratch = scratch
    return ask


def create(warehouse, name, schema, rows=None, **options):
    arguments = []
    for key, value in options.items():
        for item in value if isinstance(value, list) else [value]:
            arguments += [f"--{key}", item]
    firn("table", "create", name, schema, *arguments, warehouse=warehouse).ok()
    if rows:
        ingest(warehouse, name, rows)


def ingest(warehouse, name, rows):
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    firn("ingest", name, "-", stdin=lines, warehouse=warehouse).ok()


def same(warehouse, ask, sql, *arguments):
    """Asserts that both engines give the same rows, and returns them."""
    ours = firn("query", sql, *arguments, warehouse=warehouse).ok()
    theirs = ask(sql, *arguments).ok()
    assert theirs.stdout == ours.stdout
    return ours.stdout


ROWS = [{"id": i, "kind": "abc"[i % 3], "v": None if i % 5 == 0 else i / 4} for i in range(300)]


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("partition", ["", "kind", "bucket(4, id)"])
def test_rows_deletes_and_history(warehouse, ask, version, partition):
    options = {"partition": partition} if partition else {}
    create(warehouse, "t.rows", "id long required, kind string, v double", identifier="id",
           property=f"format-version={version}", **options)  # fmt: skip
    for part in range(3):
        ingest(warehouse, "t.rows", ROWS[part * 100 : part * 100 + 100])
    firn("tag", "create", "t.rows", "before", warehouse=warehouse).ok()
    firn("delete", "t.rows", "--where", "id % 7 = 0", warehouse=warehouse).ok()
    firn("delete", "t.rows", "--where", "id < 20 OR v > 70", warehouse=warehouse).ok()
    snapshots = firn("snapshots", "t.rows", warehouse=warehouse).rows()
    sql = "SELECT * FROM t.rows ORDER BY id"
    assert same(warehouse, ask, sql).count("\n") < 240
    for version in ("'before'", snapshots[1]["snapshot-id"], f"'{snapshots[0]['snapshot-id']}'"):
        same(warehouse, ask, f"SELECT * FROM t.rows FOR VERSION AS OF {version} AS old ORDER BY old.id")
    at = snapshots[2]["committed-at"]
    same(warehouse, ask, f"SELECT count(*) AS n, sum(id) AS s FROM t.rows FOR TIMESTAMP AS OF '{at}'")
    same(warehouse, ask, "SELECT kind, count(*) AS n FROM t.rows WHERE id >= 100 AND v > 3 GROUP BY kind ORDER BY kind")
    same(warehouse, ask,
         "WITH old AS (SELECT * FROM t.rows FOR VERSION AS OF 'before') SELECT old.id FROM old "
         "LEFT JOIN t.rows USING (id) WHERE t.rows.id IS NULL ORDER BY old.id")  # fmt: skip


def test_every_type(warehouse, ask):
    schema = """id long required, b boolean, i int, f float, d double, d9 decimal(9,2), d38 decimal(38,10), day date,
        t time, ts timestamp, tz timestamptz, s string, u uuid, fx fixed[2], bin binary,
        st struct<x int, y list<string>>, li list<int>, m map<string, long>"""
    rows = [
        {"id": 1, "b": True, "i": -7, "f": 0.5, "d": 1e300, "d9": "-0.05", "d38": "12345678901234567890.0000000001",
         "day": "1969-12-31", "t": "23:59:59.999999", "ts": "2026-01-31T10:00:00", "tz": "2026-01-31T10:00:00.5Z",
         "s": 'é "q",\n😀', "u": "f79c3e09-677c-4bbd-a479-3f349cb785e7", "fx": "AP8=", "bin": "Cg==",
         "st": {"x": 1, "y": ["a", None]}, "li": [1, None], "m": {"k": 1, "z": None}},
        {"id": 2, "li": [], "st": {"x": None, "y": None}, "m": {}},
    ]  # fmt: skip
    create(warehouse, "t.types", schema, rows)
    for output in ("ndjson", "json", "csv", "table"):
        same(warehouse, ask, "SELECT * FROM t.types ORDER BY id", "--output", output)
    same(warehouse, ask, "SELECT 1 AS a, 2 AS a, sum(id) AS big, count(*) AS n, max(tz) AS tz FROM t.types")


def test_version_3_types(warehouse, ask):
    create(warehouse, "t.v3", "id long required, tn timestamp_ns, v variant, nothing unknown",
           [{"id": 1, "tn": "2026-01-31T10:00:00.000000001", "v": {"a": [1, "x"], "b": None}}],
           property="format-version=3")  # fmt: skip
    assert ask("SELECT id, tn, nothing FROM t.v3").rows() == [
        {"id": 1, "tn": "2026-01-31T10:00:00.000000001", "nothing": None}
    ]
    assert ask("SELECT v FROM t.v3").rows() == [{"v": {"a": [1, "x"], "b": None}}]


def test_evolved_schemas(warehouse, ask):
    create(warehouse, "t.grown", "id int required, a string, st struct<x int, y string>, gone long",
           [{"id": 1, "a": "one", "st": {"x": 1, "y": "q"}, "gone": 5}])  # fmt: skip

    def change(*arguments):
        firn("schema", arguments[0], "t.grown", *arguments[1:], warehouse=warehouse).ok()

    change("rename", "a", "b")
    change("drop", "gone")
    change("widen", "id", "long")
    ingest(warehouse, "t.grown", [{"id": 1 << 40, "b": "two", "st": {"x": 2, "y": "r"}}])
    assert "written anew for DuckDB 0" in ask("SELECT * FROM t.grown", "--stats").ok().stderr
    same(warehouse, ask, "SELECT * FROM t.grown ORDER BY id")
    # Names that other columns had.
    change("rename", "st.x", "z")
    for name, kind in (("gone", "string"), ("a", "string"), ("st.x", "string")):
        change("add", name, kind)
    ingest(warehouse, "t.grown", [{"id": 3, "b": "three", "st": {"z": 3, "y": "s", "x": "X"}, "gone": "new", "a": "A"}])
    same(warehouse, ask, "SELECT * FROM t.grown ORDER BY id")
    assert "written anew for DuckDB 2" in ask("SELECT * FROM t.grown", "--stats").ok().stderr
    first = firn("snapshots", "t.grown", warehouse=warehouse).rows()[0]["snapshot-id"]
    same(warehouse, ask, f"SELECT a, gone FROM t.grown FOR VERSION AS OF {first}")


def test_defaults_of_missing_columns(warehouse, ask):
    create(warehouse, "t.d", "id long required", [{"id": 1}], property="format-version=3")
    for name, kind, value in [("n", "long", "7"), ("s", "string", "x'y"), ("at", "timestamptz", "2026-01-01T00:00:00Z"),
                              ("price", "decimal(9,2)", "1.50"), ("day", "date", "2026-01-01")]:  # fmt: skip
        firn("schema", "add", "t.d", name, kind, "--default", value, warehouse=warehouse).ok()
    ingest(warehouse, "t.d", [{"id": 2, "n": 8}])
    assert '"n":7' in same(warehouse, ask, "SELECT * FROM t.d ORDER BY id")
    # Bytes are not written as DuckDB writes them: such a file goes through our own reader.
    firn("schema", "add", "t.d", "raw", "binary", "--default", "0aff", warehouse=warehouse).ok()
    assert '"raw":"0aff"' in same(warehouse, ask, "SELECT * FROM t.d ORDER BY id")


@pytest.mark.parametrize("states_ids", [True, False])
def test_columns_left_to_the_partition(warehouse, ask, tmp_path, states_ids):
    """Imported files of a Hive layout lack their partition's columns; some have deletes besides."""
    create(warehouse, "t.hive", "id long required, day date, kind string", identifier="id", partition="day, kind")
    notes = {"PARQUET:field_id": "1"} if states_ids else None
    schema = pa.schema([pa.field("id", pa.int64(), nullable=False, metadata=notes)])
    for day in ("2026-01-01", "2026-01-02"):
        for kind in ("a", "b b", "c'd"):
            folder = tmp_path / "in" / f"day={day}" / f"kind={urllib.parse.quote(kind)}"
            folder.mkdir(parents=True)
            ids = [int(day[-1]) * 100 + ord(kind[0]) + k for k in range(5)]
            pq.write_table(pa.table({"id": ids}, schema=schema), folder / "x.parquet")
    firn("table", "add-files", "t.hive", tmp_path / "in", warehouse=warehouse).ok()
    same(warehouse, ask, "SELECT * FROM t.hive ORDER BY id, kind")
    firn("delete", "t.hive", "--where", "id % 2 = 0", warehouse=warehouse).ok()
    assert same(warehouse, ask, "SELECT * FROM t.hive ORDER BY id, kind").count("\n") == 16
    done = ask("SELECT id FROM t.hive WHERE day = '2026-01-02'", "--stats").ok()
    assert f"files 6, skipped 3, written anew for DuckDB {0 if states_ids else 3}" in done.stderr


def test_deletes_by_key_of_other_writers(warehouse, ask, tmp_path):
    root = tmp_path / "foreign"
    root.mkdir()
    catalog = SqlCatalog("c", uri=f"sqlite:///{root}/c.db", warehouse=f"file://{root}")
    catalog.create_namespace("n")
    table = catalog.create_table(
        "n.t",
        Schema(NestedField(1, "id", LongType()), NestedField(2, "kind", StringType()), NestedField(3, "v", DoubleType())),
        properties={"format-version": "2"},
    )
    for part in range(3):
        kinds = pa.schema([("id", pa.int64()), ("kind", pa.string()), ("v", pa.float64())])
        table.append(pa.Table.from_pylist(ROWS[part * 100 : part * 100 + 100], schema=kinds))
    forge = Forge(table.metadata_location)

    def keys(rows, *fields):
        notes = [pa.field(name, kind, metadata={"PARQUET:field_id": str(i)}) for name, kind, i in fields]
        return pa.Table.from_pylist(rows, schema=pa.schema(notes))

    ids = keys([{"id": i} for i in range(0, 300, 6)], ("id", pa.int64(), 1))
    forge = forge.commit([forge.equality_file(ids, [1], "eq-a.parquet")])
    pairs = keys([{"kind": "a", "v": None}, {"kind": "b", "v": 1.75}], ("kind", pa.string(), 2), ("v", pa.float64(), 3))
    forge = forge.commit([forge.equality_file(pairs, [2, 3], "eq-b.parquet")])
    own = forge.data_files()[0]["file_path"]
    forge = forge.commit([forge.position_file([(own, 99), (own, 1)], "pos.parquet")])
    firn("table", "register", "t.rows", forge.location, warehouse=warehouse).ok()
    assert 200 < same(warehouse, ask, "SELECT * FROM t.rows ORDER BY id").count("\n") < 245


def test_metadata_tables_and_changes(warehouse, ask):
    create(warehouse, "t.rows", "id long required, kind string", [{"id": 1, "kind": "a"}])
    ingest(warehouse, "t.rows", [{"id": 2, "kind": "b"}])
    firn("delete", "t.rows", "--where", "id = 1", warehouse=warehouse).ok()
    same(warehouse, ask, 'SELECT snapshot_id, operation FROM "t.rows$snapshots" ORDER BY committed_at')
    same(warehouse, ask, 'SELECT file_path, record_count FROM "t.rows$files" ORDER BY 1')
    same(warehouse, ask, "SELECT id, _change_type, _change_ordinal FROM t.rows FOR CHANGES ORDER BY 3, 1")


def test_files_are_skipped(warehouse, ask):
    create(warehouse, "t.p", "id long required, day date", partition="day")
    for day in range(1, 6):
        ingest(warehouse, "t.p", [{"id": day, "day": f"2026-01-0{day}"}])
    for condition, skipped in [("day = '2026-01-03'", 4), ("day >= DATE '2026-01-04' AND id > 0", 3), ("id = 2", 4),
                               ("day = '2026-01-03' OR id = 1", 0), ("day + 1 = '2026-01-03'", 0)]:  # fmt: skip
        done = ask(f"SELECT id FROM t.p WHERE {condition}", "--stats").ok()
        assert f"files 5, skipped {skipped}," in done.stderr, f"{condition}: {done.stderr}"


def test_an_empty_table(warehouse, ask):
    create(warehouse, "t.none", "id long required, s string")
    assert ask("SELECT * FROM t.none").rows() == []
    assert ask("SELECT count(*) AS n FROM t.none").rows() == [{"n": 0}]
    assert ask("SELECT 1 AS one").rows() == [{"one": 1}]


def test_duckdbs_own_sql_and_types(warehouse, ask):
    create(warehouse, "t.rows", "id long required, kind string, v double", ROWS)
    assert ask("SELECT kind, count(*) n FROM t.rows GROUP BY ALL ORDER BY ALL").rows()[0] == {"kind": "a", "n": 100}
    assert ask("SELECT id FROM t.rows QUALIFY row_number() OVER (ORDER BY id DESC) = 1").rows() == [{"id": 299}]
    row = ask("""
        SELECT 170141183460469231731687303715884105727::HUGEINT AS h, sum(id) AS s, INTERVAL 3 DAY AS i,
            [1, 2] AS l, {'a': DATE '2026-01-01'} AS st, 18446744073709551615::UBIGINT AS u, 'x'::ENUM('x', 'y') AS e,
            NULL AS n, 1::TINYINT AS t, 'NaN'::DOUBLE AS nan
        FROM t.rows
    """)
    assert row.code == 1 and "DECIMAL(38,0)" in row.stderr.replace(", ", ",")
    row = ask("""
        SELECT sum(id) AS s, sum(id) * 10000000000000000 AS big, INTERVAL 3 DAY AS i, [1, 2] AS l,
            {'a': DATE '2026-01-01'} AS st, 18446744073709551615::UBIGINT AS u, 'x'::ENUM('x', 'y') AS e, NULL AS n,
            1::TINYINT AS t
        FROM t.rows
    """).rows()[0]
    assert row == {
        "s": 44850, "big": "448500000000000000000", "i": "3 days", "l": [1, 2], "st": {"a": "2026-01-01"},
        "u": "18446744073709551615", "e": "x", "n": None, "t": 1,
    }  # fmt: skip


def test_results_as_files(warehouse, ask, tmp_path):
    create(warehouse, "t.rows", "id long required, kind string, v double", ROWS)
    for suffix, read in ((".parquet", pq.read_table), (".arrow", lambda path: ipc.open_file(path).read_all())):
        path = tmp_path / f"x{suffix}"
        ask("SELECT id, upper(kind) AS k, sum(id) OVER () AS s FROM t.rows ORDER BY id", "--to", path).ok()
        found = read(path)
        assert found.column_names == ["id", "k", "s"] and found.num_rows == 300
        assert found["k"][1].as_py() == "B" and int(found["s"][0].as_py()) == 44850
    assert "exists" in ask("SELECT 1 AS x", "--to", tmp_path / "x.parquet").failed()
    assert "AS" in ask("SELECT id, id FROM t.rows", "--to", tmp_path / "y.parquet").failed()
    assert not (tmp_path / "y.parquet").exists()


def test_errors_say_what_to_do(warehouse, ask):
    create(warehouse, "t.rows", "id long required", [{"id": 1}])
    assert "Binder Error" in ask("SELECT nothing FROM t.rows").failed()
    assert "did you mean 't.rows'" in ask("SELECT * FROM t.row").failed()
    assert "one SQL statement" in ask("SELECT 1; SELECT 2").failed()
    assert "SELECT" in ask("DROP TABLE t.rows").failed()
    assert "--timeout" in ask("SELECT count(*) FROM range(1000000000) a, range(1000000000) b", "--timeout", 1).failed()
    done = firn("query", "SELECT 1", "--engine", "duckdb", warehouse=warehouse, env={"PATH": "/nonexistent"})
    assert "pip install duckdb-cli" in done.failed()
    firn("query", "SELECT 1", "--engine", "oracle", warehouse=warehouse).usage_error()


def test_an_interruption_at_any_moment_leaves_nothing(warehouse, ask, duckdb_path, tmp_path):
    """While the folder is made, while DuckDB starts, while it writes."""
    create(warehouse, "t.rows", "id long required", [{"id": 1}])
    sql = "SELECT count(*) FROM t.rows, range(1000000000) a, range(1000000000) b"
    environment = clean_environment() | {"PATH": duckdb_path, "TMPDIR": str(ask.scratch)}
    command = [BINARY, "query", sql, "--engine", "duckdb", "--warehouse", warehouse, "--to", tmp_path / "x.csv"]
    for number in range(24):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(number * 0.005)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == -signal.SIGTERM
        process.communicate()
        assert os.listdir(ask.scratch) == [], number
        assert [name for name in os.listdir(tmp_path) if "x.csv" in name or name.startswith(".firn")] == [], number


def test_an_interrupted_query_leaves_nothing(warehouse, ask, duckdb_path, tmp_path):
    create(warehouse, "t.rows", "id long required", [{"id": 1}])
    sql = "SELECT count(*) FROM t.rows, range(1000000000) a, range(1000000000) b"
    environment = clean_environment() | {"PATH": duckdb_path, "TMPDIR": str(ask.scratch)}
    command = [BINARY, "query", sql, "--engine", "duckdb", "--warehouse", warehouse, "--to", tmp_path / "x.csv"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        wait_for(lambda: len(children.read_text().split()) == 1, "no DuckDB was started")
        (child,) = children.read_text().split()
        # Into the query, which takes for ever.
        time.sleep(2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == -signal.SIGTERM
    finally:
        process.kill()
        process.communicate()
    assert os.listdir(ask.scratch) == [] and not (tmp_path / "x.csv").exists()
    wait_for(lambda: not runs(child), "DuckDB goes on")


def wait_for(condition, complaint: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.05)


def runs(process: str) -> bool:
    """Not a zombie, which whoever adopted it may be slow to collect."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False

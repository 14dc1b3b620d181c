"""G6, G9: kill -9 at every step of a compaction, an expiry and a collection, in the finished binary.

`FIRN_FAULT_POINT` names the step at which the process kills itself. After each death: the table is right in PyIceberg
and DuckDB, one collection leaves exactly the live files on disk, and the next run finishes the work.
"""

import json
import os
import signal
import subprocess

import pytest

from support.cli import firn
from support.litter import assert_no_litter
from support.readers import read_duckdb, read_pyiceberg
from support.server import BINARY, clean_environment

TABLE = "m.rows"
STEPS, ROWS = 4, 25

COMPACTION = [
    "compaction.planned", "compaction.path-recorded", "compaction.batch-written", "compaction.batch-written:3",
    "compaction.output-written", "compaction.proven", "compaction.before-commit",
]  # fmt: skip
COMMIT = [
    "commit.built", "commit.paths-recorded", "commit.manifest-written", "commit.list-written",
    "commit.metadata-written", "commit.before-transaction", "commit.in-transaction", "commit.after-transaction",
]  # fmt: skip
COMMITTED = ["compaction.after-commit", "compaction.reported"]
COLLECTION = ["collection.listed", "collection.files-deleted", "collection.forgotten"]
# An expiry writes no manifests.
EXPIRY = [point for point in COMMIT if point not in ("commit.manifest-written", "commit.list-written")]


def rows_of(start, count):
    return [{"id": n, "v": f"value {n}"} for n in range(start, start + count)]


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def compact(warehouse):
    return json.loads(firn("compact", TABLE, "--output", "json", warehouse=warehouse).ok().stdout)


class Bench:
    """A table of several small files with deletes, and what its rows are."""

    def __init__(self, warehouse, version):
        self.warehouse = warehouse
        firn("table", "create", TABLE, "id long required, v string", "--identifier", "id",
             "--property", f"format-version={version}", warehouse=warehouse).ok()  # fmt: skip
        self.rows = {}
        for step in range(STEPS):
            rows = rows_of(step * ROWS, ROWS)
            firn("ingest", TABLE, "-", stdin=lines(rows), warehouse=warehouse).ok()
            self.rows |= {row["id"]: row["v"] for row in rows}
        self.delete(3, 30)

    def delete(self, *ids):
        firn("delete", TABLE, "-", stdin=lines([{"id": n} for n in ids]), warehouse=self.warehouse).ok()
        for n in ids:
            del self.rows[n]

    def dies(self, point, *arguments):
        result = firn(*arguments, warehouse=self.warehouse, env={"FIRN_FAULT_POINT": point})
        assert result.code == -signal.SIGKILL, f"{arguments} at {point}: {result.code} {result.stderr}"

    def check_rows(self):
        for engine, read in {"pyiceberg": read_pyiceberg, "duckdb": read_duckdb}.items():
            found = read(self.warehouse, TABLE)
            pairs = sorted(zip(found["id"].to_pylist(), found["v"].to_pylist()))
            assert pairs == sorted(self.rows.items()), engine

    def check(self):
        """After a death: right at once, clean after one collection, and able to go on."""
        self.check_rows()
        firn("gc", warehouse=self.warehouse).ok()
        assert_no_litter(self.warehouse)
        self.check_rows()
        compact(self.warehouse)
        firn("expire", TABLE, "--older-than", "1ms", "--retain-last", "1", warehouse=self.warehouse).ok()
        assert_no_litter(self.warehouse)
        self.check_rows()
        files = firn("files", TABLE, warehouse=self.warehouse).rows()
        data = [file for file in files if str(file.get("content", "data")).lower() in ("data", "0")]
        assert len(data) == 1, files
        firn("verify", TABLE, "--data", warehouse=self.warehouse).ok()


@pytest.mark.parametrize("point", COMPACTION + COMMIT + COMMITTED)
def test_compaction(warehouse, point):
    bench = Bench(warehouse, 3 if len(point) % 2 else 2)
    bench.dies(point, "compact", TABLE)
    replaced = [s for s in firn("snapshots", TABLE, warehouse=warehouse).rows() if s["operation"] == "replace"]
    assert len(replaced) == (point in COMMITTED or point == "commit.after-transaction")
    bench.check()


@pytest.mark.parametrize("point", EXPIRY + COLLECTION)
def test_expiry(warehouse, point):
    bench = Bench(warehouse, 2)
    compact(warehouse)
    bench.dies(point, "expire", TABLE, "--older-than", "1ms", "--retain-last", "1")
    bench.check()


@pytest.mark.parametrize("point", COLLECTION)
def test_collection(warehouse, point):
    bench = Bench(warehouse, 2)
    bench.dies("compaction.proven", "compact", TABLE)
    bench.dies(point, "gc")
    bench.check()


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("point", [None, "compaction.deletes-carried", "commit.in-transaction", "compaction.reported"])
def test_rows_deleted_during_a_compaction(warehouse, version, point):
    """The compaction stands still before its commit while rows that it has rewritten are deleted and replaced."""
    bench = Bench(warehouse, version)
    points = "compaction.before-commit=stop" + ("" if point is None else f",{point}")
    process = subprocess.Popen(
        [str(BINARY), "compact", TABLE, "--output", "json", "--warehouse", str(warehouse)],
        env=clean_environment() | {"FIRN_FAULT_POINT": points}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    bench.delete(4, 5, 99)
    rows = [{"id": 50, "v": "new"}, {"id": 1000, "v": "more"}]
    firn("upsert", TABLE, "-", stdin=lines(rows), warehouse=warehouse).ok()
    bench.rows |= {row["id"]: row["v"] for row in rows}
    process.send_signal(signal.SIGCONT)
    output, errors = process.communicate(timeout=60)
    if point is None:
        report = json.loads(output)
        assert process.returncode == 0 and report["conflicts"] == 0 and report["deletes-carried"] == 4, report
    else:
        assert process.returncode == -signal.SIGKILL, errors
    bench.check()

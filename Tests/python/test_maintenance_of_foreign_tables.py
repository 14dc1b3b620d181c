"""Compaction and expiry of tables that PyIceberg owns and writes at the same time, through the same SQL catalog.

`FIRN_FAULT_POINT=…=stop` makes a command of Firn stand still at a step, so that PyIceberg's commits come at the worst
moment, every time. Neither may lose a row, double one, or bring one back.
"""

import json
import os
import random
import signal
import subprocess
import threading
import time

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.expressions import EqualTo, GreaterThanOrEqual, In
from pyiceberg.schema import Schema
from pyiceberg.types import LongType, NestedField, StringType
from sqlalchemy.exc import OperationalError

from support.cli import firn
from support.janitors import RecordingFileIO, foreign_catalog
from support.litter import assert_no_litter
from support.readers import read_duckdb, read_pyiceberg, sql_catalog
from support.server import BINARY, clean_environment

TABLE = "f.rows"
SCHEMA = Schema(
    NestedField(1, "id", LongType(), required=False), NestedField(2, "v", StringType(), required=False),
)  # fmt: skip
LOST_A_RACE = (CommitFailedException, ValidationException)


def arrow(rows: dict[int, str]) -> pa.Table:
    return pa.table({"id": pa.array(list(rows), pa.int64()), "v": pa.array(list(rows.values()), pa.string())})


def check(warehouse, rows: dict[int, str]) -> None:
    for engine, read in {"pyiceberg": read_pyiceberg, "duckdb": read_duckdb}.items():
        table = read(warehouse, TABLE)
        found = sorted(zip(table["id"].to_pylist(), table["v"].to_pylist()))
        extra, missing = set(found) - set(rows.items()), set(rows.items()) - set(found)
        assert found == sorted(rows.items()), f"{engine}: {sorted(extra)[:5]} too many, {sorted(missing)[:5]} missing"
    verified = firn("verify", TABLE, "--data", "--output", "json", warehouse=warehouse)
    assert [f for f in json.loads(verified.stdout)["findings"] if f["code"] != "dangling_position_delete"] == []


@pytest.fixture
def home(warehouse):
    """A table that PyIceberg made and filled with small files."""
    firn("namespace", "create", "f", warehouse=warehouse).ok()
    # What falls off the metadata log stays on disk by Iceberg's default, and a fast machine commits more than 100 times.
    history = {"write.metadata.previous-versions-max": "10000"}
    table = sql_catalog(warehouse).create_table(TABLE, SCHEMA, properties=history)
    for step in range(5):
        table.append(arrow({n: f"v{n}" for n in range(step * 10, step * 10 + 10)}))
    return warehouse


class Standing:
    """A command of Firn that stands still at a step."""

    def __init__(self, warehouse, point: str, *arguments: str):
        self.process = subprocess.Popen(
            [str(BINARY), *arguments, "--output", "json", "--warehouse", str(warehouse)],
            env=clean_environment() | {"FIRN_FAULT_POINT": point + "=stop"}, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        _, status = os.waitpid(self.process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), f"{arguments} never came to {point}"

    def go_on(self) -> dict:
        self.process.send_signal(signal.SIGCONT)
        output, errors = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, errors.decode()
        return json.loads(output)


CHANGES = ["append", "delete", "delete-all", "overwrite", "upsert", "several"]


def change(warehouse, kind: str, rows: dict[int, str]) -> None:
    table = sql_catalog(warehouse).load_table(TABLE)
    if kind in ("append", "several"):
        new = {n: "new" for n in range(100, 110)}
        table.append(arrow(new))
        rows |= new
    if kind in ("delete", "several"):
        table.delete(In("id", {3, 14, 15, 100}))
        for n in (3, 14, 15, 100):
            rows.pop(n, None)
    if kind == "delete-all":
        table.delete(GreaterThanOrEqual("id", 0))
        rows.clear()
    if kind in ("overwrite", "several"):
        new = {n: "other" for n in range(20, 24)}
        table.overwrite(arrow(new), overwrite_filter=In("id", set(new)))
        rows |= new
    if kind == "upsert":
        new = {5: "upserted", 45: "upserted", 500: "upserted"}
        table.upsert(arrow(new), join_cols=["id"])
        rows |= new


@pytest.mark.parametrize("kind", CHANGES)
@pytest.mark.parametrize("point", ["compaction.planned", "compaction.before-commit", "commit.before-transaction"])
def test_pyiceberg_commits_during_a_compaction(home, point, kind):
    rows = {n: f"v{n}" for n in range(50)}
    compaction = Standing(home, point, "compact", TABLE)
    change(home, kind, rows)
    report = compaction.go_on()
    check(home, rows)
    if kind == "append":
        assert report["conflicts"] == 0 and report["groups"] == 1, "an append is no conflict"
    firn("compact", TABLE, warehouse=home).ok()
    check(home, rows)


@pytest.mark.parametrize("kind", CHANGES)
@pytest.mark.parametrize("point", ["commit.built", "commit.before-transaction"])
def test_pyiceberg_commits_during_an_expiry(home, point, kind):
    rows = {n: f"v{n}" for n in range(50)}
    firn("compact", TABLE, warehouse=home).ok()
    expiry = Standing(home, point, "expire", TABLE, "--older-than", "1ms", "--retain-last", "1")
    change(home, kind, rows)
    expiry.go_on()
    check(home, rows)
    sql_catalog(home).load_table(TABLE).append(arrow({900: "after"}))
    rows[900] = "after"
    check(home, rows)


@pytest.mark.parametrize("action", ["compact", "expire"])
def test_pyiceberg_was_looking_before(home, action):
    """A delete that PyIceberg began before Firn's commit is refused, or done on what is there now."""
    rows = {n: f"v{n}" for n in range(50)}
    table = sql_catalog(home).load_table(TABLE)
    transaction = table.transaction()
    transaction.delete(EqualTo("id", 7))
    transaction.append(arrow({700: "late"}))
    arguments = ["--older-than", "1ms", "--retain-last", "1"] if action == "expire" else []
    firn(action, TABLE, *arguments, warehouse=home).ok()
    try:
        transaction.commit_transaction()
    except LOST_A_RACE:
        pass
    else:
        del rows[7]
        rows[700] = "late"
    check(home, rows)


def test_registered_tables(home, tmp_path):
    """A table that was written elsewhere: its rows are compacted, its own files are left to whoever wrote them."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    other = SqlCatalog("other", uri=f"sqlite:///{elsewhere}/c.db", warehouse=f"file://{elsewhere}")
    other.create_namespace("o")
    table = other.create_table("o.rows", SCHEMA)
    for step in range(4):
        table.append(arrow({n: f"v{n}" for n in range(step * 10, step * 10 + 10)}))
    theirs = {path for path in elsewhere.rglob("*") if path.is_file()}
    sql_catalog(home).drop_table(TABLE)
    registered = sql_catalog(home).register_table(TABLE, table.metadata_location)
    rows = {n: f"v{n}" for n in range(40)}
    registered.delete(In("id", {1, 2}))
    del rows[1], rows[2]
    report = json.loads(firn("compact", TABLE, "--output", "json", warehouse=home).ok().stdout)
    assert report["groups"] == 1 and report["rows"] == 38
    check(home, rows)
    firn("expire", TABLE, "--older-than", "1ms", "--retain-last", "1", warehouse=home).ok()
    firn("gc", warehouse=home).ok()
    check(home, rows)
    registered = sql_catalog(home).load_table(TABLE)
    registered.append(arrow({99: "more"}))
    rows[99] = "more"
    check(home, rows)
    assert all(path.exists() for path in theirs), "files that others wrote are theirs"


@pytest.mark.limit(180)
def test_both_at_once(home):
    """Firn compacts, expires and collects without a pause while PyIceberg changes rows; nothing is arranged."""
    rows = {n: f"v{n}" for n in range(50)}
    stopping, failures, done = threading.Event(), [], {"compact": 0, "expire": 0, "gc": 0}

    def maintain(action, *arguments):
        while not stopping.is_set():
            result = firn(action, *arguments, warehouse=home, timeout=150)
            if result.code == 0:
                done[action] += 1
            elif not any(excuse in result.stderr for excuse in ("locked", "busy", "other writers", "maintaining")):
                failures.append(f"{action}: {result.stderr}")
            stopping.wait(0.2)

    threads = [
        threading.Thread(target=maintain, args=("compact", TABLE)),
        threading.Thread(target=maintain, args=("expire", TABLE, "--older-than", "1500ms", "--retain-last", "2")),
        threading.Thread(target=maintain, args=("gc",)),
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    chance, commits, refused, fresh = random.Random(7), 0, 0, 1000
    before = set(RecordingFileIO.written)
    until = time.monotonic() + 6
    try:
        while (time.monotonic() < until or not (commits and done["compact"])) and not failures:
            some = set(chance.sample(sorted(rows), 3))
            new = {fresh: f"n{fresh}", fresh + 1: f"n{fresh}"}
            fresh += 2
            # The faster the machine, the more is deleted: there must always be rows left.
            work = chance.choice(["append", "append", "delete", "overwrite"]) if len(rows) > 20 else "append"
            try:
                table = foreign_catalog(home).load_table(TABLE)
                if work == "append":
                    table.append(arrow(new))
                elif work == "delete":
                    table.delete(In("id", some))
                else:
                    table.overwrite(arrow(new), overwrite_filter=In("id", some))
            except (*LOST_A_RACE, FileNotFoundError, OperationalError):
                refused += 1
                continue
            commits += 1
            if work != "append":
                for n in some:
                    del rows[n]
            if work != "delete":
                rows |= new
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
    assert not failures, failures
    check(home, rows)
    firn("gc", warehouse=home).ok()
    assert_no_litter(home, RecordingFileIO.written - before)
    print(f"\n{commits} commits of PyIceberg, {refused} refused; {done}; {len(rows)} rows, none lost, none back")
    assert commits and done["compact"]

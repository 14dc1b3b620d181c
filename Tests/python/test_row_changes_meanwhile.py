"""`firn upsert` and `firn delete` where the table becomes another one between their first look and their commit.

A command that reads standard input has looked at the table before it reads, so the test can change the table once it
does.
"""

import json
import signal
import subprocess
import threading
import time

import pytest

from support.cli import Result, firn
from support.processes import wait_until_busy, wait_until_read
from support.server import BINARY, clean_environment

TABLE = "m.rows"


class Held:
    """A command that waits for its records."""

    def __init__(self, warehouse, *arguments):
        self.process = subprocess.Popen(
            [str(BINARY), *arguments, "--output", "json", "--warehouse", str(warehouse)], env=clean_environment(),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        # An empty line is no record.
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        wait_until_read(self.process.stdin)

    def send(self, *rows: dict) -> Result:
        output, errors = self.process.communicate("".join(json.dumps(row) + "\n" for row in rows).encode(), timeout=60)
        return Result(self.process.returncode, output.decode(), errors.decode(errors="replace"))


def create(warehouse, schema, *rows):
    firn("table", "create", TABLE, schema, "--identifier", "id", warehouse=warehouse).ok()
    if rows:
        firn("ingest", TABLE, "-", stdin="".join(json.dumps(r) + "\n" for r in rows), warehouse=warehouse).ok()


def rows(warehouse, order="id"):
    return firn("query", f"SELECT * FROM {TABLE} ORDER BY {order}", warehouse=warehouse).rows()


def verify(warehouse):
    firn("verify", TABLE, "--data", warehouse=warehouse).ok()


def test_a_key_that_is_widened(warehouse):
    create(warehouse, "id int required, v string", {"id": 1, "v": "a"}, {"id": 2, "v": "b"})
    held = Held(warehouse, "upsert", TABLE, "-")
    firn("schema", "widen", TABLE, "id", "long", warehouse=warehouse).ok()
    result = held.send({"id": 1, "v": "A"}, {"id": 3, "v": "C"})
    kept = [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}]
    if result.code == 1:
        assert "meanwhile" in result.failed()
        assert rows(warehouse) == kept
    else:
        assert rows(warehouse) == [{"id": 1, "v": "A"}, kept[1], {"id": 3, "v": "C"}]
    verify(warehouse)


@pytest.mark.parametrize("command", ["upsert", "delete"])
def test_a_table_that_is_replaced(warehouse, command):
    """The new table has nothing to do with the old one, and must not get rows that were meant for it."""
    create(warehouse, "id long required, v string", {"id": 1, "v": "a"})
    held = Held(warehouse, command, TABLE, "-")
    firn("table", "drop", TABLE, warehouse=warehouse).ok()
    create(warehouse, "id long required, n int", {"id": 1, "n": 5})
    assert "another table than before" in held.send({"id": 1, "v": "A"}).failed()
    assert rows(warehouse) == [{"id": 1, "n": 5}]
    verify(warehouse)


def test_a_table_that_is_dropped(warehouse):
    create(warehouse, "id long required, v string", {"id": 1, "v": "a"})
    held = Held(warehouse, "upsert", TABLE, "-")
    firn("table", "drop", TABLE, warehouse=warehouse).ok()
    assert "there is no table" in held.send({"id": 1, "v": "A"}).failed()


def test_columns_that_come_and_go(warehouse):
    first, second = {"id": 1, "v": "a", "w": "x"}, {"id": 2, "v": "b", "w": "y"}
    create(warehouse, "id long required, v string, w string", first, second)
    held = Held(warehouse, "upsert", TABLE, "-")
    firn("schema", "drop", TABLE, "w", warehouse=warehouse).ok()
    firn("schema", "rename", TABLE, "v", "value", warehouse=warehouse).ok()
    firn("schema", "add", TABLE, "w", "int", warehouse=warehouse).ok()
    held.send({"id": 1, "v": "A", "w": "X"}).ok()
    assert rows(warehouse) == [{"id": 1, "value": "A", "w": None}, {"id": 2, "value": "b", "w": None}]
    verify(warehouse)


def test_other_identifier_columns(warehouse):
    create(warehouse, "id long required, k long required, v string", {"id": 1, "k": 7, "v": "a"})
    held = Held(warehouse, "upsert", TABLE, "-")
    firn("schema", "identifier", TABLE, "k", warehouse=warehouse).ok()
    result = held.send({"id": 1, "k": 8, "v": "A"})
    if result.code == 1:
        assert "meanwhile" in result.failed()
        assert rows(warehouse) == [{"id": 1, "k": 7, "v": "a"}]
    else:
        assert rows(warehouse, "k") == [{"id": 1, "k": 7, "v": "a"}, {"id": 1, "k": 8, "v": "A"}]
    verify(warehouse)


def test_an_upgrade(warehouse):
    create(warehouse, "id long required, v string", {"id": 1, "v": "a"}, {"id": 2, "v": "b"})
    firn("delete", TABLE, "--where", "id = 2", warehouse=warehouse).ok()
    held = Held(warehouse, "upsert", TABLE, "-")
    firn("table", "alter", TABLE, "--set", "format-version=3", warehouse=warehouse).ok()
    held.send({"id": 1, "v": "A"}, {"id": 2, "v": "B"}).ok()
    assert rows(warehouse) == [{"id": 1, "v": "A"}, {"id": 2, "v": "B"}]
    verify(warehouse)


def test_a_condition_that_depends_on_other_rows(warehouse):
    """Each delete takes out the newest row, and only that, however many rows come while it searches."""
    create(warehouse, "id long required, v string", {"id": 0, "v": "a"})
    stop = threading.Event()
    sent, failures = [0], []

    def append():
        while not stop.is_set() and not failures:
            began = time.monotonic()
            record = json.dumps({"id": sent[0] + 1, "v": "a"}) + "\n"
            done = firn("ingest", TABLE, "-", stdin=record, warehouse=warehouse)
            sent[0] += done.code == 0
            if done.code != 0:
                failures.append(done.stderr)
            # On a slow machine, too, a delete must sometimes find a moment of its own.
            stop.wait(0.2 + 3 * (time.monotonic() - began))

    thread = threading.Thread(target=append)
    thread.start()
    gone, attempts = 0, 0
    # The second subquery only takes time.
    slow = "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT count(*) FROM n)"
    condition = f"id + 0 = (SELECT max(id) FROM {TABLE}) AND {slow} > 0"
    try:
        until = time.monotonic() + 5
        while (time.monotonic() < until or attempts < 2) and not failures:
            result = firn("delete", TABLE, "--where", condition, "--output", "json", warehouse=warehouse).ok()
            report = json.loads(result.stdout)
            assert report["rows-deleted"] <= 1, f"the condition selects one row: {report}"
            gone += report["rows-deleted"]
            attempts = max(attempts, report["attempts"])
    finally:
        stop.set()
        thread.join()
    assert not failures, failures
    assert attempts > 1, "nobody came in between"
    assert len(rows(warehouse)) == sent[0] + 1 - gone


def test_files_that_are_collected_during_the_search(warehouse):
    """A slow search finds its snapshot expired and its files gone, and looks at those of the next one."""
    create(warehouse, "id long required, v string")
    for first in range(0, 240, 40):
        lines = "".join(json.dumps({"id": n, "v": "a"}) + "\n" for n in range(first, first + 40))
        firn("ingest", TABLE, "-", stdin=lines, warehouse=warehouse).ok()
    # Of 24 rows each takes long.
    steps = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 8e5 + id) SELECT count(*) FROM n"
    command = [BINARY, "delete", TABLE, "--where", f"id % 10 = 7 AND ({steps}) > 0", "--output", "json"]
    process = subprocess.Popen(
        [*command, "--warehouse", warehouse], env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    wait_until_busy(process.pid)
    process.send_signal(signal.SIGSTOP)
    firn("compact", TABLE, warehouse=warehouse).ok()
    firn("expire", TABLE, "--older-than", "0s", "--retain-last", 1, warehouse=warehouse).ok()
    firn("gc", warehouse=warehouse).ok()
    process.send_signal(signal.SIGCONT)
    output, errors = process.communicate(timeout=100)
    assert process.returncode == 0, errors
    assert json.loads(output)["rows-deleted"] == 24
    assert [row["id"] for row in rows(warehouse)] == [n for n in range(240) if n % 10 != 7]
    verify(warehouse)


def test_keys_without_the_new_identifier_column(warehouse):
    create(warehouse, "id long required, k long required, v string", {"id": 1, "k": 7, "v": "a"})
    held = Held(warehouse, "delete", TABLE, "-")
    firn("schema", "identifier", TABLE, "k", warehouse=warehouse).ok()
    assert "meanwhile" in held.send({"id": 1}).failed()
    assert rows(warehouse) == [{"id": 1, "k": 7, "v": "a"}]

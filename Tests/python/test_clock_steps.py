"""G2 with a wall clock that jumps: order, identities and commits do not hang on it."""

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from support import chaos
from support.account import Account
from support.client import Client
from support.readers import read_duckdb, read_pyiceberg, sql_catalog
from support.records import SCHEMA, rows_in
from support.senders import HttpxTransport, KeySender, Names, RequestsTransport, SequenceSender

TABLE = "clock.events"
STEPS = ["-1h", "+2h", "-400d", "+0"]


def served_by(wrapper: int) -> int:
    """faketime runs the server as its child."""
    return int(Path(f"/proc/{wrapper}/task/{wrapper}/children").read_text().split()[0])


@pytest.mark.limit(180)
def test_steps_of_the_clock_change_nothing(make_server, warehouse, tmp_path):
    if shutil.which("faketime") is None:
        pytest.skip("faketime is not installed")
    dial = tmp_path / "clock"
    dial.write_text("+0")
    # Only the wall clock: a monotonic clock that jumps would be another machine.
    wrapper = ("faketime", "-f", "+0", "env", "-u", "FAKETIME", f"FAKETIME_TIMESTAMP_FILE={dial}",
               "FAKETIME_CACHE_DURATION=1", "FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1")  # fmt: skip
    server = make_server(warehouse, flush_interval_ms=100, wrapper=wrapper).start()
    pid = served_by(server.process.pid)
    try:
        _send_while_the_clock_steps(server, warehouse, dial)
    finally:
        os.kill(pid, signal.SIGKILL)


def newest(client) -> int:
    """The sequence number of the last commit: a leap forward ages snapshots, and commits expire what is too old."""
    return max((snapshot["sequence-number"] for snapshot in client.snapshots(TABLE)), default=0)


def _send_while_the_clock_steps(server, warehouse, dial):
    client = Client(server)
    client.create_table(TABLE, SCHEMA)
    account, names = Account(), Names(TABLE)
    senders = [
        KeySender("keys", server, names, account, RequestsTransport(), chaos.SEED),
        SequenceSender("sequences", server, names, account, HttpxTransport(), chaos.SEED),
    ]
    for sender in senders:
        sender.start()
    for step in STEPS:
        dial.write_text(step)
        # faketime looks at it every second.
        time.sleep(2.5)
        # Commits go on though the clock has gone back.
        before, deadline = newest(client), time.monotonic() + 30
        while newest(client) == before:
            assert time.monotonic() < deadline, f"no commits since the clock stepped to {step}"
            time.sleep(0.1)
    for sender in senders:
        sender.stopping.set()
        sender.join(timeout=60)
    chaos.check(senders, "the end")
    for sender in senders:
        for batch in sender.history[:100]:
            sender.repeat(batch)
    client.flush(TABLE)
    for engine, read in {"pyiceberg": read_pyiceberg, "duckdb": read_duckdb}.items():
        account.check(rows_in(read(warehouse, TABLE)), engine)
    metadata = sql_catalog(warehouse).load_table(TABLE).metadata
    times = [entry.timestamp_ms for entry in metadata.snapshot_log]
    assert times == sorted(times), "the snapshot log goes back in time"
    numbers = [snapshot.sequence_number for snapshot in metadata.snapshots]
    assert len(set(numbers)) == len(numbers)
    # The clock did step: commits after an hour ahead stay ahead.
    assert times[-1] > time.time() * 1000 + 1_800_000, "faketime had no effect"

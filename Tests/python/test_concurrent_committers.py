"""G2, G3, G6, G9: several writers commit to one table at once, in processes of their own: every row is accounted for.

- Firn and PyIceberg: a server that ingests, `firn upsert`, `delete`, `compact`, `expire` and `gc` from the command
  line, and PyIceberg's append, delete, overwrite and upsert, on one catalog.
- Firn and Firn: a server and two or three processes of the command line, in format versions 2 and 3.
- The same with commands that are killed in the middle.

Meanwhile every single commit is held against the one before it: one chain of parents, sequence numbers without a gap,
row ids without a gap, nothing expired that had to stay. In the end the rows that PyIceberg, DuckDB and Firn read are
those of the account, `firn verify --data` finds nothing, and after `firn gc` no file lies about.

`COMMITTER_SECONDS` sets how long each of them runs (default 12; 600 for the long run), `FIRN_SEED` the random points.
"""

import json
import os
import threading
import time

import pytest

from support import chaos
from support.cli import firn
from support.client import Client
from support.committers import (
    SCHEMA,
    SHARED_IDS,
    TABLE,
    ForeignCommitter,
    Ingester,
    Ledger,
    Maintenance,
    RowCommands,
    findings,
    lines,
    run_firn,
)
from support.historian import Historian
from support.litter import assert_no_litter
from support.readers import metadata_location, read_duckdb, read_pyiceberg
from support.senders import Actor

SECONDS = float(os.environ.get("COMMITTER_SECONDS", "12"))
LIMIT = pytest.mark.limit(int(SECONDS * 1.5) + 240)
RETAIN_LAST = 3


class Auditor(Actor):
    """Reads the table all the time: no id is there twice, and a row keeps its row id wherever it moves."""

    def __init__(self, warehouse, version: int, tagged: bool):
        super().__init__("auditor", chaos.SEED)
        self.warehouse = warehouse
        self.version = version
        self.tagged = tagged
        self.lineage: dict[tuple, tuple] = {}

    def query(self, text: str) -> list[dict]:
        code, output, errors = run_firn(self.warehouse, "query", text)
        assert code == 0, f"{text}: {errors}"
        return [json.loads(line) for line in output.splitlines()]

    def turn(self) -> None:
        rows = self.query(f"SELECT id, value, _row_id AS r, _last_updated_sequence_number AS s FROM {TABLE}")
        ids = [row["id"] for row in rows]
        assert len(set(ids)) == len(ids), f"ids are there twice: {sorted(i for i in set(ids) if ids.count(i) > 1)[:5]}"
        if self.version >= 3:
            numbers = {row["r"] for row in rows}
            assert None not in numbers and len(numbers) == len(rows), "row ids are missing or there twice"
            for row in rows:
                key, lineage = (row["id"], row["value"]), (row["r"], row["s"])
                first = self.lineage.setdefault(key, lineage)
                assert first == lineage, f"row {key} was {first}, is {lineage}"
        if self.tagged:
            rows = self.query(f"SELECT id, value FROM {TABLE} FOR VERSION AS OF 'first' ORDER BY id")
            assert rows == [{"id": n, "value": "first"} for n in SHARED_IDS], "the tagged snapshot has changed"
        self.stopping.wait(0.3)


class Arena:
    """A table, its server, and everybody who commits to it."""

    def __init__(self, make_server, warehouse, tmp_path, version: int, *, partition="", expiry_ms=1000, tagged=False):
        self.warehouse = warehouse
        self.version = version
        self.server = make_server(warehouse, flush_interval_ms=250).start()
        self.client = Client(self.server)
        properties = {
            "format-version": version, "history.expire.max-snapshot-age-ms": expiry_ms,
            "history.expire.min-snapshots-to-keep": RETAIN_LAST, "write.metadata.compression-codec": "gzip",
            "write.metadata.delete-after-commit.enabled": "true", "write.metadata.previous-versions-max": 300,
            "commit.retry.min-wait-ms": 5, "commit.retry.max-wait-ms": 100,
            "commit.manifest.min-count-to-merge": 6, "firn.compaction.min-input-files": 3,
        }  # fmt: skip
        arguments = ["--partition", partition] if partition else []
        for key, value in properties.items():
            arguments += ["--property", f"{key}={value}"]
        firn("table", "create", TABLE, SCHEMA, "--identifier", "id", *arguments, warehouse=warehouse).ok()
        self.ledger = Ledger(tmp_path / "ledger.ndjson")
        self.historian = Historian(warehouse, expiry_ms, RETAIN_LAST)
        self.historian.install(metadata_location(warehouse, TABLE))
        self.auditor = Auditor(warehouse, version, tagged)
        self.gate = threading.Event()
        self.gate.set()
        if tagged:
            firn("upsert", TABLE, "-", stdin=lines(dict.fromkeys(SHARED_IDS, "first"), "x"), warehouse=warehouse).ok()
            firn("tag", "create", TABLE, "first", warehouse=warehouse).ok()
            firn("delete", TABLE, "--where", "id >= 0", warehouse=warehouse).ok()
        self.actors: list[Actor] = [self.auditor]
        self.expiry_ms = expiry_ms

    def commands(self, count: int, kills: float = 0) -> list[RowCommands]:
        made = [
            RowCommands(
                f"firn{n}", n, self.warehouse, self.ledger, chaos.SEED, kills=kills, gate=self.gate)
            for n in range(1, count + 1)
        ]  # fmt: skip
        self.actors += made
        self.actors.append(Maintenance(
            self.warehouse, chaos.SEED, kills=kills, expiry_ms=self.expiry_ms, gate=self.gate))  # fmt: skip
        return made

    def ingest(self) -> None:
        self.actors.append(Ingester(
            "server", 9, self.warehouse, self.ledger, chaos.SEED, server=self.server, gate=self.gate))  # fmt: skip

    def foreign(self) -> ForeignCommitter:
        actor = ForeignCommitter("pyiceberg", 8, self.warehouse, self.ledger, chaos.SEED, gate=self.gate)
        self.actors.append(actor)
        return actor

    def run(self) -> None:
        everybody = [self.historian, *self.actors]
        for actor in everybody:
            actor.start()
        until = time.monotonic() + SECONDS
        while time.monotonic() < until and not any(actor.failure for actor in everybody):
            time.sleep(0.1)
        for actor in self.actors:
            actor.stopping.set()
        self.gate.set()
        for actor in self.actors:
            actor.join(timeout=150)
        self.client.flush(TABLE)
        assert self.server.stop() == 0
        self.historian.stopping.set()
        self.historian.join(timeout=30)
        for actor in everybody:
            if actor.failure is not None:
                raise actor.failure
            assert not actor.is_alive(), f"{actor.name} hangs"
        self.historian.catch_up()

    def check(self, foreign: set[str] | None = None) -> None:
        """Every promise at once."""
        assert not self.ledger.answered - self.historian.seen, "a commit that was answered never was in the history"
        # Compactions may leave delete files that apply to nothing any more.
        firn("clean", TABLE, "--no-orphans", warehouse=self.warehouse).ok()
        self.check_rows()
        faults = findings(self.warehouse, TABLE, "--data", foreign=foreign is not None)
        assert not faults, faults
        firn("gc", warehouse=self.warehouse).ok()
        litter = (foreign or set()) - self.historian.files
        assert_no_litter(self.warehouse, litter)
        firn("expire", TABLE, "--older-than", "1ms", "--retain-last", "1", warehouse=self.warehouse).ok()
        firn("gc", warehouse=self.warehouse).ok()
        assert_no_litter(self.warehouse, litter)
        self.check_rows()
        print(
            f"\n{self.historian.commits} commits, {self.historian.expired_in_passing} snapshots expired in passing,"
            f" {len(self.ledger.rows)} rows; {dict(sorted(self.ledger.tally.items()))}"
        )
        for actor in self.actors:
            if isinstance(actor, Maintenance):
                print(dict(sorted(actor.tally.items())))

    def check_rows(self) -> None:
        for engine, read in {"pyiceberg": read_pyiceberg, "duckdb": read_duckdb}.items():
            table = read(self.warehouse, TABLE)
            self.ledger.check(list(zip(table["id"].to_pylist(), table["value"].to_pylist())), engine)
        code, output, errors = run_firn(self.warehouse, "query", f"SELECT id, value FROM {TABLE}")
        assert code == 0, errors
        rows = [json.loads(line) for line in output.splitlines()]
        self.ledger.check([(row["id"], row["value"]) for row in rows], "firn")


@LIMIT
def test_firn_and_pyiceberg(make_server, warehouse, tmp_path):
    arena = Arena(make_server, warehouse, tmp_path, 2, expiry_ms=4000)
    arena.commands(2)
    arena.ingest()
    foreign = arena.foreign()
    arena.run()
    arena.check(foreign.litter)
    print(f"{foreign.operations} operations of PyIceberg, {foreign.conflicts} conflicts")
    assert foreign.operations > SECONDS / 12, "PyIceberg never came to commit"


@LIMIT
@pytest.mark.parametrize("version", [2, 3])
def test_processes_of_firn(make_server, warehouse, tmp_path, version):
    arena = Arena(make_server, warehouse, tmp_path, version, partition="bucket(4, id)")
    arena.commands(3)
    arena.ingest()
    arena.run()
    arena.check()


@LIMIT
@pytest.mark.parametrize("version", [2, 3])
def test_commands_that_are_killed(make_server, warehouse, tmp_path, version):
    """Half of all commands are; one snapshot is tagged from the beginning, so that the history is no plain chain."""
    arena = Arena(make_server, warehouse, tmp_path, version, partition="bucket(4, id)", tagged=True)
    commands = arena.commands(3, kills=0.5)
    arena.ingest()
    arena.run()
    assert sum(command.killed for command in commands) > SECONDS / 12
    arena.check()

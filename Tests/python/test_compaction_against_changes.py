"""G6: deletes, upserts, ingest and another engine's commits run against compaction; no row comes back, none is lost.

- Writers with ranges of their own (`firn upsert`, `firn delete`, a server that ingests, in version 2 PyIceberg's append,
  delete, overwrite and upsert) change rows all the time, also in files that are being compacted.
- The server compacts in the background, and `firn compact` runs beside it without a pause.
- Samples: the newest compaction and the snapshot before it hold the same rows, read by PyIceberg and by DuckDB; and at
  that snapshot the rows of each writer are what its operations up to there made them.
- In the end the whole table is held against the account of every operation, in three engines.

`CHANGE_SECONDS` sets how long (default 8; 600 for the long run), `FIRN_SEED` the random points.
"""

import json
import os
import threading
import time
from collections import Counter

import pytest
from sqlalchemy.exc import OperationalError

from support import chaos
from support.cli import firn
from support.client import Client
from support.committers import (
    EXCUSES,
    SCHEMA,
    SPAN,
    TABLE,
    ForeignCommitter,
    Ingester,
    Ledger,
    Operation,
    RowCommands,
    findings,
    run_firn,
)
from support.litter import assert_no_litter
from support.readers import read_duckdb, read_pyiceberg, sql_catalog
from support.senders import Actor

SECONDS = float(os.environ.get("CHANGE_SECONDS", "8"))
LIMIT = pytest.mark.limit(int(SECONDS * 1.5) + 240)
ENGINES = {"pyiceberg": read_pyiceberg, "duckdb": read_duckdb}


class Account(Ledger):
    """A ledger that also knows in which snapshot an operation of the command line happened."""

    def __init__(self, path):
        super().__init__(path)
        self.placed: list[tuple[int, Operation]] = []
        # Writers of whom some operation cannot be placed.
        self.unplaced: set[str] = set()

    def close(self, operation, outcome, detail="", snapshot_id=None):
        super().close(operation, outcome, detail, snapshot_id)
        if outcome == "failed":
            return
        if snapshot_id is not None:
            self.placed.append((snapshot_id, operation))
        elif any(value is not None for value in operation.changes.values()) or outcome == "open":
            self.unplaced.add(operation.writer)

    def at(self, sequence: int, sequences: dict[int, int], writer: str) -> dict[int, str]:
        """The rows of a writer's own range at a snapshot."""
        rows: dict[int, str] = {}
        mine = [(sequences[snapshot], operation) for snapshot, operation in self.placed if operation.writer == writer]
        for number, operation in sorted(mine, key=lambda pair: pair[0]):
            if number > sequence:
                break
            for name, value in operation.changes.items():
                if name >= SPAN:
                    rows.pop(name, None)
                    if value is not None:
                        rows[name] = value
        return rows


class Compactor(Actor):
    """Compacts from the command line, again and again; the server does too."""

    def __init__(self, warehouse, gate):
        super().__init__("compactor", chaos.SEED)
        self.warehouse = warehouse
        self.gate = gate
        self.tally: Counter[str] = Counter()

    def turn(self) -> None:
        self.gate.wait(5)
        code, output, errors = run_firn(self.warehouse, "compact", TABLE, "--output", "json")
        if code == 1:
            assert any(excuse in errors for excuse in EXCUSES), errors
            self.tally["runs refused"] += 1
        else:
            assert code == 0, errors
            report = json.loads(output)
            self.tally["runs"] += 1
            self.tally["runs with conflicts"] += report["conflicts"] > 0
            for key in ("groups", "commits", "conflicts", "deletes-carried", "files-before", "files-after"):
                self.tally[key] += report[key]
        self.stopping.wait(0.05)


class Sampler(Actor):
    """Compares compactions with the snapshots before them, in two engines."""

    def __init__(self, warehouse):
        super().__init__("sampler", chaos.SEED)
        self.warehouse = warehouse
        # Sequence number of every snapshot that was seen.
        self.sequences: dict[int, int] = {}
        self.replaces: set[int] = set()
        self.samples: dict[int, list[tuple[int, str]]] = {}

    def look(self):
        metadata = sql_catalog(self.warehouse).load_table(TABLE).metadata
        for snapshot in metadata.snapshots:
            self.sequences[snapshot.snapshot_id] = snapshot.sequence_number
            if snapshot.summary.operation.value == "replace":
                self.replaces.add(snapshot.snapshot_id)
        return metadata

    def turn(self) -> None:
        try:
            metadata = self.look()
            known = {snapshot.snapshot_id for snapshot in metadata.snapshots}
            fresh = [
                s for s in metadata.snapshots
                if s.snapshot_id in self.replaces and s.snapshot_id not in self.samples and s.parent_snapshot_id in known
            ]  # fmt: skip
            if fresh:
                self.sample(max(fresh, key=lambda s: s.sequence_number))
        except OperationalError as error:
            assert "locked" in str(error), error
        self.stopping.wait(0.1)

    def sample(self, snapshot) -> None:
        found = {
            (engine, place): sorted(self.read(read, number))
            for engine, read in ENGINES.items()
            for place, number in (("after", snapshot.snapshot_id), ("before", snapshot.parent_snapshot_id))
        }
        rows = found["pyiceberg", "before"]
        for key, others in found.items():
            extra, missing = Counter(others) - Counter(rows), Counter(rows) - Counter(others)
            assert not extra and not missing, (
                f"{key} of {snapshot.snapshot_id}: came back {list(extra)[:5]}, lost {list(missing)[:5]}")  # fmt: skip
        self.samples[snapshot.snapshot_id] = rows

    def read(self, read, snapshot_id):
        table = read(self.warehouse, TABLE, snapshot_id)
        return zip(table["id"].to_pylist(), table["value"].to_pylist())

    def check(self, account: Account, writers: list[str]) -> int:
        """Holds the samples against the account; answers how many rows were compared."""
        compared = 0
        for snapshot, rows in self.samples.items():
            for number, writer in enumerate(writers, start=1):
                if writer in account.unplaced:
                    continue
                first = number * SPAN
                found = {name: value for name, value in rows if first <= name < first + SPAN}
                expected = account.at(self.sequences[snapshot], self.sequences, writer)
                wrong = {n: (found.get(n), expected.get(n)) for n in found.keys() | expected.keys()
                         if found.get(n) != expected.get(n)}  # fmt: skip
                assert not wrong, f"snapshot {snapshot}, {writer}: (found, expected) {dict(list(wrong.items())[:5])}"
                compared += len(expected)
        return compared


@LIMIT
@pytest.mark.parametrize("version", [2, 3])
def test_compaction_against_changes(make_server, warehouse, tmp_path, version):
    server = make_server(warehouse, flush_interval_ms=200).start()
    properties = {
        "format-version": version, "write.metadata.compression-codec": "gzip",
        "history.expire.max-snapshot-age-ms": 60_000, "history.expire.min-snapshots-to-keep": 20,
        "write.metadata.delete-after-commit.enabled": "true", "write.metadata.previous-versions-max": 200,
        "commit.retry.min-wait-ms": 5, "commit.retry.max-wait-ms": 100, "firn.compaction.min-input-files": 2,
        "write.delete.granularity": "partition" if version == 2 else "file",
    }  # fmt: skip
    arguments = [word for key, value in properties.items() for word in ("--property", f"{key}={value}")]
    # PyIceberg writes no version 3; it has that table unpartitioned.
    arguments += ["--partition", "bucket(3, id)"] if version == 3 else []
    firn("table", "create", TABLE, SCHEMA, "--identifier", "id", *arguments, warehouse=warehouse).ok()
    account = Account(tmp_path / "account.ndjson")
    gate = threading.Event()
    gate.set()
    sampler, compactor = Sampler(warehouse), Compactor(warehouse, gate)
    writers = [
        RowCommands(f"firn{n}", n, warehouse, account, chaos.SEED, rest_s=0.02, gate=gate) for n in (1, 2)
    ]  # fmt: skip
    actors = [sampler, compactor, *writers]
    actors.append(Ingester("server", 9, warehouse, account, chaos.SEED, server=server, gate=gate))
    if version == 2:
        actors.append(ForeignCommitter("pyiceberg", 8, warehouse, account, chaos.SEED, gate=gate))
    for actor in actors:
        actor.start()
    until = time.monotonic() + SECONDS
    client, compactions, slowest = Client(server), 0, 0.0
    while time.monotonic() < until and not any(actor.failure for actor in actors):
        # The server's own compactor looks every few seconds; a short run asks it.
        started = time.monotonic()
        answer = client.once("POST", "/v1/tables/shared/rows/compact", timeout=120)
        slowest = max(slowest, time.monotonic() - started)
        assert answer.status in (200, 409, 429, 503), answer
        compactions += answer.status == 200
        time.sleep(0.4)
    for actor in actors:
        actor.stopping.set()
    gate.set()
    for actor in actors:
        actor.join(timeout=150)
    for actor in actors:
        if actor.failure is not None:
            raise actor.failure
        assert not actor.is_alive(), f"{actor.name} hangs"
    client.flush(TABLE)
    firn("compact", TABLE, warehouse=warehouse).ok()
    # However long the others' turns took, the newest compaction is sampled.
    sampler.turn()
    assert server.stop() == 0

    for engine, read in ENGINES.items():
        table = read(warehouse, TABLE)
        account.check(list(zip(table["id"].to_pylist(), table["value"].to_pylist())), engine)
    code, output, errors = run_firn(warehouse, "query", f"SELECT id, value FROM {TABLE}")
    assert code == 0, errors
    account.check([(row["id"], row["value"]) for row in map(json.loads, output.splitlines())], "firn")
    compared = sampler.check(account, [writer.name for writer in writers])
    faults = findings(warehouse, TABLE, "--data", foreign=version == 2)
    assert not faults, faults
    firn("gc", warehouse=warehouse).ok()
    assert_no_litter(warehouse, actors[-1].litter if version == 2 else frozenset())
    print(
        f"\nversion {version}: {len(sampler.sequences)} snapshots, {len(sampler.replaces)} compactions,"
        f" {len(sampler.samples)} sampled in two engines ({compared} rows held against the account);"
        f" {len(account.rows)} rows at the end; 0 came back, 0 lost"
    )
    print(dict(sorted(account.tally.items())))
    print(f"{compactions} compactions asked of the server, the slowest took {slowest:.1f} s")
    print(f"command line: {dict(sorted(compactor.tally.items()))}")
    assert sampler.samples, "no compaction was sampled"

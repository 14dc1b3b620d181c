"""Several writers at one table, each in a process of its own, and the exact account of what they did.

1. A writer changes rows of its own range of ids, so that what the table should hold there follows from its own
   operations alone. Each operation writes values that occur nowhere else.
2. An operation that failed must have changed nothing. One that was killed, or never answered, is decided by a look at
   the writer's range: it happened wholly or not at all.
3. Ids of a further range are changed by everybody. There each operation counts with the time it took: a value that is
   found must not come from an operation that ended before another one on its id began.
4. Every outcome is noted in a ledger file, a line an operation, for whoever wants to know what went wrong.
"""

import json
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.expressions import In
from sqlalchemy.exc import OperationalError

from support.client import Client, Producer, ndjson
from support.janitors import RecordingFileIO, foreign_catalog
from support.senders import Actor
from support.server import BINARY, Server, clean_environment

TABLE = "shared.rows"
SCHEMA = "id long required, writer string, value string"
SPAN = 1_000_000
SHARED_IDS = range(40)
# What a command may say beside writers that are faster than it, every row staying as it was.
EXCUSES = (
    "other writers won", "others changed the table", "is busy", "locked", "maintaining the table",
    "no ancestor", "is gone", "are not live any more", "deletes were added", "has another holder",
    # What it began with is expired and collected: history is short here, and a loaded machine slow.
    "may have expired", "o such file",
)  # fmt: skip


@dataclass
class Operation:
    writer: str
    kind: str
    # What the rows are afterwards; None for ids that are deleted.
    changes: dict[int, str | None]
    started: float
    ended: float = 0.0
    outcome: str = ""
    detail: str = ""


class Ledger:
    """What became of every operation. Safe to use from many threads."""

    def __init__(self, path: Path):
        self._file = open(path, "w")
        self._lock = threading.Lock()
        self.rows: dict[int, str] = {}
        self.shared: list[Operation] = []
        self.tally: Counter[str] = Counter()
        # Snapshots that a writer was told of.
        self.answered: set[int] = set()

    def close(self, operation: Operation, outcome: str, detail: str = "", snapshot_id: int | None = None) -> None:
        """Enters the outcome: `done`, `failed` (nothing happened) or `open` (shared ids only: nobody knows)."""
        operation.ended, operation.outcome, operation.detail = time.monotonic(), outcome, detail
        with self._lock:
            self.tally[f"{operation.kind} {outcome}"] += 1
            if snapshot_id is not None:
                self.answered.add(snapshot_id)
            if outcome == "done":
                for name, value in operation.changes.items():
                    if name >= SPAN:
                        self.rows.pop(name, None)
                        if value is not None:
                            self.rows[name] = value
            if outcome != "failed" and any(name < SPAN for name in operation.changes):
                self.shared.append(operation)
            print(json.dumps(vars(operation) | {"snapshot-id": snapshot_id}), file=self._file, flush=True)

    def check(self, found: list[tuple[int, str]], engine: str) -> None:
        """Holds all rows of the table against the account."""
        counts = Counter(name for name, _ in found)
        twice = [name for name, count in counts.items() if count > 1]
        assert not twice, f"{engine}: {len(twice)} ids are there twice: {twice[:8]}"
        own = {name: value for name, value in found if name >= SPAN}
        wrong = {
            name: (own.get(name), self.rows.get(name))
            for name in own.keys() | self.rows.keys()
            if own.get(name) != self.rows.get(name)
        }
        assert not wrong, f"{engine}: {len(wrong)} rows differ, as (found, expected): {dict(list(wrong.items())[:8])}"
        self._check_shared({name: value for name, value in found if name < SPAN}, engine)

    def _check_shared(self, found: dict[int, str], engine: str) -> None:
        for name in SHARED_IDS:
            operations = [operation for operation in self.shared if name in operation.changes]
            value = found.get(name)
            makers = [operation for operation in operations if operation.changes[name] == value]
            if value is None and not any(operation.outcome == "done" for operation in operations):
                continue
            assert makers, f"{engine}: nobody made shared row {name}: {value}"
            last = max(maker.ended if maker.outcome == "done" else float("inf") for maker in makers)
            later = [o for o in operations if o.outcome == "done" and o.started > last]
            assert not later, f"{engine}: shared row {name} is {value}, but later came {later[-1]}"


class Committer(Actor):
    """One writer with a range of ids of its own."""

    def __init__(self, name: str, number: int, warehouse: Path, ledger: Ledger, seed: int, rest_s: float = 0.05):
        super().__init__(name, seed)
        self.warehouse = warehouse
        self.ledger = ledger
        self.rest_s = rest_s
        self.first = number * SPAN
        # Ids that are used again and again; those above are used once.
        self.often = range(self.first, self.first + 50)
        self.fresh = self.first + 1000
        self.operations = 0
        self.mine: dict[int, str] = {}

    def turn(self) -> None:
        self.operations += 1
        self.act()
        self.stopping.wait(self.random.uniform(0, 2 * self.rest_s))

    def act(self) -> None:
        raise NotImplementedError

    def value(self) -> str:
        return f"{self.name}-{self.operations}"

    def fresh_ids(self, count: int) -> list[int]:
        self.fresh += count
        return list(range(self.fresh - count, self.fresh))

    def some(self, names, most: int) -> list[int]:
        names = sorted(names)
        return self.random.sample(names, min(len(names), self.random.randint(1, most)))

    def begin(self, kind: str, changes: dict[int, str | None]) -> Operation:
        return Operation(self.name, kind, changes, time.monotonic())

    def done(self, operation: Operation, detail: str = "", snapshot_id: int | None = None) -> None:
        self.ledger.close(operation, "done", detail, snapshot_id)
        self.mine = self.after(operation)

    def after(self, operation: Operation) -> dict[int, str]:
        """The rows of this writer with the operation done."""
        rows = dict(self.mine)
        for name, value in operation.changes.items():
            rows.pop(name, None)
            if value is not None and name >= SPAN:
                rows[name] = value
        return rows

    def undecided(self, operation: Operation, *, may_have_happened: bool, detail: str) -> None:
        """Looks at the table: all of the operation is there, or nothing."""
        if any(name < SPAN for name in operation.changes):
            # Others may have changed the rows since.
            return self.ledger.close(operation, "open" if may_have_happened else "failed", detail)
        found = self.look()
        after = self.after(operation)
        if found == self.mine:
            return self.ledger.close(operation, "failed", detail)
        assert may_have_happened, f"{operation} failed, but changed rows: {sorted(found.items() ^ self.mine.items())}"
        assert found == after, f"{operation} happened in part: {sorted(found.items() ^ after.items())[:10]}"
        self.done(operation, detail)

    def look(self) -> dict[int, str]:
        """The rows of this writer as the table has them."""
        code, output, errors = run_firn(
            self.warehouse, "query",
            f"SELECT id, value FROM {TABLE} WHERE id >= {self.first} AND id < {self.first + SPAN}",
        )  # fmt: skip
        assert code == 0, errors
        rows = [json.loads(line) for line in output.splitlines()]
        found = {row["id"]: row["value"] for row in rows}
        assert len(found) == len(rows), f"{self.name}: an id is there twice"
        return found


def run_firn(warehouse: Path, *arguments, stdin: str = "", kill_after: float | None = None) -> tuple[int, str, str]:
    """Exit code (-9 when it was killed in time), output and errors."""
    for attempt in range(20):
        process = subprocess.Popen(
            [str(BINARY), *map(str, arguments), "--warehouse", str(warehouse)], env=clean_environment(),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        timer = threading.Timer(kill_after, process.kill) if kill_after is not None else None
        if timer:
            timer.start()
        output, errors = process.communicate(stdin.encode(), timeout=120)
        if timer:
            timer.cancel()
        text = errors.decode(errors="replace")
        # A query reads a snapshot that may expire before it is through.
        if arguments[0] == "query" and process.returncode == 1 and "o such file" in text and attempt < 19:
            continue
        return process.returncode, output.decode(errors="replace"), text
    raise AssertionError("not reached")


def findings(warehouse: Path, table: str, *options: str, foreign: bool = False) -> list[dict]:
    """What `firn verify` has to say. PyIceberg leaves position deletes behind when it rewrites their data files."""
    code, output, errors = run_firn(warehouse, "verify", table, "--output", "json", *options)
    report = json.loads(output)
    assert code == (0 if report["clean"] else 1), errors
    return [
        finding for finding in report["findings"]
        if not (foreign and finding["code"] == "dangling_position_delete")
    ]  # fmt: skip


def lines(changes: dict[int, str | None], writer: str, *, keys_only: bool = False) -> str:
    if keys_only:
        return "".join(json.dumps({"id": name}) + "\n" for name in changes)
    return "".join(json.dumps({"id": n, "writer": writer, "value": value}) + "\n" for n, value in changes.items())


class RowCommands(Committer):
    """`firn upsert` and `firn delete` in processes of their own; some are killed on the way."""

    def __init__(self, *arguments, gate: threading.Event, kills: float = 0, **options):
        super().__init__(*arguments, **options)
        self.kills = kills
        self.gate = gate
        self.killed = 0

    def act(self) -> None:
        self.gate.wait(5)
        kind = self.random.choice(["upsert", "upsert", "upsert", "delete", "keys", "between", "shared", "forget"])
        getattr(self, kind)()

    def upsert(self) -> None:
        names = self.some(self.often, 12) + self.fresh_ids(self.random.randint(0, 6))
        changes = dict.fromkeys(names, self.value())
        self.firn("upsert", changes, "upsert", TABLE, "-", stdin=lines(changes, self.name))

    def delete(self) -> None:
        changes = dict.fromkeys(self.some(self.mine, 6) or [self.first])
        self.firn("delete", changes, "delete", TABLE, "--where", f"id IN ({', '.join(map(str, changes))})")

    def keys(self) -> None:
        changes = dict.fromkeys(self.some(self.mine, 6) or [self.first])
        self.firn("delete keys", changes, "delete", TABLE, "-", stdin=lines(changes, self.name, keys_only=True))

    def between(self) -> None:
        start = self.random.choice(self.often)
        changes = {name: None for name in range(start, start + 5) if name in self.mine}
        condition = f"id BETWEEN {start} AND {start + 4} AND writer = '{self.name}'"
        self.firn("delete range", changes, "delete", TABLE, "--where", condition)

    def forget(self) -> None:
        """Everything above the often used ids."""
        changes = {name: None for name in self.mine if name >= self.first + 1000}
        if len(changes) > 40:
            condition = f"id >= {self.first + 1000} AND id < {self.first + SPAN}"
            self.firn("delete all", changes, "delete", TABLE, "--where", condition)

    def shared(self) -> None:
        names = self.some(SHARED_IDS, 6)
        if self.random.random() < 0.3:
            changes = dict.fromkeys(names)
            condition = f"id IN ({', '.join(map(str, names))})"
            return self.firn("shared delete", changes, "delete", TABLE, "--where", condition)
        changes = dict.fromkeys(names, self.value())
        self.firn("shared upsert", changes, "upsert", TABLE, "-", stdin=lines(changes, self.name))

    def firn(self, kind: str, changes: dict, *arguments, stdin: str = "") -> None:
        operation = self.begin(kind, changes)
        kill_after = self.random.uniform(0.01, 0.25) if self.random.random() < self.kills else None
        code, output, errors = run_firn(
            self.warehouse, *arguments, "--output", "json", stdin=stdin, kill_after=kill_after)  # fmt: skip
        if code == -9:
            self.killed += 1
            return self.undecided(operation, may_have_happened=True, detail="killed")
        if code == 1:
            assert any(excuse in errors for excuse in EXCUSES), f"{operation}: {errors}"
            return self.undecided(operation, may_have_happened=False, detail=errors.strip())
        assert code == 0, f"{operation}: {code}: {errors}"
        report = json.loads(output)
        if not any(name < SPAN for name in changes):
            before = sum(name in self.mine for name in changes)
            assert report["rows-deleted"] == before, f"{operation}: deleted {report}, should be {before}"
        self.done(operation, f"{report['attempts']} attempts", report["snapshot-id"])


class Ingester(Committer):
    """Sends batches to a server and takes some of their rows out again once they are acknowledged."""

    def __init__(self, *arguments, server: Server, gate: threading.Event, **options):
        super().__init__(*arguments, **options)
        self.gate = gate
        self.producer = Producer(Client(server), TABLE, self.name)

    def act(self) -> None:
        self.gate.wait(5)
        if len(self.mine) > 30 and self.random.random() < 0.15:
            changes = dict.fromkeys(self.some(self.mine, 20))
            operation = self.begin("delete acknowledged", changes)
            condition = f"id IN ({', '.join(map(str, changes))})"
            code, output, errors = run_firn(
                self.warehouse, "delete", TABLE, "--where", condition, "--output", "json")  # fmt: skip
            if code == 1:
                assert any(excuse in errors for excuse in EXCUSES), errors
                return self.undecided(operation, may_have_happened=False, detail=errors.strip())
            report = json.loads(output)
            assert report["rows-deleted"] == len(changes), f"{operation}: {report}"
            return self.done(operation, f"{report['attempts']} attempts", report["snapshot-id"])
        changes = dict.fromkeys(self.fresh_ids(self.random.randint(1, 20)), self.value())
        operation = self.begin("ingest", changes)
        rows = ({"id": name, "writer": self.name, "value": value} for name, value in changes.items())
        answer = self.producer.send(ndjson(rows))
        assert answer.json["accepted"] == len(changes), answer.json
        self.done(operation)


class ForeignCommitter(Committer):
    """PyIceberg: append, delete by filter (copy-on-write), overwrite, and an upsert of shared rows."""

    # Each attempt is five of its own.
    POLITE_AFTER = 1

    def __init__(self, *arguments, gate: threading.Event, **options):
        super().__init__(*arguments, **options)
        # Closed while others let it go first, after it has lost often.
        self.gate = gate
        self.conflicts = 0
        # Files of attempts that failed, which are nobody's to find.
        self.litter: set[str] = set()

    def act(self) -> None:
        kind = self.random.choice(["append", "append", "delete", "overwrite", "upsert"] if self.mine else ["append"])
        getattr(self, kind)()

    def arrow(self, changes: dict[int, str], table) -> pa.Table:
        rows = [{"id": name, "writer": self.name, "value": value} for name, value in changes.items()]
        return pa.Table.from_pylist(rows, schema=table.schema().as_arrow())

    def append(self) -> None:
        changes = dict.fromkeys(self.fresh_ids(self.random.randint(1, 20)), self.value())
        self.commit("pyiceberg append", changes, lambda table: table.append(self.arrow(changes, table)))

    def delete(self) -> None:
        changes = dict.fromkeys(self.some(self.mine, 15))
        self.commit("pyiceberg delete", changes, lambda table: table.delete(In("id", set(changes))))

    def overwrite(self) -> None:
        gone = self.some(self.mine, 10)
        new = dict.fromkeys(self.fresh_ids(self.random.randint(1, 5)) + gone[::2], self.value())
        self.commit(
            "pyiceberg overwrite", dict.fromkeys(gone) | new,
            lambda table: table.overwrite(self.arrow(new, table), overwrite_filter=In("id", set(gone))),
        )  # fmt: skip

    def upsert(self) -> None:
        changes = dict.fromkeys(self.some(SHARED_IDS, 5), self.value())

        def change(table):
            # PyIceberg's own retry looks for no rows again: it would add a key that another writer has added since.
            once = table.metadata.properties | {"commit.retry.num-retries": "0"}
            table.metadata = table.metadata.model_copy(update={"properties": once})
            table.upsert(self.arrow(changes, table), join_cols=["id"])

        self.commit("pyiceberg upsert", changes, change)

    def commit(self, kind: str, changes: dict, change) -> None:
        operation = self.begin(kind, changes)
        for attempt in range(40):
            if attempt == self.POLITE_AFTER:
                self.gate.clear()
            before = set(RecordingFileIO.written)
            detail = ""
            try:
                change(foreign_catalog(self.warehouse).load_table(TABLE))
                self.gate.set()
                # Its own retries clean up behind them, but for the metadata files that lost the race.
                new = RecordingFileIO.written - before
                self.litter |= {path for path in new if path.endswith(".metadata.json")}
                return self.done(operation, f"{attempt + 1} attempts")
            except (CommitFailedException, ValidationException) as error:
                detail = repr(error)
            except FileNotFoundError as error:
                detail = repr(error)  # Expired and collected between its look at the table and its read.
            except OperationalError as error:
                # PyIceberg waits 5 s for SQLite's lock and then gives up; nothing was written.
                assert "locked" in str(error), error
                detail = "locked"
            self.conflicts += 1
            self.litter |= RecordingFileIO.written - before
            if attempt % 4 == 0 and not any(name < SPAN for name in changes):
                found = self.look()
                assert found == self.mine, f"{operation} failed with {detail}, but changed rows"
            if self.stopping.is_set():
                break
        self.gate.set()
        self.ledger.close(operation, "failed", detail)


class Maintenance(Actor):
    """Compacts, expires, collects and changes how rows are deleted, from the command line; some are killed."""

    def __init__(
        self, warehouse: Path, seed: int, *, gate: threading.Event, expiry_ms: int, kills: float = 0, rest_s=0.15
    ):  # fmt: skip
        super().__init__("maintenance", seed)
        self.warehouse = warehouse
        self.kills = kills
        self.expiry_ms = expiry_ms
        self.gate = gate
        self.rest_s = rest_s
        self.tally: Counter[str] = Counter()

    def turn(self) -> None:
        self.gate.wait(5)
        kind = self.random.choice(["compact", "compact", "expire", "gc", "alter"])
        getattr(self, kind)()
        self.stopping.wait(self.random.uniform(0, 2 * self.rest_s))

    def compact(self) -> None:
        self.firn("compact", TABLE)

    def expire(self) -> None:
        self.firn("expire", TABLE, "--older-than", f"{self.expiry_ms}ms", "--retain-last", "3")

    def gc(self) -> None:
        self.firn("gc")

    def alter(self) -> None:
        key, value = self.random.choice([
            ("write.delete.mode", "merge-on-read"), ("write.delete.mode", "copy-on-write"),
            ("write.merge.mode", "merge-on-read"), ("write.merge.mode", "merge-on-read"),
            ("write.merge.mode", "copy-on-write"), ("write.delete.granularity", "file"),
            ("write.delete.granularity", "partition"),
            ("write.metadata.compression-codec", "gzip"), ("write.metadata.compression-codec", "none"),
        ])  # fmt: skip
        self.firn("table", "alter", TABLE, "--set", f"{key}={value}")

    def firn(self, *arguments) -> None:
        kill_after = self.random.uniform(0.01, 0.25) if self.random.random() < self.kills else None
        code, output, errors = run_firn(self.warehouse, *arguments, kill_after=kill_after)
        name = next(a for a in arguments if a in ("compact", "expire", "gc", "alter"))
        self.tally[f"{name} {'killed' if code == -9 else 'failed' if code else 'done'}"] += 1
        if code == 1:
            assert any(excuse in errors for excuse in EXCUSES), f"firn {' '.join(arguments)}: {errors}"
        else:
            assert code in (0, -9), f"firn {' '.join(arguments)}: {code}: {errors}"

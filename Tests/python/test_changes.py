"""`FOR CHANGES`: for every snapshot, the rows before it without its deletes and with its inserts are the rows after it.

Random histories of appends, upserts, deletes, overwrites by PyIceberg, compactions and changes of the table's shape, in
both format versions, with deletes written beside the data and with data rewritten. Compared as multisets of whole rows,
so that equal rows count as often as they are there; the rows of every snapshot are what PyIceberg reads.
"""

import json
import os
import random
from collections import Counter

import pyarrow as pa
import pytest
from pyiceberg.expressions import In

from support.cli import firn
from support.readers import sql_catalog

TABLE = "log.rows"
COLUMNS = ("id", "part", "value")
STEPS = int(os.environ.get("CHANGES_STEPS", "11"))
SEED = os.environ.get("FIRN_SEED", "20130101")


class History:
    """A table and random changes of it."""

    def __init__(self, warehouse, version: int, partition: str, mode: str, seed: str):
        self.warehouse = warehouse
        self.version = version
        self.random = random.Random(f"{seed} {version} {partition} {mode}")
        self.step = 0
        self.kinds: list[str] = []
        arguments = ["--partition", partition] if partition else []
        for key, value in {
            "format-version": version, "write.delete.mode": mode, "write.merge.mode": mode,
            "commit.manifest.min-count-to-merge": 3,
        }.items():  # fmt: skip
            arguments += ["--property", f"{key}={value}"]
        self.firn("table", "create", TABLE, "id long required, part string, value string", *arguments,
                  "--identifier", "id")  # fmt: skip

    def firn(self, *arguments, stdin=None):
        return firn(*arguments, warehouse=self.warehouse, stdin=stdin).ok()

    def query(self, text: str) -> list[dict]:
        return self.firn("query", text).rows()

    def lines(self, ids, value: str) -> str:
        return "".join(json.dumps({"id": i, "part": "abc"[i % 3], "value": value}) + "\n" for i in ids)

    def act(self) -> None:
        self.step += 1
        kinds = ["append", "upsert", "upsert", "delete", "delete", "compact", "whole", "property", "twice"]
        if self.version == 2:
            kinds += ["foreign", "foreign"]
        kind = "append" if self.step < 3 else self.random.choice(kinds)
        self.kinds.append(kind)
        getattr(self, kind)(f"v{self.step}")

    def append(self, value):
        ids = self.random.sample(range(100 * self.step, 100 * self.step + 40), 15)
        self.firn("ingest", TABLE, "-", stdin=self.lines(ids, value))

    def twice(self, value):
        """Rows that are there already, letter for letter."""
        rows = self.query(f"SELECT id, part, value FROM {TABLE} ORDER BY id LIMIT 6")
        self.firn("ingest", TABLE, "-", stdin="".join(json.dumps(row) + "\n" for row in rows))

    def upsert(self, value):
        self.firn("upsert", TABLE, "-", stdin=self.lines(self.random.sample(range(90, 400), 25), value))

    def delete(self, value):
        rest = self.random.randrange(5)
        condition = self.random.choice([
            f"id % 5 = {rest}", f"id % 3 = {rest} AND value < 'v4'", f"part = 'a' AND id % 2 = {rest % 2}",
        ])  # fmt: skip
        self.firn("delete", TABLE, "--where", condition)

    def whole(self, value):
        start = self.random.randrange(1, self.step + 1) * 100
        self.firn("delete", TABLE, "--where", f"id >= {start} AND id < {start + 60}")

    def compact(self, value):
        self.firn("compact", TABLE)

    def property(self, value):
        key, value = self.random.choice([
            ("write.delete.mode", "merge-on-read"), ("write.delete.mode", "copy-on-write"),
            ("write.merge.mode", "merge-on-read"), ("write.delete.granularity", "file"),
            ("write.delete.granularity", "partition"),
        ])  # fmt: skip
        self.firn("table", "alter", TABLE, "--set", f"{key}={value}")

    def foreign(self, value):
        table = sql_catalog(self.warehouse).load_table(TABLE)
        rows = self.query(f"SELECT id, part, value FROM {TABLE} ORDER BY id")
        ids = {row["id"] for row in self.random.sample(rows, min(7, len(rows)))} or {0}
        if self.random.random() < 0.4:
            return table.delete(In("id", ids))
        new = [{"id": i + 5000, "part": "abc"[i % 3], "value": value} for i in ids]
        table.overwrite(pa.Table.from_pylist(new, schema=table.schema().as_arrow()), overwrite_filter=In("id", ids))


def multiset(rows) -> Counter:
    return Counter(tuple(row[name] for name in COLUMNS) for row in rows)


def check(history: History) -> int:
    """Every adjacent pair of snapshots, and the whole range at once; answers how many changes there were."""
    table = sql_catalog(history.warehouse).load_table(TABLE)
    chain, at = [], table.current_snapshot()
    while at is not None:
        chain.insert(0, at)
        at = table.snapshot_by_id(at.parent_snapshot_id) if at.parent_snapshot_id else None
    states, before, total = {None: Counter()}, None, 0
    for snapshot in chain:
        here = snapshot.snapshot_id
        states[here] = multiset(table.scan(snapshot_id=here).to_arrow().to_pylist())
        ours = history.query(f"SELECT id, part, value FROM {TABLE} FOR VERSION AS OF {here}")
        assert multiset(ours) == states[here], f"{history.kinds}: Firn reads other rows at {here}"
        what = f"FOR CHANGES BETWEEN {before} AND {here}" if before else None
        if what:
            total += check_range(history, table, what, states[before], states[here], {here})
        before = here
    # The counter of changes keeps their order: replayed one by one they lead through every state.
    rows = history.query(f"SELECT * FROM {TABLE} FOR CHANGES ORDER BY _change_ordinal")
    state, ordinals = Counter(), {}
    for row in rows:
        ordinals.setdefault(row["_change_ordinal"], []).append(row)
    assert sorted(ordinals) == list(range(len(ordinals)))
    for ordinal in sorted(ordinals):
        (here,) = {row["_commit_snapshot_id"] for row in ordinals[ordinal]}
        state = applied(state, ordinals[ordinal])
        assert state == states[here], f"{history.kinds}: the changes up to {here} lead elsewhere"
    assert state == states[before]
    first, middle = chain[0].snapshot_id, chain[len(chain) // 2].snapshot_id
    check_range(history, table, f"FOR CHANGES BETWEEN {first} AND {middle}", states[first], states[middle], None)
    check_range(history, table, f"FOR CHANGES SINCE {middle}", states[middle], states[before], None)
    return total


def applied(state: Counter, changes: list[dict]) -> Counter:
    deletes = multiset(row for row in changes if row["_change_type"] == "delete")
    inserts = multiset(row for row in changes if row["_change_type"] == "insert")
    assert len(changes) == deletes.total() + inserts.total(), "changes of a third kind"
    assert not deletes - state, f"rows were deleted that were not there: {list(deletes - state)[:5]}"
    return state - deletes + inserts


def check_range(history, table, what, before: Counter, after: Counter, commits: set[int] | None) -> int:
    rows = history.query(f"SELECT * FROM {TABLE} {what}")
    # Commit by commit, since a row may go and come again.
    state, order = before, sorted({row["_change_ordinal"] for row in rows})
    for ordinal in order:
        state = applied(state, [row for row in rows if row["_change_ordinal"] == ordinal])
    assert state == after, (
        f"{history.kinds}: {what}: missing {list(after - state)[:5]}, too much {list(state - after)[:5]}"
    )  # fmt: skip
    if commits is not None:
        assert {row["_commit_snapshot_id"] for row in rows} <= commits
        (snapshot,) = [s for s in table.snapshots() if s.snapshot_id in commits]
        if snapshot.summary.operation.value == "replace":
            assert not rows, f"{history.kinds}: a compaction changed rows"
    # A condition takes the same rows out as one on the result.
    some = history.query(f"SELECT * FROM {TABLE} {what} WHERE id % 2 = 0 AND part <> 'b'")
    assert sorted(map(json.dumps, some)) == sorted(
        json.dumps(row) for row in rows if row["id"] % 2 == 0 and row["part"] != "b"
    )
    return len(rows)


@pytest.mark.limit(300)
@pytest.mark.parametrize("mode", ["merge-on-read", "copy-on-write"])
@pytest.mark.parametrize(
    "version, partition", [(2, ""), (2, "part"), (3, ""), (3, "part"), (3, "bucket(3, id)")]
)  # fmt: skip
def test_changes_add_up(warehouse, version, partition, mode):
    history = History(warehouse, version, partition, mode, SEED)
    for _ in range(STEPS):
        history.act()
    assert check(history) > 50

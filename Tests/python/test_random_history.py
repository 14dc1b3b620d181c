"""Random histories with branches, tags, rollbacks and cherry-picks, where snapshots expire all the time.

Every snapshot's rows are noted when it is made. As long as the table retains a snapshot, PyIceberg and Firn must read
just those rows from it; what is retained must be what Iceberg's retention says; and after `firn gc` the files on disk
are those that a retained snapshot needs, whatever way the history went.
"""

import json
import os
import random

import pyarrow as pa
import pytest
from pyiceberg.expressions import In

from support.cli import firn
from support.committers import findings
from support.historian import read_metadata
from support.litter import assert_no_litter
from support.readers import metadata_location, sql_catalog

TABLE = "past.rows"
STEPS = int(os.environ.get("HISTORY_STEPS", "44"))
SEED = os.environ.get("FIRN_SEED", "20130101")
# What the commands may refuse on some states.
REFUSALS = (
    "is not an ancestor", "already", "no ancestor", "nothing to", "is the head", "has no", "cannot be picked",
    "there is", "lacks", "replaced", "changed", "was made", "not live", "expired",
)  # fmt: skip


class Past:
    def __init__(self, warehouse, version: int, keep: int, seed: str):
        self.warehouse = warehouse
        self.version = version
        self.random = random.Random(f"{seed} {version} {keep}")
        self.keep = keep
        self.next = 0
        self.states: dict[int, list[int]] = {}
        self.log: list[str] = []
        self.expired = 0
        arguments = []
        for key, value in {
            "format-version": version, "history.expire.max-snapshot-age-ms": 1,
            "history.expire.min-snapshots-to-keep": keep, "commit.manifest.min-count-to-merge": 3,
            "write.metadata.delete-after-commit.enabled": "true", "write.metadata.previous-versions-max": 2,
            "write.metadata.compression-codec": self.random.choice(["gzip", "none"]),
        }.items():  # fmt: skip
            arguments += ["--property", f"{key}={value}"]
        firn("table", "create", TABLE, "id long required, v string", "--identifier", "id", *arguments,
             warehouse=warehouse).ok()  # fmt: skip

    def firn(self, *arguments, stdin=None) -> bool:
        done = firn(*arguments, warehouse=self.warehouse, stdin=stdin)
        self.log.append(f"{' '.join(arguments)} -> {done.code} {(done.stderr or done.stdout).strip()[:90]}")
        if done.code:
            assert any(text in done.failed() for text in REFUSALS), self.log[-1]
        return done.code == 0

    @property
    def metadata(self) -> dict:
        return read_metadata(metadata_location(self.warehouse, TABLE))

    @property
    def refs(self) -> dict:
        return self.metadata.get("refs", {})

    def lines(self, ids) -> str:
        self.next += 1
        return "".join(json.dumps({"id": i, "v": f"v{self.next}"}) + "\n" for i in ids)

    def ids(self, count=4):
        return self.random.sample(range(60), count)

    def a_ref(self, kind=None):
        names = [n for n, ref in self.refs.items() if n != "main" and (kind is None or ref["type"] == kind)]
        return self.random.choice(names) if names else None

    def a_snapshot(self) -> str:
        return str(self.random.choice([s["snapshot-id"] for s in self.metadata["snapshots"]]))

    # Changes of rows

    def upsert(self):
        self.firn("upsert", TABLE, "-", stdin=self.lines(self.ids()))

    def delete(self):
        self.firn("delete", TABLE, "--where", f"id IN ({', '.join(map(str, self.ids()))})")

    def append(self):
        self.next += 1
        rows = "".join(json.dumps({"id": 1000 * self.next + n, "v": "a"}) + "\n" for n in range(3))
        self.firn("ingest", TABLE, "-", stdin=rows)

    def compact(self):
        self.firn("compact", TABLE)

    def foreign(self):
        table = sql_catalog(self.warehouse).load_table(TABLE)
        if self.version >= 3:
            return
        branch = self.random.choice([self.a_ref("branch"), None]) or "main"
        self.next += 1
        rows = [{"id": 1000 * self.next + n, "v": "p"} for n in range(3)]
        self.log.append(f"pyiceberg on {branch}")
        if self.random.random() < 0.3:
            table.delete(In("id", set(self.ids(10))), branch=branch)
        else:
            table.append(pa.Table.from_pylist(rows, schema=table.schema().as_arrow()), branch=branch)

    # Changes of history

    def tag(self):
        self.firn("tag", "create", TABLE, self.random.choice("tu"), "--at", self.a_snapshot(), "--replace")

    def branch(self):
        more = self.random.choice([[], ["--min-snapshots", "2"], ["--keep-snapshots", "1h"]])
        at = self.random.choice([self.a_snapshot(), "main"])
        self.firn("branch", "create", TABLE, self.random.choice("bc"), "--at", at, "--replace", *more)

    def drop(self):
        for kind in ("tag", "branch"):
            name = self.a_ref(kind)
            if name:
                self.firn(kind, "remove", TABLE, name)

    def rollback(self):
        self.firn("rollback", TABLE, self.a_snapshot(), *self.random.choice([[], ["--any"]]))

    def pick(self):
        self.firn("cherry-pick", TABLE, self.a_ref("branch") or self.a_snapshot())

    def forward(self):
        name = self.a_ref("branch")
        if name:
            names = self.random.choice([(name, "--to", "main"), ("main", "--to", name)])
            self.firn("branch", "fast-forward", TABLE, *names)

    def expire(self):
        self.firn("expire", TABLE, *self.random.choice([[], ["--older-than", "1ms", "--retain-last", "1"]]))

    def act(self):
        kinds = ["upsert"] * 5 + ["append"] * 5 + ["delete"] * 3 + ["compact", "foreign", "foreign"]
        # At first one plain chain, long enough to expire in passing.
        if len(self.states) > 20:
            kinds += ["expire", "tag", "branch", "branch", "drop", "drop", "drop", "rollback", "pick", "forward"]
        before = {s["snapshot-id"] for s in self.metadata.get("snapshots", [])}
        getattr(self, self.random.choice(kinds))()
        metadata = self.metadata
        after = {s["snapshot-id"] for s in metadata.get("snapshots", [])}
        self.expired += len(before - after)
        table = sql_catalog(self.warehouse).load_table(TABLE)
        for snapshot_id in after - before:
            assert snapshot_id not in self.states, f"{self.log}: an expired snapshot is back"
            self.states[snapshot_id] = self.read(table, snapshot_id)

    def read(self, table, snapshot_id):
        rows = table.scan(snapshot_id=snapshot_id).to_arrow().to_pylist()
        return sorted((row["id"], row["v"]) for row in rows)

    def check(self):
        firn("gc", warehouse=self.warehouse).ok()
        table = sql_catalog(self.warehouse).load_table(TABLE)
        metadata = self.metadata
        log = "\n".join(self.log)
        for snapshot in metadata.get("snapshots", []):
            here = snapshot["snapshot-id"]
            assert self.read(table, here) == self.states[here], f"PyIceberg reads other rows at {here}\n{log}"
            ours = firn("query", f"SELECT * FROM {TABLE} FOR VERSION AS OF {here}", warehouse=self.warehouse).rows()
            assert sorted((r["id"], r["v"]) for r in ours) == self.states[here], f"other rows at {here}\n{log}"
        ids = {s["snapshot-id"] for s in metadata.get("snapshots", [])}
        for name, reference in metadata.get("refs", {}).items():
            assert reference["snapshot-id"] in ids, f"{name} lost its snapshot\n{log}"
        self.check_retention(metadata, log)
        faults = findings(self.warehouse, TABLE, foreign=self.version == 2)
        assert not faults, f"{faults}\n{log}"
        assert_no_litter(self.warehouse)

    def check_retention(self, metadata, log):
        """The newest of every branch are still there, unless they were expired by hand or left the branch."""
        parents = {s["snapshot-id"]: s.get("parent-snapshot-id") for s in metadata.get("snapshots", [])}
        at, count = metadata.get("current-snapshot-id"), 0
        while at in parents and count < self.keep:
            at, count = parents[at], count + 1
        by_hand = any("--retain-last 1" in line for line in self.log)
        moved = any(line.startswith(("rollback", "branch fast", "cherry")) for line in self.log)
        if not by_hand and not moved and len(self.states) > self.keep:
            assert count == self.keep, f"only {count} snapshots of main are left\n{log}"


@pytest.mark.limit(300)
@pytest.mark.parametrize("version, keep", [(2, 3), (3, 1)])
def test_random_history(warehouse, version, keep):
    past = Past(warehouse, version, keep, SEED)
    for step in range(STEPS):
        past.act()
        if step % 22 == 21:
            past.check()
    firn("expire", TABLE, "--older-than", "1ms", "--retain-last", "1", warehouse=warehouse).ok()
    past.check()
    assert past.expired > 10

"""Watches every commit of one table, whoever makes it, and holds each against the state before it.

A trigger in the catalog notes each move of the table's pointer, so that no commit is missed however soon the next one
comes. The watcher reads the metadata files in that order while the metadata log still keeps them.
"""

import gzip
import json
import sqlite3
from pathlib import Path

from support.litter import path_of
from support.senders import Actor


def read_metadata(location: str) -> dict:
    data = Path(path_of(location)).read_bytes()
    return json.loads(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)


class Historian(Actor):
    def __init__(self, warehouse: Path, expiry_ms: int, retain_last: int):
        super().__init__("historian", 0)
        self.catalog = f"file:{warehouse}/catalog.db"
        self.expiry_ms = expiry_ms
        self.retain_last = retain_last
        self.last = 0
        self.location: str | None = None
        self.metadata: dict = {}
        self.commits = 0
        self.expired_in_passing = 0
        # Ids of all snapshots there ever were, and the files that tables ever pointed to.
        self.seen: set[int] = set()
        self.files: set[str] = set()

    def install(self, location: str) -> None:
        """Before anybody writes."""
        self.location, self.metadata = location, read_metadata(location)
        self._note(self.metadata)
        with sqlite3.connect(self.catalog, uri=True, timeout=60) as db:
            db.execute("CREATE TABLE moves (n INTEGER PRIMARY KEY AUTOINCREMENT, old TEXT, new TEXT)")
            db.execute(
                "CREATE TRIGGER note_moves AFTER UPDATE OF metadata_location ON iceberg_tables"
                " BEGIN INSERT INTO moves (old, new) VALUES (OLD.metadata_location, NEW.metadata_location); END"
            )

    def turn(self) -> None:
        self.catch_up()
        self.stopping.wait(0.1)

    def catch_up(self) -> None:
        with sqlite3.connect(self.catalog + "?mode=ro", uri=True, timeout=60) as db:
            moves = db.execute("SELECT n, old, new FROM moves WHERE n > ? ORDER BY n", (self.last,)).fetchall()
        for number, old, new in moves:
            assert old == self.location, f"move {number} went from {old}, the table was at {self.location}"
            metadata = read_metadata(new)
            self.check(metadata, old)
            self.last, self.location, self.metadata = number, new, metadata
            self.commits += 1

    def _note(self, metadata: dict) -> None:
        self.files.add(path_of(self.location))
        for snapshot in metadata.get("snapshots", []):
            self.seen.add(snapshot["snapshot-id"])
            self.files.add(path_of(snapshot["manifest-list"]))

    def check(self, new: dict, location: str) -> None:
        """One commit: the history goes on where it was, and only what may go is gone."""
        old = self.metadata
        where = f"the commit after {location}"
        assert new["metadata-log"][-1]["metadata-file"] == location, f"{where} does not name it in its log"
        assert new["last-updated-ms"] >= old["last-updated-ms"], where
        before = {s["snapshot-id"]: s for s in old.get("snapshots", [])}
        after = {s["snapshot-id"]: s for s in new.get("snapshots", [])}
        assert len(after) == len(new.get("snapshots", [])), f"{where}: a snapshot is there twice"
        head, number, next_row = old.get("current-snapshot-id"), old["last-sequence-number"], old.get("next-row-id")
        for snapshot in new.get("snapshots", []):
            if snapshot["snapshot-id"] in before:
                assert snapshot == before[snapshot["snapshot-id"]], f"{where} changed a snapshot"
                continue
            assert snapshot["snapshot-id"] not in self.seen, f"{where}: an expired snapshot is back"
            assert (snapshot.get("parent-snapshot-id") or None) == (head if head != -1 else None), f"{where}: a fork"
            assert snapshot["sequence-number"] == number + 1, f"{where}: {snapshot['sequence-number']} after {number}"
            head, number = snapshot["snapshot-id"], number + 1
            if new["format-version"] >= 3:
                assert snapshot["first-row-id"] == next_row, f"{where}: rows from {snapshot['first-row-id']}"
                next_row += snapshot["added-rows"]
        assert new.get("current-snapshot-id") == head, f"{where}: the last snapshot is not current"
        assert new["last-sequence-number"] == number, where
        if new["format-version"] >= 3:
            assert new["next-row-id"] == next_row, f"{where}: next-row-id {new['next-row-id']}, not {next_row}"
        self.check_expiry(before, after, new, where)
        self._note_new(new)

    def _note_new(self, new: dict) -> None:
        for snapshot in new.get("snapshots", []):
            self.seen.add(snapshot["snapshot-id"])
            self.files.add(path_of(snapshot["manifest-list"]))
        self.files.add(path_of(self.location))

    def check_expiry(self, before: dict, after: dict, new: dict, where: str) -> None:
        gone = [before[name] for name in before.keys() - after.keys()]
        if after.keys() - before.keys() and gone:
            self.expired_in_passing += len(gone)
        if not gone:
            return
        keep, at = set(), self.metadata.get("current-snapshot-id")
        while at in before and len(keep) < self.retain_last:
            keep.add(at)
            at = before[at].get("parent-snapshot-id")
        for reference in self.metadata.get("refs", {}).values():
            keep.add(reference["snapshot-id"])
        for snapshot in gone:
            assert snapshot["snapshot-id"] not in keep, f"{where}: expired a snapshot that had to stay"
            age = new["last-updated-ms"] - snapshot["timestamp-ms"]
            assert age >= self.expiry_ms, f"{where}: expired a snapshot of {age} ms"

"""The account of an exactly-once run: what was sent and promised, held against the multiset that a reader returns.

1. Every row sent is entered once, by the digest of its whole content, under what became of its batch: acknowledged
   (must be there), unknown (nobody heard an answer and nobody will ask again: may be there), refused (must not be
   there), withdrawn (was there, and its writer has deleted it).
2. A row found is compared by digest, so the multisets of contents must agree. Its id only serves to say whether a row
   that nobody sent is an altered one of ours or an invented one.
"""

import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from support.records import COLUMNS, digest

SHOWN = 5


@dataclass
class Findings:
    """What is wrong; ids of the rows, by kind."""

    rows: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    altered: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    KINDS = ("lost", "doubled", "altered", "invented", "refused")

    @property
    def clean(self) -> bool:
        return not any(getattr(self, kind) for kind in self.KINDS)

    def __str__(self) -> str:
        parts = []
        for kind in self.KINDS:
            names = getattr(self, kind)
            if names:
                parts.append(f"{len(names)} {kind}: {', '.join(sorted(names)[:SHOWN])}")
        return "; ".join(parts) or f"{self.rows} rows, all in order"


class Account:
    """Safe to use from many threads."""

    def __init__(self, columns: tuple[str, ...] = COLUMNS):
        self._columns = columns
        self._lock = threading.Lock()
        self._must: Counter[bytes] = Counter()
        self._may: Counter[bytes] = Counter()
        self._never: set[bytes] = set()
        self._names: dict[bytes, str] = {}
        self._ids: set[str] = set()

    def acknowledged(self, rows: Iterable[dict]) -> None:
        self._enter(rows, lambda key: self._must.update((key,)))

    def unknown(self, rows: Iterable[dict]) -> None:
        self._enter(rows, lambda key: self._may.update((key,)))

    def refused(self, rows: Iterable[dict]) -> None:
        self._enter(rows, self._never.add)

    def withdrawn(self, rows: Iterable[dict]) -> None:
        """Acknowledged rows that their own writer has deleted since."""

        def withdraw(key):
            assert self._must[key] > 0, f"{self._names[key]} was never acknowledged"
            self._must[key] -= 1
            self._never.add(key)

        self._enter(rows, withdraw)

    def _enter(self, rows, book) -> None:
        entries = [(digest(row, self._columns), row["id"]) for row in rows]
        with self._lock:
            for key, name in entries:
                self._names[key] = name
                self._ids.add(name)
                book(key)

    @property
    def promised(self) -> int:
        """Rows that must be in the table."""
        with self._lock:
            return self._must.total()

    def compare(self, found: Iterable[dict]) -> Findings:
        """Holds what a reader returned against the account. Nothing may be entered meanwhile."""
        counts: Counter[bytes] = Counter()
        strangers: dict[bytes, str] = {}
        findings = Findings()
        for row in found:
            key = digest(row, self._columns)
            counts[key] += 1
            findings.rows += 1
            if key not in self._names:
                strangers[key] = row["id"]
        altered_ids = set()
        for key, name in strangers.items():
            if name in self._ids:
                altered_ids.add(name)
                findings.altered.append(name)
            else:
                findings.invented.append(name)
        for key, name in self._names.items():
            there, must, may = counts[key], self._must[key], self._may[key]
            if there < must and name not in altered_ids:
                findings.lost.append(name)
            if there > must + may:
                (findings.refused if must + may == 0 else findings.doubled).append(name)
        return findings

    def check(self, found: Iterable[dict], engine: str) -> int:
        """Raises unless every promise is kept; returns how many rows were read."""
        findings = self.compare(found)
        assert findings.clean, f"{engine}: {findings}"
        return findings.rows

"""Requests for several tables: senders of groups, and a watcher who never may see half of one."""

import json
import sqlite3
from collections import defaultdict
from pathlib import Path

from pyiceberg.table import StaticTable

from support.records import rows_of, wire
from support.senders import Actor, KeySender, SequenceSender

ROWS_OF_A_TABLE = 3


def tables_of(tables: list[str], sender: str, number: int) -> list[str]:
    """Which tables a group goes to: two of them, or all."""
    left_out = (number * 7 + len(sender)) % (len(tables) + 1)
    return [table for index, table in enumerate(tables) if index != left_out]


class GroupSender:
    """Mixed into a sender: every batch is a group of rows for several tables, as NDJSON or as JSON sections."""

    tables: list[str] = []

    @property
    def target(self) -> str:
        return "/v1/records"

    def make(self, number: int):
        rows, lines, sections = [], [], []
        for table in tables_of(self.tables, self.name, number):
            mine = rows_of(f"{self.name}.{table}", number, ROWS_OF_A_TABLE)
            rows += mine
            lines += [{"table": table, "record": wire(row)} for row in mine]
            sections.append({"table": table, "records": [wire(row) for row in mine]})
        if number % 2:
            self.random.shuffle(lines)
            return rows, b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        return rows, json.dumps(sections).encode()

    def content_type(self, number: int) -> str:
        return "application/x-ndjson" if number % 2 else "application/json"


class KeyGroupSender(GroupSender, KeySender):
    pass


class SequenceGroupSender(GroupSender, SequenceSender):
    pass


def seen_together(warehouse: Path, tables: list[str]) -> dict[str, str]:
    """The tables' metadata locations, all read in one transaction of the catalog."""
    marks = ", ".join("?" * len(tables))
    with sqlite3.connect(f"file:{warehouse}/catalog.db?mode=ro", uri=True, timeout=30) as db:
        rows = db.execute(
            "SELECT table_namespace || '.' || table_name, metadata_location FROM iceberg_tables"
            f" WHERE table_namespace || '.' || table_name IN ({marks})", tables,
        ).fetchall()  # fmt: skip
    assert len(rows) == len(tables), rows
    return dict(rows)


def half_groups(warehouse: Path, tables: list[str]) -> tuple[int, list[str]]:
    """How many groups there are, and which of them are in some of their tables only."""
    seen: dict[tuple[str, int], set[str]] = defaultdict(set)
    for table, location in seen_together(warehouse, tables).items():
        rows = StaticTable.from_metadata(location).scan(selected_fields=("producer", "batch")).to_arrow().to_pylist()
        for row in rows:
            sender = row["producer"].removesuffix("." + table)
            assert sender != row["producer"], f"{table} holds a row of {row['producer']}"
            seen[sender, row["batch"]].add(table)
    halves = [
        f"{sender} {number}: {sorted(there)}"
        for (sender, number), there in seen.items()
        if there != set(tables_of(tables, sender, number))
    ]
    return len(seen), halves


class Watcher(Actor):
    """Looks at all tables at one moment, again and again."""

    def __init__(self, warehouse: Path, tables: list[str], seed: int):
        super().__init__("watcher", seed)
        self.warehouse = warehouse
        self.tables = tables

    def turn(self) -> None:
        _, halves = half_groups(self.warehouse, self.tables)
        assert not halves, f"{len(halves)} groups seen in part: {halves[:3]}"
        self.stopping.wait(0.2)

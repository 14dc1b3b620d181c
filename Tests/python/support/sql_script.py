"""SQL logic scripts: plain text in the style of sqllogictest, https://www.sqlite.org/sqllogictest.

Records are separated by blank lines; `#` begins a comment line.

    firn WORDS…            a command that makes a table; the lines after it are its standard input
    snapshot NAME TABLE    `${NAME}` is from now on the id of the table's current snapshot, `${NAME_at}` its time
    statement error CODE   the statement after it is refused with this code; `*` for any
    query TYPES [rowsort]  the statement after it has the rows below `----`, `|` between their values

A letter a column says how its values look in JSON: I integer, R real, T text, B boolean, J nested. N is a number of any
form. NULL and (empty) stand for themselves, an integer too great for a column of reals for the nearest. `rowsort` sorts
both sides. Commands run before any statement does.
"""

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from support.cli import firn
from support.sql import Broken, Refused

CHECKS = {
    "I": lambda value: type(value) is int,
    "R": lambda value: type(value) is float,
    "T": lambda value: type(value) is str,
    "B": lambda value: type(value) is bool,
    "J": lambda value: type(value) in (dict, list),
    "N": lambda value: True,
}


@dataclass
class Record:
    line: int
    head: list[str]
    body: list[str]
    rows: list[str] = field(default_factory=list)

    @property
    def sql(self) -> str:
        return "\n".join(self.body)


def parse(path: Path) -> list[Record]:
    records, block, start = [], [], 0
    for number, line in enumerate([*path.read_text().split("\n"), ""], 1):
        if line.startswith("#"):
            continue
        if line:
            start = start if block else number
            block.append(line)
        elif block:
            split = block.index("----") if "----" in block else len(block)
            head = shlex.split(block[0])
            records.append(Record(start, head, block[1:split], block[split + 1 :]))
            block = []
    return records


class Script:
    def __init__(self, path: Path):
        self.path = path
        self.records = parse(path)
        self.names: dict[str, str] = {}
        kinds = {record.head[0] for record in self.records}
        assert kinds <= {"firn", "snapshot", "statement", "query"}, f"{path.name}: {kinds}"

    def prepare(self, warehouse: Path) -> None:
        """Runs the commands."""
        for record in self.records:
            if record.head[0] == "firn":
                stdin = "".join(line + "\n" for line in record.body)
                done = firn(*record.head[1:], warehouse=warehouse, stdin=stdin)
                assert done.code == 0, f"{self.path.name}:{record.line}: {done.stderr}"
            elif record.head[0] == "snapshot":
                _, name, table = record.head
                found = firn("snapshots", table, warehouse=warehouse).rows()
                (current,) = [row for row in found if row["current"]]
                self.names |= {name: str(current["snapshot-id"]), name + "_at": current["committed-at"]}

    @property
    def statements(self) -> list[Record]:
        return [record for record in self.records if record.head[0] in ("statement", "query")]

    def fault(self, record: Record, run) -> str | None:
        """What is wrong with what `run` makes of a statement."""
        sql = re.sub(r"\$\{(\w+)\}", lambda match: self.names[match.group(1)], record.sql)
        try:
            rows = run(sql)
        except Refused as refusal:
            if record.head[0] == "query":
                return self._fault(record, f"refused with {refusal}")
            wanted = record.head[2]
            if wanted != "*" and refusal.code is not None and refusal.code != wanted:
                return self._fault(record, f"refused with {refusal}, not {wanted}")
            return None
        except Broken as error:
            return self._fault(record, str(error))
        if record.head[0] == "statement":
            return self._fault(record, f"was not refused: {rows[:3]}")
        return self._compare(record, rows)

    def _compare(self, record: Record, rows: list[tuple]) -> str | None:
        types = record.head[1]
        if any(len(row) != len(types) for row in rows):
            return self._fault(record, f"{len(rows[0])} columns, not {len(types)}")
        for row in rows:
            for kind, value in zip(types, row):
                if value is not None and not CHECKS[kind](value):
                    return self._fault(record, f"{value!r} is not of type {kind}")
        found = [[shown(value) for value in row] for row in rows]
        expected = [line.split("|", len(types) - 1) for line in record.rows]
        if "rowsort" in record.head:
            found, expected = sorted(found), sorted(expected)
        same = len(found) == len(expected) and all(
            len(ours) == len(theirs) and all(map(same_text, types, ours, theirs))
            for ours, theirs in zip(found, expected)
        )
        if same:
            return None
        return self._fault(record, "found\n  " + "\n  ".join("|".join(row) for row in found[:20]))

    def _fault(self, record: Record, what: str) -> str:
        return f"{self.path.name}:{record.line}: {what}\n" + "\n".join("    " + line for line in record.body)


def shown(value) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return str(value) if value != "" else "(empty)"


def same_text(kind: str, ours: str, theirs: str) -> bool:
    if kind not in "RN" or "NULL" in (ours, theirs) or "true" in ours or "false" in ours:
        return ours == theirs
    return abs(float(ours) - float(theirs)) <= 1e-12 * abs(float(theirs))

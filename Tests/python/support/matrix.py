"""Tables of every shape, with the rows that each of their snapshots must hold.

A table's life: rows, schema and partition evolution, more rows, a delete, an upsert, a compaction, more rows. A model in
Python does the same, and remembers for each snapshot the columns it is read with and the rows it holds.
"""

import datetime
import json
import random
import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from support.cli import firn

TABLE = "m.t"
UTC = datetime.timezone.utc

# name -> type. Every type, so that each cell of transform and type has a column to work on.
COLUMNS = {
    "id": "long required", "b": "boolean", "i": "int", "l": "long", "f": "float", "d": "double",
    "dec": "decimal(9,2)", "big": "decimal(25,5)", "dt": "date", "tm": "time", "ts": "timestamp", "tz": "timestamptz",
    "s": "string", "u": "uuid", "bin": "binary", "st": "struct<a int, c string>", "li": "list<long>",
    "mp": "map<string, int>",
}  # fmt: skip

SOURCES = {
    "identity": ["b", "i", "l", "dec", "big", "dt", "tm", "ts", "tz", "s", "u", "bin"],
    "bucket(5, {})": ["i", "l", "dec", "big", "dt", "tm", "ts", "tz", "s", "u", "bin"],
    "truncate(3, {})": ["i", "l", "dec", "big", "s", "bin"],
    "year({})": ["dt", "ts", "tz"], "month({})": ["dt", "ts", "tz"], "day({})": ["dt", "ts", "tz"],
    "hour({})": ["ts", "tz"], "void({})": ["s"],
}  # fmt: skip


def partitions() -> list[str]:
    """Every transform on every type it takes, several fields at once, and none."""
    terms = []
    for transform, columns in SOURCES.items():
        for column in columns:
            terms.append(column if transform == "identity" else transform.format(column))
    several = ["day(tz), bucket(3, id)", "s, truncate(2, l), month(dt)", "bucket(2, u), identity(b), year(ts)"]
    return ["", *terms, *several]


@dataclass(frozen=True)
class Cell:
    partition: str
    version: int
    deletes: str  # merge-on-read or copy-on-write
    granularity: str = "partition"
    evolves: bool = True

    def __str__(self) -> str:
        parts = [self.partition.replace(" ", "") or "none", f"v{self.version}", self.deletes.split("-")[0]]
        return "-".join(parts + [self.granularity] * (self.granularity != "partition"))


def cells(full: bool) -> list[Cell]:
    """All cells, or some of them in which every transform, version and way to delete still comes."""
    found = []
    for number, partition in enumerate(partitions()):
        for version in (2, 3):
            for deletes in ("merge-on-read", "copy-on-write"):
                granularity = "file" if (number + version) % 3 == 0 and version == 2 else "partition"
                found.append(Cell(partition, version, deletes, granularity, evolves=(number + version) % 4 != 0))
    if full:
        return found
    return [cell for place, cell in enumerate(found) if place % 11 == 0]


@dataclass
class State:
    """What a snapshot must look like."""

    columns: dict[str, str]
    rows: dict[int, dict]


@dataclass
class Life:
    warehouse: Path
    cell: Cell
    random: random.Random
    columns: dict[str, str] = field(default_factory=lambda: dict(COLUMNS))
    rows: dict[int, dict] = field(default_factory=dict)
    snapshots: dict[int, State] = field(default_factory=dict)
    next_id: int = 0

    def run(self) -> "Life":
        self.create()
        self.append(60)
        if self.cell.evolves:
            self.evolve()
        self.append(60)
        self.delete()
        self.upsert()
        self.remember(self.call("compact", TABLE))
        self.append(20)
        self.delete()
        return self

    def call(self, *arguments, **options):
        return firn(*arguments, warehouse=self.warehouse, **options).ok()

    def create(self):
        arguments = ["--identifier", "id"]
        if self.cell.partition:
            arguments += ["--partition", self.cell.partition]
        properties = {
            "format-version": self.cell.version, "write.delete.granularity": self.cell.granularity,
            "write.delete.mode": self.cell.deletes, "write.merge.mode": self.cell.deletes,
        }  # fmt: skip
        for key, value in properties.items():
            arguments += ["--property", f"{key}={value}"]
        schema = ", ".join(f"{name} {kind}" for name, kind in self.columns.items())
        self.call("table", "create", TABLE, schema, *arguments)

    def remember(self, _result):
        """Notes the current snapshot, if it is a new one."""
        listed = self.call("snapshots", TABLE, "--output", "ndjson").rows()
        current = next(row["snapshot-id"] for row in listed if row["current"])
        if current not in self.snapshots:
            kinds = {name: kind.removesuffix(" required") for name, kind in self.columns.items()}
            self.snapshots[current] = State(kinds, {key: dict(row) for key, row in self.rows.items()})

    # Records

    def value(self, kind: str):
        """A value as JSON text takes it, and as the table holds it."""
        dice = self.random
        match kind.split("(")[0].split("<")[0].removesuffix(" required"):
            case "boolean":
                return [dice.random() < 0.5] * 2
            case "int":
                return [dice.choice([0, -1, 7, -12, 2**31 - 1, 2 - 2**31, dice.randrange(-50, 50)])] * 2
            case "long":
                return [dice.choice([0, -1, 2**40, -(2**63), 2**63 - 1, dice.randrange(-50, 50)])] * 2
            case "float":
                return [dice.choice([0.5, -2.25, 1024.0, 3.0])] * 2
            case "double":
                return [dice.choice([0.1, -1e300, 5e-324, 3.75])] * 2
            case "decimal":
                scale = int(kind.split(",")[1].split(")")[0])
                value = Decimal(dice.randrange(-9_999_999, 9_999_999)).scaleb(-scale)
                return str(value), value
            case "date":
                value = datetime.date(2026, 1, 1) + datetime.timedelta(days=dice.randrange(-25_000, 400))
                return value.isoformat(), value
            case "time":
                micros = dice.choice([0, 86_399_999_999, 1, dice.randrange(0, 86_400_000_000)])
                value = (datetime.datetime.min + datetime.timedelta(microseconds=micros)).time()
                return value.isoformat(), value
            case "timestamp" | "timestamptz":
                seconds = dice.choice([-86_401, -1, 0, 1_767_225_600, dice.randrange(-(10**9), 2 * 10**9)])
                value = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds, microseconds=dice.choice([0, 1, 999_999]))
                if kind.startswith("timestamptz"):
                    value = value.replace(tzinfo=UTC)
                return value.isoformat(), value
            case "string":
                return [dice.choice(["", "a", "abc", "abd", "ünïcode ✓", "N/A = %2F", "x" * 40])] * 2
            case "uuid":
                value = uuid.UUID(int=dice.choice([0, 1, 2**127, dice.getrandbits(128)]))
                return str(value), value
            case "binary":
                import base64

                value = dice.choice([b"", b"\0\xff", b"abcdef", bytes(dice.randrange(256) for _ in range(9))])
                return base64.b64encode(value).decode(), value
            case "struct":
                value = {"a": dice.choice([None, 1, -5]), "c": dice.choice([None, "", "é"])}
                return [value] * 2
            case "list":
                return [[dice.choice([1, -7, 2**50]) for _ in range(dice.randrange(3))]] * 2
            case "map":
                return [{key: dice.randrange(9) for key in dice.sample(["k", "l", "ü"], dice.randrange(3))}] * 2
        raise AssertionError(kind)

    def record(self, key: int) -> tuple[dict, dict]:
        coded, row = {"id": key}, {"id": key}
        for name, kind in self.columns.items():
            if name == "id":
                continue
            if self.random.random() < 0.15:
                row[name] = None
                continue
            coded[name], row[name] = self.value(kind)
            if kind.startswith("struct"):
                row[name] = {member: row[name].get(member) for member in members(kind)}
                coded[name] = {k: v for k, v in row[name].items() if v is not None or self.random.random() < 0.5}
        return coded, row

    def send(self, command: str, keys: list[int]):
        lines = []
        for key in keys:
            coded, row = self.record(key)
            lines.append(json.dumps(coded))
            self.rows[key] = row
        self.remember(self.call(command, TABLE, "-", stdin="\n".join(lines) + "\n"))

    # Steps

    def append(self, count: int):
        keys = list(range(self.next_id, self.next_id + count))
        self.next_id += count
        self.send("ingest", keys)

    def upsert(self):
        known = self.random.sample(sorted(self.rows), 15)
        fresh = [self.next_id + n for n in range(10)]
        self.next_id += 10
        self.send("upsert", known + fresh)

    def delete(self):
        remainder, modulus = self.random.randrange(5), 5
        self.rows = {key: row for key, row in self.rows.items() if key % modulus != remainder}
        self.remember(self.call("delete", TABLE, "--where", f"id % {modulus} = {remainder}"))

    def evolve(self):
        sources = self.cell.partition
        uses = lambda name: any(term in sources.replace("(", " ").replace(")", " ").replace(",", " ").split() for term in [name])  # noqa: E731
        # Renames and widenings touch partition sources too: files keep the tuples they were written with.
        self.call("schema", "rename", TABLE, "s", "text")
        self.change("s", "text", self.columns["s"])
        self.call("schema", "widen", TABLE, "i", "long")
        self.columns["i"] = "long"
        self.call("schema", "widen", TABLE, "dec", "decimal(12,2)")
        self.columns["dec"] = "decimal(12,2)"
        self.call("schema", "widen", TABLE, "f", "double")
        self.columns["f"] = "double"
        self.call("schema", "drop", TABLE, "li")
        self.change("li", None, None)
        self.call("schema", "add", TABLE, "st.e", "double")
        self.columns["st"] = "struct<a int, c string, e double>"
        self.call("schema", "add", TABLE, "extra", "string", "--after", "id")
        self.columns = {"id": self.columns["id"], "extra": "string"} | self.columns
        self.call("schema", "move", TABLE, "b", "--first")
        self.columns = {"b": self.columns["b"]} | self.columns
        for row in self.rows.values():
            row["extra"] = None
            if row["st"] is not None:
                row["st"] = row["st"] | {"e": None}
        if sources and not uses("li"):
            self.call("table", "partition", TABLE, "set", "bucket(3, id), truncate(4, text)")
        else:
            self.call("table", "partition", TABLE, "add", "day(tz)")
        self.call("table", "sort", TABLE, "tz desc nulls last, bucket(4, id), text")

    def change(self, name: str, new: str | None, kind: str | None):
        if new is None:
            del self.columns[name]
        else:
            self.columns = {(new if key == name else key): value for key, value in self.columns.items()}
        for row in self.rows.values():
            value = row.pop(name)
            if new is not None:
                row[new] = value


def members(kind: str) -> list[str]:
    return [part.split()[0] for part in kind.removeprefix("struct<").removesuffix(">").split(",")]


# Values of every engine in one form


def canonical(kind: str, value):
    """One form for a value, whatever an engine makes of its type."""
    if value is None:
        return None
    match kind.split("(")[0].split("<")[0]:
        case "boolean":
            return bool(value)
        case "int" | "long":
            return int(value)
        case "float" | "double":
            return float(value)
        case "decimal":
            return Decimal(str(value)).normalize()
        case "date":
            if isinstance(value, int):
                value = datetime.date(1970, 1, 1) + datetime.timedelta(days=value)
            if isinstance(value, datetime.datetime):
                value = value.date()
            return str(value)
        case "time":
            if isinstance(value, int):
                value = (datetime.datetime.min + datetime.timedelta(microseconds=value)).time()
            return datetime.time.fromisoformat(str(value)).isoformat("microseconds")
        case "timestamp" | "timestamptz":
            if isinstance(value, str):
                value = datetime.datetime.fromisoformat(value)
            return value.replace(tzinfo=None).isoformat(timespec="microseconds")
        case "string":
            return value.decode() if isinstance(value, bytes) else value
        case "uuid":
            return (uuid.UUID(bytes=value) if isinstance(value, bytes) else uuid.UUID(str(value))).hex
        case "binary":
            return value.hex() if isinstance(value, bytes) else value
        case "struct":
            inner = dict(part.split() for part in kind.removeprefix("struct<").removesuffix(">").split(", "))
            return tuple(canonical(inner[name], value.get(name)) for name in inner)
        case "list":
            return tuple(value)
        case "map":
            pairs = value.items() if isinstance(value, dict) else [(e["key"], e["value"]) if isinstance(e, dict) else e for e in value]
            return tuple(sorted(pairs))
    raise AssertionError(kind)


def canonical_rows(columns: dict[str, str], rows: list[dict], where: str) -> dict[int, tuple]:
    found = {}
    for row in rows:
        assert row["id"] not in found, f"{where}: row {row['id']} twice"
        found[row["id"]] = tuple(canonical(kind, row[name]) for name, kind in columns.items())
    return found

"""Tables for generated SQL: rows made from a seed, in Firn through its command line and in DuckDB as they are.

Values are chosen so that the two must agree to the last digit wherever both compute exactly: doubles that are summed
are multiples of 1/8, sums of whole numbers fit 64 bits, and decimals that are summed are not negative, so that nothing
cancels out.
"""

import datetime
import json
import random
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa

from support.cli import firn
from support.forge import path_of
from support.readers import metadata_location

UTC = datetime.timezone.utc

# name, Iceberg type, Arrow type. `late` is added when there are files already, `grown` widened from int.
COLUMNS = [
    ("id", "long required", pa.int64()),
    ("n", "int", pa.int32()),
    ("big", "long", pa.int64()),
    ("ratio", "double", pa.float64()),
    ("wild", "double", pa.float64()),
    ("narrow", "float", pa.float32()),
    ("price", "decimal(9,2)", pa.decimal128(9, 2)),
    ("delta", "decimal(7,3)", pa.decimal128(7, 3)),
    ("wide", "decimal(24,4)", pa.decimal128(24, 4)),
    ("debt", "decimal(20,2)", pa.decimal128(20, 2)),
    ("kind", "string", pa.string()),
    ("name", "string", pa.string()),
    ("day", "date", pa.date32()),
    ("ts", "timestamptz", pa.timestamp("us", "UTC")),
    ("local", "timestamp", pa.timestamp("us")),
    ("flag", "boolean", pa.bool_()),
    ("blank", "long", pa.int64()),
    ("grown", "long", pa.int64()),
    ("device", "struct<os string, version int>", pa.struct([("os", pa.string()), ("version", pa.int32())])),
    ("tags", "list<string>", pa.list_(pa.string())),
    ("late", "int", pa.int32()),
]  # fmt: skip
ARROW = pa.schema([(name, kind) for name, _, kind in COLUMNS])
FIRST_SCHEMA = ", ".join(
    f"{name} {'int' if name == 'grown' else kind}" for name, kind, _ in COLUMNS if name != "late"
)  # fmt: skip

KINDS = ["a", "b", "c", "dd", None]
OPERATING_SYSTEMS = ["linux", "mac", None]
# More than the 16 characters that bounds in manifests keep, and beyond ASCII.
NAMES = [
    "", "x", "Zebra", "zebra", "a common beginning, then 1", "a common beginning, then 2", "a common beginning",
    "a common beginning and an 🧊", "ü", "100%", "under_score", "ÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿÿ", "it's",
]  # fmt: skip
START = datetime.datetime(2026, 1, 1, tzinfo=UTC)

PARTS = 4
PART_ROWS = 110


def make_rows(seed: int) -> list[list[dict]]:
    """Parts that are committed one by one."""
    dice = random.Random(f"rows {seed}")

    def maybe(value, share=0.15):
        return None if dice.random() < share else value

    def row(number: int, part: int) -> dict:
        moment = START + datetime.timedelta(
            seconds=dice.randrange(4 * 86400), microseconds=dice.choice([0, 0, 1, 500_000, 999_999])
        )
        return {
            "id": number,
            "n": maybe(dice.randint(-5, 20)),
            "big": maybe(dice.choice([dice.randint(-9, 9), dice.randint(-(2**54), 2**54), 2**53 + 1])),
            "ratio": maybe(dice.randint(-80, 800) / 8),
            "wild": maybe(dice.choice([0.1, 0.3, -1e-300, 1e300, -0.0, 0.0, 5e-324, dice.randint(-9999, 9999) / 1000])),
            "narrow": maybe(dice.choice([0.5, -0.25, 16777216.0, dice.randint(-99, 99) / 4])),
            "price": maybe(Decimal(dice.choice([0, 5, 1999, dice.randrange(10**6)])).scaleb(-2)),
            "delta": maybe(Decimal(dice.choice([0, -1, 1, -9999999, dice.randint(-5000, 5000)])).scaleb(-3)),
            "wide": maybe(Decimal(dice.choice([0, 10**24 - 1, dice.randrange(10 ** dice.randint(1, 22))])).scaleb(-4)),
            "debt": maybe(Decimal(dice.choice([0, -1, 10**19, -(10**19), dice.randint(-500, 500)])).scaleb(-2)),
            "kind": dice.choice(KINDS),
            "name": maybe(dice.choice(NAMES)),
            # The first file knows no days, the last one only days.
            "day": None if part == 0 else maybe((START + datetime.timedelta(days=dice.randint(-2, 5))).date(), 0.1),
            "ts": maybe(moment, 0.05),
            "local": maybe(moment.replace(tzinfo=None, microsecond=0)),
            "flag": maybe(dice.random() < 0.5),
            "blank": None,
            "grown": maybe(dice.randint(-3, 3) if part < 2 else dice.choice([5_000_000_000, dice.randint(-3, 3)])),
            "device": maybe({"os": dice.choice(OPERATING_SYSTEMS), "version": maybe(dice.randint(1, 5))}, 0.1),
            "tags": maybe([maybe(dice.choice("xyz")) for _ in range(dice.randrange(4))], 0.1),
            "late": None if part < 2 else maybe(dice.randint(0, 9), 0.3),
        }  # fmt: skip

    return [[row(part * PART_ROWS + number, part) for number in range(PART_ROWS)] for part in range(PARTS)]


ITEM_SCHEMA = pa.schema(
    [
        ("code", pa.int64()),
        ("kind", pa.string()),
        ("rate", pa.decimal128(6, 1)),
        ("day", pa.date32()),
        ("title", pa.string()),
    ]
)
ITEM_TYPES = "code long, kind string, rate decimal(6,1), day date, title string"


def make_items(seed: int) -> list[dict]:
    dice = random.Random(f"items {seed}")
    return [
        {
            "code": None if number % 9 == 0 else dice.randint(-5, 25), "kind": dice.choice([*KINDS, "unknown"]),
            "rate": Decimal(dice.choice([0, 5, 199, dice.randrange(9999)])).scaleb(-1),
            "day": None if number % 5 == 0 else (START + datetime.timedelta(days=number % 9 - 3)).date(),
            "title": dice.choice(NAMES),
        }
        for number in range(24)
    ]  # fmt: skip


def as_json(value):
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    return str(value)


def lines(rows: list[dict], without: str | None = None) -> str:
    return "".join(json.dumps({k: v for k, v in row.items() if k != without}, default=as_json) + "\n" for row in rows)


# Tables that hold the same rows in other ways, and what was deleted from them: (options, conditions of deletes).
TABLES = {
    "plain": ((), ()),
    "marked": (
        ("--partition", "kind, day(ts)", "--property", "write.delete.mode=merge-on-read"),
        ("id % 7 = 3", "n = 4 OR day = '2026-01-03'", "id BETWEEN 40 AND 60"),
    ),
    "vectors": (
        ("--property", "format-version=3", "--property", "write.delete.mode=merge-on-read",
         "--property", "write.parquet.row-group-size-bytes=4096"),
        ("id % 5 = 1", "flag AND n > 10"),
    ),
    "spread": (("--partition", "kind"), ()),
    "rewritten": (
        ("--partition", "bucket(3, n), truncate(2, name)", "--property", "write.delete.mode=copy-on-write"),
        ("id % 11 = 0", "name = 'x'"),
    ),
}  # fmt: skip


LARGE = ["spread", "vectors"]


def claim_many_rows(warehouse: Path, table: str) -> None:
    """Lets the snapshot's summary speak of a million rows: some ways to answer are only for tables of that size."""
    location = metadata_location(warehouse, table)
    metadata = json.loads(path_of(location).read_text())
    for snapshot in metadata["snapshots"]:
        snapshot["summary"]["total-records"] = "1000000"
    claimed = path_of(location).parent / "90000-claims-many-rows.metadata.json"
    claimed.write_text(json.dumps(metadata))
    firn("table", "drop", table, "--keep-files", warehouse=warehouse).ok()
    firn("table", "register", table, f"file://{claimed}", warehouse=warehouse).ok()


def prepare(warehouse: Path, duck: duckdb.DuckDBPyConnection, seed: int) -> None:
    """Makes every table `g.NAME` in Firn, and `NAME` in DuckDB from the same rows."""

    def run(*arguments, stdin=None):
        firn(*arguments, warehouse=warehouse, stdin=stdin).ok()

    parts, items = make_rows(seed), make_items(seed)
    for name, (options, deletes) in TABLES.items():
        table = f"g.{name}"
        run("table", "create", table, FIRST_SCHEMA, *options)
        for number, part in enumerate(parts):
            if number == 2:
                run("schema", "add", table, "late", "int")
                run("schema", "widen", table, "grown", "long")
            run("ingest", table, "-", stdin=lines(part, without="late" if number < 2 else None))
        rows = pa.Table.from_pylist([row for part in parts for row in part], schema=ARROW)
        duck.execute(f"CREATE TABLE {name} AS SELECT * FROM rows")
        for condition in deletes:
            run("delete", table, "--where", condition)
            duck.execute(f"DELETE FROM {name} WHERE {condition}")
        if name in LARGE:
            claim_many_rows(warehouse, table)
    run("table", "create", "g.items", ITEM_TYPES)
    for half in (items[:15], items[15:]):
        run("ingest", "g.items", "-", stdin=lines(half))
    item_rows = pa.Table.from_pylist(items, schema=ITEM_SCHEMA)
    duck.execute("CREATE TABLE items AS SELECT * FROM item_rows")
    run("table", "create", "g.void", FIRST_SCHEMA + ", late int")
    duck.execute("CREATE TABLE void AS SELECT * FROM plain WHERE false")

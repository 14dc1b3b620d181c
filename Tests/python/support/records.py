"""Records whose every value follows from their name, and a digest of a row that is the same whoever reads it back.

A row is a plain dict of Python values. `wire` is how it travels to Firn; `digest` covers all columns, so that a single
changed value, a null in place of a value or a value in another column shows.
"""

import datetime
import hashlib
import json
import random
from decimal import Decimal

import pyarrow as pa

SCHEMA = (
    "id string required, producer string required, batch long required, n int required, at timestamptz,"
    " price decimal(18,4), ratio double, flag boolean, tags list<string>, place struct<city string, code int>,"
    " payload string"
)
COLUMNS = ("id", "producer", "batch", "n", "at", "price", "ratio", "flag", "tags", "place", "payload")
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
ALPHABET = "abcdefghijklmnop\"\\/\n\t éß漢😀"


def row_of(producer: str, batch: int, n: int) -> dict:
    """The one row with this name."""
    dice = random.Random(f"{producer}/{batch}/{n}")

    def maybe(value):
        return None if dice.random() < 0.15 else value

    return {
        "id": f"{producer}-{batch}-{n}",
        "producer": producer,
        "batch": batch,
        "n": n,
        "at": maybe(EPOCH + datetime.timedelta(microseconds=dice.randrange(1 << 51))),
        "price": maybe(Decimal(dice.randrange(-(10**17), 10**17)).scaleb(-4)),
        "ratio": maybe(dice.choice([dice.gauss(0, 1e9), dice.random() * 1e-300, -0.0, 0.1])),
        "flag": maybe(dice.random() < 0.5),
        "tags": maybe([maybe("".join(dice.choices(ALPHABET, k=3))) for _ in range(dice.randrange(3))]),
        "place": maybe({"city": maybe("".join(dice.choices(ALPHABET, k=5))), "code": maybe(dice.randrange(1 << 30))}),
        "payload": maybe("".join(dice.choices(ALPHABET, k=dice.choice([0, 1, 7, 60])))),
    }


def rows_of(producer: str, batch: int, count: int) -> list[dict]:
    return [row_of(producer, batch, n) for n in range(count)]


def wire(row: dict) -> dict:
    """The row as JSON values. Nulls are left out for half of the columns and written for the others."""
    out = {}
    for index, (name, value) in enumerate(row.items()):
        if value is None and index % 2:
            continue
        if isinstance(value, datetime.datetime):
            value = value.isoformat(timespec="microseconds")
        elif isinstance(value, Decimal):
            value = format(value, "f")
        out[name] = value
    return out


def body_of(rows: list[dict]) -> bytes:
    return b"".join(json.dumps(wire(row), ensure_ascii=row["n"] % 2 == 0).encode() + b"\n" for row in rows)


def _canonical(value):
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime.datetime):
        assert value.tzinfo is not None, f"a time without a zone: {value}"
        return (value - EPOCH) // datetime.timedelta(microseconds=1)
    if isinstance(value, dict):
        return tuple((name, _canonical(value[name])) for name in sorted(value))
    return tuple(_canonical(item) for item in value)


def digest(row: dict, columns: tuple[str, ...] = COLUMNS) -> bytes:
    """16 bytes for the row's whole content; columns that are missing count as null."""
    content = tuple((name, _canonical(row.get(name))) for name in columns)
    return hashlib.blake2b(repr(content).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def rows_in(table: pa.Table):
    """The rows of what an engine returned, a thousand at a time."""
    for batch in table.to_batches(max_chunksize=1000):
        yield from batch.to_pylist()


ARROW_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False), pa.field("producer", pa.string(), nullable=False),
        pa.field("batch", pa.int64(), nullable=False), pa.field("n", pa.int32(), nullable=False),
        ("at", pa.timestamp("us", "UTC")), ("price", pa.decimal128(18, 4)), ("ratio", pa.float64()),
        ("flag", pa.bool_()), ("tags", pa.list_(pa.string())),
        ("place", pa.struct([("city", pa.string()), ("code", pa.int32())])), ("payload", pa.string()),
    ]
)  # fmt: skip


def arrow_of(rows: list[dict], schema: pa.Schema = ARROW_SCHEMA) -> pa.Table:
    """Rows for a writer that takes Arrow."""
    return pa.Table.from_pylist(rows, schema=schema)

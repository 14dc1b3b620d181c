"""Bodies in every format, made by other programs from the same rows, and the rows they stand for."""

import datetime
import decimal
import io
import uuid
from decimal import Decimal

import fastavro
import polars
import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet as pq

from support.readers import MapOf, duckdb_connection

UTC = datetime.timezone.utc
ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
AVRO = "application/vnd.apache.avro"
CSV = "text/csv"

FIRST = datetime.datetime(2024, 2, 29, 12, 34, 56, 789012)
EARLY = datetime.datetime(1969, 12, 31, 23, 59, 59)

# name -> (Arrow type, Iceberg type, values beside null)
COLUMNS = {
    "b": (pa.bool_(), "boolean", [True, False]),
    "i8": (pa.int8(), "int", [-128, 127]),
    "u8": (pa.uint8(), "int", [0, 255]),
    "i16": (pa.int16(), "int", [-32768, 32767]),
    "u16": (pa.uint16(), "long", [0, 65535]),
    "i32": (pa.int32(), "long", [-(2**31), 2**31 - 1]),
    "u32": (pa.uint32(), "long", [0, 2**32 - 1]),
    "i64": (pa.int64(), "long", [-(2**63), 2**63 - 1]),
    "u64": (pa.uint64(), "decimal(20,0)", [0, 2**64 - 1]),
    "narrow": (pa.int64(), "int", [-(2**31), 2**31 - 1]),
    "f32": (pa.float32(), "double", [0.5, -0.0]),
    "f64": (pa.float64(), "double", [0.1, 5e-324]),
    "whole": (pa.float64(), "long", [3.0, -7.0]),
    "s": (pa.string(), "string", ["", "søren \U0001f9ca", "x" * 5000]),
    "ls": (pa.large_string(), "string", ["", "é", "long enough to be no short one"]),
    "bin": (pa.binary(), "binary", [b"", b"\0\xff\x80"]),
    "fx": (pa.binary(3), "fixed[3]", [b"abc", b"\0\0\0"]),
    "u": (pa.string(), "uuid", ["f81d4fae-7dec-11d0-a765-00a0c91e6bf6"]),
    "dec": (pa.decimal128(9, 2), "decimal(12,4)", [Decimal("12.34"), Decimal("-9999999.99")]),
    "wide": (pa.decimal128(38, 10), "decimal(38,10)", [Decimal("-1234567890123456789012345678.0123456789")]),
    "d": (pa.date32(), "date", [FIRST.date(), datetime.date(1, 1, 1)]),
    "d64": (pa.date64(), "date", [FIRST.date(), datetime.date(1900, 1, 1)]),
    "t32": (pa.time32("ms"), "time", [datetime.time(23, 59, 59, 999000)]),
    "t64": (pa.time64("us"), "time", [datetime.time(23, 59, 59, 999999), datetime.time()]),
    "ts_s": (pa.timestamp("s"), "timestamp", [EARLY]),
    "ts_ms": (pa.timestamp("ms"), "timestamp", [FIRST.replace(microsecond=789000), EARLY]),
    "ts_us": (pa.timestamp("us"), "timestamp", [FIRST, EARLY]),
    "ts_ns": (pa.timestamp("ns"), "timestamp", [FIRST, EARLY]),
    "tz": (pa.timestamp("us", tz="UTC"), "timestamptz", [FIRST.replace(tzinfo=UTC), EARLY.replace(tzinfo=UTC)]),
    "tz_far": (pa.timestamp("ms", tz="Europe/Oslo"), "timestamptz", [EARLY.replace(tzinfo=UTC)]),
    "dict": (pa.dictionary(pa.int8(), pa.string()), "string", ["red", "green"]),
    "nothing": (pa.null(), "int", []),
    "l": (pa.list_(pa.int32()), "list<long>", [[], [1, None, -1]]),
    "ll": (pa.large_list(pa.string()), "list<string>", [["a", None], []]),
    "o": (
        pa.struct([("x", pa.int64()), ("in", pa.struct([("y", pa.string()), ("z", pa.list_(pa.float64()))]))]),
        "struct<x long, in struct<y string, z list<double>>>",
        [{"x": 1, "in": {"y": "q", "z": [0.5, None]}}, {"x": None, "in": None}],
    ),
    "lo": (
        pa.list_(pa.struct([("a", pa.int16()), ("t", pa.list_(pa.string()))])),
        "list<struct<a int, t list<string>>>",
        [[{"a": 1, "t": ["x", None]}, None, {"a": None, "t": None}]],
    ),
    "m": (pa.map_(pa.string(), pa.int64()), "map<string, long>", [MapOf({"a": 1, "b": None}), MapOf()]),
    "mi": (pa.map_(pa.int32(), pa.struct([("v", pa.bool_())])), "map<int, struct<v boolean>>", [MapOf({7: {"v": True}})]),
}  # fmt: skip

# What some formats or writers do not have.
NOT_IN_PARQUET = {"nothing"}


def short_schema(names) -> str:
    return "id long required, " + ", ".join(f"{name} {COLUMNS[name][1]}" for name in names)


def table_and_rows(names, count=60) -> tuple[pa.Table, list[dict]]:
    """An Arrow table, and the rows that the Iceberg table must then have."""
    arrays, rows = {"id": pa.array(range(count), pa.int64())}, [{"id": n} for n in range(count)]
    for offset, name in enumerate(names):
        kind, _, values = COLUMNS[name]
        # Nulls and values in changing places, and whole stretches without nulls.
        cells = [
            None if not values or (n < 40 and (n + offset) % 4 == 0) else values[(n + offset) % len(values)]
            for n in range(count)
        ]
        plain = [list(cell.items()) if isinstance(cell, MapOf) else cell for cell in cells]
        arrays[name] = pa.array(plain, kind)
        for row, cell in zip(rows, cells):
            row[name] = landed(name, cell)
    return pa.table(arrays), rows


def landed(name, cell):
    """The cell as the Iceberg type has it."""
    kind = COLUMNS[name][1]
    if cell is None:
        return None
    if kind.startswith("decimal"):
        scale = int(kind.rstrip(")").split(",")[1])
        return Decimal(cell).quantize(Decimal(1).scaleb(-scale), context=decimal.Context(prec=40))
    if kind == "uuid":
        return uuid.UUID(cell)
    if name == "whole":
        return int(cell)
    return cell


def arrow_stream(table: pa.Table, compression=None, chunk=17) -> bytes:
    sink = io.BytesIO()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=chunk)
    return sink.getvalue()


def arrow_file(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=17)
    return sink.getvalue()


def parquet(table: pa.Table, **options) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **({"row_group_size": 23} | options))
    return sink.getvalue()


def polars_arrow(table: pa.Table) -> bytes:
    """Polars writes views where others write offsets."""
    sink = io.BytesIO()
    polars.from_arrow(table).write_ipc_stream(sink)
    return sink.getvalue()


def polars_parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    polars.from_arrow(table).write_parquet(sink)
    return sink.getvalue()


def duckdb_file(table: pa.Table, path, options: str) -> bytes:
    with duckdb_connection() as connection:
        connection.register("source", table)
        connection.execute(f"COPY source TO '{path}' ({options})")
    return path.read_bytes()


def arrow_csv(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pyarrow.csv.write_csv(table, sink)
    return sink.getvalue()


def avro(schema: dict, rows, codec="null") -> bytes:
    sink = io.BytesIO()
    fastavro.writer(sink, fastavro.parse_schema(schema), rows, codec=codec)
    return sink.getvalue()

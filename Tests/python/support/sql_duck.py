"""One statement in Firn's SQL and in DuckDB's, and whether their rows are the same.

Where the dialects differ on purpose, and what is done about it:

* NULL comes first in Firn, as in SQLite; DuckDB is told the same (`default_null_order`).
* `/` of whole numbers cuts off in Firn; DuckDB writes it `//`.
* A member of a struct is `device ->> 'os'` in Firn and `device.os` in DuckDB.
* Decimals inside expressions are doubles in Firn and exact in DuckDB: a double is compared with the nearest double of
  the exact result, to a relative 1e-12. Columns, and their minimum and maximum, are compared digit by digit.
* Literals beyond 15 digits are written as text in Firn, as decimals in DuckDB.
* A truth value is 0 or 1 in Firn, except where it is a table's column.
* Times are text in Firn. In expressions a fraction of zeros may stay.

LIKE tells case apart in both, avg of whole numbers is a double in both, and both compare strings by bytes.
"""

import datetime
import math
from dataclasses import dataclass
from decimal import Decimal

import duckdb


@dataclass(frozen=True)
class Sql:
    """A piece of SQL in both dialects."""

    firn: str
    duck: str

    def __bool__(self) -> bool:
        return bool(self.firn)


def both(template: str, *parts: "Sql | str | int") -> Sql:
    """`{}` in the template stand for the parts in each dialect."""
    return Sql(
        template.format(*(part.firn if isinstance(part, Sql) else part for part in parts)),
        template.format(*(part.duck if isinstance(part, Sql) else part for part in parts)),
    )


def joined(separator: str, parts: list[Sql]) -> Sql:
    return Sql(separator.join(p.firn for p in parts), separator.join(p.duck for p in parts))


def duck_connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'; SET threads = 1; SET default_null_order = 'sqlite'")
    return connection


def instant_text(value) -> str:
    """A date or time as Firn writes a column's."""
    if isinstance(value, datetime.datetime):
        text = value.replace(tzinfo=None).isoformat("T", "microseconds").removesuffix(".000000")
        return text + ("Z" if value.tzinfo else "")
    if isinstance(value, datetime.time):
        return value.isoformat("microseconds").removesuffix(".000000")
    return value.isoformat()


def same(ours, theirs) -> bool:
    """Whether Firn's value is DuckDB's."""
    if ours is None or theirs is None:
        return ours is None and theirs is None
    if isinstance(theirs, bool):
        return ours == int(theirs) and not isinstance(ours, float)
    if isinstance(theirs, int):
        return type(ours) is int and ours == theirs
    if isinstance(theirs, float):
        return type(ours) is float and math.isclose(ours, theirs, rel_tol=1e-12)
    if isinstance(theirs, Decimal):
        if isinstance(ours, str):
            return ours == format(theirs, "f")
        return isinstance(ours, float) and math.isclose(ours, float(theirs), rel_tol=1e-12)
    if isinstance(theirs, (datetime.date, datetime.time)):
        wanted = instant_text(theirs)
        return ours == wanted or (isinstance(ours, str) and ours.replace(".000000", "") == wanted)
    if isinstance(theirs, dict):
        return type(ours) is dict and ours.keys() == theirs.keys() and all(same(ours[k], theirs[k]) for k in theirs)
    if isinstance(theirs, list):
        return type(ours) is list and len(ours) == len(theirs) and all(map(same, ours, theirs))
    return type(ours) is str and ours == theirs


def same_row(ours: tuple, theirs: tuple) -> bool:
    return len(ours) == len(theirs) and all(map(same, ours, theirs))


def key(value) -> tuple:
    """Sorts values of both engines alike, as far as is needed to lay equal rows side by side."""
    if value is None:
        return (0, 0.0, "")
    if isinstance(value, (bool, int, float, Decimal)):
        return (1, float(f"{float(value):.9g}"), "")
    if isinstance(value, (datetime.date, datetime.time)):
        return (2, 0.0, instant_text(value))
    try:
        return (1, float(f"{float(value):.9g}"), "")
    except (TypeError, ValueError):
        return (2, 0.0, str(value).replace(".000000", ""))


def difference(ours: list[tuple], theirs: list[tuple], ordered: bool) -> str | None:
    """The first row that differs."""
    if len(ours) != len(theirs):
        return f"{len(ours)} rows, not {len(theirs)}; {ours[:3]} and {theirs[:3]}"
    if not ordered:
        ours = sorted(ours, key=lambda row: tuple(map(key, row)))
        theirs = sorted(theirs, key=lambda row: tuple(map(key, row)))
    for number, (left, right) in enumerate(zip(ours, theirs)):
        if not same_row(left, right):
            return f"row {number}: {left} instead of {right}"
    return None

"""The public parquet-testing files: what Firn prints of them equals, value by value, what pyarrow reads.

`FIRN_CORPORA` names the folder of corpora; without it, `../shared/corpora` beside the repository is looked for.
"""

import decimal
import json
import os
import re
import subprocess
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.server import BINARY

ROOT = Path(__file__).resolve().parents[2]
CORPUS = Path(os.environ.get("FIRN_CORPORA", ROOT / ".." / "shared" / "corpora")) / "parquet-testing"

# Files of data/ that are refused, each with a word of the error and the reason. So are all that end in .encrypted:
# encryption is not supported.
REFUSED = {
    "datapage_v1-corrupt-checksum.parquet": ("checksum", "the checksum of a page is wrong by design"),
    "rle-dict-uncompressed-corrupt-checksum.parquet": ("checksum", "the checksum of a page is wrong by design"),
    "large_string_map.brotli.parquet": ("more than can be read", "a page unfolds to more than 256 MiB"),
}

# Files that pyarrow cannot read, or not rightly, with what they hold.
BEYOND_PYARROW = {
    # The keys of its map are optional. The value is DuckDB's.
    "incorrect_map_schema.parquet": None,
    # The last value passes 64 bits of microseconds on the way. These are the numbers that the corpus documents.
    "int96_from_spark.parquet": [
        1704141296123456, 1704070800000000, 253402225200000000, 1735599600000000, None, 9089380393200000000,
    ],
}  # fmt: skip

# Files of bad_data/ that hold to the format after all, and read as pyarrow reads them.
SOUND = {
    # Indices of 0 bits, as Polars writes them for a dictionary of one value.
    "ARROW-GH-43605.parquet",
}


def files(*patterns):
    """Parameters, or one that is skipped and says why."""
    found = sorted(path for pattern in patterns for path in CORPUS.glob(pattern))
    nothing = pytest.param(None, marks=pytest.mark.skip(reason=f"there is no corpus at {CORPUS}; set FIRN_CORPORA"))
    return [pytest.param(path, id=path.name) for path in found] or [nothing]


def inspect(path):
    command = [str(BINARY), "inspect", "--rows", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


def refused(path):
    """The text of the error. A trap would end the process by a signal."""
    result = inspect(path)
    assert result.returncode in (1, 2), f"exit code {result.returncode}: {result.stderr}"
    return result.stderr + result.stdout


def printed(path):
    """Rows as lists of values by position. Objects are kept as pairs, since names may occur twice."""
    result = inspect(path)
    assert result.returncode == 0, result.stderr or result.stdout
    parsed = [json.loads(line, object_pairs_hook=lambda pairs: ("object", pairs)) for line in result.stdout.splitlines()]
    return [[value for _, value in pairs] for _, pairs in parsed]


# What pyarrow reads, in the form that Firn's JSON takes: the table at the head of Column+JSON.swift.


def expected(array):
    kind = array.type
    if isinstance(array, pa.ChunkedArray):
        return [value for chunk in array.chunks for value in expected(chunk)]
    if isinstance(kind, pa.UuidType):
        return [None if value is None else str(value) for value in array.to_pylist()]
    if isinstance(array, pa.ExtensionArray):
        return expected(array.storage)
    present = array.is_valid().to_pylist()

    def some(values):
        return [value if here else None for here, value in zip(present, values)]

    if pa.types.is_map(kind):
        keys, items = expected(array.keys), expected(array.items)
        bounds = array.offsets.to_pylist()
        entries = [list(zip(keys[low:high], items[low:high])) for low, high in zip(bounds, bounds[1:])]
        if pa.types.is_string(kind.key_type):
            return some([("object", pairs) for pairs in entries])
        return some([[("object", [("key", k), ("value", v)]) for k, v in pairs] for pairs in entries])
    if pa.types.is_list(kind):
        values = expected(array.values)
        bounds = array.offsets.to_pylist()
        return some([values[low:high] for low, high in zip(bounds, bounds[1:])])
    if pa.types.is_struct(kind):
        names = [field.name for field in kind]
        children = [expected(array.field(index)) for index in range(kind.num_fields)]
        return some([("object", list(zip(names, row))) for row in zip(*children)])
    text = scalar_text(kind)
    values = numbers(array, kind).to_pylist()
    return [None if value is None else text(value) for value in values]


def numbers(array, kind):
    """Times as the numbers they are stored as: Python's own have fewer digits and years."""
    if pa.types.is_timestamp(kind) or pa.types.is_time64(kind):
        return array.cast(pa.int64())
    return array.cast(pa.int32()) if pa.types.is_time32(kind) or pa.types.is_date(kind) else array


def scalar_text(kind):
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
    if pa.types.is_timestamp(kind):
        return lambda value: timestamp_text(value, per_second[kind.unit]) + ("Z" if kind.tz else "")
    if pa.types.is_time(kind):
        # Times of day have microseconds.
        return lambda value: time_text(value * 10**6 // per_second[kind.unit], 10**6)
    if pa.types.is_date(kind):
        return date_text
    if pa.types.is_float16(kind) or pa.types.is_floating(kind):
        return lambda value: value if abs(value) < float("inf") else {"nan": "NaN", "inf": "Infinity"}.get(
            str(value), "-Infinity")  # fmt: skip
    if pa.types.is_decimal(kind):
        return lambda value: format(value, "f")
    if pa.types.is_uint64(kind):
        return lambda value: format(decimal.Decimal(value), "f")
    if pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return bytes.hex
    return lambda value: value


def date_text(days):
    """Days from 1970-01-01, of any year: counted in eras of 400 years that begin in March."""
    era, day = divmod(days + 719_468, 146_097)
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5
    year += era * 400 + (month > 9)
    sign = "-" if year < 0 else "+" if year > 9999 else ""
    return f"{sign}{abs(year):04d}-{(month + 2) % 12 + 1:02d}-{day + 1:02d}"


def time_text(value, per_second):
    seconds, fraction = divmod(value, per_second)
    digits = len(str(per_second)) - 1
    text = f".{fraction:0{digits}d}".rstrip("0") if fraction else ""
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{text}"


def timestamp_text(value, per_second):
    days, rest = divmod(value, 86_400 * per_second)
    return f"{date_text(days)}T{time_text(rest, per_second)}"


TIME = re.compile(r"^(.*\d\d:\d\d:\d\d)\.(\d+)(Z?)$")


def same(found, wanted):
    """Equal, but for the zeros at the end of a time, and for how floats of 32 bits are written."""
    if isinstance(wanted, (list, tuple)):
        fits = isinstance(found, type(wanted)) and len(found) == len(wanted)
        return fits and all(same(a, b) for a, b in zip(found, wanted))
    if isinstance(wanted, float):
        if not isinstance(found, (int, float)) or isinstance(found, bool):
            return False
        # The shortest text that reads back as the same float of 32 bits.
        return found == wanted or pa.scalar(found, pa.float32()).as_py() == wanted
    if isinstance(found, str) and (time := TIME.match(found)) and isinstance(wanted, str):
        found = f"{time[1]}.{time[2]}".rstrip("0").rstrip(".") + time[3]
    return type(found) is type(wanted) and found == wanted


def check(path):
    table = pq.ParquetFile(path, coerce_int96_timestamp_unit="us").read()
    wanted = list(zip(*[expected(column) for column in table.columns]))
    found = printed(path)
    assert len(found) == table.num_rows
    for index, (ours, theirs) in enumerate(zip(found, wanted)):
        assert len(ours) == len(theirs)
        for field, a, b in zip(table.schema, ours, theirs):
            assert same(a, b), f"row {index}, column {field.name} ({field.type}): {a!r} is not {b!r}"


@pytest.mark.parametrize("path", files("data/*.parquet", "data/geospatial/*.parquet"))
def test_data_reads_as_in_pyarrow(path):
    if path.name in REFUSED:
        word, reason = REFUSED[path.name]
        assert word in refused(path), reason
    elif path.name in BEYOND_PYARROW:
        wanted = BEYOND_PYARROW[path.name]
        if wanted is None:
            value = duckdb.sql(f"SELECT * FROM '{path}'").fetchone()[0]
            assert printed(path) == [[("object", list(value.items()))]]
            return
        wanted = [[None if value is None else timestamp_text(value, 10**6)] for value in wanted]
        assert all(same(a, b) for a, b in zip(printed(path), wanted, strict=True))
    else:
        check(path)


@pytest.mark.parametrize("path", files("data/*.encrypted", "data/aes256/*.encrypted"))
def test_encrypted_files_are_refused(path):
    assert "encrypted" in refused(path)


@pytest.mark.parametrize("path", files("bad_data/*.parquet"))
def test_bad_data_is_refused(path):
    if path.name in SOUND:
        check(path)
    else:
        assert path.name in refused(path)


@pytest.mark.parametrize("path", files("shredded_variant/*.parquet"))
def test_variants_are_put_together(path):
    """One value a row, none of the parts it is stored in; the values themselves are compared in the unit tests.

    The corpus says of the files that may be refused that they are not valid.
    """
    result = subprocess.run([str(BINARY), "inspect", str(path), "--rows"], capture_output=True, text=True)
    table = pq.ParquetFile(path).read()
    if result.returncode != 0:
        assert result.returncode == 1 and "variant" in result.stderr, result.stderr
        cases = json.loads((path.parent / "cases.json").read_text()) if (path.parent / "cases.json").exists() else []
        named = [case for case in cases if case.get("parquet_file") == path.name]
        assert not named or any("error" in key or "INVALID" in str(value) for key, value in named[0].items()), named
        return
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(rows) == table.num_rows
    for row in rows:
        assert not (isinstance(row["var"], dict) and {"metadata", "typed_value"} <= row["var"].keys()), row

"""Compaction that takes pages over from files of other writers: three readers see the rows that went in."""

import datetime
import decimal
import glob
import random

import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.cli import firn

TABLE = "t.pages"
SCHEMA = (
    "id string, n long, small int, at timestamptz, day date, price decimal(10,2), wide decimal(30,5), ratio double, "
    "ok boolean, word string, raw binary, device struct<os string, version int>, tags list<string>, "
    "counts map<string, long>"
)
ARROW = pa.schema([
    ("id", pa.string()), ("n", pa.int64()), ("small", pa.int32()), ("at", pa.timestamp("us", "UTC")),
    ("day", pa.date32()), ("price", pa.decimal128(10, 2)), ("wide", pa.decimal128(30, 5)), ("ratio", pa.float64()),
    ("ok", pa.bool_()), ("word", pa.string()), ("raw", pa.binary()),
    ("device", pa.struct([("os", pa.string()), ("version", pa.int32())])), ("tags", pa.list_(pa.string())),
    ("counts", pa.map_(pa.string(), pa.int64())),
])  # fmt: skip
# How the inputs are written: what compaction may copy, join, or has to encode anew.
WAYS = {
    "default": {},
    "plain": {"use_dictionary": False},
    "v2": {"data_page_version": "2.0", "use_dictionary": False},
    "snappy": {"compression": "snappy"},
    "pages": {"data_page_size": 2048, "write_page_index": True, "write_page_checksum": True},
    "delta": {
        "use_dictionary": False, "data_page_version": "2.0",
        "column_encoding": {"n": "DELTA_BINARY_PACKED", "word": "DELTA_BYTE_ARRAY", "ratio": "BYTE_STREAM_SPLIT"},
    },
}  # fmt: skip


def table(number: int, rows: int, nulls: float) -> pa.Table:
    pick = random.Random(number)

    def maybe(value):
        return None if pick.random() < nulls else value

    def row(index: int) -> dict:
        n = number * rows + index
        return {
            "id": f"{pick.getrandbits(64):016x}", "n": n, "small": maybe(n % 11),
            "at": datetime.datetime.fromtimestamp(1_700_000_000 + n, datetime.UTC),
            "day": maybe(datetime.date(2026, 1, 1 + n % 28)), "price": maybe(decimal.Decimal(n % 97) / 4),
            "wide": maybe(decimal.Decimal(-n) * 10**15), "ratio": maybe(n / 8), "ok": maybe(n % 3 == 0),
            "word": maybe(f"word {n % 40}"), "raw": maybe(bytes([n % 5, n % 3])),
            "device": maybe({"os": maybe(f"os{n % 4}"), "version": maybe(n % 7)}),
            "tags": maybe([maybe(f"tag{k + n % 3}") for k in range(n % 4)]),
            "counts": maybe([(f"k{k}", maybe(n + k)) for k in range(n % 3)]),
        }  # fmt: skip

    return pa.Table.from_pylist([row(index) for index in range(rows)], schema=ARROW)


def plain(rows: list[dict]) -> list[dict]:
    """The same in every reader: maps as lists of pairs, times in UTC."""

    def value(it):
        if isinstance(it, dict):
            if set(it) == {"key", "value"}:
                return (it["key"], it["value"])
            return {k: value(v) for k, v in it.items()}
        if isinstance(it, list):
            return [value(v) for v in it]
        if isinstance(it, datetime.datetime):
            return it.astimezone(datetime.UTC)
        return it

    return [{k: value(v) for k, v in row.items()} for row in rows]


def compacted(warehouse) -> str:
    (path,) = glob.glob(f"{warehouse}/t/pages/data/*compact*.parquet")
    return path


@pytest.mark.parametrize("nulls", [0, 0.2])
@pytest.mark.parametrize("way", WAYS)
def test_merged_pages_are_read_by_others(tmp_path, warehouse, way, nulls):
    parts = [table(number, 700, nulls) for number in range(6)]
    files = []
    for number, part in enumerate(parts):
        files.append(str(tmp_path / f"{number}.parquet"))
        pq.write_table(part, files[-1], **{"compression": "zstd", **WAYS[way]})
    firn("table", "create", TABLE, SCHEMA, warehouse=warehouse).ok()
    firn("table", "add-files", TABLE, *files, warehouse=warehouse).ok()
    firn("compact", TABLE, warehouse=warehouse).ok()
    expected = plain(pa.concat_tables(parts).to_pylist())
    path = compacted(warehouse)

    assert plain(pq.read_table(path).to_pylist()) == expected
    assert plain(polars.read_parquet(path).to_arrow().to_pylist()) == expected
    connection = duckdb.connect()
    connection.execute("SET TimeZone='UTC'")
    assert plain(connection.execute(f"FROM '{path}'").to_arrow_table().to_pylist()) == expected

    # Statistics and the page index prune, and hide no row.
    for condition, count in {
        "n = 1234": 1, "n BETWEEN 1000 AND 1009": 10, f"id = '{expected[77]['id']}'": 1,
        "word = 'word 7'": sum(row["word"] == "word 7" for row in expected),
        "ratio IS NULL": sum(row["ratio"] is None for row in expected),
    }.items():  # fmt: skip
        assert connection.execute(f"SELECT count(*) FROM '{path}' WHERE {condition}").fetchone() == (count,)
    assert len(pq.read_table(path, filters=[("n", "==", 1234)])) == 1
    assert polars.scan_parquet(path).filter(polars.col("n") == 1234).collect().height == 1

    # Footer statistics are the exact extremes.
    metadata = pq.read_metadata(path)
    (group,) = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    statistics = group.column(ARROW.names.index("n")).statistics
    assert (statistics.min, statistics.max, statistics.null_count) == (0, len(expected) - 1, 0)
    firn("verify", TABLE, "--data", warehouse=warehouse).ok()


def test_a_wrong_hash_is_found(warehouse, tmp_path):
    """Rows that are not those of the footer's hash: a finding, and no compaction."""
    rows = tmp_path / "rows.ndjson"
    firn("table", "create", TABLE, "id long, word string", warehouse=warehouse).ok()
    for step in range(2):
        rows.write_text("".join(f'{{"id": {step * 5 + k}, "word": "w{k}"}}\n' for k in range(5)))
        firn("ingest", TABLE, str(rows), warehouse=warehouse).ok()
    path = sorted(glob.glob(f"{warehouse}/t/pages/data/*.parquet"))[0]
    content = bytearray(open(path, "rb").read())
    at = content.index(b"firn.row-hash") + len(b"firn.row-hash")
    digit = content.index(b"1:", at) + 3
    content[digit] = ord("0") if content[digit] != ord("0") else ord("1")
    open(path, "wb").write(content)

    found = firn("verify", TABLE, "--data", warehouse=warehouse)
    assert "row_hash_wrong" in found.stdout + found.stderr
    refused = firn("compact", TABLE, warehouse=warehouse)
    assert "do not hold the same rows" in refused.failed()
    assert len(glob.glob(f"{warehouse}/t/pages/data/*.parquet")) == 2

"""What lies beside the values in a Parquet file: statistics, page indexes, Bloom filters, checksums, footer facts.

Foreign readers see them, they agree with the values, and readers that skip by them still find every row.
"""

import datetime
import decimal
import json
import random

import duckdb
import polars
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from support import parquet_tool
from support.parquet_columns import TYPES, make_table
from support.parquet_peers import chdb_query

ROWS = 20_000
GROUPS = 4
PER_GROUP = ROWS // GROUPS


def events() -> pa.Table:
    """Sorted ids, scattered numbers, texts and uuids: even numbers are present, odd ones are not."""
    dice = random.Random(3)
    keys = list(range(0, 2 * ROWS, 2))
    dice.shuffle(keys)
    return pa.table({
        "id": pa.array(range(0, 2 * ROWS, 2), pa.int64()),
        "key": pa.array(keys, pa.int32()),
        "text": pa.array([f"key {key}" for key in keys]),
        "amount": pa.array([decimal.Decimal(key).scaleb(-2) for key in keys], pa.decimal128(12, 2)),
        "wide": pa.array([decimal.Decimal(key) for key in keys], pa.decimal128(38, 0)),
        "day": pa.array(keys, pa.int32()).view(pa.date32()),
        "ratio": pa.array([key / 4 for key in keys], pa.float64()),
        "raw": pa.array([key.to_bytes(4, "big") for key in keys], pa.binary()),
        "sparse": pa.array([key if key % 10 == 0 else None for key in keys], pa.int64()),
    })  # fmt: skip


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("indexes") / "source.parquet"
    pq.write_table(events(), path)
    return path


@pytest.fixture(scope="module", params=[1, 2], ids=["page-v1", "page-v2"])
def indexed(request, source):
    """Four row groups of many pages, with Bloom filters."""
    path = source.with_name(f"indexed-{request.param}.parquet")
    blooms = [option for name in events().column_names if name != "id" for option in ("--bloom", name)]
    parquet_tool.rewrite(
        source, path, "--page-version", request.param, "--page-rows", 200, "--row-group-rows", PER_GROUP, *blooms,
        "--sorted", "id", "--key-value", "origin=tests", "--codec", "uncompressed", "--dictionary-bytes", 0,
    )  # fmt: skip
    return path


# Bloom filters


def probe(path, column: str, value: str) -> list[bool]:
    """Whether DuckDB finds the value excluded, by row group."""
    rows = duckdb.sql(
        f"SELECT row_group_id, bloom_filter_excludes FROM parquet_bloom_probe('{path}', '{column}', {value})"
    ).fetchall()
    return [excludes for _, excludes in sorted(rows)]


def literal(column: str, key: int) -> str:
    """The SQL literal of what a column holds for a key."""
    if column == "text":
        return f"'key {key}'"
    if column == "day":
        return f"DATE '{datetime.date(1970, 1, 1) + datetime.timedelta(days=key)}'"
    return f"{key / 4}::DOUBLE" if column == "ratio" else f"{key}::INTEGER" if column == "key" else f"{key}::BIGINT"


# What DuckDB 1.5.5 can probe. It hashes no decimals, and of a BLOB it hashes the escaped text instead of the bytes, so
# that it also misses values in files of its own.
@pytest.mark.parametrize("column", ["key", "text", "ratio", "day", "sparse"])
def test_duckdb_finds_bloom_filters_right(indexed, column):
    table = events()
    dice = random.Random(column)
    groups = [table.column("key")[start : start + PER_GROUP].to_pylist() for start in range(0, ROWS, PER_GROUP)]
    for number, keys in enumerate(groups):
        present = [key for key in keys if column != "sparse" or key % 10 == 0]
        for key in dice.sample(present, 10):
            assert not probe(indexed, column, literal(column, key))[number], f"{key} is in row group {number}"
    answers = [
        answer for key in dice.sample(range(1, 2 * ROWS, 2), 30) for answer in probe(indexed, column, literal(column, key))
    ]  # fmt: skip
    assert len(answers) == 30 * GROUPS
    assert sum(answers) >= 0.9 * len(answers), f"only {sum(answers)} of {len(answers)} absent values are excluded"


def test_bloom_filters_are_in_the_footer(indexed):
    rows = duckdb.sql(
        "SELECT path_in_schema, bloom_filter_offset, bloom_filter_length, total_compressed_size"
        f" FROM parquet_metadata('{indexed}')"
    ).fetchall()
    assert len(rows) == GROUPS * len(events().column_names)
    for name, offset, length, size in rows:
        assert (offset is None) == (name == "id"), name
        if offset is not None:
            # 1 % of false positives take some ten bits a value, doubled at most by the power of two.
            distinct = PER_GROUP / 5 if name == "sparse" else PER_GROUP
            assert distinct * 9.5 / 8 <= length <= distinct * 9.5 / 8 * 3 + 64, (name, length, size)


@pytest.mark.parametrize("column", ["key", "text", "day", "ratio", "raw", "amount", "wide", "sparse"])
def test_firn_prunes_by_bloom_filters(indexed, column):
    """A key lies in one row group of four; its statistics span all keys, so that filters alone can tell."""
    table = events()
    row = 2 * PER_GROUP + 170 if column != "sparse" else pc.index(pc.is_valid(table["sparse"]), True).as_py()
    value = table.column(column)[row]
    text = value.as_py().hex() if column == "raw" else str(value)
    (account,) = parquet_tool.tool("filter", indexed, "--where", f"{column} = {text}", "--account")
    assert account["rows"] == 1
    assert account["row_groups_left"] <= 2, account


# Page indexes


def test_page_indexes_are_there_and_checksums_hold(indexed):
    metadata = pq.ParquetFile(indexed).metadata
    for group in range(metadata.num_row_groups):
        for column in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(column)
            assert chunk.has_column_index and chunk.has_offset_index, (group, column)
    assert pq.ParquetFile(indexed, page_checksum_verification=True).read().equals(events())


def test_a_flipped_bit_fails_the_checksum(indexed, tmp_path):
    damaged = bytearray(indexed.read_bytes())
    chunk = pq.ParquetFile(indexed).metadata.row_group(1).column(0)
    damaged[chunk.data_page_offset + chunk.total_compressed_size // 2] ^= 0x10
    path = tmp_path / "damaged.parquet"
    path.write_bytes(damaged)
    with pytest.raises(OSError, match="(?i)crc|checksum"):
        pq.ParquetFile(path, page_checksum_verification=True).read()
    assert "checksum" in parquet_tool.run("rows", path).stderr


CONDITIONS = [
    ("id = 17002", pc.field("id") == 17002),
    ("id = 17003", pc.field("id") == 17003),
    ("id >= 39990", pc.field("id") >= 39990),
    ("id < 3", pc.field("id") < 3),
    ("key = 777776", pc.field("key") == 777776),
    ("key <= 20", pc.field("key") <= 20),
    ("sparse > 39000", pc.field("sparse") > 39000),
    ("text >= 'key 9998'", pc.field("text") >= "key 9998"),
    ("ratio = 2500.5", pc.field("ratio") == 2500.5),
    ("sparse is null", pc.field("sparse").is_null()),
]


@pytest.mark.parametrize("condition", [text for text, _ in CONDITIONS])
def test_readers_that_skip_find_the_right_rows(indexed, condition):
    """ClickHouse skips pages, DuckDB and Polars row groups; all of them by what Firn wrote."""
    expected = events().filter(dict(CONDITIONS)[condition]).column("id").to_pylist()
    found = {
        "duckdb": duckdb.sql(f"SELECT id FROM read_parquet('{indexed}') WHERE {condition} ORDER BY id").fetchall(),
        "chdb": [(row["id"],) for row in chdb_query(
            f"SELECT id FROM file('{indexed}', Parquet) WHERE {condition} ORDER BY id").to_pylist()],
    }  # fmt: skip
    found["polars"] = polars.scan_parquet(indexed).filter(polars.sql_expr(condition)).select("id").collect().rows()
    scanned = ds.dataset(indexed).to_table(filter=dict(CONDITIONS)[condition], columns=["id"])
    found["pyarrow"] = [(value,) for value in scanned.column("id").to_pylist()]
    unquoted = condition.replace("'", "")
    found["firn"] = [(row["id"],) for row in parquet_tool.tool("filter", indexed, "--where", unquoted, "--column", "id")]
    for engine, rows in found.items():
        assert sorted(row[0] for row in rows) == expected, engine


def test_firn_fetches_the_pages_that_matter(source, tmp_path):
    """One row of a sorted column among a million bytes: one page of it, and one of each other column."""
    path = tmp_path / "long.parquet"
    parquet_tool.rewrite(
        source, path, "--repeat", 20, "--codec", "uncompressed", "--dictionary-bytes", 0, "--page-rows", 2000
    )
    (whole,) = parquet_tool.tool("filter", path, "--where", "id >= 0", "--account")
    assert whole["pages_fetched"] == whole["pages"] > 1000
    assert whole["rows"] == 20 * ROWS
    (one,) = parquet_tool.tool("filter", path, "--where", "id = 39998", "--account")
    assert one["rows"] == 20
    assert one["pages_fetched"] < 0.5 * one["pages"], one
    (none,) = parquet_tool.tool("filter", path, "--where", "id = 40001", "--account")
    assert none["rows"] == 0 and none["pages_fetched"] == 0, none


# Statistics


def comparable(value):
    """Statistics of zeros cover both signs."""
    return 0.0 if isinstance(value, float) and value == 0 else value


@pytest.mark.parametrize("nulls", ["none", "some", "all"])
def test_statistics_are_those_of_the_values(tmp_path, nulls):
    table = make_table(nulls, 400, shapes=["flat", "struct"])
    plain, path = tmp_path / "plain.parquet", tmp_path / "firn.parquet"
    pq.write_table(table, plain)
    parquet_tool.rewrite(plain, path, "--row-group-rows", 150)
    metadata = pq.ParquetFile(path).metadata
    exact = dict_of_exactness(path)
    start = 0
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        part = table.slice(start, rows)
        start += rows
        flat = part.flatten()
        for column in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(column)
            values = flat.column(chunk.path_in_schema)
            check_statistics(chunk, values, exact[group, chunk.path_in_schema.replace(".", ", ")])
    assert start == table.num_rows


def dict_of_exactness(path) -> dict:
    rows = duckdb.sql(
        f"SELECT row_group_id, path_in_schema, min_is_exact, max_is_exact FROM parquet_metadata('{path}')"
    ).fetchall()
    return {(group, name): (low, high) for group, name, low, high in rows}


def check_statistics(chunk, values: pa.ChunkedArray, exact) -> None:
    where = chunk.path_in_schema
    statistics = chunk.statistics
    assert statistics is not None, where
    assert statistics.null_count == values.null_count, where
    kind = values.type
    if isinstance(kind, pa.UuidType):
        present = sorted(value.bytes for value in values.to_pylist() if value is not None)
    else:
        present = [value for value in raw(values).to_pylist() if value is not None]
        present = sorted(value for value in present if value == value)
    assert statistics.has_min_max == bool(present), where
    if not present:
        return
    low, high = statistics.min_raw, statistics.max_raw
    if kind in (pa.string(), pa.binary()):
        as_bytes = [value.encode() if isinstance(value, str) else value for value in present]
        truly_low, truly_high = min(as_bytes), max(as_bytes)
        low, high = (bound.encode() if isinstance(bound, str) else bound for bound in (low, high))
        assert low <= truly_low and truly_high <= high, where
        assert (low == truly_low) == exact[0] and (high == truly_high) == exact[1], (where, exact)
        assert max(len(low), len(high)) <= 64 or high == truly_high, where
    elif pa.types.is_decimal(kind) or pa.types.is_fixed_size_binary(kind) or isinstance(kind, pa.UuidType):
        assert (statistics.min, statistics.max) == (present[0], present[-1]), where
    else:
        assert (comparable(low), comparable(high)) == (comparable(present[0]), comparable(present[-1])), where


def raw(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Days and counts of time as the numbers that are stored."""
    kind = values.type
    if pa.types.is_date(kind):
        return values.cast(pa.int32())
    return values.cast(pa.int64()) if pa.types.is_time(kind) or pa.types.is_timestamp(kind) else values


def test_zeros_have_both_signs_in_statistics(tmp_path):
    plain, path = tmp_path / "plain.parquet", tmp_path / "firn.parquet"
    pq.write_table(pa.table({"a": [0.0, -0.0, float("nan")], "b": pa.array([0.0, 0.0, 0.0], pa.float32())}), plain)
    parquet_tool.rewrite(plain, path)
    for column in range(2):
        statistics = pq.ParquetFile(path).metadata.row_group(0).column(column).statistics
        assert (str(statistics.min), str(statistics.max)) == ("-0.0", "0.0")


# The footer


def test_footer_facts_reach_other_readers(indexed):
    metadata = pq.ParquetFile(indexed).metadata
    assert metadata.metadata[b"origin"] == b"tests"
    assert metadata.created_by.startswith("firn version ")
    assert metadata.num_row_groups == GROUPS and metadata.num_rows == ROWS
    for group in range(GROUPS):
        (order,) = metadata.row_group(group).sorting_columns
        assert (order.column_index, order.descending, order.nulls_first) == (0, False, False)
    assert all(pq.read_schema(indexed).field(name).metadata[b"PARQUET:field_id"] for name in events().column_names)


def test_rows_are_printed_as_json(tmp_path):
    plain = tmp_path / "plain.parquet"
    table = make_table("some", 60, types=["int", "decimal9", "string", "date", "boolean"])
    pq.write_table(table, plain)
    assert set(TYPES) > {"int", "decimal9"}
    assert parquet_tool.tool("rows", plain) == [json.loads(json.dumps(row, default=str)) for row in as_json(table)]


def as_json(table: pa.Table) -> list[dict]:
    """Maps as objects, which pyarrow has as pairs."""

    def value(item, kind):
        if item is None:
            return None
        if pa.types.is_map(kind):
            return {key: value(inner, kind.item_type) for key, inner in item}
        if pa.types.is_list(kind):
            return [value(inner, kind.value_type) for inner in item]
        if pa.types.is_struct(kind):
            return {field.name: value(item[field.name], field.type) for field in kind}
        return item

    return [
        {field.name: value(row[field.name], field.type) for field in table.schema} for row in table.to_pylist()
    ]  # fmt: skip

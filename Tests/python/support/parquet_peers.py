"""Engines that share no code with Firn, writing and reading single Parquet files, and what each cannot do."""

from pathlib import Path

import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq

from support.parquet_columns import leaf_paths

# What an engine cannot take, by engine and type. Columns of these types are left out for that engine, in that direction,
# for that reason, and nothing else is.
CANNOT_READ = {
    ("duckdb", "timestamptz_ns"): "has no zoned timestamps in nanoseconds; cuts them to microseconds",
    ("chdb", "time"): "makes a time of day a timestamp of 1970-01-01",
}
CANNOT_WRITE = {
    ("duckdb", "timestamptz_ns"): "has no zoned timestamps in nanoseconds",
    ("chdb", "time"): "makes a time of day a timestamp of 1970-01-01",
}
# The same by encoding, too. These are encodings on request; Firn's own choice never makes them.
CANNOT_DECODE = {
    ("polars", "delta", "decimal38"): "does not know DELTA_BYTE_ARRAY of FIXED_LEN_BYTE_ARRAY",
    ("polars", "delta", "fixed"): "does not know DELTA_BYTE_ARRAY of FIXED_LEN_BYTE_ARRAY",
    ("polars", "delta", "uuid"): "does not know DELTA_BYTE_ARRAY of FIXED_LEN_BYTE_ARRAY",
}
# Lists, maps and structs are never null in ClickHouse: they come out empty, or as structs of nulls.
WITHOUT_NESTED_NULLS = {"chdb"}
# Every timestamp is an instant.
WITHOUT_UNZONED = {"chdb"}
# Dates of 1900 to 2299 alone.
MILD_DATES = {"chdb"}


def able(table: dict, names: list[str], *key: str) -> list[str]:
    """The columns whose types `table` does not except under `key`: an engine, or an engine and an encoding."""
    return [name for name in names if (*key, name.partition("_")[2]) not in table]


# Readers


def read_pyarrow(path: Path, names: list[str]) -> pa.Table:
    return pq.ParquetFile(path, page_checksum_verification=True).read(columns=names)


def read_duckdb(path: Path, names: list[str]) -> pa.Table:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'; SET threads = 1")
        return connection.execute(f"SELECT {', '.join(names)} FROM read_parquet('{path}')").to_arrow_table()


def read_polars(path: Path, names: list[str]) -> pa.Table:
    return polars.read_parquet(path, columns=names, use_statistics=False).to_arrow()


def read_chdb(path: Path, names: list[str]) -> pa.Table:
    return chdb_query(f"SELECT {', '.join(names)} FROM file('{path}', Parquet)")


READERS = {"pyarrow": read_pyarrow, "duckdb": read_duckdb, "polars": read_polars, "chdb": read_chdb}


def chdb_query(sql: str) -> pa.Table:
    """ClickHouse inside this process; imported late, since loading it takes a second."""
    import chdb

    settings = "SETTINGS max_threads=1, output_format_arrow_string_as_string=1, session_timezone='UTC'"
    data = chdb.query(f"{sql} {settings}", "Arrow").bytes()
    return pa.ipc.open_file(pa.BufferReader(data)).read_all() if data else pa.table({})


# Writers: each takes a table and a variation by number


def write_pyarrow(table: pa.Table, path: Path, encoding: str, codec: str, version: str) -> None:
    """`encoding`: dictionary, plain, delta, delta_length or split; each column gets what fits its physical type."""
    chosen = {leaf: pyarrow_encoding(kind, encoding) for leaf, kind in leaf_paths(table.schema).items()}
    options = {"use_dictionary": True} if encoding == "dictionary" else {
        "use_dictionary": False, "column_encoding": chosen}  # fmt: skip
    pq.write_table(
        table, path, compression=codec, data_page_version=version, row_group_size=150, data_page_size=512,
        write_page_index=True, write_page_checksum=True, store_decimal_as_integer=encoding != "plain", **options,
    )  # fmt: skip


def pyarrow_encoding(kind: pa.DataType, encoding: str) -> str:
    is_text = pa.types.is_string(kind) or pa.types.is_binary(kind)
    is_fixed = isinstance(kind, pa.UuidType) or pa.types.is_fixed_size_binary(kind)
    if pa.types.is_decimal(kind):
        is_fixed = kind.precision > 18 or encoding == "plain"
    if pa.types.is_boolean(kind):
        return "RLE" if encoding != "plain" else "PLAIN"
    if pa.types.is_floating(kind):
        return "BYTE_STREAM_SPLIT" if encoding in ("split", "delta") else "PLAIN"
    if is_text:
        return {"delta": "DELTA_BYTE_ARRAY", "delta_length": "DELTA_LENGTH_BYTE_ARRAY"}.get(encoding, "PLAIN")
    if is_fixed:
        return {"delta": "DELTA_BYTE_ARRAY", "split": "BYTE_STREAM_SPLIT"}.get(encoding, "PLAIN")
    return {"delta": "DELTA_BINARY_PACKED", "split": "BYTE_STREAM_SPLIT"}.get(encoding, "PLAIN")


def write_duckdb(source: Path, path: Path, names: list[str], codec: str, version: str) -> None:
    """From a Parquet file: of an Arrow table DuckDB 1.5.5 takes wrong bytes for fixed values in structs with nulls."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'; SET threads = 1")
        connection.execute(
            f"COPY (SELECT {', '.join(names)} FROM read_parquet('{source}')) TO '{path}'"
            f" (FORMAT parquet, CODEC '{codec}', PARQUET_VERSION {version}, ROW_GROUP_SIZE 2048)"
        )


def write_polars(table: pa.Table, path: Path, codec: str) -> None:
    polars.from_arrow(table).write_parquet(path, compression=codec, row_group_size=150, data_page_size=2048)


def write_chdb(source: Path, path: Path, names: list[str], codec: str) -> None:
    """From a Parquet file, which ClickHouse reads first."""
    import chdb

    chdb.query(
        f"INSERT INTO FUNCTION file('{path}', Parquet) SELECT {', '.join(names)} FROM file('{source}', Parquet)"
        f" SETTINGS max_threads=1, output_format_parquet_compression_method='{codec}',"
        " output_format_parquet_row_group_size=150, engine_file_truncate_on_insert=1, session_timezone='UTC'"
    )

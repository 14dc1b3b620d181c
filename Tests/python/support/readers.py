"""The same table through engines that share no code with Firn."""

import datetime
import decimal
import math
import sqlite3
import uuid
from pathlib import Path

import duckdb
import duckdb_extension_avro
import duckdb_extension_iceberg
import polars
import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog.sql import SqlCatalog


def sql_catalog(warehouse: Path) -> SqlCatalog:
    """PyIceberg's own catalog class on Firn's catalog file."""
    return SqlCatalog("firn", uri=f"sqlite:///{warehouse}/catalog.db", warehouse=f"file://{warehouse}")


def metadata_location(warehouse: Path, table: str) -> str:
    """The table's current metadata file, read from the catalog with plain SQL."""
    namespace, name = table.rsplit(".", 1)
    with sqlite3.connect(f"file:{warehouse}/catalog.db?mode=ro", uri=True, timeout=30) as db:
        rows = db.execute(
            "SELECT metadata_location FROM iceberg_tables"
            " WHERE catalog_name = 'firn' AND table_namespace = ? AND table_name = ?",
            (namespace, name),
        ).fetchall()
    assert len(rows) == 1, f"{table} has {len(rows)} rows in the catalog"
    assert rows[0][0].startswith("file:///"), rows[0][0]
    return rows[0][0]


def duckdb_connection() -> duckdb.DuckDBPyConnection:
    """DuckDB with the Iceberg extension from PyPI; nothing is fetched at run time."""
    offline = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    connection = duckdb.connect(config=offline)
    for module, name in ((duckdb_extension_avro, "avro"), (duckdb_extension_iceberg, "iceberg")):
        folder = Path(module.__file__).parent / "extensions" / f"v{duckdb.__version__}"
        connection.execute(f"LOAD '{folder / name}.duckdb_extension'")
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def read_pyiceberg(warehouse: Path, table: str, snapshot_id: int | None = None) -> pa.Table:
    return sql_catalog(warehouse).load_table(table).scan(snapshot_id=snapshot_id).to_arrow()


def read_duckdb(warehouse: Path, table: str, snapshot_id: int | None = None) -> pa.Table:
    location = metadata_location(warehouse, table)
    version = "" if snapshot_id is None else f", snapshot_from_id => {snapshot_id}"
    with duckdb_connection() as connection:
        return connection.execute(f"SELECT * FROM iceberg_scan('{location}'{version})").to_arrow_table()


def read_polars(warehouse: Path, table: str, snapshot_id: int | None = None) -> pa.Table:
    location = metadata_location(warehouse, table)
    return polars.scan_iceberg(location, snapshot_id=snapshot_id).collect().to_arrow()


READERS = {"pyiceberg": read_pyiceberg, "duckdb": read_duckdb, "polars": read_polars}


def assert_same_rows(actual: pa.Table, expected: pa.Table, engine: str) -> None:
    """Equal multisets of rows, compared column by column after sorting by every column."""
    assert set(actual.column_names) == set(expected.column_names), f"{engine}: columns {actual.column_names}"
    actual = actual.select(expected.column_names).cast(expected.schema)
    assert actual.num_rows == expected.num_rows, f"{engine}: {actual.num_rows} rows, not {expected.num_rows}"
    keys = [(name, "ascending") for name in expected.column_names]
    actual, expected = actual.sort_by(keys).combine_chunks(), expected.sort_by(keys).combine_chunks()
    for name in expected.column_names:
        ours, theirs = actual.column(name), expected.column(name)
        if ours.equals(theirs):
            continue
        same = pc.fill_null(pc.equal(ours, theirs), False)
        both_null = pc.and_(pc.is_null(ours), pc.is_null(theirs))
        row = pc.index(pc.or_(same, both_null), False).as_py()
        raise AssertionError(
            f"{engine}: column {name}, sorted row {row}: {ours[row]} instead of {theirs[row]};"
            f" {actual.slice(row, 1).to_pylist()} instead of {expected.slice(row, 1).to_pylist()}"
        )


class MapOf(dict):
    """Marks an expected value as an Iceberg map; a plain dict stands for a struct."""


def same_value(expected, actual) -> bool:
    """Equality across the engines' Python forms: uuids as text or bytes, maps as pairs."""
    if expected is None or actual is None:
        return expected is None and actual is None
    if isinstance(expected, MapOf):
        if isinstance(actual, dict):
            pairs = list(actual.items())
        else:
            pairs = [(p["key"], p["value"]) if isinstance(p, dict) else tuple(p) for p in actual]
        found = dict(pairs)
        return len(pairs) == len(expected) == len(found) and all(
            key in found and same_value(value, found[key]) for key, value in expected.items()
        )
    if isinstance(expected, dict):
        if not isinstance(actual, dict) or set(expected) != set(actual):
            return False
        return all(same_value(value, actual[key]) for key, value in expected.items())
    if isinstance(expected, list):
        return len(expected) == len(actual) and all(map(same_value, expected, actual))
    if isinstance(expected, uuid.UUID):
        return expected == (uuid.UUID(bytes=actual) if isinstance(actual, bytes) else uuid.UUID(str(actual)))
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    if isinstance(expected, float):
        same = type(actual) is float and expected == actual
        return same and math.copysign(1, expected) == math.copysign(1, actual)
    if isinstance(expected, datetime.datetime):
        return (expected.tzinfo is None) == (actual.tzinfo is None) and expected == actual
    if isinstance(expected, decimal.Decimal):
        return expected == actual and expected.as_tuple().exponent == actual.as_tuple().exponent
    return type(expected) is type(actual) and expected == actual


def assert_same_records(actual: pa.Table, expected: list[dict], key: str, engine: str) -> None:
    """Equal rows with nested columns, matched by a unique key."""
    found = {}
    for row in actual.to_pylist():
        assert row[key] not in found, f"{engine}: key {row[key]} twice"
        found[row[key]] = row
    assert set(found) == {row[key] for row in expected}, f"{engine}: other keys than expected"
    for row in expected:
        for name, value in row.items():
            ours = found[row[key]][name]
            assert same_value(value, ours), f"{engine}: {key} {row[key]}, {name}: {ours!r} instead of {value!r}"

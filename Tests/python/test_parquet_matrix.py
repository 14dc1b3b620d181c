"""Parquet in both directions against pyarrow, DuckDB, Polars and ClickHouse, compared value by value and bit by bit.

A file holds every type in every shape: ninety columns. The matrix goes over nulls × rows × encoding × page version, and
through the codecs in turn, so that every pair of encoding and codec occurs.
"""

import itertools

import pyarrow.parquet as pq
import pytest

from support import parquet_tool
from support.parquet_columns import NULLS, ROWS, differences, make_table
from support.parquet_peers import (
    CANNOT_DECODE,
    CANNOT_READ,
    CANNOT_WRITE,
    MILD_DATES,
    READERS,
    WITHOUT_NESTED_NULLS,
    WITHOUT_UNZONED,
    able,
    write_chdb,
    write_duckdb,
    write_polars,
    write_pyarrow,
)

CELLS = [(nulls, rows) for nulls in NULLS for rows in ROWS]
CELL_NAMES = [f"{nulls}-{rows}" for nulls, rows in CELLS]

FIRN_CODECS = ["uncompressed", "snappy", "gzip", "lz4_raw", "zstd"]
# Every encoding at least once; a column takes the first named that fits its physical type.
FIRN_ENCODINGS = {
    "default": [],
    "plain": ["--encoding", "plain"],
    "dictionary": ["--encoding", "dictionary"],
    "delta": ["--encoding", "delta_binary_packed", "--encoding", "delta_byte_array", "--encoding", "byte_stream_split"],
    "delta_length": ["--encoding", "delta_length_byte_array", "--encoding", "delta_binary_packed"],
    "modern": ["--profile", "modern"],
    # The dictionary overflows in the middle of a chunk.
    "fallback": ["--dictionary-bytes", "300"],
}  # fmt: skip
ALIKE_WHEN_SHORT = {"dictionary", "modern", "fallback", "delta_length"}
PAGES = ["--page-rows", "60", "--row-group-rows", "250"]


class Sources:
    """Tables and plain files of them, each made once."""

    def __init__(self, folder):
        self.folder = folder
        self.made = {}

    def table(self, nulls, rows, mild=False):
        if (nulls, rows, mild) not in self.made:
            self.made[nulls, rows, mild] = make_table(nulls, rows, mild=mild)
        return self.made[nulls, rows, mild]

    def plain(self, nulls, rows, mild=False):
        path = self.folder / f"{nulls}-{rows}-{mild}.parquet"
        if not path.exists():
            pq.write_table(self.table(nulls, rows, mild), path, compression="none", use_dictionary=False)
        return path

    def by_firn(self, nulls, rows, mild, encoding, version, codec):
        path = self.folder / f"firn-{nulls}-{rows}-{mild}-{encoding}-{version}-{codec}.parquet"
        if not path.exists():
            options = ["--codec", codec, "--page-version", version, *FIRN_ENCODINGS[encoding], *PAGES]
            parquet_tool.rewrite(self.plain(nulls, rows, mild), path, *options)
        return path


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    return Sources(tmp_path_factory.mktemp("parquet"))


def report(failures: list[str]) -> None:
    shown = "\n".join(failures[:30])
    assert not failures, f"{len(failures)} differences:\n{shown}"


# Firn writes


def variations(encodings, codecs, cell):
    """(encoding, version, codec): over all cells every encoding meets every codec. Of a row or none, some encodings make
    the same file."""
    nulls, rows = cell
    encodings = [encoding for encoding in encodings if rows > 1 or encoding not in ALIKE_WHEN_SHORT]
    # Two steps a kind of nulls, one a version: four kinds and two versions reach eight codecs in a row.
    start = 2 * NULLS.index(nulls) + ROWS.index(rows)
    return [
        (encoding, version, codecs[(start + turn + version) % len(codecs)])
        for turn, encoding in enumerate(encodings)
        for version in (1, 2)
    ]


def test_the_matrix_pairs_every_encoding_with_every_codec():
    for encodings, codecs in ((FIRN_ENCODINGS, FIRN_CODECS), (PYARROW_ENCODINGS, PYARROW_CODECS)):
        met = {(e, c) for cell in CELLS for e, _, c in variations(encodings, codecs, cell)}
        assert met == set(itertools.product(encodings, codecs))


@pytest.mark.parametrize("cell", CELLS, ids=CELL_NAMES)
@pytest.mark.parametrize("engine", READERS)
def test_engines_read_what_firn_writes(sources, engine, cell):
    mild = engine in MILD_DATES
    expected = sources.table(*cell, mild)
    failures = []
    for encoding, version, codec in variations(FIRN_ENCODINGS, FIRN_CODECS, cell):
        path = sources.by_firn(*cell, mild, encoding, version, codec)
        names = able(CANNOT_READ, expected.column_names, engine)
        names = able(CANNOT_DECODE, names, engine, encoding)
        found = READERS[engine](path, names)
        lines = differences(
            found, expected.select(names), nested_nulls=engine not in WITHOUT_NESTED_NULLS,
            zones=engine not in WITHOUT_UNZONED,
        )  # fmt: skip
        failures += [f"{encoding}, page version {version}, {codec}: {line}" for line in lines]
    report(failures)


# Others write


def read_back(path, expected, tmp_path, label, **settings) -> list[str]:
    try:
        found = parquet_tool.read_through_firn(path, tmp_path)
    except AssertionError as error:
        return [f"{label}: {error}"]
    return [f"{label}: {line}" for line in differences(found, expected, **settings)]


PYARROW_CODECS = ["none", "snappy", "gzip", "brotli", "lz4", "zstd"]
PYARROW_ENCODINGS = ["dictionary", "plain", "delta", "delta_length", "split"]


@pytest.mark.parametrize("cell", CELLS, ids=CELL_NAMES)
def test_firn_reads_what_pyarrow_writes(sources, tmp_path, cell):
    table = sources.table(*cell)
    failures = []
    for encoding, version, codec in variations(PYARROW_ENCODINGS, PYARROW_CODECS, cell):
        path = tmp_path / f"{encoding}-{version}-{codec}.parquet"
        write_pyarrow(table, path, encoding, codec, f"{version}.0")
        failures += read_back(path, table, tmp_path, f"{encoding}, page version {version}, {codec}")
    report(failures)


@pytest.mark.parametrize("cell", CELLS, ids=CELL_NAMES)
def test_firn_reads_what_duckdb_writes(sources, tmp_path, cell):
    table = sources.table(*cell)
    names = able(CANNOT_WRITE, table.column_names, "duckdb")
    failures = []
    codecs = ["uncompressed", "snappy", "gzip", "brotli", "lz4_raw", "zstd"]
    for _, version, codec in variations(["own"], codecs, cell):
        path = tmp_path / f"{version}-{codec}.parquet"
        write_duckdb(sources.plain(*cell), path, names, codec, f"V{version}")
        failures += read_back(path, table.select(names), tmp_path, f"version {version}, {codec}")
    report(failures)


@pytest.mark.parametrize("cell", CELLS, ids=CELL_NAMES)
def test_firn_reads_what_polars_writes(sources, tmp_path, cell):
    table = sources.table(*cell)
    failures = []
    codecs = ["uncompressed", "snappy", "gzip", "brotli", "lz4", "zstd"]
    for _, _, codec in variations(["own"], codecs, cell):
        path = tmp_path / f"{codec}.parquet"
        write_polars(table, path, codec)
        failures += read_back(path, table, tmp_path, codec)
    report(failures)


@pytest.mark.parametrize("cell", CELLS, ids=CELL_NAMES)
def test_firn_reads_what_clickhouse_writes(sources, tmp_path, cell):
    table = sources.table(*cell, mild=True)
    names = able(CANNOT_WRITE, table.column_names, "chdb")
    failures = []
    for _, _, codec in variations(["own"], ["none", "snappy", "gzip", "brotli", "lz4", "zstd"], cell):
        path = tmp_path / f"{codec}.parquet"
        write_chdb(sources.plain(*cell, mild=True), path, names, codec)
        failures += read_back(path, table.select(names), tmp_path, codec, nested_nulls=False, zones=False)
    report(failures)


# Shapes of older and other writers

OLDER = {
    "int96": {"use_deprecated_int96_timestamps": True},
    "element named item": {"use_compliant_nested_type": False},
    "no statistics": {"write_statistics": False},
    "version 1.0": {"version": "1.0", "coerce_timestamps": "us", "allow_truncated_timestamps": True},
    "milliseconds": {"coerce_timestamps": "ms", "allow_truncated_timestamps": True},
    "without Arrow's schema": {"store_schema": False},
}


@pytest.mark.parametrize("older", OLDER)
def test_firn_reads_older_layouts(tmp_path, older):
    """Compared with pyarrow's own reading, since some of these layouts lose digits on the way."""
    table = make_table("some", 100, mild=True)
    path = tmp_path / "older.parquet"
    pq.write_table(table, path, **OLDER[older])
    report(read_back(path, pq.read_table(path, coerce_int96_timestamp_unit="us"), tmp_path, older))

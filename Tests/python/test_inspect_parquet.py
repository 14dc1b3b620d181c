"""`firn inspect` on Parquet files of every origin, held against what pyarrow and DuckDB say of the same file."""

import csv
import io
import json

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support import parquet_tool
from support.cli import firn
from support.parquet_columns import make_table

ROWS = 1000


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return pa.table({
        "id": pa.array(range(ROWS), pa.int64()),
        "name": [None if row % 10 == 0 else f"name {row % 7}" for row in range(ROWS)],
        "day": pa.array(range(ROWS), pa.int32()).view(pa.date32()),
        "box": [{"w": row, "h": None} for row in range(ROWS)],
        "tags": [["a", "b"][: row % 3] for row in range(ROWS)],
    })  # fmt: skip


@pytest.fixture(scope="module")
def path(table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("inspect")
    plain, path = folder / "plain.parquet", folder / "data.parquet"
    pq.write_table(table, plain)
    parquet_tool.rewrite(
        plain, path, "--page-rows", 100, "--row-group-rows", 600, "--bloom", "id", "--bloom", "tags.element",
        "--sorted", "id", "--key-value", "note=" + "long " * 100, "--encoding", "id=delta_binary_packed",
    )  # fmt: skip
    return path


def report(path, *options) -> dict:
    return json.loads(firn("inspect", path, "--output", "json", *options).ok().stdout)


def test_facts_are_those_of_the_footer(path):
    metadata = pq.ParquetFile(path).metadata
    found = report(path)
    assert (found["rows"], found["row-group-count"], found["created-by"]) == (ROWS, 2, metadata.created_by)
    assert found["file-bytes"] == path.stat().st_size
    assert found["footer-bytes"] == metadata.serialized_size
    groups = [(group["rows"], group["sorted-by"]) for group in found["row-groups"]]
    assert groups == [(600, "id asc nulls last"), (400, "id asc nulls last")]
    assert "note" in found["key-value-metadata"] and "long long" not in found["key-value-metadata"]
    (pair,) = report(path, "--metadata")["key-value-metadata"]
    assert pair == {"key": "note", "value": "long " * 100}


def test_column_chunks_are_those_of_the_footer(path):
    theirs = duckdb.sql(
        "SELECT row_group_id, type, num_values, total_compressed_size, total_uncompressed_size, bloom_filter_length"
        f" FROM parquet_metadata('{path}') ORDER BY row_group_id, column_id"
    ).fetchall()
    found = report(path)["column-chunks"]
    ours = [
        (c["row-group"], c["physical"], c["values"], c["compressed"], c["uncompressed"], c["bloom"]) for c in found
    ]  # fmt: skip
    assert ours == theirs
    assert {c["codec"] for c in found} == {"zstd"}
    names = ["id", "name", "day", "box.w", "box.h", "tags.element"]
    assert [c["column"] for c in found] == names * 2
    assert "DELTA_BINARY_PACKED" in found[0]["encodings"]
    assert all(c["column-index"] and c["offset-index"] for c in found)


def test_statistics_are_shown_in_the_type(path):
    found = {(s["row-group"], s["column"]): s for s in report(path)["statistics"]}
    assert (found[1, "id"]["min"], found[1, "id"]["max"]) == ("600", "999")
    assert (found[0, "name"]["min"], found[0, "name"]["max"], found[0, "name"]["nulls"]) == ("name 0", "name 6", 60)
    assert (found[0, "day"]["min"], found[0, "day"]["max"]) == ("1970-01-01", "1971-08-23")
    assert (found[0, "box.h"]["min"], found[0, "box.h"]["nulls"]) == (None, 600)
    assert found[0, "tags.element"]["max"] == "b"


def test_pages_are_those_of_the_index(path):
    pages = report(path, "--pages", "--column", "id")["pages"]
    assert {page["column"] for page in pages} == {"id"}
    data = [page for page in pages if page["kind"] != "dictionary"]
    assert [(p["row-group"], p["first-row"], p["rows"]) for p in data] == [
        (0, row, 100) for row in range(0, 600, 100)
    ] + [(1, row, 100) for row in range(0, 400, 100)]
    assert [(p["min"], p["max"]) for p in data[:2]] == [("0", "99"), ("100", "199")]
    assert all(len(p["crc"]) == 8 and p["nulls"] == 0 and p["encoding"] == "DELTA_BINARY_PACKED" for p in data)
    chunk = pq.ParquetFile(path).metadata.row_group(0).column(0)
    first = [page for page in pages if page["row-group"] == 0]
    assert first[0]["offset"] == chunk.data_page_offset
    assert sum(page["header"] + page["compressed"] for page in first) == chunk.total_compressed_size


def test_bloom_filters_answer(path):
    answers = report(path, "--bloom", "id=17", "--bloom", "tags=b", "--bloom", "name=name 1")["bloom-probes"]
    by = {(a["column"], a["row-group"]): a["answer"] for a in answers}
    assert by["id", 0] == "maybe"
    assert by["tags.element", 0] == by["tags.element", 1] == "maybe"
    assert by["name", 0] == "no filter"
    absent = [a["answer"] for n in range(20) for a in report(path, "--bloom", f"id={5000 + n}")["bloom-probes"]]
    assert set(absent) <= {"maybe", "no"} and absent.count("no") >= 35


def test_every_format(path):
    assert firn("inspect", path, "--output", "table").ok().stdout.startswith("format")
    assert json.loads(firn("inspect", path, "--output", "ndjson").ok().stdout) == report(path)
    rows = list(csv.DictReader(io.StringIO(firn("inspect", path, "--output", "csv").ok().stdout)))
    assert [row["column"] for row in rows if row["row-group"] == "0"][:2] == ["id", "name"]
    rows = list(csv.DictReader(io.StringIO(firn("inspect", path, "--output", "csv", "--pages").ok().stdout)))
    assert {"kind", "encoding", "crc"} <= set(rows[0])


def test_rows_in_every_format(path, table):
    lines = firn("inspect", path, "--rows").rows()
    assert lines == [row | {"day": str(row["day"])} for row in table.to_pylist()]
    assert json.loads(firn("inspect", path, "--rows", "--output", "json").ok().stdout) == lines
    named = firn("inspect", path, "--rows", "--column", "box", "--column", "id").rows()
    assert named == [{"id": row["id"], "box": row["box"]} for row in lines]
    text = firn("inspect", path, "--rows", "--output", "csv", "--column", "name", "--column", "day").ok().stdout
    read = list(csv.DictReader(io.StringIO(text)))
    assert [row["day"] for row in read] == [row["day"] for row in lines]
    assert [row["name"] for row in read] == [row["name"] or "" for row in lines]


@pytest.mark.parametrize("nulls", ["none", "some", "all"])
def test_files_of_others_are_shown(tmp_path, nulls):
    path = tmp_path / "pyarrow.parquet"
    wide = make_table(nulls, 50)
    pq.write_table(wide, path, data_page_version="2.0", write_page_index=True, compression="brotli")
    found = report(path, "--pages")
    assert found["rows"] == 50 and found["column-count"] == pq.ParquetFile(path).metadata.num_columns
    assert len(firn("inspect", path, "--rows").rows()) == 50


def test_errors_say_what_to_do(path, tmp_path):
    assert "the file has id, name, day" in firn("inspect", path, "--column", "nope").failed()
    assert "COLUMN=VALUE" in firn("inspect", path, "--bloom", "id").failed()
    assert "is not a value of type long" in firn("inspect", path, "--bloom", "id=x").failed()
    assert "box.w, box.h" in firn("inspect", path, "--bloom", "box=1").failed()
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(path.read_bytes()[:-5])
    assert str(cut) in firn("inspect", cut).failed()
    text = tmp_path / "metadata.json"
    text.write_text('{"a": 1}')
    assert "Parquet files" in firn("inspect", text, "--pages").failed()


def test_help_has_an_example():
    text = firn("inspect", "--help").ok().stdout
    for word in ("firn inspect data.parquet", "--pages", "--bloom", "--column", "--metadata", "--rows"):
        assert word in text

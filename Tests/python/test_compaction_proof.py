"""G6: a compaction whose output is not exactly its input is refused, whatever one row it is about.

`firn compact` stands still when its output is written and not yet proven; the output is replaced by one with a single
defect, written by another engine; then the command goes on. It must refuse, leave the table as it was, and no file.
"""

import io
import json
import os
import signal
import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from support.cli import firn
from support.litter import assert_no_litter
from support.readers import metadata_location, read_duckdb, read_pyiceberg
from support.server import BINARY, clean_environment

TABLE = "m.rows"
SCHEMA = "id long required, v string, n double, tags list<string>"
DEFECTS = ["drop", "double", "replace", "change", "null", "swap", "zero"]


def defective(table: pa.Table, defect: str, row: int) -> pa.Table:
    rows = table.to_pylist()
    other = (row + 7) % len(rows)
    if defect == "drop":
        del rows[row]
    elif defect == "double":
        rows.insert(other, dict(rows[row]))
    elif defect == "replace":
        rows[other] = dict(rows[row])
    elif defect == "change":
        rows[row]["v"] = rows[row]["v"][:-1] + "x"
    elif defect == "null":
        rows[row]["tags"] = None
    elif defect == "swap":
        rows[row]["v"], rows[other]["v"] = rows[other]["v"], rows[row]["v"]
    elif defect == "zero":
        rows[row]["n"] = -0.0 if rows[row]["n"] == 0 else 0.0
    return pa.Table.from_pylist(rows, schema=table.schema)


def replace_file(output: Path, table: pa.Table):
    """Writes a table in the place of a file, of the same length: else that alone would give it away."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", store_schema=False)
    data = sink.getvalue()
    footer = 8 + int.from_bytes(data[-8:-4], "little")
    gap = output.stat().st_size - len(data)
    assert gap >= 0, "the file of another engine is longer"
    # Nothing refers to what lies between the pages and the footer.
    output.write_bytes(data[:-footer] + bytes(gap) + data[-footer:])


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defective_output_is_refused(warehouse, defect, version):
    firn("table", "create", TABLE, SCHEMA, "--property", f"format-version={version}", warehouse=warehouse).ok()
    for step in range(3):
        rows = [{"id": n, "v": f"value {n}", "n": n / 2, "tags": [str(n)]} for n in range(step * 20, step * 20 + 20)]
        firn("ingest", TABLE, "-", stdin="".join(json.dumps(r) + "\n" for r in rows), warehouse=warehouse).ok()
    before = metadata_location(warehouse, TABLE)
    known = set(warehouse.rglob("*.parquet"))
    process = subprocess.Popen(
        [str(BINARY), "compact", TABLE, "--warehouse", str(warehouse)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=clean_environment() | {"FIRN_FAULT_POINT": "compaction.output-written=stop"},
    )  # fmt: skip
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    (output,) = set(warehouse.rglob("*.parquet")) - known
    table = pq.ParquetFile(output).read()
    replace_file(output, defective(table, defect, len(output.name) % 50))
    process.send_signal(signal.SIGCONT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and b"do not hold the same rows" in errors, errors.decode()
    assert metadata_location(warehouse, TABLE) == before
    assert_no_litter(warehouse)
    firn("compact", TABLE, warehouse=warehouse).ok()
    for engine, read in {"pyiceberg": read_pyiceberg, "duckdb": read_duckdb}.items():
        found = read(warehouse, TABLE)
        assert sorted(found["id"].to_pylist()) == list(range(60)), engine

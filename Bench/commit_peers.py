#!/usr/bin/env python3
"""Milliseconds to commit a micro-batch of 10,000 rows, from NDJSON, beside DuckLake and PyIceberg in one run.

    make bench-commit          # or: python Bench/commit_peers.py [--workloads ...] [--batches N]

* Firn: each batch is one request with `Prefer: wait=committed`, one after the other; the time is from the first byte
  sent to the answer, which says that the rows are in a snapshot. That includes HTTP, the synced log, data file, manifest,
  metadata and the catalog's transaction. The CPU time is the server's.
* DuckLake: `INSERT INTO … SELECT * FROM read_json(file)`, its catalog a local file, one thread.
* PyIceberg: `read_json` of pyarrow, then `Table.append`, its catalog SQLite, one thread.

`first` and `last` are medians of the first and the last ten batches: flat is what a commit should be as its table grows.
Background compaction is off; every engine writes zstd level 3.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from server import Connection, Server, columns, duckdb_columns, firn_schema, present, source

ROWS = 10_000
LEVEL = "3"


def batches(workload: str, count: int) -> list[tuple[int, int]]:
    """(offset, length) of the first `count` batches of the file."""
    found, start = [], 0
    with source(workload).open("rb") as file:
        for _ in range(count):
            length = sum(len(file.readline()) for _ in range(ROWS))
            if length == 0:
                break
            found.append((start, length))
            start += length
    return found


def summary(times: list[float], cpu: float) -> dict:
    ordered = sorted(times)
    return {
        "median": statistics.median(times), "least": ordered[0], "p99": ordered[min(len(ordered) - 1, 98)],
        "first": statistics.median(times[:10]), "last": statistics.median(times[-10:]), "cpu": cpu * 1e3 / len(times),
    }  # fmt: skip


def firn(workload: str, parts: list[tuple[int, int]]) -> dict:
    times = []
    # The shortest interval that the server takes: a batch that somebody waits for is not held for company.
    with Server("--no-compaction", "--flush-interval-ms", "10") as server, source(workload).open("rb") as file:
        path = server.create(workload, firn_schema(workload))
        connection = Connection(server.port)
        before = server.cpu
        for offset, length in parts:
            start = time.perf_counter()
            status, body = connection.post_file(
                path, file.fileno(), offset, length, "Prefer: wait=committed\r\n"
            )
            times.append((time.perf_counter() - start) * 1e3)
            if status != 200 or b'"committed"' not in body:
                sys.exit(f"a batch was not committed: {body.decode()[:500]}")
        found = summary(times, server.cpu - before)
        rows, files = server.rows(workload), len(server.files)
    if rows != ROWS * len(parts) or files < len(parts):
        sys.exit(f"{rows} rows in {files} files for {len(parts)} batches")
    return found


# Children: a peer each


def timed(files: list[str], step) -> dict:
    times = []
    before = resource.getrusage(resource.RUSAGE_SELF)
    for file in files:
        start = time.perf_counter()
        step(file)
        times.append((time.perf_counter() - start) * 1e3)
    after = resource.getrusage(resource.RUSAGE_SELF)
    return summary(times, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def ducklake(workload: str, files: list[str], folder: str) -> dict:
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET threads = 1; SET TimeZone = 'UTC'")
    try:
        import duckdb_extension_ducklake as extension

        version = connection.execute("PRAGMA version").fetchone()[0]
        home = Path(extension.__file__).parent
        connection.execute(f"LOAD '{home}/extensions/{version}/ducklake.duckdb_extension'")
    except ImportError:
        connection.execute("INSTALL ducklake; LOAD ducklake")
    connection.execute(f"ATTACH 'ducklake:{folder}/meta.ducklake' AS lake (DATA_PATH '{folder}/data/')")
    connection.execute("CALL lake.set_option('parquet_compression', 'zstd')")
    connection.execute(f"CALL lake.set_option('parquet_compression_level', '{LEVEL}')")
    reading = f"format='newline_delimited', columns={duckdb_columns(workload)}"
    connection.execute(f"CREATE TABLE lake.t AS SELECT * FROM read_json('{files[0]}', {reading}) LIMIT 0")
    return timed(files, lambda file: connection.execute(
        f"INSERT INTO lake.t SELECT * FROM read_json('{file}', {reading})"
    ))  # fmt: skip


def pyiceberg(workload: str, files: list[str], folder: str) -> dict:
    import pyarrow as pa
    import pyarrow.json as pj
    from pyiceberg.catalog.sql import SqlCatalog

    pa.set_cpu_count(1)
    types = {
        "i": pa.int32(), "l": pa.int64(), "d": pa.float64(), "s": pa.string(), "t": pa.timestamp("us", "UTC"),
        "device": pa.struct([("os", pa.string()), ("version", pa.string())]), "tags": pa.list_(pa.string()),
    }  # fmt: skip
    schema = pa.schema([(name, types[kind]) for name, kind in columns(workload)])
    catalog = SqlCatalog("bench", uri=f"sqlite:///{folder}/catalog.db", warehouse=f"file://{folder}")
    catalog.create_namespace("bench")
    table = catalog.create_table("bench.t", schema=schema, properties={
        "write.parquet.compression-codec": "zstd", "write.parquet.compression-level": LEVEL,
    })  # fmt: skip
    reading = pj.ReadOptions(use_threads=False, block_size=1 << 24)
    parsing = pj.ParseOptions(explicit_schema=schema)
    return timed(files, lambda file: table.append(pj.read_json(file, read_options=reading, parse_options=parsing)))


def peer(name: str, workload: str, parts: list[tuple[int, int]]) -> dict | None:
    with tempfile.TemporaryDirectory(prefix="firn-bench-", dir=os.environ.get("FIRN_BENCH_SCRATCH")) as scratch:
        files = []
        with source(workload).open("rb") as data:
            for index, (offset, length) in enumerate(parts):
                data.seek(offset)
                files.append(f"{scratch}/{index:03d}.ndjson")
                Path(files[-1]).write_bytes(data.read(length))
        arguments = json.dumps([name, workload, files, scratch])
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYICEBERG_MAX_WORKERS": "1"}
        done = subprocess.run(
            [sys.executable, __file__, "--child"], input=arguments, capture_output=True, text=True, env=environment
        )
    if done.returncode != 0:
        print(f"{name} left out: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workloads", nargs="+", default=["clickstream", "iot"])
    parser.add_argument("--batches", type=int, default=100)
    parser.add_argument("--peers", nargs="*", default=["ducklake", "pyiceberg"])
    arguments = parser.parse_args()
    print("| Workload | | ms per commit, median | least | p99 | first 10 | last 10 | CPU ms per commit |")
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    for workload in present(arguments.workloads):
        parts = batches(workload, arguments.batches)
        found = {"firn": firn(workload, parts)} | {name: peer(name, workload, parts) for name in arguments.peers}
        for name, result in found.items():
            if result:
                shown = " | ".join(f"{result[key]:.1f}" for key in ("median", "least", "p99", "first", "last", "cpu"))
                print(f"| {workload} | {name} | {shown} |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        name, *rest = json.loads(sys.stdin.read())
        print(json.dumps({"ducklake": ducklake, "pyiceberg": pyiceberg}[name](*rest)), flush=True)
        os._exit(0)
    else:
        main()

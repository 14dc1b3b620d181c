#!/usr/bin/env python3
"""NDJSON over HTTP to committed Iceberg files, beside DuckDB's plain conversion of the same file, in one run.

    make bench-ingest          # or: python Bench/ingest_peers.py [--workloads ...] [--body-mb 1 4] [--runs N]

* Firn: a release `firn serve` takes the file in bodies of about 1 MiB over a few connections, syncs its log before each
  answer, and commits Iceberg snapshots at its default flush interval. Measured is the CPU time of the whole server
  process, user and system, from the first request until everything is committed, and its peak memory. Background
  compaction is off, since DuckDB does none. The client sends from the page cache with `sendfile` and is not counted.
* DuckDB: `COPY (SELECT * FROM read_json(file)) TO file.parquet`, one thread, the same explicit column types, zstd at
  the same level 3. CPU time of the statement. It neither receives the data nor makes anything durable before the end.

The least CPU time of the runs counts, for both. Ratios below 1 mean that Firn spends less.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from server import Server, WORKLOADS, duckdb_columns, firn_schema, present, source, stream

LEVEL = 3


def duckdb_child(workload: str, target: str) -> dict:
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET threads = 1; SET TimeZone = 'UTC'")
    before = resource.getrusage(resource.RUSAGE_SELF)
    connection.execute(
        f"COPY (SELECT * FROM read_json('{source(workload)}', format='newline_delimited', "
        f"columns={duckdb_columns(workload)})) TO '{target}' "
        f"(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {LEVEL})"
    )
    after = resource.getrusage(resource.RUSAGE_SELF)
    rows = connection.execute(f"SELECT count(*) FROM read_parquet('{target}')").fetchone()[0]
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu": cpu, "rows": rows, "peak_mb": after.ru_maxrss / 1024, "file_mb": Path(target).stat().st_size / 1e6}


def duckdb_run(workload: str) -> dict:
    with tempfile.TemporaryDirectory(prefix="firn-bench-") as scratch:
        done = subprocess.run(
            [sys.executable, __file__, "--child", workload, f"{scratch}/out.parquet"], capture_output=True, text=True
        )
        if done.returncode != 0:
            sys.exit(f"DuckDB failed:\n{done.stderr[-2000:]}")
        return json.loads(done.stdout.splitlines()[-1])


def firn_run(workload: str, body_mb: float, connections: int) -> dict:
    with Server("--no-compaction") as server:
        path = server.create(workload, firn_schema(workload))
        before, start = server.cpu, time.perf_counter()
        times = sorted(stream(server, path, source(workload), int(body_mb * (1 << 20)), connections))
        server.flush(workload)
        cpu, wall = server.cpu - before, time.perf_counter() - start
        found = {"cpu": cpu, "wall": wall, "peak_mb": server.peak_mb, "files": len(server.files)}
        found["file_mb"] = sum(file.stat().st_size for file in server.files) / 1e6
        found["ack_p50_ms"] = times[len(times) // 2] * 1e3
        found["rows"] = server.rows(workload)
        return found


def measure(workload: str, body_mbs: list[float], connections: int, runs: int, peers: bool) -> dict:
    """The least CPU of each, the contenders taking turns so that a noisy moment hits all."""
    takes: dict[str, list[dict]] = {}
    for _ in range(runs):
        for body_mb in body_mbs:
            takes.setdefault(f"firn, {body_mb:g} MiB bodies", []).append(firn_run(workload, body_mb, connections))
        if peers:
            takes.setdefault("duckdb", []).append(duckdb_run(workload))
    best = {name: min(found, key=lambda take: take["cpu"]) for name, found in takes.items()}
    counts = {take["rows"] for found in takes.values() for take in found}
    if len(counts) != 1:
        sys.exit(f"{workload}: the contenders disagree about the rows: {counts}")
    for name, found in takes.items():
        print(f"{workload} {name}: cpu {[round(take['cpu'], 2) for take in found]} {best[name]}", file=sys.stderr)
    return best


def show(measured: dict[str, dict]) -> None:
    print("| Workload | NDJSON MB | rows | | CPU s | CPU s per GB | of DuckDB | peak MB | files MB |")
    print("|---|---:|---:|---|---:|---:|---:|---:|---:|")
    for workload, found in measured.items():
        size = source(workload).stat().st_size / 1e6
        for name, take in found.items():
            ratio = f"{take['cpu'] / found['duckdb']['cpu']:.2f}×" if "duckdb" in found else "–"
            print(f"| {workload} | {size:.0f} | {take['rows']:,} | {name} | {take['cpu']:.2f} | "
                  f"{take['cpu'] / size * 1e3:.2f} | {ratio} | {take['peak_mb']:.0f} | {take['file_mb']:.1f} |")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workloads", nargs="+", default=list(WORKLOADS), choices=list(WORKLOADS))
    parser.add_argument("--body-mb", nargs="+", type=float, default=[1, 4], help="MiB of a body")
    parser.add_argument("--connections", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-peers", action="store_true", help="Firn alone")
    arguments = parser.parse_args()
    measured = {
        name: measure(name, arguments.body_mb, arguments.connections, arguments.runs, not arguments.no_peers)
        for name in present(arguments.workloads)
    }
    show(measured)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(duckdb_child(*sys.argv[2:])), flush=True)
        os._exit(0)
    else:
        main()

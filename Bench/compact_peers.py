#!/usr/bin/env python3
"""Compaction of 200 small Parquet files beside Polars, DuckDB, DuckLake's merge and Delta's optimize, in one run.

    make bench-compact          # or: python Bench/compact_peers.py [--order unsorted sorted] [--rounds N]

* The input is `data/small/*.parquet` under FIRN_BENCH: 200 files of 25,000 rows of the clickstream workload that pyarrow
  wrote with zstd level 3. Every engine writes zstd level 3.
* Firn: a table over these files as they are (`table add-files`), then `firn compact`, whose CPU time is that of its whole
  process: planning, reading, writing, reading the output back for the proof, and the commit. `sorted` compacts a table
  whose sort order is user_id, event_time.
* Polars and DuckDB: one query from the files to one file; no commit and no proof. DuckLake and Delta: their own
  compaction of a table that holds the same rows in 200 files; neither sorts. CPU time is that of the step alone, without
  loading the engine.

Every measurement is a process of its own, on one core unless --threads says otherwise; the least CPU time of the rounds
counts, since what else runs on the machine can only add to it. `rss` is the greatest resident memory.
"""

import argparse
import glob
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BENCH = Path(os.environ.get("FIRN_BENCH", "~/.cache/firn-bench")).expanduser()
SMALL = BENCH / "data" / "small"
FIRN = os.environ.get("FIRN_BIN", str(Path(__file__).parents[1] / ".build/release/firn"))
ROWS = 5_000_000
SCHEMA = (
    "event_id string, event_time timestamptz, event_type string, user_id long, session_id string, url string, "
    "referrer string, country string, user_agent string, price double, quantity int, duration_ms long, "
    "device struct<os string, version string>, tags list<string>"
)
ENGINES = {
    "unsorted": ["firn", "polars", "duckdb", "ducklake", "delta"],
    "sorted": ["firn", "polars", "duckdb"],
}
ORDER = ["user_id", "event_time"]


def inputs() -> list[str]:
    return sorted(glob.glob(f"{SMALL}/*.parquet"))


# Children


class Step:
    """CPU seconds and greatest resident memory of what runs inside."""

    def __enter__(self):
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            pass
        usage = resource.getrusage(resource.RUSAGE_SELF)
        self.cpu, self.wall = usage.ru_utime + usage.ru_stime, time.perf_counter()
        return self

    def __exit__(self, *failure):
        usage = resource.getrusage(resource.RUSAGE_SELF)
        self.cpu = usage.ru_utime + usage.ru_stime - self.cpu
        self.wall = time.perf_counter() - self.wall
        status = Path("/proc/self/status").read_text()
        self.rss = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) * 1024


def parquet(path: Path) -> dict:
    import pyarrow.parquet as pq

    if (found := pq.read_metadata(path).num_rows) != ROWS:
        sys.exit(f"{found} rows were written")
    return {"bytes": path.stat().st_size}


def polars(out: Path, order: str, threads: int) -> dict:
    os.environ["POLARS_MAX_THREADS"] = str(threads)
    import polars as pl

    target = out / "all.parquet"
    with Step() as step:
        frame = pl.scan_parquet(inputs())
        if order == "sorted":
            frame = frame.sort(*ORDER)
        frame.sink_parquet(target, compression="zstd", compression_level=3)
    return {**vars(step), **parquet(target)}


def duckdb(out: Path, order: str, threads: int) -> dict:
    import duckdb as db

    connection = db.connect(config={"threads": threads})
    target = out / "all.parquet"
    sort = f"ORDER BY {', '.join(ORDER)}" if order == "sorted" else ""
    with Step() as step:
        connection.execute(
            f"COPY (SELECT * FROM read_parquet('{SMALL}/*.parquet') {sort}) TO '{target}' "
            "(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3)"
        )
    return {**vars(step), **parquet(target)}


def attach(folder: Path, threads: int):
    import duckdb as db
    import duckdb_extension_ducklake as extension

    connection = db.connect(config={"threads": threads})
    version = connection.execute("PRAGMA version").fetchone()[0]
    library = Path(extension.__file__).parent / f"extensions/{version}/ducklake.duckdb_extension"
    connection.execute(f"LOAD '{library}'")
    connection.execute(
        f"ATTACH 'ducklake:{folder}/meta.ducklake' AS l (DATA_PATH '{folder}/data/', OVERRIDE_DATA_PATH true)"
    )
    connection.execute("CALL l.set_option('parquet_compression', 'zstd')")
    connection.execute("CALL l.set_option('parquet_compression_level', '3')")
    return connection


def ducklake(out: Path, order: str, threads: int) -> dict:
    connection = attach(out, threads)
    for number, path in enumerate(inputs()):
        head = "CREATE TABLE l.t AS" if number == 0 else "INSERT INTO l.t"
        connection.execute(f"{head} SELECT * FROM '{path}'")
    connection.close()
    connection = attach(out, threads)
    with Step() as step:
        connection.execute("CALL ducklake_merge_adjacent_files('l')").fetchall()
    files = connection.execute("SELECT data_file FROM ducklake_list_files('l', 't')").fetchall()
    return {**vars(step), "bytes": sum(os.path.getsize(path) for (path,) in files)}


def delta(out: Path, order: str, threads: int) -> dict:
    os.environ["TOKIO_WORKER_THREADS"] = os.environ["RAYON_NUM_THREADS"] = str(threads)
    import deltalake
    import pyarrow.parquet as pq

    options = deltalake.WriterProperties(compression="ZSTD", compression_level=3)
    for path in inputs():
        deltalake.write_deltalake(str(out / "t"), pq.read_table(path), mode="append", writer_properties=options)
    table = deltalake.DeltaTable(str(out / "t"))
    with Step() as step:
        table.optimize.compact(target_size=1 << 30, max_concurrent_tasks=threads, writer_properties=options)
    return {**vars(step), "bytes": sum(table.get_add_actions(flatten=True)["size_bytes"].to_pylist())}


def firn(out: Path, order: str, threads: int) -> dict:
    def run(*arguments: str) -> str:
        command = [FIRN, *arguments, "--warehouse", str(out)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    sort = ["--sort", ", ".join(ORDER)] if order == "sorted" else []
    run("table", "create", "b.t", SCHEMA, *sort)
    run("table", "add-files", "b.t", *inputs())
    started = time.perf_counter()
    child = subprocess.Popen([FIRN, "compact", "b.t", "--warehouse", str(out)], stdout=subprocess.PIPE)
    report = json.loads(child.stdout.read())
    _, status, usage = os.wait4(child.pid, 0)
    if status != 0 or report["rows"] != ROWS:
        sys.exit(f"firn compact: {report}")
    return {
        "cpu": usage.ru_utime + usage.ru_stime, "wall": time.perf_counter() - started,
        "rss": usage.ru_maxrss * 1024, "bytes": report["bytes-after"],
    }  # fmt: skip


CHILDREN = {"firn": firn, "polars": polars, "duckdb": duckdb, "ducklake": ducklake, "delta": delta}


# The parent


def measure(engine: str, order: str, threads: int) -> dict:
    with tempfile.TemporaryDirectory(dir=BENCH, prefix="compact-") as out:
        command = [sys.executable, __file__, "--child", engine, "--order", order, "--threads", str(threads), "--out", out]
        done = subprocess.run(command, capture_output=True, text=True, cwd=out)
    if done.returncode != 0:
        return {"error": (done.stderr.strip().splitlines() or ["failed"])[-1]}
    return json.loads(done.stdout.splitlines()[-1])


def compare(order: str, rounds: int, threads: int) -> None:
    megabytes = sum(map(os.path.getsize, inputs())) / 1e6
    best: dict[str, dict] = {}
    for _ in range(rounds):
        for engine in ENGINES[order]:
            found = measure(engine, order, threads)
            known = best.get(engine)
            if known is None or "error" in known or found.get("cpu", 1e9) < known["cpu"]:
                best[engine] = found
    print(f"\n{order}: {len(inputs())} files, {ROWS:,} rows, {megabytes:.1f} MB\n")
    print("| engine | input MB per CPU s | CPU s | wall s | peak RSS MB | output MB |")
    print("|---|---|---|---|---|---|")
    speeds = {}
    for engine, found in best.items():
        if "error" in found:
            print(f"| {engine} | failed: {found['error'][:80]} | | | | |")
            continue
        speeds[engine] = megabytes / found["cpu"]
        print(
            f"| {engine} | {speeds[engine]:.1f} | {found['cpu']:.2f} | {found['wall']:.2f} "
            f"| {found['rss'] / 1e6:.0f} | {found['bytes'] / 1e6:.1f} |"
        )
    peers = {engine: speed for engine, speed in speeds.items() if engine != "firn"}
    if peers and "firn" in speeds:
        first = max(peers, key=peers.get)
        smallest = min(best[engine]["bytes"] for engine in peers)
        print(
            f"\nfirn is {speeds['firn'] / peers[first]:.2f} times as fast as {first}, the best peer; its output has "
            f"{best['firn']['bytes'] / smallest:.3f} of the bytes of the smallest peer's"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--order", nargs="+", choices=list(ENGINES), default=list(ENGINES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--child", choices=list(CHILDREN), help=argparse.SUPPRESS)
    parser.add_argument("--out", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        if arguments.threads == 1:
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        print(json.dumps(CHILDREN[arguments.child](Path(arguments.out), arguments.order[0], arguments.threads)))
        return
    if len(inputs()) != 200:
        sys.exit(f"{SMALL} does not hold the 200 small files; see Docs/benchmarks.md for where the data comes from")
    if not shutil.which(FIRN):
        sys.exit(f"there is no {FIRN}: make build")
    for order in arguments.order:
        compare(order, arguments.rounds, arguments.threads)


if __name__ == "__main__":
    main()

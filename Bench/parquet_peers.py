#!/usr/bin/env python3
"""Firn's Parquet writer and reader beside those of pyarrow and DuckDB, on the same columns, in one run.

    make bench-parquet                  # or: python Bench/parquet_peers.py [--rows N] [--runs N] [--engines ...]

What is compared, one thread each, CPU seconds (least of the runs):

* encode: rows that lie in memory in the engine's own form (Firn's batches, an Arrow table, a DuckDB table) become a
  zstd level 3 Parquet file. Firn throws the bytes away, pyarrow writes into memory, DuckDB, which cannot, into a file
  on tmpfs. Statistics as each writes them by default; Firn also writes page indexes and checksums.
* decode to a table: a file whose bytes are in memory or in the page cache becomes all of its columns in memory, kept
  until the end of the run: Firn's batches, an Arrow table, for DuckDB the Arrow table that it hands over.
* decode in a scan: the same without keeping anything, as a query reads. Firn drops each row group's batch; DuckDB folds
  every column into an aggregate that looks at each value, copies nothing and leaves strings in their dictionaries;
  pyarrow and Polars are not timed.
* Each engine decodes the file it wrote and one that pyarrow wrote.

MB/s are bytes of the Arrow table (values, offsets, null bits) a CPU second, the same number for every engine. Each
measurement is a process of its own, pinned to one core.
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

ROOT = Path(__file__).resolve().parents[1]
TOOL = Path(os.environ.get("FIRN_PARQUET_TOOL", ROOT / ".build" / "release" / "parquet-tool"))
DATA = Path(os.environ.get("FIRN_BENCH", Path.home() / ".cache" / "firn-bench")) / "data"
LEVEL = 3

# Firn's layouts: the default that every reader takes, and the one with newer encodings where they are smaller.
FIRN = {"firn": [], "firn-modern": ["--profile", "modern"]}
PEERS = ["pyarrow", "duckdb"]

# i int, l long, d double, s string, t timestamptz
WORKLOADS = {
    "flights": "year:i month:i day:i dep_time:i sched_dep_time:i dep_delay:i arr_time:i sched_arr_time:i arr_delay:i"
    " carrier:s flight:i tailnum:s origin:s dest:s air_time:i distance:i hour:i minute:i time_hour:t id:l",
    "clickstream": "event_id:s event_time:t event_type:s user_id:l session_id:s url:s referrer:s country:s user_agent:s"
    " price:d quantity:i duration_ms:l device:device tags:tags",
    "iot": "sensor_id:s ts:l temperature:d humidity:d vibration:d",
}
DUCKDB_TYPES = {
    "i": "INTEGER", "l": "BIGINT", "d": "DOUBLE", "s": "VARCHAR", "t": "TIMESTAMPTZ",
    "device": "STRUCT(os VARCHAR, version VARCHAR)", "tags": "VARCHAR[]",
}  # fmt: skip


def columns(workload: str) -> list[tuple[str, str]]:
    return [tuple(word.split(":")) for word in WORKLOADS[workload].split()]


# Children: one measurement each, one line of JSON


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def least(runs: int, body) -> dict:
    body()
    times = []
    for _ in range(runs):
        start = cpu_seconds()
        kept = body()
        times.append(cpu_seconds() - start)
        del kept
    return {"cpu": min(times), "median": sorted(times)[len(times) // 2]}


def duckdb_connection():
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET threads = 1; SET TimeZone = 'UTC'")
    return connection


def prepare(workload: str, rows: int, target: str) -> dict:
    """The common file: NDJSON read by DuckDB, written by pyarrow."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = "{" + ", ".join(f"'{name}': '{DUCKDB_TYPES[kind]}'" for name, kind in columns(workload)) + "}"
    limit = f" LIMIT {rows}" if rows else ""
    table = duckdb_connection().execute(
        f"SELECT * FROM read_json('{DATA}/{workload}.ndjson', format='newline_delimited', columns={types}){limit}"
    ).to_arrow_table()  # fmt: skip
    pq.write_table(table.combine_chunks(), target, compression="zstd", compression_level=LEVEL)
    return {"bytes": pq.read_table(target).nbytes, "rows": table.num_rows, "arrow": pa.__version__}


def pyarrow_encode(source: str, target: str, runs: int) -> dict:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(source, use_threads=False).combine_chunks()

    def encode():
        out = pa.BufferOutputStream()
        pq.write_table(table, out, compression="zstd", compression_level=LEVEL)
        return out

    result = least(runs, encode)
    Path(target).write_bytes(encode().getvalue())
    return result | {"file": Path(target).stat().st_size}


def pyarrow_decode(source: str, runs: int) -> dict:
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = pa.py_buffer(Path(source).read_bytes())
    read = lambda: pq.read_table(pa.BufferReader(data), use_threads=False, pre_buffer=False)  # noqa: E731
    return {"table": least(runs, read)}


def duckdb_encode(source: str, target: str, runs: int) -> dict:
    connection = duckdb_connection()
    connection.execute(f"CREATE TABLE source AS SELECT * FROM read_parquet('{source}')")
    copy = f"COPY source TO '{target}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL {LEVEL})"
    return least(runs, lambda: connection.execute(copy)) | {"file": Path(target).stat().st_size}


def duckdb_decode(source: str, runs: int) -> dict:
    connection = duckdb_connection()
    connection.execute("SET preserve_insertion_order = true")
    table = least(runs, lambda: connection.execute(f"SELECT * FROM read_parquet('{source}')").to_arrow_table())
    described = connection.execute(f"DESCRIBE SELECT * FROM read_parquet('{source}')").fetchall()
    folds = ", ".join(fold(name, kind) for name, kind, *_ in described)
    scan = least(runs, lambda: connection.execute(f"SELECT {folds} FROM read_parquet('{source}')").fetchall())
    return {"table": table, "scan": scan}


def fold(name: str, kind: str) -> str:
    """A cheap aggregate over the decoded values that the footer's statistics cannot answer, as they do min and max."""
    if kind.startswith("STRUCT"):
        return f"sum(strlen({name}.os)), sum(strlen({name}.version))"
    if kind.startswith("TIMESTAMP"):
        return f"sum(epoch_us({name}))"
    return {"VARCHAR": f"sum(strlen({name}))", "VARCHAR[]": f"sum(len({name}))"}.get(kind, f"sum({name})")


def polars_encode(source: str, target: str, runs: int) -> dict:
    import polars

    frame = polars.read_parquet(source)
    result = least(runs, lambda: frame.write_parquet(target, compression="zstd", compression_level=LEVEL))
    return result | {"file": Path(target).stat().st_size}


def polars_decode(source: str, runs: int) -> dict:
    import polars

    return {"table": least(runs, lambda: polars.read_parquet(source))}


def child(step: str, arguments: list[str]) -> dict:
    steps = {
        "prepare": lambda workload, rows, target: prepare(workload, int(rows), target),
        "pyarrow-encode": lambda source, target, runs: pyarrow_encode(source, target, int(runs)),
        "pyarrow-decode": lambda source, runs: pyarrow_decode(source, int(runs)),
        "duckdb-encode": lambda source, target, runs: duckdb_encode(source, target, int(runs)),
        "duckdb-decode": lambda source, runs: duckdb_decode(source, int(runs)),
        "polars-encode": lambda source, target, runs: polars_encode(source, target, int(runs)),
        "polars-decode": lambda source, runs: polars_decode(source, int(runs)),
    }
    return steps[step](*arguments)


# The parent


def idle_core() -> int:
    """The core that did least in the last moments; children are pinned to it, so no hidden thread helps."""

    def idle() -> list[int]:
        lines = [line.split() for line in Path("/proc/stat").read_text().splitlines() if line.startswith("cpu")]
        return [int(words[4]) for words in lines[1:]]

    before = idle()
    time.sleep(0.2)
    return max(range(len(before)), key=lambda core: idle()[core] - before[core])


def launch(command: list[str]) -> dict:
    environment = os.environ | {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}
    core = idle_core()
    allowed = sorted(os.sched_getaffinity(0))
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment,
        preexec_fn=lambda: os.sched_setaffinity(0, {core if core in allowed else allowed[0]}),
    )  # fmt: skip
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def step(*arguments) -> dict:
    return launch([sys.executable, __file__, "--child", *map(str, arguments)])


def firn_encode(source: Path, runs: int, options: list[str]) -> dict:
    found = launch([str(TOOL), "encode", str(source), "--runs", str(runs), "--level", str(LEVEL), *options])
    return {"cpu": found["cpu_seconds_min"], "median": found["cpu_seconds_median"], "file": found["file_bytes"]}


def firn_decode(source: Path, runs: int) -> dict:
    def run(*options: str) -> dict:
        found = launch([str(TOOL), "decode", str(source), "--runs", str(runs), *options])
        return {"cpu": found["cpu_seconds_min"], "median": found["cpu_seconds_median"]}

    return {"table": run(), "scan": run("--drop")}


def measure_engine(engine: str, common: Path, own: Path, runs: int) -> dict:
    if engine not in FIRN:
        return {
            "encode": step(f"{engine}-encode", common, own, runs), "own": step(f"{engine}-decode", own, runs),
            "common": step(f"{engine}-decode", common, runs),
        }  # fmt: skip
    encode = firn_encode(common, runs, FIRN[engine])
    launch([str(TOOL), "rewrite", str(common), str(own), "--level", str(LEVEL), *FIRN[engine]])
    return {"encode": encode, "own": firn_decode(own, runs), "common": firn_decode(common, runs)}


def measure(workload: str, engines: list[str], rows: int, runs: int, scratch: Path) -> dict:
    common = scratch / f"{workload}.parquet"
    facts = step("prepare", workload, rows, common)
    results = {}
    for engine in engines:
        own = scratch / f"{workload}-{engine}.parquet"
        results[engine] = measure_engine(engine, common, own, runs)
        own.unlink()
        print(f"{workload} {engine}: {json.dumps(results[engine])}", file=sys.stderr)
    common.unlink()
    return {"facts": facts, "engines": results}


# What is shown: a title, and the way to its CPU seconds.
PARTS = {
    "encode": ("encode",),
    "to a table, own file": ("own", "table"),
    "to a table, pyarrow's file": ("common", "table"),
    "in a scan, own file": ("own", "scan"),
    "in a scan, pyarrow's file": ("common", "scan"),
}


def cpu(result: dict, way: tuple[str, ...]) -> float | None:
    for key in way:
        if key not in result:
            return None
        result = result[key]
    return result["cpu"]


def show(measured: dict, engines: list[str]) -> None:
    """Markdown."""
    print(f"MB/s a CPU second, one thread:\n\n| Workload | Engine | {' | '.join(PARTS)} | file MB |")
    print("|---|---|" + "---:|" * (len(PARTS) + 1))
    for workload, found in measured.items():
        size = found["facts"]["bytes"] / 1e6
        for engine in engines:
            result = found["engines"][engine]
            times = [cpu(result, way) for way in PARTS.values()]
            speeds = ["–" if time is None else f"{size / time:.0f}" for time in times]
            print(f"| {workload} | {engine} | {' | '.join(speeds)} | {result['encode']['file'] / 1e6:.1f} |")
    rows = ", ".join(f"{name} {found['facts']['rows']:,} rows of {found['facts']['bytes'] / 1e6:.0f} MB"
                     for name, found in measured.items())  # fmt: skip
    print(f"\nArrow bytes: {rows}.")
    peers = [engine for engine in engines if engine in PEERS]
    for engine in engines:
        if engine in FIRN and peers:
            show_ratios(engine, peers, measured)


def show_ratios(engine: str, peers: list[str], measured: dict) -> None:
    print(f"\n`{engine}` against the better of {' and '.join(peers)} (speed: more is better; size: less is better):\n")
    print(f"| Workload | {' | '.join(PARTS)} | size |")
    print("|---|" + "---:|" * (len(PARTS) + 1))
    for workload, found in measured.items():
        ours, theirs = found["engines"][engine], [found["engines"][peer] for peer in peers]
        ratios = []
        for way in PARTS.values():
            times = [time for time in (cpu(their, way) for their in theirs) if time is not None]
            ratios.append(f"{min(times) / cpu(ours, way):.2f}×" if times else "–")
        size = ours["encode"]["file"] / min(their["encode"]["file"] for their in theirs)
        print(f"| {workload} | {' | '.join(ratios)} | {size:.3f}× |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workloads", nargs="+", default=list(WORKLOADS), choices=list(WORKLOADS))
    parser.add_argument("--engines", nargs="+", default=["firn", *PEERS, "polars"])
    parser.add_argument("--rows", type=int, default=0, help="rows of each workload; 0 for all")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    missing = [name for name in arguments.workloads if not (DATA / f"{name}.ndjson").exists()]
    if missing:
        sys.exit(
            f"{DATA} has no {', '.join(f'{name}.ndjson' for name in missing)}: point FIRN_BENCH at the folder above "
            "the workloads' data"
        )
    if not TOOL.exists():
        sys.exit(f"{TOOL} does not exist: run `make build`, or set FIRN_PARQUET_TOOL")
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="firn-bench-", dir=shared) as scratch:
        measured = {
            name: measure(name, arguments.engines, arguments.rows, arguments.runs, Path(scratch))
            for name in arguments.workloads
        }
    show(measured, arguments.engines)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(child(sys.argv[2], sys.argv[3:])), flush=True)
        # An engine's threads must not be torn down under it: that ends some runs in an abort.
        os._exit(0)
    else:
        main()

#!/usr/bin/env python3
"""Queries of an Iceberg table beside DuckDB, PyIceberg and Polars: what a person waits for.

    make bench-query            # or: python Bench/query_peers.py [--rounds N] [--shape compact small]

* The table has 5 million rows of the clickstream workload: `data/small/*.parquet` under FIRN_BENCH, 200 files that
  pyarrow wrote. `small` is these files as they are (`firn table add-files`), `compact` what `firn compact` makes of them.
* Every measurement is a process of its own, from its start to its end, with all processors. DuckDB, PyIceberg and Polars
  are Python processes that import what they need; the second figure is their statement alone.
* All read the same metadata file. Answers are compared before anything is measured; the least time of the rounds counts.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BENCH = Path(os.environ.get("FIRN_BENCH", "~/.cache/firn-bench")).expanduser()
SMALL = BENCH / "data" / "small"
FIRN = os.environ.get("FIRN_BIN", str(Path(__file__).parents[1] / ".build/release/firn"))
SCHEMA = (
    "event_id string, event_time timestamptz, event_type string, user_id long, session_id string, url string, "
    "referrer string, country string, user_agent string, price double, quantity int, duration_ms long, "
    "device struct<os string, version string>, tags list<string>"
)
QUERIES = ["count", "filter", "group", "group2", "point", "top"]
LOW, HIGH = "2026-01-04T12:00:00", "2026-01-04T13:00:00"


def statements(table: str, stamp, event_id: str) -> dict[str, str]:
    between = f"event_time >= {stamp(LOW)} AND event_time < {stamp(HIGH)}"
    return {
        "count": f"SELECT count(*) AS n FROM {table}",
        "filter": f"SELECT count(*) AS n, sum(duration_ms) AS s FROM {table} WHERE {between}",
        "group": f"SELECT country, sum(price) AS s FROM {table} GROUP BY country ORDER BY country",
        "group2": f"SELECT event_type, country, count(*) AS n, sum(duration_ms) AS s, max(price) AS p FROM {table} "
        "GROUP BY event_type, country ORDER BY event_type, country",
        "point": f"SELECT event_id, user_id, url FROM {table} WHERE event_id = '{event_id}'",
        "top": f"SELECT event_id, duration_ms FROM {table} ORDER BY duration_ms DESC, event_id LIMIT 10",
    }


# Children


def duckdb_child(metadata: str, query: str, event_id: str):
    import duckdb
    import duckdb_extension_avro
    import duckdb_extension_iceberg

    connection = duckdb.connect(config={"allow_unsigned_extensions": True})
    for module, name in ((duckdb_extension_avro, "avro"), (duckdb_extension_iceberg, "iceberg")):
        found = next(Path(module.__file__).parent.rglob(f"{name}.duckdb_extension"))
        connection.execute(f"LOAD '{found}'")
    table = f"iceberg_scan('{metadata}')"
    sql = statements(table, lambda t: f"TIMESTAMPTZ '{t}+00'", event_id)[query]
    start = time.perf_counter()
    rows = connection.execute(sql).fetchall()
    return [list(row) for row in rows], time.perf_counter() - start


def polars_child(metadata: str, query: str, event_id: str):
    import datetime

    import polars as pl

    def stamp(text):
        return datetime.datetime.fromisoformat(text + "+00:00")

    start = time.perf_counter()
    table = pl.scan_iceberg(metadata)
    inside = (pl.col("event_time") >= stamp(LOW)) & (pl.col("event_time") < stamp(HIGH))
    plan = {
        "count": lambda: table.select(pl.len()),
        "filter": lambda: table.filter(inside).select(pl.len(), pl.col("duration_ms").sum()),
        "group": lambda: table.group_by("country").agg(pl.col("price").sum()).sort("country"),
        "group2": lambda: table.group_by("event_type", "country")
        .agg(pl.len(), pl.col("duration_ms").sum(), pl.col("price").max())
        .sort("event_type", "country"),
        "point": lambda: table.filter(pl.col("event_id") == event_id).select("event_id", "user_id", "url"),
        "top": lambda: table.select("event_id", "duration_ms")
        .sort(["duration_ms", "event_id"], descending=[True, False], nulls_last=True)
        .limit(10),
    }[query]()
    rows = [list(row) for row in plan.collect().rows()]
    return rows, time.perf_counter() - start


def pyiceberg_child(metadata: str, query: str, event_id: str):
    import pyarrow.compute as pc
    from pyiceberg.expressions import And, EqualTo, GreaterThanOrEqual, LessThan
    from pyiceberg.table import StaticTable

    start = time.perf_counter()
    table = StaticTable.from_metadata(metadata)
    if query == "count":
        rows = [[table.scan().count()]]
    elif query == "filter":
        inside = And(GreaterThanOrEqual("event_time", LOW + "+00:00"), LessThan("event_time", HIGH + "+00:00"))
        read = table.scan(row_filter=inside, selected_fields=("event_time", "duration_ms")).to_arrow()
        rows = [[read.num_rows, pc.sum(read["duration_ms"]).as_py()]]
    elif query == "group":
        read = table.scan(selected_fields=("country", "price")).to_arrow()
        done = read.group_by("country").aggregate([("price", "sum")]).sort_by("country")
        rows = [[row["country"], row["price_sum"]] for row in done.to_pylist()]
    elif query == "group2":
        read = table.scan(selected_fields=("event_type", "country", "duration_ms", "price")).to_arrow()
        done = (
            read.group_by(["event_type", "country"])
            .aggregate([([], "count_all"), ("duration_ms", "sum"), ("price", "max")])
            .sort_by([("event_type", "ascending"), ("country", "ascending")])
        )
        rows = [
            [row["event_type"], row["country"], row["count_all"], row["duration_ms_sum"], row["price_max"]]
            for row in done.to_pylist()
        ]
    elif query == "point":
        read = table.scan(
            row_filter=EqualTo("event_id", event_id), selected_fields=("event_id", "user_id", "url")
        ).to_arrow()
        rows = [[row["event_id"], row["user_id"], row["url"]] for row in read.to_pylist()]
    else:
        read = table.scan(selected_fields=("event_id", "duration_ms")).to_arrow()
        done = read.sort_by([("duration_ms", "descending"), ("event_id", "ascending")]).slice(0, 10)
        rows = [[row["event_id"], row["duration_ms"]] for row in done.to_pylist()]
    return rows, time.perf_counter() - start


PEERS = {"duckdb": duckdb_child, "polars": polars_child, "pyiceberg": pyiceberg_child}


# Parent


def firn(*arguments: str) -> str:
    return subprocess.run([FIRN, *arguments], capture_output=True, text=True, check=True).stdout


def run(engine: str, query: str, context: dict) -> tuple[list, float, float | None]:
    """The rows, the seconds of the whole process, and those of the statement where they are known."""
    start = time.perf_counter()
    if engine == "firn":
        sql = statements(context["name"], lambda t: f"'{t}Z'", context["event_id"])[query]
        text = firn("query", "--warehouse", context["warehouse"], "--output", "json", sql)
        return [list(row.values()) for row in json.loads(text)], time.perf_counter() - start, None
    command = [sys.executable, __file__, "--child", engine, context["metadata"], query, context["event_id"]]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    wall = time.perf_counter() - start
    answer = json.loads(done.stdout.splitlines()[-1])
    return answer["rows"], wall, answer["seconds"]


def agree(a: list, b: list) -> bool:
    def close(x, y):
        if isinstance(x, float) or isinstance(y, float):
            return x is not None and y is not None and abs(x - y) <= 1e-9 * max(1.0, abs(x))
        return x == y

    return len(a) == len(b) and all(len(x) == len(y) and all(map(close, x, y)) for x, y in zip(a, b))


def prepare(scratch: str, shape: str) -> dict:
    warehouse = f"{scratch}/{shape}"
    firn("table", "create", "--warehouse", warehouse, "bench.clicks", SCHEMA)
    firn("table", "add-files", "--warehouse", warehouse, "bench.clicks", *sorted(map(str, SMALL.glob("*.parquet"))))
    if shape == "compact":
        firn("compact", "--warehouse", warehouse, "bench.clicks")
    shown = json.loads(firn("table", "show", "--warehouse", warehouse, "--output", "json", "bench.clicks"))
    some = json.loads(
        firn("query", "--warehouse", warehouse, "--output", "json",
             "SELECT event_id FROM bench.clicks WHERE event_time >= '2026-01-05T10:00:00Z' LIMIT 1"))
    return {
        "warehouse": warehouse, "name": "bench.clicks", "metadata": shown["metadata-location"],
        "event_id": some[0]["event_id"],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shape", nargs="+", choices=["compact", "small"], default=["compact", "small"])
    parser.add_argument("--engine", nargs="+", choices=["firn", *PEERS], default=["firn", *PEERS])
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        engine, metadata, query, event_id = options.child
        rows, seconds = PEERS[engine](metadata, query, event_id)
        print(json.dumps({"rows": rows, "seconds": seconds}, default=str))
        return
    if not SMALL.is_dir():
        sys.exit(f"{SMALL} is missing: point FIRN_BENCH at the folder above data/")
    with tempfile.TemporaryDirectory(prefix="firn-bench-", dir=os.environ.get("FIRN_BENCH_SCRATCH")) as scratch:
        for shape in options.shape:
            context = prepare(scratch, shape)
            print(f"\n{shape}: milliseconds of a fresh process (of the statement alone)\n")
            print("| query | " + " | ".join(options.engine) + " |")
            print("|---|" + "---:|" * len(options.engine))
            for query in QUERIES:
                best: dict[str, tuple[float, float | None]] = {}
                expected = None
                for _ in range(options.rounds):
                    for engine in options.engine:
                        rows, wall, seconds = run(engine, query, context)
                        expected = expected or rows
                        if not agree(expected, rows):
                            sys.exit(f"{engine} answers {query} with {rows[:3]}…, another with {expected[:3]}…")
                        if engine not in best or wall < best[engine][0]:
                            best[engine] = (wall, seconds)
                cells = [
                    f"{wall * 1e3:.0f}" + (f" ({seconds * 1e3:.0f})" if seconds is not None else "")
                    for wall, seconds in (best[engine] for engine in options.engine)
                ]
                print(f"| {query} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()

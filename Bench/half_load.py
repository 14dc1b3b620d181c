#!/usr/bin/env python3
"""Acknowledgement times at half load: the log is synced before each answer, while files are written and committed beside.

    make bench-latency         # or: python Bench/half_load.py [--workload clickstream] [--body-kb 16 256 1024]

1. Full load: a few connections post as fast as answers come, until a part of the file is in. That gives MB/s.
2. Half load: a fresh server gets bodies at fixed times, half as many a second; a body that is late because the one
   before took long counts from the time it was due, so that a stall shows in every request it delayed.

The client is this one process; compaction runs as it does by default. Both share the machine's cores.
"""

import argparse
import sys
import threading
import time

from server import WORKLOADS, Connection, Server, bodies, firn_schema, present, source


def full_load(server: Server, path: str, workload: str, parts: list, connections: int) -> float:
    """MB/s."""
    rest = iter(parts)
    lock = threading.Lock()

    def run() -> None:
        connection = Connection(server.port)
        with source(workload).open("rb") as file:
            while True:
                with lock:
                    part = next(rest, None)
                if part is None:
                    return
                while connection.post_file(path, file.fileno(), *part)[0] == 429:
                    time.sleep(0.02)

    start = time.perf_counter()
    threads = [threading.Thread(target=run) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    server.flush(workload)
    return sum(length for _, length in parts) / 1e6 / (time.perf_counter() - start)


def paced(server: Server, path: str, workload: str, parts: list, rate: float, connections: int) -> tuple[list, int]:
    """Milliseconds from when a body was due to its answer, and how many were refused."""
    mean = sum(length for _, length in parts) / len(parts)
    step = mean / 1e6 / rate
    begin = time.perf_counter() + 0.2
    times: list[float] = []
    refused: list[int] = []

    def run(first: int) -> None:
        connection = Connection(server.port)
        with source(workload).open("rb") as file:
            for index in range(first, len(parts), connections):
                due = begin + index * step
                wait = due - time.perf_counter()
                if wait > 0:
                    time.sleep(wait)
                status, _ = connection.post_file(path, file.fileno(), *parts[index])
                times.append((time.perf_counter() - due) * 1e3)
                if status != 200:
                    refused.append(status)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(times), len(refused)


def measure(workload: str, body_kb: int, megabytes: int, connections: int, share: float) -> str:
    parts = bodies(source(workload), body_kb << 10)[: max(200, (megabytes << 10) // body_kb)]
    with Server() as server:
        path = server.create(workload, firn_schema(workload))
        full = full_load(server, path, workload, parts, connections)
    with Server() as server:
        path = server.create(workload, firn_schema(workload))
        # The first bodies find a cold process.
        full_load(server, path, workload, parts[:20], 1)
        before = server.cpu
        times, refused = paced(server, path, workload, parts, full * share, connections)
        cpu = (server.cpu - before) / (len(parts) * body_kb / 1e3 / (full * share))
    at = lambda share: times[min(len(times) - 1, int(len(times) * share))]  # noqa: E731
    return (f"| {workload} | {body_kb} | {full:.0f} | {full * share:.0f} | {len(times)} | {at(0.5):.2f} | {at(0.9):.2f} | "
            f"{at(0.99):.2f} | {times[-1]:.1f} | {refused} | {cpu:.2f} |")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workloads", nargs="+", default=["clickstream"], choices=list(WORKLOADS))
    parser.add_argument("--body-kb", nargs="+", type=int, default=[16, 256, 1024])
    parser.add_argument("--megabytes", type=int, default=300, help="sent in each phase")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--share", type=float, default=0.5, help="of the full load")
    arguments = parser.parse_args()
    print("| Workload | body KiB | full MB/s | sent MB/s | requests | p50 ms | p90 | p99 | worst | refused | cores |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for workload in present(arguments.workloads):
        for body_kb in arguments.body_kb:
            print(measure(workload, body_kb, arguments.megabytes, arguments.connections, arguments.share), flush=True)


if __name__ == "__main__":
    sys.exit(main())

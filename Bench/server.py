"""A `firn serve` of a release build on an empty warehouse, and what it costs: CPU seconds, memory, bytes on disk.

The clients here are cheap on purpose (`sendfile` from the page cache, plain sockets), and only the server is measured.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FIRN = Path(os.environ.get("FIRN_BIN", ROOT / ".build" / "release" / "firn"))
BENCH = Path(os.environ.get("FIRN_BENCH", Path.home() / ".cache" / "firn-bench"))
DATA = BENCH / "data"

# The columns of each data set: Iceberg's type, and DuckDB's.
WORKLOADS = {
    "flights": "year:i month:i day:i dep_time:i sched_dep_time:i dep_delay:i arr_time:i sched_arr_time:i arr_delay:i"
    " carrier:s flight:i tailnum:s origin:s dest:s air_time:i distance:i hour:i minute:i time_hour:t id:l",
    "clickstream": "event_id:s event_time:t event_type:s user_id:l session_id:s url:s referrer:s country:s user_agent:s"
    " price:d quantity:i duration_ms:l device:device tags:tags",
    "iot": "sensor_id:s ts:l temperature:d humidity:d vibration:d",
}
TYPES = {
    "i": ("int", "INTEGER"), "l": ("long", "BIGINT"), "d": ("double", "DOUBLE"), "s": ("string", "VARCHAR"),
    "t": ("timestamptz", "TIMESTAMPTZ"), "tags": ("list<string>", "VARCHAR[]"),
    "device": ("struct<os string, version string>", "STRUCT(os VARCHAR, version VARCHAR)"),
}  # fmt: skip


def columns(workload: str) -> list[tuple[str, str]]:
    return [tuple(word.split(":")) for word in WORKLOADS[workload].split()]


def firn_schema(workload: str) -> str:
    return ", ".join(f"{name} {TYPES[kind][0]}" for name, kind in columns(workload))


def duckdb_columns(workload: str) -> str:
    return "{" + ", ".join(f"'{name}': '{TYPES[kind][1]}'" for name, kind in columns(workload)) + "}"


def source(workload: str) -> Path:
    return DATA / f"{workload}.ndjson"


def present(workloads: list[str]) -> list[str]:
    """Those whose data is there; says which is not."""
    missing = [name for name in workloads if not source(name).exists()]
    if missing:
        print(f"{DATA} has no {', '.join(missing)} (.ndjson), left out; FIRN_BENCH names the folder above data/",
              file=sys.stderr)  # fmt: skip
    return [name for name in workloads if name not in missing]


def bodies(path: Path, size: int) -> list[tuple[int, int]]:
    """The file as (offset, length) of bodies that end with a line and hold at most about `size` bytes."""
    import mmap

    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        found, start = [], 0
        while start < len(text):
            end = min(start + size, len(text))
            if end < len(text):
                end = max(text.rfind(b"\n", start, end), text.find(b"\n", start)) + 1
            found.append((start, end - start))
            start = end
        return found


class Connection:
    """One HTTP/1.1 connection that posts and waits for the answer."""

    def __init__(self, port: int):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def head(self, path: str, length: int, headers: str) -> bytes:
        return (
            f"POST {path} HTTP/1.1\r\nHost: firn\r\nContent-Type: application/x-ndjson\r\n"
            f"Content-Length: {length}\r\n{headers}\r\n"
        ).encode()

    def post(self, path: str, body: bytes, headers: str = "") -> tuple[int, bytes]:
        self.socket.sendall(self.head(path, len(body), headers) + body)
        return self.answer()

    def post_file(self, path: str, file: int, offset: int, length: int, headers: str = "") -> tuple[int, bytes]:
        self.socket.sendall(self.head(path, length, headers), socket.MSG_MORE)
        end = offset + length
        while offset < end:
            offset += os.sendfile(self.socket.fileno(), file, offset, end - offset)
        return self.answer()

    def answer(self) -> tuple[int, bytes]:
        text = b""
        while b"\r\n\r\n" not in text:
            text += self.receive()
        head, _, body = text.partition(b"\r\n\r\n")
        lines = head.decode().lower().split("\r\n")
        length = next(int(line.split(":")[1]) for line in lines if line.startswith("content-length:"))
        while len(body) < length:
            body += self.receive()
        return int(lines[0].split()[1]), body

    def receive(self) -> bytes:
        part = self.socket.recv(65536)
        if not part:
            raise ConnectionError("the server closed the connection")
        return part


class Server:
    """`with Server(...) as server:` on a warehouse that goes with it."""

    def __init__(self, *options: str, folder: str | None = None):
        if not FIRN.exists():
            sys.exit(f"{FIRN} does not exist: run `make build`, or set FIRN_BIN")
        self.options = options
        self.folder = Path(tempfile.mkdtemp(prefix="firn-bench-", dir=folder or os.environ.get("FIRN_BENCH_SCRATCH")))

    def __enter__(self) -> "Server":
        port_file = self.folder / "port"
        self.process = subprocess.Popen(
            [FIRN, "serve", "--warehouse", self.folder / "warehouse", "--port", "0", "--port-file", port_file,
             "--log-level", "warning", *self.options], stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 20
        while not port_file.exists() or not port_file.read_text().endswith("\n"):
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit("firn serve did not start")
            time.sleep(0.01)
        self.port = int(port_file.read_text())
        return self

    def __exit__(self, *_) -> None:
        self.process.terminate()
        self.process.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def cpu(self) -> float:
        """User and system seconds so far, of all threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def peak_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024

    @property
    def files(self) -> list[Path]:
        return sorted((self.folder / "warehouse").glob("**/data/**/*.parquet"))

    def create(self, name: str, schema: str, properties: dict | None = None) -> str:
        """The path of the new table's records."""
        request = {"namespace": ["bench"], "name": name, "schema": schema, "properties": properties or {}}
        status, body = Connection(self.port).post("/v1/tables", json.dumps(request).encode())
        if status not in (200, 201):
            sys.exit(f"the table could not be created: {body.decode()}")
        return f"/v1/tables/bench/{name}/records"

    def flush(self, name: str) -> None:
        status, body = Connection(self.port).post(f"/v1/tables/bench/{name}/flush", b"")
        if status != 200:
            sys.exit(f"flush: {body.decode()}")

    def rows(self, name: str) -> int:
        sql = f"SELECT count(*) AS n FROM bench.{name}".encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/v1/query", sql) as answer:
            return json.loads(answer.read())["n"]


def stream(server: Server, path: str, file: Path, size: int, connections: int) -> list[float]:
    """Posts the whole file, each connection its share of the bodies in turn; seconds of each request. 429 is retried."""
    parts = iter(bodies(file, size))
    lock = threading.Lock()
    times: list[float] = []
    failures: list[str] = []

    def run() -> None:
        connection = Connection(server.port)
        with file.open("rb") as source_file:
            while not failures:
                with lock:
                    part = next(parts, None)
                if part is None:
                    return
                while True:
                    start = time.perf_counter()
                    status, body = connection.post_file(path, source_file.fileno(), *part)
                    if status not in (429, 503):
                        break
                    time.sleep(0.02)
                times.append(time.perf_counter() - start)
                if status != 200:
                    failures.append(body.decode())

    threads = [threading.Thread(target=run) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        sys.exit(f"a body was refused: {failures[0][:500]}")
    return times

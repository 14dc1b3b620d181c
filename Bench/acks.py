"""Durable acknowledgements of 1 KiB records: Firn beside Redis (`appendfsync always`) and NATS JetStream.

    python3 Bench/acks.py [--seconds 10] [--connections 64] [--rounds 3] [--only firn,redis,nats]

Each server runs alone, on a fresh directory, with one connection of the same C client (`acks_client.c`, built here) for
each sender and one request under way on each. Reported are the best of the rounds: acknowledgements a second, the
server's CPU time for one, acknowledgements a second of one server core, and the times to acknowledgement; then the same
times at half of that load, with requests due at even distances.

Redis writes and syncs its append-only file before it answers; so does Firn its log. NATS 2.9 answers before it syncs
(every two minutes by default, and that version cannot be told otherwise), so its figure is not one of durable
acknowledgements; it stands there for comparison. Servers that are not installed are left out.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FIRN = Path(os.environ.get("FIRN_BIN", ROOT / ".build" / "release" / "firn"))
BODY_BYTES = 1024
TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port: int, process) -> None:
    for _ in range(600):
        if process.poll() is not None:
            sys.exit(f"{process.args[0]} ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"{process.args[0]} does not answer")


def start(command, log) -> subprocess.Popen:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("FIRN_")}
    return subprocess.Popen([str(word) for word in command], stdout=log, stderr=log, env=environment)


def body() -> bytes:
    """One NDJSON record of 1 KiB."""
    fields = {"id": 1234567, "device": "sensor-0042", "at": "2026-01-31T12:34:56.789Z", "value": 21.75, "note": ""}
    fields["note"] = "x" * (BODY_BYTES - 1 - len(json.dumps(fields)))
    return json.dumps(fields).encode() + b"\n"


class Firn:
    name, protocol, target = "firn", "http", "/v1/tables/bench/acks/records"
    binary = str(FIRN)

    def start(self, folder, port, log):
        process = start([FIRN, "serve", "--warehouse", folder, "--port", port, "--no-compaction"], log)
        wait_for(port, process)
        self.post(port, "/v1/namespaces", {"namespace": "bench"})
        schema = "id long, device string, at timestamptz, value double, note string"
        self.post(port, "/v1/tables", {"namespace": "bench", "name": "acks", "schema": schema})
        return process

    @staticmethod
    def post(port, path, value):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}", json.dumps(value).encode(), {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(request).read()


class Redis:
    name, protocol, target, binary = "redis always", "resp", "acks", "redis-server"

    def start(self, folder, port, log):
        command = [
            self.binary, "--port", port, "--bind", "127.0.0.1", "--dir", folder, "--appendonly", "yes",
            "--appendfsync", "always", "--save", "", "--daemonize", "no",
        ]  # fmt: skip
        process = start(command, log)
        wait_for(port, process)
        return process


class Nats:
    name, protocol, target, binary = "nats jetstream (unsynced)", "nats", "acks", "nats-server"

    def start(self, folder, port, log):
        process = start([self.binary, "-a", "127.0.0.1", "-p", port, "-js", "-sd", folder], log)
        wait_for(port, process)
        stream = {"name": "acks", "subjects": ["acks"], "storage": "file", "retention": "limits", "num_replicas": 1}
        text = json.dumps(stream).encode()
        with socket.create_connection(("127.0.0.1", port), timeout=10) as wire:
            wire.recv(65536)
            wire.sendall(b'CONNECT {"verbose":false}\r\nSUB made 1\r\n')
            wire.sendall(b"PUB $JS.API.STREAM.CREATE.acks made %d\r\n%s\r\n" % (len(text), text))
            answer = b""
            while b"MSG made" not in answer or b'"error"' in answer:
                answer += wire.recv(65536)
                if b'"error"' in answer:
                    sys.exit(answer.decode())
            time.sleep(0.2)
        return process


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def drive(client, server, pid, port, payload, seconds, connections, rate=0) -> dict:
    command = [client, server.protocol, port, connections, seconds, rate, payload, server.target]
    before = cpu_seconds(pid)
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=seconds + 60)
    if done.returncode:
        sys.exit(f"{server.name}: {done.stderr}")
    result = json.loads(done.stdout)
    if result["errors"]:
        sys.exit(f"{server.name}: {result['errors']} errors, first: {result['first_error']}")
    used = cpu_seconds(pid) - before
    result["cpu_us"] = used / result["acks"] * 1e6
    result["cores"] = used / result["seconds"]
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="firn,redis,nats")
    parser.add_argument("--json", action="store_true", help="print figures as JSON lines")
    options = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="firn-acks-"))
    client, payload = scratch / "acks_client", scratch / "body"
    subprocess.run(["cc", "-O2", "-o", client, ROOT / "Bench" / "acks_client.c"], check=True)
    payload.write_bytes(body())
    print(f"{'server':26}{'acks/s':>9}{'CPU us/ack':>12}{'acks/s/core':>13}{'p50 us':>8}{'p99 us':>8}"
          f"{'half load':>11}{'p50 us':>8}{'p99 us':>8}")  # fmt: skip
    try:
        for server in (Firn(), Redis(), Nats()):
            if server.name.split()[0] not in options.only.split(","):
                continue
            if not shutil.which(server.binary):
                print(f"{server.name:26} is not installed")
                continue
            measure(server, client, payload, scratch, options)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def measure(server, client, payload, scratch, options) -> None:
    folder, port = scratch / server.protocol, free_port()
    folder.mkdir()
    with open(scratch / f"{server.protocol}.log", "wb") as log:
        process = server.start(folder, port, log)
        try:
            drive(client, server, process.pid, port, payload, 1, options.connections)
            rounds = [
                drive(client, server, process.pid, port, payload, options.seconds, options.connections)
                for _ in range(options.rounds)
            ]
            best = max(rounds, key=lambda one: one["per_second"])
            rate = best["per_second"] / 2
            half = drive(client, server, process.pid, port, payload, options.seconds, options.connections, rate)
        finally:
            process.terminate()
            process.wait(timeout=60)
    if options.json:
        print(json.dumps({"server": server.name, "full": best, "half": half}))
        return
    print(f"{server.name:26}{best['per_second']:9.0f}{best['cpu_us']:12.1f}{1e6 / best['cpu_us']:13.0f}"
          f"{best['p50_us']:8}{best['p99_us']:8}{half['per_second']:11.0f}{half['p50_us']:8}{half['p99_us']:8}")  # fmt: skip


if __name__ == "__main__":
    main()

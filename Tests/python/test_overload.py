"""G7 under ten times the load that fits: memory stays bounded, whoever is refused is told so, and what was
acknowledged is there, once. `make overload` runs it for five minutes."""

import http.client
import json
import os
import signal
import statistics
import threading
import time

import pytest

from support.client import NDJSON, Client

SECONDS = float(os.environ.get("FIRN_OVERLOAD_SECONDS", 8))
SENDERS = int(os.environ.get("FIRN_OVERLOAD_SENDERS", 32))
ROWS = 2000
PAD = "x" * 200
MEMORY_MB, IN_FLIGHT_MB = 64, 16
# What is bounded by options, the same again for what is being encoded, and what an idle process and malloc keep.
RESIDENT_MB_MAX = 2 * (MEMORY_MB + IN_FLIGHT_MB) + 320


def resident_mb(pid: int) -> float:
    with open(f"/proc/{pid}/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


class Sender(threading.Thread):
    """Sends as fast as it is answered, and does not slow down when it is refused."""

    def __init__(self, port, number, table, rows, stop):
        super().__init__()
        self.port, self.number, self.rows, self.stop = port, number, rows, stop
        self.path = f"/v1/tables/app/{table}/records"
        self.acknowledged, self.refused, self.times, self.errors = [], 0, [], []

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        batch = self.number << 32
        while not self.stop.is_set():
            batch += 1
            body = "".join(f'{{"batch":{batch},"n":{n},"pad":"{PAD}"}}\n' for n in range(self.rows))
            began = time.monotonic()
            try:
                connection.request("POST", self.path, body, {"Content-Type": NDJSON})
                answer = connection.getresponse()
                text = answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.errors.append(repr(error))
                return
            if answer.status == 200:
                self.times.append(time.monotonic() - began)
                self.acknowledged.append(batch)
            elif answer.status == 429 and answer.headers["Retry-After"]:
                self.refused += 1
            else:
                self.errors.append(f"{answer.status}: {text[:300]!r}")
                return


@pytest.mark.limit(int(SECONDS * 2 + 240))
def test_overload(make_server, warehouse):
    options = ("--memory-limit-mb", MEMORY_MB, "--in-flight-mb", IN_FLIGHT_MB, "--max-in-flight", 16)
    server = make_server(warehouse, flush_interval_ms=500, options=options).start()
    client = Client(server, timeout=120)
    client.once("POST", "/v1/namespaces", body={"namespace": "app"}).ok()
    for table in ("flood", "trickle"):
        definition = {"namespace": "app", "name": table, "schema": "batch long, n long, pad string"}
        client.once("POST", "/v1/tables", body=definition).ok()
    stop = threading.Event()
    flood = [Sender(server.port, number, "flood", ROWS, stop) for number in range(SENDERS)]
    trickle = Sender(server.port, SENDERS, "trickle", 1, stop)
    for sender in [*flood, trickle]:
        sender.start()
    # However fast the machine: all that is sent during a standstill comes at once.
    time.sleep(SECONDS / 4)
    server.process.send_signal(signal.SIGSTOP)
    time.sleep(1)
    server.process.send_signal(signal.SIGCONT)
    peak, deadline = 0.0, time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        time.sleep(0.05)
        server.assert_alive()
        peak = max(peak, resident_mb(server.process.pid))
    stop.set()
    for sender in [*flood, trickle]:
        sender.join()
    assert [error for sender in [*flood, trickle] for error in sender.errors] == []

    for table, senders, rows in (("flood", flood, ROWS), ("trickle", [trickle], 1)):
        acknowledged = sorted(batch for sender in senders for batch in sender.acknowledged)
        times = sorted(seconds for sender in senders for seconds in sender.times)
        refused = sum(sender.refused for sender in senders)
        assert acknowledged, f"{table}: nothing was accepted"
        print(
            f"\n{table}: {len(acknowledged)} accepted, {refused} refused, "
            f"p50 {statistics.median(times) * 1000:.0f} ms, p99 {times[int(len(times) * 0.99)] * 1000:.0f} ms"
        )
        statement = f"SELECT batch, count(*) AS rows, count(DISTINCT n) AS different FROM app.{table} GROUP BY batch"
        answer = client.once("POST", "/v1/query", data=statement).ok()
        lines = [json.loads(line) for line in answer.text.splitlines()]
        found = sorted((line["batch"], line["rows"], line["different"]) for line in lines)
        assert found == [(batch, rows, rows) for batch in acknowledged]
    print(f"resident at most {peak:.0f} MiB of {RESIDENT_MB_MAX}")
    assert peak < RESIDENT_MB_MAX
    assert sum(sender.refused for sender in flood) > 0, "this was no overload"

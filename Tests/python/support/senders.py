"""Senders over real HTTP clients, each with its own way to say which batch it is, each keeping at it until it knows.

A sender makes a batch, puts it to the server until it is acknowledged, enters it in the account, and now and then
repeats a batch that was acknowledged long ago. What the first answer said must be said again.
"""

import gzip
import itertools
import random
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pyarrow as pa
import requests
import zstandard
from pyarrow import parquet

from support.account import Account
from support.raw import request_head
from support.records import ARROW_SCHEMA, arrow_of, body_of, rows_of
from support.server import Server

NDJSON = "application/x-ndjson"
RETRY_CODES = {"producer_busy", "in_flight"}
ATTEMPT_TIMEOUT_S = 20


class Unanswered(Exception):
    """The connection ended without an answer: the batch may have landed or not."""


class Fenced(Exception):
    """A successor has taken over."""


class Actor(threading.Thread):
    """A thread that acts until it is told to stop, and keeps what made it fail."""

    def __init__(self, name: str, seed: int):
        super().__init__(name=name, daemon=True)
        self.random = random.Random(f"{seed}-{name}")
        self.stopping = threading.Event()
        self.failure: BaseException | None = None
        self.turns = 0

    def run(self):
        try:
            while not self.stopping.is_set():
                self.turn()
                self.turns += 1
        except BaseException as failure:
            self.failure = failure

    def turn(self) -> None:
        raise NotImplementedError


class Names:
    """The names the table goes by; renames change which one is right, and whoever meets a 404 tries the next."""

    def __init__(self, *names: str):
        self._names = itertools.cycle(names)
        self.current = next(self._names)
        self._lock = threading.Lock()

    @property
    def path(self) -> str:
        namespace, name = self.current.rsplit(".", 1)
        return f"/v1/tables/{namespace}/{name}"

    def turn_from(self, wrong: str) -> None:
        """The path was wrong; the next name, unless somebody has turned already."""
        with self._lock:
            if self.path == wrong:
                self.current = next(self._names)


@dataclass
class Batch:
    rows: list[dict]
    headers: dict
    body: bytes
    # The highest sequence of its producer, so far as its sender knows; None for keys.
    sequence: int | None = None
    position: int | None = None
    landed_at: float = 0

    @property
    def size(self) -> int:
        return len(self.rows)


@dataclass
class Tally:
    batches: int = 0
    rows: int = 0
    attempts: int = 0
    unanswered: int = 0
    dropped: int = 0
    refusals: int = 0
    duplicates: int = 0
    repeats: int = 0
    repeats_after_restart: int = 0
    statuses: dict = field(default_factory=dict)


# Transports: one attempt; status and JSON, or Unanswered.


class RequestsTransport:
    def __init__(self):
        self.session = requests.Session()
        self.session.trust_env = False

    def post(self, url: str, body: bytes, headers: dict):
        try:
            answer = self.session.post(url, data=body, headers=headers, timeout=ATTEMPT_TIMEOUT_S)
            return answer.status_code, _json(answer.headers.get("content-type", ""), answer.json)
        except (requests.RequestException, ValueError) as error:
            raise Unanswered(repr(error)) from error


class HttpxTransport:
    """With `http2`, HTTP/2 by prior knowledge."""

    def __init__(self, http2: bool = False):
        self.client = httpx.Client(http1=not http2, http2=http2, trust_env=False, timeout=ATTEMPT_TIMEOUT_S)

    def post(self, url: str, body: bytes, headers: dict):
        try:
            answer = self.client.post(url, content=body, headers=headers)
            return answer.status_code, _json(answer.headers.get("content-type", ""), answer.json)
        except (httpx.TransportError, ValueError) as error:
            raise Unanswered(repr(error)) from error


class CurlTransport:
    """One process a request; bodies travel gzipped, as zstd, or as they are."""

    def __init__(self):
        self.codings = itertools.cycle([("gzip", gzip.compress), ("zstd", zstandard.compress), (None, bytes)])

    def post(self, url: str, body: bytes, headers: dict):
        coding, pack = next(self.codings)
        if coding:
            headers = headers | {"Content-Encoding": coding}
        command = ["curl", "--silent", "--max-time", str(ATTEMPT_TIMEOUT_S), "--noproxy", "*", "--data-binary", "@-"]
        for name, value in headers.items():
            command += ["--header", f"{name}: {value}"]
        with tempfile.NamedTemporaryFile() as text:
            command += ["--output", text.name, "--write-out", "%{http_code} %{content_type}", url]
            done = subprocess.run(command, input=pack(body), capture_output=True)
            if done.returncode != 0:
                raise Unanswered(f"curl ended with {done.returncode}")
            status, _, kind = done.stdout.decode().partition(" ")
            try:
                return int(status), _json(kind, lambda: requests.compat.json.loads(Path(text.name).read_bytes()))
            except ValueError as error:
                raise Unanswered(repr(error)) from error


def _json(content_type: str, parse):
    return parse() if "json" in content_type else {}


def http2_offered(port: int) -> bool:
    """True when the server speaks HTTP/2 in the clear to a client that knows so."""
    try:
        with httpx.Client(http1=False, http2=True, trust_env=False, timeout=5) as client:
            return client.get(f"http://127.0.0.1:{port}/healthz").http_version == "HTTP/2"
    except httpx.HTTPError:
        return False


def drop_after_sending(port: int, target: str, body: bytes, headers: dict, dice: random.Random) -> None:
    """Sends a request, or most of one, by length or in chunks, and hangs up without reading the answer."""
    if dice.random() < 0.3:
        middle = dice.randrange(1, len(body))
        head = request_head("POST", target, {"Transfer-Encoding": "chunked"} | headers)
        chunks = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (body[:middle], body[middle:])]
        whole = head + b"".join(chunks) + b"0\r\n\r\n"
    else:
        whole = request_head("POST", target, {"Content-Length": str(len(body))} | headers) + body
    cut = len(whole) if dice.random() < 0.7 else dice.randrange(1, len(whole))
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(whole[:cut])
            if dice.random() < 0.5:
                time.sleep(dice.uniform(0, 0.01))
    except OSError:
        pass


class Sender(Actor):
    """Lands batches of unique rows one after the other. Subclasses say how a batch is identified."""

    REMEMBERED = 400

    def __init__(self, name: str, server: Server, names: Names, account: Account, transport, seed: int, rows_max=30):
        super().__init__(name, seed)
        self.server = server
        self.names = names
        self.account = account
        self.transport = transport
        self.rows_max = rows_max
        self.number = 0
        self.tally = Tally()
        self.history: list[Batch] = []

    def identity(self, number: int) -> tuple[dict, int | None]:
        raise NotImplementedError

    def make(self, number: int) -> tuple[list[dict], bytes]:
        """What the next batch holds, and how it travels."""
        rows = rows_of(self.name, number, self.random.randint(1, self.rows_max))
        return rows, body_of(rows)

    def content_type(self, number: int) -> str:
        return NDJSON

    def turn(self) -> None:
        self.number += 1
        headers, sequence = self.identity(self.number)
        rows, body = self.make(self.number)
        batch = Batch(rows, {"Content-Type": self.content_type(self.number)} | headers, body, sequence)
        self.land(batch)
        self.remember(batch)
        if self.random.random() < 0.1:
            self.repeat(self.random.choice(self.history))
        time.sleep(self.random.uniform(0, 0.02))

    def land(self, batch: Batch) -> None:
        """Until it is acknowledged."""
        if self.random.random() < 0.1:
            drop_after_sending(self.server.port, self.target, batch.body, batch.headers, self.random)
            self.tally.dropped += 1
        answer = self.until_acknowledged(batch)
        self.check_answer(batch, answer)
        batch.position, batch.landed_at = answer["position"], time.monotonic()
        self.tally.batches += 1
        self.tally.rows += batch.size
        self.tally.duplicates += answer["duplicate"]
        self.account.acknowledged(batch.rows)

    def remember(self, batch: Batch) -> None:
        """Keeps a spread of old and new batches."""
        if len(self.history) >= self.REMEMBERED:
            self.history.pop(self.random.randrange(len(self.history)))
        self.history.append(batch)

    def repeat(self, batch: Batch) -> None:
        """An acknowledged batch once more: recognised, and answered as the first time."""
        answer = self.until_acknowledged(batch)
        self.check_repeat(batch, answer)
        self.tally.repeats += 1
        self.tally.repeats_after_restart += batch.landed_at < self.server.started_at

    def check_answer(self, batch: Batch, answer: dict) -> None:
        assert answer["accepted"] == batch.size and not answer["rejected"], f"{self.name}: {answer}"

    def check_repeat(self, batch: Batch, answer: dict) -> None:
        assert answer["duplicate"] is True, f"{self.name}: an acknowledged batch was taken again: {answer}"
        self.check_answer(batch, answer)
        assert answer["position"] == batch.position, f"{self.name}: first at {batch.position}: {answer}"

    @property
    def target(self) -> str:
        return self.names.path + "/records"

    def until_acknowledged(self, batch: Batch, deadline_s: float = 120) -> dict:
        deadline = time.monotonic() + deadline_s
        while True:
            pause = 0.02
            path = self.names.path
            headers = batch.headers
            if self.random.random() < 0.05:
                headers = headers | {"Prefer": "wait=committed"}
            self.tally.attempts += 1
            try:
                status, answer = self.transport.post(self.server.url + self.target, batch.body, headers)
                self.tally.statuses[status] = self.tally.statuses.get(status, 0) + 1
                if status == 200:
                    return answer
                code = answer.get("code")
                last = f"HTTP {status} {code}: {answer.get('detail')}"
                if status == 404 and code == "table_not_found":
                    self.names.turn_from(path)
                elif status == 409 and code == "producer_fenced":
                    raise Fenced(last)
                elif status in (429, 503, 507):
                    pause = 0.1
                else:
                    assert status >= 500 or code in RETRY_CODES, f"{self.name}: {last}"
                self.tally.refusals += 1
            except Unanswered as error:
                last = str(error)
                self.tally.unanswered += 1
            assert time.monotonic() < deadline, f"{self.name}: no acknowledgement in {deadline_s} s, last: {last}"
            time.sleep(self.random.uniform(0, 2 * pause))


class KeySender(Sender):
    """A random key a batch."""

    def identity(self, number):
        return {"Idempotency-Key": f"{self.name}-{self.random.getrandbits(96):024x}"}, None


class FormatSender(KeySender):
    """Every batch in another format."""

    FORMATS = (
        NDJSON, "application/json", "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet",
    )  # fmt: skip

    def content_type(self, number: int) -> str:
        return self.FORMATS[number % len(self.FORMATS)]

    def make(self, number: int):
        rows, body = super().make(number)
        kind, sink = number % len(self.FORMATS), pa.BufferOutputStream()
        if kind == 1:
            body = b"[" + b",".join(body.splitlines()) + b"]"
        elif kind == 2:
            with pa.ipc.new_stream(sink, ARROW_SCHEMA) as writer:
                writer.write_table(arrow_of(rows), max_chunksize=7)
            body = sink.getvalue().to_pybytes()
        elif kind == 3:
            parquet.write_table(arrow_of(rows), sink, row_group_size=11)
            body = sink.getvalue().to_pybytes()
        return rows, body


class SequenceSender(Sender):
    """A producer with rising sequences, with gaps, as source offsets have them."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.sequence = 0

    def identity(self, number):
        self.sequence += self.random.choice([1, 1, 1, 2, 17])
        stamp = {"Firn-Producer": self.name, "Firn-Epoch": "3", "Firn-Sequence": str(self.sequence)}
        return stamp, self.sequence

    def check_repeat(self, batch: Batch, answer: dict) -> None:
        """Only a producer's newest answer is kept whole."""
        if batch.sequence == self.sequence:
            return super().check_repeat(batch, answer)
        assert answer["duplicate"] is True, f"{self.name}: an acknowledged batch was taken again: {answer}"


class OnceSender(Sender):
    """Without an identity a repetition would be another batch, so it asks once and never learns of some."""

    def identity(self, number):
        return {}, None

    def turn(self):
        self.number += 1
        rows = rows_of(self.name, self.number, self.random.randint(1, self.rows_max))
        self.tally.attempts += 1
        url = self.server.url + self.target
        try:
            status, answer = self.transport.post(url, body_of(rows), {"Content-Type": NDJSON})
        except Unanswered:
            self.tally.unanswered += 1
            self.account.unknown(rows)
            return
        self.tally.statuses[status] = self.tally.statuses.get(status, 0) + 1
        if status == 200:
            assert answer["accepted"] == len(rows) and answer["duplicate"] is False, answer
            self.tally.batches += 1
            self.tally.rows += len(rows)
            self.account.acknowledged(rows)
        elif status == 404:
            self.names.turn_from(url.removeprefix(self.server.url).removesuffix("/records"))
            self.account.refused(rows)
        elif status in (429, 503):
            self.account.refused(rows)
        else:
            # A failed write of the log may turn up in a replay; whoever got the error could not know.
            assert status >= 500, f"HTTP {status}: {answer}"
            self.account.unknown(rows)
        time.sleep(self.random.uniform(0, 0.05))

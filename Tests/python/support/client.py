"""An HTTP client of the kind that G2 asks for: it keeps a batch's identity and retries until it has an answer."""

import itertools
import json
import time
from dataclasses import dataclass, field

import requests

from support.server import Server

# Transport failures mean "unknown outcome": the batch may have landed. Retrying under the same identity is safe.
TRANSPORT_ERRORS = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)
RETRY_STATUS = {429, 503, 507}
NDJSON = "application/x-ndjson"


@dataclass
class Answer:
    status: int
    headers: dict
    text: str
    attempts: int = 1
    json: dict | list | None = field(default=None)

    def __post_init__(self):
        if "json" in self.headers.get("content-type", "") and "ndjson" not in self.headers.get("content-type", ""):
            self.json = json.loads(self.text)

    def ok(self) -> "Answer":
        assert 200 <= self.status < 300, f"HTTP {self.status}: {self.text[:2000]}"
        return self

    def problem(self, status: int, code: str | None = None) -> dict:
        """Asserts an application/problem+json answer and returns it."""
        assert self.status == status, f"expected HTTP {status}, got {self.status}: {self.text[:2000]}"
        assert self.headers["content-type"].startswith("application/problem+json"), self.headers
        assert self.json["status"] == status, self.text
        assert self.json["title"] and self.json["code"], self.text
        if code is not None:
            assert self.json["code"] == code, self.text
        return self.json


def ndjson(rows) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def table_path(table: str) -> str:
    namespace, name = table.rsplit(".", 1)
    return f"/v1/tables/{namespace}/{name}"


class Client:
    """One connection pool; use one client a thread."""

    def __init__(self, server: Server, timeout: float = 30):
        self.server = server
        self.timeout = timeout
        self.session = requests.Session()
        self.session.trust_env = False

    def once(self, method: str, path: str, *, data=None, body=None, headers=None, timeout=None) -> Answer:
        """One attempt. `body` is sent as JSON, `data` as it is."""
        headers = dict(headers or {})
        if body is not None:
            data = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        answer = self.session.request(
            method, self.server.url + path, data=data, headers=headers, timeout=timeout or self.timeout
        )
        return Answer(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, answer.text)

    def until_answered(self, method: str, path: str, *, deadline_s: float = 60, **kwargs) -> Answer:
        """Retries through crashes, restarts and refusals that name themselves temporary."""
        deadline = time.monotonic() + deadline_s
        for attempt in itertools.count(1):
            try:
                answer = self.once(method, path, **kwargs)
                # The same batch again, while its first sending is still on its way.
                is_in_flight = answer.status == 409 and answer.json and answer.json.get("code") == "in_flight"
                if answer.status not in RETRY_STATUS and not is_in_flight:
                    answer.attempts = attempt
                    return answer
                last = f"HTTP {answer.status}: {answer.text[:300]}"
                pause = min(float(answer.headers.get("retry-after", 0.05)), 1.0)
            except TRANSPORT_ERRORS as error:
                last, pause = repr(error), 0.02
            if time.monotonic() > deadline:
                raise AssertionError(f"{method} {path}: no answer in {deadline_s} s, last: {last}")
            time.sleep(pause)

    def create_table(self, table: str, schema, *, partition: str | None = None, properties=None, **extra) -> Answer:
        namespace, name = table.rsplit(".", 1)
        body = {"namespace": namespace, "name": name, "schema": schema} | extra
        if partition:
            body["partition"] = partition
        if properties:
            body["properties"] = properties
        answer = self.once("POST", "/v1/tables", body=body)
        assert answer.status == 201, f"HTTP {answer.status}: {answer.text}"
        return answer

    def records(self, table: str, data: bytes, *, headers=None, content_type=NDJSON, retry=False, **kwargs) -> Answer:
        """Posts one batch."""
        call = self.until_answered if retry else self.once
        headers = {"Content-Type": content_type} | (headers or {})
        return call("POST", table_path(table) + "/records", data=data, headers=headers, **kwargs)

    def flush(self, table: str) -> Answer:
        return self.until_answered("POST", table_path(table) + "/flush").ok()

    def compact(self, table: str) -> Answer:
        return self.once("POST", table_path(table) + "/compact", timeout=120).ok()

    def snapshots(self, table: str) -> list[dict]:
        return self.once("GET", table_path(table) + "/snapshots").ok().json["snapshots"]

    def files(self, table: str) -> list[dict]:
        return self.once("GET", table_path(table) + "/files").ok().json["files"]


class Producer:
    """A sender with a sequence. A batch keeps its sequence through every retry."""

    def __init__(self, client: Client, table: str, name: str, epoch: int = 1, sequence: int = 0):
        self.client = client
        self.table = table
        self.name = name
        self.epoch = epoch
        self.sequence = sequence

    def stamp(self, sequence: int | None = None) -> dict:
        return {
            "Firn-Producer": self.name,
            "Firn-Epoch": str(self.epoch),
            "Firn-Sequence": str(self.sequence if sequence is None else sequence),
        }

    def send(self, data: bytes, *, wait_committed=False, deadline_s: float = 60) -> Answer:
        """The next batch, until the server has acknowledged it."""
        self.sequence += 1
        headers = self.stamp() | ({"Prefer": "wait=committed"} if wait_committed else {})
        return self.client.records(
            self.table, data, headers=headers, retry=True, deadline_s=deadline_s
        ).ok()

"""SQL statements through Firn, over HTTP and by the command line, with their rows as Python values."""

import json
from pathlib import Path

import requests

from support.cli import firn
from support.server import Server


class Refused(Exception):
    """An error that Firn explained."""

    def __init__(self, code: str | None, message: str):
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Broken(Exception):
    """No answer, or one that cannot be read."""


class _Pairs(list):
    """An object's members in order, equal names included."""


def _plain(value):
    if isinstance(value, _Pairs):
        return {name: _plain(member) for name, member in value}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def rows_of(text: str) -> list[tuple]:
    """NDJSON as tuples: two columns may have one name."""
    try:
        lines = [json.loads(line, object_pairs_hook=_Pairs) for line in text.split("\n") if line]
    except json.JSONDecodeError as error:
        raise Broken(f"{error}: {text[:200]}") from None
    return [tuple(_plain(value) for _, value in line) for line in lines]


class HttpSql:
    """`POST /v1/query`. A server that a statement ends is started again for the next one."""

    def __init__(self, server: Server, timeout: float = 60):
        self.server = server
        self.timeout = timeout
        self.session = requests.Session()
        self.session.trust_env = False

    def __call__(self, sql: str) -> list[tuple]:
        headers = {"Content-Type": "application/json", "Accept": "application/x-ndjson"}
        body = json.dumps({"sql": sql})
        try:
            url = f"{self.server.url}/v1/query"
            answer = self.session.post(url, data=body, headers=headers, timeout=self.timeout)
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            if isinstance(error, requests.Timeout):
                raise
            raise Broken(self._restarted()) from None
        text = answer.content.decode()
        if answer.status_code != 200:
            assert answer.headers["Content-Type"].startswith("application/problem+json"), text
            problem = json.loads(text)
            assert 400 <= problem["status"] == answer.status_code < 500, text
            raise Refused(problem["code"], problem.get("detail") or problem["title"])
        return rows_of(text)

    def _restarted(self) -> str:
        """Starts a server anew that has died, and answers why it did."""
        self.server.process.wait(timeout=30)
        deaths = [
            line for line in self.server.log_path.read_text(errors="replace").split("\n") if "Fatal error" in line
        ]
        self.server.start()
        return f"the server died: {deaths[-1] if deaths else '?'}"


class CliSql:
    """`firn query`, which answers by itself, also beside a server."""

    def __init__(self, warehouse: Path):
        self.warehouse = warehouse

    def __call__(self, sql: str, *options: str) -> list[tuple]:
        done = firn("query", "--warehouse", self.warehouse, *options, "--", sql)
        if done.code != 0:
            raise Refused(None, done.failed())
        return rows_of(done.stdout)

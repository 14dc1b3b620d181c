"""Spark SQL in a process of its own: Apache Spark with Iceberg's Java library, and Sail, which is neither.

Both are too large for the environment of the other tests; `make test-engines` installs them.
"""

import json
import os
import select
import subprocess
from pathlib import Path

import pytest

from support.server import clean_environment

ENGINES = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "firn-engines"
DRIVER = Path(__file__).with_name("spark_driver.py")
START_S = 120
CALL_S = 120


class EngineError(Exception):
    """The engine refused; the message is its own."""


class Spark:
    def __init__(self, engine: str, log: Path, environment: dict | None = None):
        python = ENGINES / engine / "bin" / "python"
        if not (ENGINES / engine / ".stamp").exists():
            pytest.skip(f"{engine} is not installed; `make test-engines` installs it")
        self.log = log
        with open(log, "ab") as output:
            self.process = subprocess.Popen(
                [str(python), str(DRIVER), engine], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output,
                env=clean_environment() | {"PYTHONDONTWRITEBYTECODE": "1"} | (environment or {}), cwd=log.parent,
            )  # fmt: skip
        self._answer(START_S)

    def run(self, code: str):
        """Runs Python code in which `spark` is the session and `sql(text)` gives rows; answers its `result`."""
        self.process.stdin.write(json.dumps(code).encode() + b"\n")
        self.process.stdin.flush()
        return self._answer(CALL_S)

    def sql(self, text: str) -> list:
        return self.run(f"result = sql({text!r})")

    def attach(self, server) -> str:
        """Makes the server's catalog known to Spark, under the name that is answered."""
        name = f"firn_{server.port}"
        settings = {
            "": "org.apache.iceberg.spark.SparkCatalog", ".type": "rest", ".uri": server.url + "/iceberg",
            ".cache-enabled": "false",
        }  # fmt: skip
        for key, value in settings.items():
            self.run(f"spark.conf.set('spark.sql.catalog.{name}{key}', {value!r})")
        return name

    def close(self) -> None:
        self.process.stdin.close()
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=30)

    def _answer(self, seconds: float):
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        line = self.process.stdout.readline() if ready else b""
        if not line:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-40:])
            raise AssertionError(f"the engine ended, or gave no answer in {seconds} s:\n{tail}")
        answer = json.loads(line)
        if "error" in answer:
            raise EngineError(answer["error"][:4000])
        return answer["result"]

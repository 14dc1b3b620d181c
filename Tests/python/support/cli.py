"""The command line, run the way a shell script runs it: output piped, no terminal."""

import json
import subprocess
from dataclasses import dataclass

from support.server import BINARY, clean_environment


@dataclass
class Result:
    code: int
    stdout: str
    stderr: str

    def ok(self) -> "Result":
        assert self.code == 0, f"exit code {self.code}: {self.stderr or self.stdout}"
        return self

    def failed(self) -> str:
        """Asserts exit code 1 and one clear line on stderr; returns the line."""
        assert self.code == 1, f"exit code {self.code}, expected 1: {self.stderr or self.stdout}"
        lines = [line for line in self.stderr.splitlines() if line.strip()]
        assert len(lines) == 1, f"expected one line of error, got: {self.stderr!r}"
        assert not self.stdout.strip(), f"a failed command printed: {self.stdout!r}"
        return lines[0]

    def usage_error(self) -> str:
        assert self.code == 2, f"exit code {self.code}, expected 2: {self.stderr or self.stdout}"
        assert self.stderr.strip()
        return self.stderr

    def rows(self) -> list[dict]:
        """NDJSON output."""
        return [json.loads(line) for line in self.ok().stdout.splitlines()]


def firn(*arguments, warehouse=None, stdin: str | bytes | None = None, timeout: float = 60, env=None) -> Result:
    command = [str(BINARY), *map(str, arguments)]
    if warehouse is not None:
        command += ["--warehouse", str(warehouse)]
    data = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(
        command, input=data if data is not None else b"", capture_output=True, timeout=timeout,
        env=clean_environment() | (env or {}),
    )  # fmt: skip
    return Result(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

"""A program on a terminal of its own: types keys, and reads what appears."""

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from support.server import BINARY, clean_environment

ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


class Terminal:
    """`firn` with a pseudo-terminal as its standard input, output and error."""

    def __init__(self, *arguments, columns: int = 100, rows: int = 30, env: dict | None = None):
        self.master, self.slave = pty.openpty()
        self.resize(columns, rows, tell=False)
        self.settings = termios.tcgetattr(self.slave)
        self.text = ""
        # A read may end in the middle of a letter.
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.process = subprocess.Popen(
            [str(BINARY), *map(str, arguments)], stdin=self.slave, stdout=self.slave, stderr=self.slave,
            env=clean_environment() | {"TERM": "xterm"} | (env or {}), start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip

    def resize(self, columns: int, rows: int = 30, tell: bool = True) -> None:
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if tell:
            self.process.send_signal(signal.SIGWINCH)

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def read_until(self, pattern: str, timeout: float = 60) -> str:
        """Everything up to the end of the first match, escape sequences left out; later reads begin there."""
        deadline = time.monotonic() + timeout
        while True:
            plain = ESCAPES.sub("", self.text)
            found = re.search(pattern, plain)
            if found:
                self.text = plain[found.end() :]
                return plain[: found.end()]
            left = deadline - time.monotonic()
            assert left > 0, f"no {pattern!r} appeared in {plain!r}"
            ready, _, _ = select.select([self.master], [], [], left)
            if ready:
                self.text += self.decoder.decode(os.read(self.master, 1 << 16))

    def run(self, statement: str, pattern: str = r"\(\d+ rows?.*\)\s*firn> ") -> str:
        """Types a line and Enter, and reads to the next prompt."""
        self.type(statement + "\r")
        return self.read_until(pattern)

    def is_as_found(self) -> bool:
        return termios.tcgetattr(self.slave) == self.settings

    def wait(self, timeout: float = 60) -> int:
        return self.process.wait(timeout)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)

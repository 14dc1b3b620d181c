"""Starts, kills and restarts the server under test. Ends only processes that it started itself."""

import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("FIRN_BIN", ROOT / ".build" / "release" / "firn"))


def clean_environment() -> dict:
    """The environment without settings that would leak into the program under test."""
    return {k: v for k, v in os.environ.items() if not k.startswith("FIRN_")} | {"TZ": "UTC"}


def held_port() -> socket.socket:
    """Has a free port that nobody is given by chance, not even between two lives: bound, and left to who asks for it.

    As nothing listens here, a server that asks for just this port gets it.
    """
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", 0))
    return held


class Server:
    """One `firn serve` on one warehouse, through any number of lives."""

    def __init__(
        self, warehouse: Path, scratch: Path, *, flush_interval_ms: int = 200, options: tuple = (),
        keeps_port: bool = False, wrapper: tuple = (),
    ):  # fmt: skip
        """Every life has a port of its own unless it `keeps_port`. `wrapper` is a command that runs the server's."""
        self.warehouse = Path(warehouse)
        self.wrapper = [str(word) for word in wrapper]
        self._held = held_port() if keeps_port else None
        self.requested_port = self._held.getsockname()[1] if self._held else 0
        self.options = ["--flush-interval-ms", str(flush_interval_ms), *map(str, options)]
        self.port_file = Path(scratch) / "port"
        self.log_path = Path(scratch) / "server.log"
        self.process: subprocess.Popen | None = None
        self.lives = 0
        # When the newest life was ready, on the monotonic clock.
        self.started_at = 0.0
        self._port: int | None = self.requested_port or None
        # A chaos thread restarts the server while the test asks for its URL.
        self._lock = threading.RLock()

    @property
    def url(self) -> str:
        """Where the newest life listens; a dead server's old address between two lives."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        return self._port

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def spawn(self) -> None:
        """Starts the process without waiting until it serves."""
        with self._lock:
            assert not self.alive, "the server is already running"
            self.port_file.unlink(missing_ok=True)
            command = [
                *self.wrapper, str(BINARY), "serve", "--warehouse", str(self.warehouse), "--host", "127.0.0.1",
                "--port", str(self.requested_port), "--port-file", str(self.port_file), *self.options,
            ]  # fmt: skip
            with open(self.log_path, "ab") as log:
                self.process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=clean_environment()
                )
            self.lives += 1

    def wait_ready(self, timeout: float = 30) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if not self.alive:
                raise AssertionError(f"the server ended with {self.process.returncode} at start:\n{self.log_tail()}")
            text = self.port_file.read_text().strip() if self.port_file.exists() else ""
            if text.isdigit():
                self._port = int(text)
                self.started_at = time.monotonic()
                return
            time.sleep(0.005)
        raise AssertionError(f"the server was not ready after {timeout} s:\n{self.log_tail()}")

    def start(self, timeout: float = 30) -> "Server":
        with self._lock:
            self.spawn()
            self.wait_ready(timeout)
        return self

    def kill(self) -> None:
        """`kill -9`; returns when the process is gone."""
        with self._lock:
            if self.process is not None:
                self.process.kill()
                self.process.wait(timeout=30)

    def close(self) -> None:
        """The last life is over, and the port is anybody's."""
        self.kill()
        if self._held is not None:
            self._held.close()

    def restart_after_kill(self) -> None:
        with self._lock:
            self.kill()
            self.start()

    def stop(self, timeout: float = 60) -> int:
        """SIGTERM: drains, commits, ends. Returns the exit code."""
        with self._lock:
            assert self.alive, f"the server is not running:\n{self.log_tail()}"
            self.process.send_signal(signal.SIGTERM)
            try:
                return self.process.wait(timeout=timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"the server ignored SIGTERM for {timeout} s:\n{self.log_tail()}") from None

    def assert_alive(self) -> None:
        assert self.alive, f"the server died with {self.process.returncode}:\n{self.log_tail()}"

    def log_tail(self, lines: int = 30) -> str:
        if not self.log_path.exists():
            return "(no log)"
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])

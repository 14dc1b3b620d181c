"""Bursts of load from `wrk`, whose batches follow from a counter, so that another client can ask about every one."""

import json
import shutil
import subprocess
from pathlib import Path

from support.records import body_of
from support.senders import NDJSON, Actor, Batch, Sender

SCRIPT = Path(__file__).with_name("wrk.lua")
THREADS = 2
ROWS = 3


def wrk_rows(producer: str, counter: int) -> list[dict]:
    """The rows that the script makes."""
    return [
        {
            "id": f"{producer}-{counter}-{n}", "producer": producer, "batch": counter, "n": n,
            "payload": "w" * ((counter * 7 + n) % 50),
        }
        for n in range(ROWS)
    ]  # fmt: skip


class WrkBursts(Actor):
    """Runs wrk for a second or two at a time, whatever becomes of the server meanwhile."""

    def __init__(self, server, names, folder: Path, seed: int, rest_s: float = 1.0):
        super().__init__("wrk", seed)
        self.server = server
        self.names = names
        self.folder = folder
        self.rest_s = rest_s

    def turn(self) -> None:
        burst = self.turns + 1
        command = [
            "wrk", f"-t{THREADS}", f"-c{THREADS}", "-d1s", "--timeout", "5s", "-s", str(SCRIPT), self.server.url,
            "--", f"{self.names.path}/records", str(burst), str(ROWS), str(self.folder),
        ]  # fmt: skip
        # With the server down wrk gives up at once, and that is fine.
        subprocess.run(command, capture_output=True, timeout=60)
        self.stopping.wait(self.rest_s)

    def sent(self) -> list[tuple[str, int, dict | None]]:
        """Every batch that was put on a connection: producer, counter, and the first answer that wrk heard."""
        found = []
        for path in sorted(self.folder.glob("*.log")):
            burst, thread = path.stem.split("-")
            answers, last = {}, 0
            for line in path.read_text(errors="replace").splitlines():
                first, _, rest = line.partition(" ")
                if first == "sent":
                    last = int(rest)
                    continue
                status, _, text = rest.partition(" ")
                answers.setdefault(int(first), (int(status), text))
            for counter in range(1, last + 1):
                status, text = answers.get(counter, (0, ""))
                found.append((f"wrk-{burst}-{thread}", counter, json.loads(text) if status == 200 else None))
        return found


class WrkAuditor(Sender):
    """Asks about what wrk sent, under the same keys: then it is known to be acknowledged."""

    ASKED_MAX = 400

    def audit(self, bursts: WrkBursts) -> tuple[int, int]:
        """How many batches wrk had sent, and how many of those it had heard to be acknowledged.

        Of both those that it had heard of and those that it had not, some are sent once more; the rest of the latter
        stay unknown.
        """
        sent = bursts.sent()
        self.random.shuffle(sent)
        heard = [entry for entry in sent if entry[2] is not None]
        unheard = [entry for entry in sent if entry[2] is None]
        for index, (producer, counter, first) in enumerate(heard):
            batch = self.batch(producer, counter)
            assert first["accepted"] == ROWS and not first["rejected"], first
            batch.position = first["position"]
            if index < self.ASKED_MAX:
                self.repeat(batch)
            self.account.acknowledged(batch.rows)
        for index, (producer, counter, _) in enumerate(unheard):
            batch = self.batch(producer, counter)
            if index < self.ASKED_MAX:
                self.land(batch)
            else:
                self.account.unknown(batch.rows)
        return len(sent), len(heard)

    def batch(self, producer: str, counter: int) -> Batch:
        rows = wrk_rows(producer, counter)
        key = f"{producer}-{counter}"
        return Batch(rows, {"Content-Type": NDJSON, "Idempotency-Key": key}, body_of(rows))


def wrk_present() -> bool:
    return shutil.which("wrk") is not None

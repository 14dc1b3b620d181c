"""A producer that is taken over again and again while its predecessor does not know that it is dead.

All instances read the same source: the batch of a sequence is the same whoever sends it. A new instance asks where to
resume and goes on under a higher epoch. Once one of its batches has been taken as new, every attempt that its
predecessor begins must end in 409, and nothing of it may land.
"""

import threading
import time

import requests

from support.records import body_of, rows_of
from support.senders import NDJSON, Batch, Fenced, Sender

ROWS = 7


class Instance(Sender):
    """One life of the producer. Sends from where it stands until told to stop or fenced."""

    def __init__(self, relay: "Relay", epoch: int, transport):
        super().__init__(f"{relay.name}.{epoch}", relay.server, relay.names, relay.account, transport, relay.seed)
        self.relay = relay
        self.epoch = epoch
        self.sequence = 0
        # When the first batch of this epoch was known to be taken as new.
        self.took_over_at: float | None = None

    def batch(self, sequence: int, source: str) -> Batch:
        stamp = {
            "Firn-Producer": self.relay.name, "Firn-Epoch": str(self.epoch), "Firn-Sequence": str(sequence),
        }  # fmt: skip
        rows = rows_of(source, sequence, ROWS)
        return Batch(rows, {"Content-Type": NDJSON} | stamp, body_of(rows), sequence)

    def send_next(self) -> None:
        """One batch, until there is an answer to it. Raises `Fenced`."""
        sequence = self.sequence + 1
        answer = self.until_acknowledged(self.batch(sequence, self.relay.name))
        self.sequence = sequence
        self.tally.batches += 1
        self.tally.duplicates += answer["duplicate"]
        if not answer["duplicate"] and self.took_over_at is None:
            self.took_over_at = time.monotonic()
        self.relay.landed(sequence)

    def resume(self) -> None:
        """What the server calls durable is promised, also what the predecessor never heard of."""
        self.sequence = self.relay.durable_sequence()
        for sequence in range(1, self.sequence + 1):
            self.relay.landed(sequence)

    def run(self):
        """As a zombie: goes on as if nothing had happened."""
        try:
            while not self.stopping.is_set():
                began = time.monotonic()
                self.send_next()
                successor = self.relay.current.took_over_at
                assert successor is None or began < successor, f"{self.name} landed a batch after it was fenced"
                time.sleep(self.random.uniform(0, 0.03))
        except Fenced:
            self.relay.fenced += 1
        except BaseException as failure:
            self.failure = failure


class Relay(Sender):
    """Runs the instances, one after the other, each beside its predecessor."""

    def __init__(self, name, server, names, account, make_transport, seed):
        super().__init__(name, server, names, account, make_transport(), seed)
        self.seed = seed
        self.make_transport = make_transport
        self.fenced = 0
        self.takeovers = 0
        self._lock = threading.Lock()
        self._landed: set[int] = set()
        self._session = requests.Session()
        self._session.trust_env = False
        self.current = Instance(self, 1, make_transport())

    def landed(self, sequence: int) -> None:
        with self._lock:
            if sequence in self._landed:
                return
            self._landed.add(sequence)
        self.account.acknowledged(rows_of(self.name, sequence, ROWS))

    def durable_sequence(self) -> int:
        """Where to resume, as the server tells; asked until it does."""
        while True:
            path = self.names.path
            try:
                answer = self._session.get(f"{self.server.url}{path}/producers/{self.name}", timeout=10)
                if answer.status_code == 200:
                    return answer.json()["durable-sequence"] or 0
                code = answer.json().get("code")
                if code == "producer_not_found":
                    return 0
                if code == "table_not_found":
                    self.names.turn_from(path)
                else:
                    assert answer.status_code >= 429, answer.text
            except requests.RequestException:
                pass
            time.sleep(0.02)

    def turn(self) -> None:
        for _ in range(self.random.randint(2, 8)):
            self.current.send_next()
        # A takeover. The old instance goes on in a thread of its own until it is told.
        zombie = self.current
        successor = Instance(self, zombie.epoch + 1, self.make_transport())
        self.current = successor
        zombie.start()
        successor.resume()
        while successor.took_over_at is None:
            successor.send_next()
        zombie.join(timeout=150)
        assert not zombie.is_alive(), f"{zombie.name} was never fenced"
        if zombie.failure is not None:
            raise zombie.failure
        self.takeovers += 1
        self.check_fence(zombie)
        self.tally.batches += zombie.tally.batches
        self.tally.attempts += zombie.tally.attempts
        self.tally.duplicates += zombie.tally.duplicates

    def check_fence(self, zombie: Instance) -> None:
        """A last attempt far ahead, with rows that nobody else sends."""
        late = zombie.batch(self.current.sequence + 1_000_000, f"{self.name}-late-{zombie.epoch}")
        self.account.refused(late.rows)
        try:
            answer = zombie.until_acknowledged(late)
        except Fenced:
            return
        raise AssertionError(f"{zombie.name} landed a batch after it was fenced: {answer}")

    @property
    def sequence(self) -> int:
        return self.current.sequence

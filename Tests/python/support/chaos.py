"""Random kills from a seed, so that a failing run can be repeated as far as timing allows."""

import os
import random
import threading
import time

from support.server import Server

SEED = int(os.environ.get("FIRN_SEED", "20130101"))
# Kills of a long run; each test takes its share.
KILLS = int(os.environ.get("FIRN_KILLS", "10"))


class KillDuringRequest:
    """Kills and restarts the server a random few milliseconds after chosen requests have begun."""

    def __init__(self, server: Server, seed: int, delay_max_s: float):
        self.server = server
        self.random = random.Random(seed)
        self.delay_max_s = delay_max_s
        self.kills = 0
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    def arm(self) -> None:
        """Schedules one kill; the caller goes on to send."""
        self.settle()
        delay = self.random.uniform(0, self.delay_max_s)
        self._thread = threading.Thread(target=self._strike, args=(delay,))
        self._thread.start()

    def settle(self) -> None:
        """Waits until a kill under way is over and the server serves again."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._failure is not None:
            raise self._failure

    def _strike(self, delay: float) -> None:
        try:
            time.sleep(delay)
            self.server.restart_after_kill()
            self.kills += 1
        except BaseException as failure:
            self._failure = failure


class Killer:
    """Kills a server again and again: each life lasts a random moment, and one in four does not outlive its start."""

    def __init__(self, server: Server, seed: int, kills: int):
        self.server = server
        self.random = random.Random(seed)
        self.wanted = kills
        self.kills = 0
        self.at_start = 0
        self.slowest_start_s = 0.0

    def strike(self) -> None:
        time.sleep(self.random.choice([self.random.uniform(0, 0.2), self.random.uniform(0.1, 0.9)]))
        self.kill()
        while self.kills < self.wanted and self.random.random() < 0.25:
            self.server.spawn()
            # From before it reads its first byte to after it has begun to serve.
            time.sleep(self.random.uniform(0, 0.15))
            self.kill()
            self.at_start += 1
        began = time.monotonic()
        self.server.start()
        self.slowest_start_s = max(self.slowest_start_s, time.monotonic() - began)

    def kill(self) -> None:
        self.server.kill()
        self.kills += 1

    def run_beside(self, actors: list) -> None:
        """All the kills, with everybody at work; then everybody comes to an end."""
        for actor in actors:
            actor.start()
        try:
            while self.kills < self.wanted:
                self.strike()
                check(actors, f"kill {self.kills}")
        finally:
            for actor in actors:
                actor.stopping.set()
            for actor in actors:
                actor.join(timeout=150)
        check(actors, "the end")
        assert not [actor.name for actor in actors if actor.is_alive()], "somebody hangs"


def check(actors: list, when: str) -> None:
    for actor in actors:
        assert actor.failure is None, f"{when}: {actor.name}: {actor.failure!r}"

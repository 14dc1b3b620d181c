"""Random kills from a seed, so that a failing run can be repeated as far as timing allows."""

import os
import random
import threading
import time

from support.server import Server

SEED = int(os.environ.get("FIRN_SEED", "20130101"))


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

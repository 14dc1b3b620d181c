"""Those who work on the same table beside the server: maintenance from the command line, and another Iceberg engine."""

import itertools
import subprocess
import time

import requests
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError, ValidationException
from pyiceberg.expressions import EqualTo
from pyiceberg.io.pyarrow import PyArrowFileIO
from sqlalchemy.exc import OperationalError

from support.account import Account
from support.litter import path_of
from support.records import arrow_of, rows_of
from support.senders import Actor, Names
from support.server import BINARY, Server, clean_environment

# What the command line may answer beside a server that is killed, tables that are renamed and other writers.
EXCUSES = (
    "there is no table", "does not exist", "is another table than before", "other writers won", "locked", "is busy",
    "no ancestor", "is gone", "compact", "lease",
)  # fmt: skip


class Janitor(Actor):
    """Compacts, expires, collects, renames and changes properties; sometimes dies in the middle of it."""

    def __init__(self, server: Server, names: Names, all_names: list[str], seed: int, rest_s: float = 0.4):
        super().__init__("janitor", seed)
        self.server = server
        self.names = names
        self.all_names = all_names
        self.rest_s = rest_s
        self.done: dict[str, int] = {}
        self.killed = 0
        self.session = requests.Session()
        self.session.trust_env = False

    def turn(self) -> None:
        work = self.random.choice(
            [self.compact, self.compact_here, self.expire, self.expire, self.collect, self.rename, self.property]
        )
        if work():
            self.done[work.__name__] = self.done.get(work.__name__, 0) + 1
        self.stopping.wait(self.random.uniform(0, 2 * self.rest_s))

    def firn(self, *arguments: str) -> bool:
        """True when the command did its work. It may be killed instead, at any moment."""
        process = subprocess.Popen(
            [str(BINARY), *arguments, "--warehouse", str(self.server.warehouse)], env=clean_environment(),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        if self.random.random() < 0.3:
            time.sleep(self.random.uniform(0, 0.15))
            process.kill()
            self.killed += 1
        output, errors = process.communicate(timeout=120)
        text = errors.decode(errors="replace")
        if process.returncode == 1:
            assert any(excuse in text for excuse in EXCUSES), f"firn {' '.join(arguments)}: {text}{output.decode()}"
        else:
            assert process.returncode in (0, -9), f"firn {' '.join(arguments)} ended with {process.returncode}: {text}"
        return process.returncode == 0

    def compact(self) -> bool:
        return self.firn("compact", self.names.current)

    def compact_here(self) -> bool:
        """In the server."""
        return self.ask("POST", self.names.path + "/compact")

    def expire(self) -> bool:
        keep = self.random.choice(["1", "1", "2", "5"])
        return self.firn("expire", self.names.current, "--older-than", "1ms", "--retain-last", keep)

    def collect(self) -> bool:
        return self.firn("gc")

    def property(self) -> bool:
        change = {"set-properties": {"note": str(self.turns)}}
        return self.ask("PATCH", self.names.path, json=change)

    def rename(self) -> bool:
        path, now = self.names.path, self.names.current
        target = self.random.choice([name for name in self.all_names if name != now])
        if self.random.random() < 0.5:
            done = self.firn("table", "rename", now, target)
        else:
            done = self.ask("PATCH", path, json={"rename-to": target})
        if done:
            self.names.turn_from(path)
        return done

    def ask(self, method: str, path: str, **options) -> bool:
        try:
            answer = self.session.request(method, self.server.url + path, timeout=60, **options)
        except requests.RequestException:
            return False
        assert answer.status_code in (200, 404, 409, 429, 503), f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.status_code == 200


class RecordingFileIO(PyArrowFileIO):
    """Notes every file that PyIceberg begins: what it leaves behind after a conflict is not Firn's to find."""

    written: set[str] = set()

    def new_output(self, location: str):
        RecordingFileIO.written.add(path_of(location))
        return super().new_output(location)


def foreign_catalog(warehouse) -> SqlCatalog:
    return SqlCatalog(
        "firn", uri=f"sqlite:///{warehouse}/catalog.db", warehouse=f"file://{warehouse}",
        **{"py-io-impl": "support.janitors.RecordingFileIO"},
    )  # fmt: skip


class ForeignWriter(Actor):
    """PyIceberg: appends rows, and deletes some of its own appends again, which rewrites whatever file they are in."""

    ROWS = 20

    def __init__(self, warehouse, names: Names, account: Account, seed: int, rest_s: float = 0.5):
        super().__init__("pyiceberg", seed)
        self.warehouse = warehouse
        self.names = names
        self.account = account
        self.rest_s = rest_s
        self.numbers = itertools.count(1)
        self.mine: list[str] = []
        self.appends = self.deletes = self.conflicts = 0

    def turn(self) -> None:
        if len(self.mine) > 2 and self.random.random() < 0.3:
            self.delete(self.mine.pop(self.random.randrange(len(self.mine))))
        else:
            self.append(f"foreign{next(self.numbers)}")
        self.stopping.wait(self.random.uniform(0, 2 * self.rest_s))

    def append(self, name: str) -> None:
        rows = rows_of(name, 1, self.ROWS)
        if self.commit(lambda table: table.append(arrow_of(rows, table.schema().as_arrow()))):
            self.account.acknowledged(rows)
            self.mine.append(name)
            self.appends += 1

    def delete(self, name: str) -> None:
        if self.commit(lambda table: table.delete(EqualTo("producer", name))):
            self.account.withdrawn(rows_of(name, 1, self.ROWS))
            self.deletes += 1
        else:
            self.mine.append(name)

    def commit(self, change) -> bool:
        """Until it is through, or everything comes to its end."""
        for _ in range(400):
            name = self.names.current
            try:
                change(foreign_catalog(self.warehouse).load_table(name))
                return True
            except (CommitFailedException, ValidationException):
                self.conflicts += 1
            except NoSuchTableError:
                self.names.turn_from("/v1/tables/" + name.replace(".", "/"))
            except FileNotFoundError:
                self.conflicts += 1  # Expired and collected between its look at the table and its read.
            except OperationalError as error:
                # PyIceberg waits 5 s for SQLite's lock and then gives up; nothing was written.
                assert "locked" in str(error), error
            if self.stopping.is_set():
                return False
        raise AssertionError("PyIceberg could not commit in 400 attempts")

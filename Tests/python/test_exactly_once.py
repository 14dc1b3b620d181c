"""G1, G2, G3, G9 with real clients: random kills, retries, hang-ups and zombies, beside maintenance and PyIceberg.

Six kinds of senders (`requests`, `httpx`, `curl`, `wrk`, a bare socket that hangs up, a producer that is taken over)
put batches to one server that is killed all the time, also while it starts. Beside it the table is compacted, its
snapshots are expired and its garbage collected, from the command line and by processes that are killed as well; it is
renamed; and PyIceberg appends rows and deletes some again. In the end the multiset of full row contents that PyIceberg
and DuckDB read must be what was acknowledged.

`FIRN_KILLS` sets the number of kills (`make soak`: 500), `FIRN_SEED` the random points.
"""

import time
from collections import Counter

import pytest

from support import chaos
from support.account import Account
from support.cli import firn
from support.client import Client
from support.janitors import ForeignWriter, Janitor, RecordingFileIO
from support.litter import assert_no_litter
from support.readers import read_duckdb, read_pyiceberg, sql_catalog
from support.records import SCHEMA, rows_in
from support.relay import Relay
from support.senders import (
    CurlTransport,
    FormatSender,
    HttpxTransport,
    KeySender,
    Names,
    OnceSender,
    RequestsTransport,
    SequenceSender,
    http2_offered,
)
from support.wrk import WrkAuditor, WrkBursts, wrk_present

NAMES = ["torture.events", "torture.moved"]
ENGINES = {"pyiceberg": read_pyiceberg, "duckdb": read_duckdb}


@pytest.fixture
def torture(make_server, warehouse, tmp_path):
    """The server, its table and everybody who works on it."""
    # wrk knows one port only.
    return Torture(make_server(warehouse, flush_interval_ms=150, keeps_port=True), warehouse, tmp_path)


class Torture:
    def __init__(self, server, warehouse, scratch):
        self.server = server.start()
        self.warehouse = warehouse
        self.client = Client(server, timeout=60)
        # Aggressive expiry is the janitor's; the properties make the server's own compaction join in.
        self.client.create_table(NAMES[0], SCHEMA, properties={"firn.compaction.min-input-files": "3"})
        self.names = Names(*NAMES)
        self.account = Account()
        seed = chaos.SEED
        common = (server, self.names, self.account)
        self.keyed = [
            KeySender("requests-key", *common, RequestsTransport(), seed),
            KeySender("curl-key", *common, CurlTransport(), seed),
            FormatSender("formats", *common, HttpxTransport(), seed),
        ]
        self.sequenced = [
            SequenceSender("httpx-seq", *common, HttpxTransport(), seed),
            SequenceSender("curl-seq", *common, CurlTransport(), seed),
        ]
        if http2_offered(server.port):
            self.sequenced.append(SequenceSender("http2-seq", *common, HttpxTransport(http2=True), seed))
        self.relay = Relay("relay", *common, RequestsTransport, seed)
        self.once = OnceSender("once", *common, RequestsTransport(), seed)
        self.senders = [*self.keyed, *self.sequenced, self.relay, self.once]
        self.janitor = Janitor(server, self.names, NAMES, seed)
        self.foreign = ForeignWriter(warehouse, self.names, self.account, seed)
        self.actors = [*self.senders, self.janitor, self.foreign]
        self.bursts = None
        if wrk_present():
            folder = scratch / "wrk"
            folder.mkdir()
            self.bursts = WrkBursts(server, self.names, folder, seed)
            self.auditor = WrkAuditor("wrk-audit", *common, RequestsTransport(), seed)
            self.actors.append(self.bursts)

    @property
    def table(self) -> str:
        """What the table is called now."""
        catalog = sql_catalog(self.warehouse)
        return next(name for name in NAMES if catalog.table_exists(name))

    def flush(self) -> None:
        self.client.flush(self.table)

    def check(self) -> int:
        """Everything promised is there once and unchanged, whoever reads."""
        rows = set()
        for engine, read in ENGINES.items():
            rows.add(self.account.check(rows_in(read(self.warehouse, self.table)), engine))
        assert len(rows) == 1
        return rows.pop()

    def check_positions(self) -> None:
        """A producer that asks where to resume hears of the last batch that it was acknowledged."""
        path = "/v1/tables/" + self.table.replace(".", "/")
        for sender in [*self.sequenced, self.relay]:
            state = self.client.once("GET", f"{path}/producers/{sender.name}").ok().json
            assert state["durable-sequence"] == state["committed-sequence"] == sender.sequence, (sender.name, state)

    def check_snapshots(self) -> int:
        """Every retained snapshot can be read and holds as many rows as it says; the log's position never goes back."""
        table = sql_catalog(self.warehouse).load_table(self.table)
        position = 0
        for snapshot in sorted(table.metadata.snapshots, key=lambda snapshot: snapshot.sequence_number):
            rows = table.scan(snapshot_id=snapshot.snapshot_id).to_arrow().num_rows
            # What PyIceberg deletes from a file that is being compacted becomes position deletes of the new one; they
            # count nowhere once PyIceberg has rewritten that one too.
            said, deleted = (int(snapshot.summary[f"total-{what}"] or 0) for what in ("records", "position-deletes"))
            assert said - deleted <= rows <= said, f"{rows} rows in {snapshot}"
            stamped = int(snapshot.summary["firn.log-position"] or position)
            assert stamped >= position, f"snapshot {snapshot.snapshot_id} went back from {position} to {stamped}"
            position = stamped
        return len(table.metadata.snapshots)

    def check_no_position_twice(self) -> None:
        """Batches with keys stand at different places of the log."""
        places = Counter(batch.position for sender in self.keyed for batch in sender.history)
        assert not [position for position, count in places.items() if count > 1]

    def repeat_everything(self) -> int:
        """Every batch that is still remembered, once more."""
        for sender in [*self.keyed, *self.sequenced]:
            for batch in sender.history:
                sender.repeat(batch)
        return sum(len(sender.history) for sender in [*self.keyed, *self.sequenced])


@pytest.mark.limit(600 + 3 * chaos.KILLS)
def test_every_acknowledged_record_is_there_once(torture):
    killer = chaos.Killer(torture.server, chaos.SEED, chaos.KILLS)
    began = time.monotonic()
    killer.run_beside(torture.actors)
    torture.server.restart_after_kill()
    if torture.bursts:
        wrk_sent, wrk_heard = torture.auditor.audit(torture.bursts)
    torture.flush()
    rows = torture.check()
    torture.check_positions()
    torture.check_no_position_twice()
    snapshots = torture.check_snapshots()

    # Old snapshots gone, files collected, a new life: retries from any time are still recognised.
    firn("expire", torture.table, "--older-than", "1ms", "--retain-last", 1, warehouse=torture.warehouse).ok()
    torture.server.restart_after_kill()
    repeated = torture.repeat_everything()
    torture.flush()
    torture.check_positions()
    assert torture.server.stop() == 0
    # The last life may have compacted.
    firn("expire", torture.table, "--older-than", "1ms", "--retain-last", 1, warehouse=torture.warehouse).ok()
    firn("gc", warehouse=torture.warehouse).ok()
    assert torture.check() == rows
    assert torture.check_snapshots() == 1
    assert_no_litter(torture.warehouse, RecordingFileIO.written)

    tallies = [sender.tally for sender in torture.senders]
    print(
        f"\nsenders: {', '.join(sender.name for sender in torture.senders)}\n"
        f"{killer.kills} kills ({killer.at_start} at start), {torture.server.lives} lives,"
        f" {time.monotonic() - began:.0f} s; {rows} rows, {torture.account.promised} promised;"
        f" {sum(t.batches for t in tallies)} batches, {sum(t.attempts for t in tallies)} attempts,"
        f" {sum(t.unanswered for t in tallies)} unanswered, {sum(t.dropped for t in tallies)} hang-ups,"
        f" {sum(t.duplicates for t in tallies)} retries recognised, {sum(t.repeats for t in tallies)} repeats of"
        f" acknowledged batches ({sum(t.repeats_after_restart for t in tallies)} from earlier lives, {repeated} at"
        f" the end); {torture.relay.takeovers} takeovers, {torture.relay.fenced} zombies fenced"
    )
    if torture.bursts:
        print(f"wrk: {torture.bursts.turns} bursts, {wrk_sent} batches sent, {wrk_heard} heard acknowledged")
    else:
        print("wrk is not installed and took no part")
    print(
        f"janitor: {torture.janitor.done}, {torture.janitor.killed} killed; PyIceberg: {torture.foreign.appends}"
        f" appends, {torture.foreign.deletes} deletes, {torture.foreign.conflicts} conflicts; {snapshots} snapshots"
        f" read; slowest start {killer.slowest_start_s * 1000:.0f} ms"
    )

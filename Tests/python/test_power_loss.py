"""G1, G2 on real file systems that lose power: what was acknowledged is there once after every cut.

`FIRN_POWER_CUTS` sets the number of cuts a file system (3; a long run: 200).
"""

import os

import pytest

from support import chaos, power
from support.account import Account
from support.cli import firn
from support.client import Client
from support.litter import assert_no_litter
from support.readers import read_duckdb, read_pyiceberg
from support.records import SCHEMA, rows_in
from support.senders import HttpxTransport, KeySender, Names, RequestsTransport, SequenceSender
from support.server import Server

TABLE = "power.events"
CUTS = int(os.environ.get("FIRN_POWER_CUTS", "3"))
FILE_SYSTEMS = {
    "ext4": ["mkfs.ext4", "-q", "-F"],
    "xfs": ["mkfs.xfs", "-q", "-f"],
}


@pytest.fixture(params=FILE_SYSTEMS)
def disk(request, tmp_path):
    make = FILE_SYSTEMS[request.param]
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system and cut its power")
    if absent := power.missing(make[0], "mount", "umount", "truncate"):
        pytest.skip(f"not installed: {', '.join(absent)}")
    disk = power.LoopDisk(tmp_path, make)
    if problem := disk.mount():
        pytest.skip(f"mounting a loop device was refused: {problem}")
    yield disk
    disk.discard()


@pytest.mark.limit(240 + 8 * CUTS)
def test_acknowledged_records_survive_power_cuts(disk, tmp_path):
    warehouse = disk.mount_point / "warehouse"
    server = Server(warehouse, tmp_path, flush_interval_ms=120).start()
    try:
        client = Client(server, timeout=60)
        properties = {"firn.compaction.min-input-files": "3"}
        client.create_table(TABLE, SCHEMA, properties=properties)
        account, names = Account(), Names(TABLE)
        senders = [
            KeySender("keys", server, names, account, RequestsTransport(), chaos.SEED),
            SequenceSender("sequences", server, names, account, HttpxTransport(), chaos.SEED),
            SequenceSender("others", server, names, account, RequestsTransport(), chaos.SEED),
        ]
        cuts = power.PowerCuts(server, chaos.SEED, CUTS, disk)
        cuts.run_beside(senders)
        cuts.strike()
        for sender in senders:
            for batch in sender.history[:40]:
                sender.repeat(batch)
        client.flush(TABLE)
        for engine, read in {"pyiceberg": read_pyiceberg, "duckdb": read_duckdb}.items():
            account.check(rows_in(read(warehouse, TABLE)), engine)
        firn("expire", TABLE, "--older-than", "1ms", "--retain-last", 1, warehouse=warehouse).ok()
        assert server.stop() == 0
        firn("gc", warehouse=warehouse).ok()
        assert_no_litter(warehouse)
        print(
            f"\n{cuts.kills} power cuts ({cuts.at_start} at start), {account.promised} rows,"
            f" {sum(s.tally.unanswered for s in senders)} unanswered, {sum(s.tally.duplicates for s in senders)}"
            " retries recognised"
        )
    finally:
        server.kill()

"""Jobs: seen, queried, cancelled from another process, and taken up after a kill."""

import time

import pytest

from support.cli import firn
from support.client import Client
from support.readers import read_pyiceberg

TABLE = "app.events"
# A budget this small lets a run read a little more than one batch an hour.
SLOW = {"every": "1s", "bytes-per-hour": "60B"}


def fill(client, files: int = 8, table: str = TABLE) -> list[int]:
    """Some commits, each a file."""
    for number in range(files):
        client.records(table, b'{"id":%d}\n' % number, headers={"Prefer": "wait=committed"}).ok()
    return list(range(files))


# The files of a test are few; the policy would let them be.
EAGER = {"firn.compaction.min-input-files": "5"}


def quiet_table(client, table: str = TABLE):
    """One that only schedules compact."""
    client.create_table(table, "id long required", properties=EAGER | {"firn.compaction.enabled": "false"})


def wait_for(find, what: str, seconds: float = 30):
    deadline = time.monotonic() + seconds
    while not (found := find()):
        assert time.monotonic() < deadline, f"no {what} within {seconds} s"
        time.sleep(0.1)
    return found


def jobs(client, **filters) -> list[dict]:
    query = "&".join(f"{key}={value}" for key, value in filters.items())
    return client.once("GET", f"/v1/jobs?{query}").ok().json["jobs"]


def test_a_requested_compaction_is_a_job(server, client, warehouse):
    quiet_table(client)
    fill(client)
    client.once("POST", "/v1/tables/app/events/compact").ok()
    (job,) = jobs(client, table=TABLE, kind="compact")
    assert (job["state"], job["reason"], job["files-before"]) == ("done", "requested over HTTP", 8)
    assert job["rows"] == 8 and job["runs"] == 1 and job["attempts"] == 1 and job["error"] is None
    assert client.once("GET", f"/v1/jobs/{job['id']}").ok().json == job
    rows = firn("jobs", "list", TABLE, "--kind", "compact", "--output", "ndjson", warehouse=warehouse).rows()
    assert [row["id"] for row in rows] == [job["id"]]
    assert "files-before" in firn("jobs", "show", job["id"][:8], "--output", "table", warehouse=warehouse).ok().stdout
    sql = f'SELECT state, files_before, reason FROM "{TABLE}$jobs" WHERE kind = \'compact\''
    (row,) = firn("query", sql, "--output", "ndjson", warehouse=warehouse).rows()
    assert row == {"state": "done", "files_before": 8, "reason": "requested over HTTP"}
    firn("jobs", "cancel", job["id"], warehouse=warehouse).failed()
    client.once("DELETE", f"/v1/jobs/{job['id']}").problem(409, "job_finished")
    client.once("DELETE", "/v1/jobs/none").problem(404, "job_not_found")
    client.once("GET", "/v1/jobs?state=odd").problem(400, "bad_state")
    client.once("GET", "/v1/jobs?limit=0").problem(400, "bad_limit")


def test_a_running_job_is_cancelled_from_another_process(server, client, warehouse):
    quiet_table(client)
    fill(client)
    client.once("PUT", "/v1/tables/app/events/schedules/slow", body=SLOW).ok()
    (job,) = wait_for(lambda: jobs(client, state="running", kind="compact"), "running job")
    assert "asked" in firn("jobs", "cancel", job["id"], warehouse=warehouse).ok().stdout
    wait_for(lambda: jobs(client, state="cancelled"), "cancelled job")
    done = client.once("GET", f"/v1/jobs/{job['id']}").ok().json
    assert done["cancel-requested"] and done["finished"]
    # Left alone for a while, although its schedule is due every second.
    time.sleep(2.5)
    assert not jobs(client, state="running")
    assert sorted(read_pyiceberg(warehouse, TABLE).column("id").to_pylist()) == list(range(8))


@pytest.mark.limit(180)
def test_a_job_is_taken_up_after_a_kill(server, client, warehouse):
    quiet_table(client)
    fill(client)
    client.once("PUT", "/v1/tables/app/events/schedules/slow", body=SLOW).ok()
    (job,) = wait_for(lambda: jobs(client, state="running", kind="compact"), "running job")
    server.kill()
    (left,) = firn("jobs", "list", "--state", "running", "--output", "ndjson", warehouse=warehouse).rows()
    assert left["id"] == job["id"]
    firn("schedule", "remove", TABLE, "slow", warehouse=warehouse).ok()
    server.start()
    done = wait_for(lambda: jobs(client, state="done", kind="compact"), "job taken up", 60)
    assert [(entry["id"], entry["attempts"]) for entry in done] == [(job["id"], 2)]
    assert done[0]["files-before"] == 8 and len(client.files(TABLE)) == 1
    assert sorted(read_pyiceberg(warehouse, TABLE).column("id").to_pylist()) == list(range(8))


def test_a_stopping_server_leaves_its_job_planned(server, client, warehouse):
    quiet_table(client)
    fill(client)
    client.once("PUT", "/v1/tables/app/events/schedules/slow", body=SLOW).ok()
    (job,) = wait_for(lambda: jobs(client, state="running", kind="compact"), "running job")
    # The run would go on for hours; `stop` gives up after a minute.
    assert server.stop() == 0
    (left,) = firn("jobs", "list", TABLE, "--kind", "compact", "--output", "ndjson", warehouse=warehouse).rows()
    assert (left["id"], left["state"]) == (job["id"], "planned")
    firn("compact", TABLE, warehouse=warehouse).ok()
    (done,) = firn("jobs", "list", TABLE, "--kind", "compact", "--output", "ndjson", warehouse=warehouse).rows()
    assert (done["id"], done["state"], done["attempts"]) == (job["id"], "done", 2)


def test_schedules_of_patterns(server, client, warehouse):
    quiet_table(client)
    quiet_table(client, "app.other")
    fill(client)
    body = {"cron": "0 1 * * *", "zone": "Europe/Berlin", "window": "01:00-05:00", "bytes-per-hour": "20GiB"}
    made = client.once("PUT", "/v1/schedules/app.*/nightly", body=body).ok().json
    assert made["table"] == "app.*" and made["now"] == "waits" and len(made["next-runs"]) == 5
    assert all(run.endswith(("T00:00:00Z", "T23:00:00Z")) for run in made["next-runs"])
    client.once("PUT", "/v1/tables/app/other/schedules/own", body={"every": "1h"}).ok()
    shown = client.once("GET", "/v1/schedules/app.*/nightly").ok().json
    assert "more specific" in shown["tables"]["app.other"] and "1 group" in shown["tables"][TABLE]
    listed = client.once("GET", "/v1/schedules").ok().json["schedules"]
    assert [entry["name"] for entry in listed] == ["nightly", "own"]

    text = firn("schedule", "show", "app.*", "nightly", "--output", "table", warehouse=warehouse).ok().stdout
    assert text.count("\nnext ") == 5 and "explain" in text and ("+01:00" in text or "+02:00" in text)
    sql = 'SELECT name, pattern FROM "app.other$schedules"'
    rows = firn("query", sql, "--output", "ndjson", warehouse=warehouse).rows()
    assert rows == [{"name": "own", "pattern": "app.other"}, {"name": "nightly", "pattern": "app.*"}]

    assert client.once("POST", "/v1/schedules/app.*/nightly/pause").ok().json["paused"] is True
    assert client.once("POST", "/v1/schedules/app.*/nightly/resume").ok().json["paused"] is False
    client.once("PUT", "/v1/schedules/app.*/soon", body={"on": "commit"}).ok()
    wait_for(lambda: len(client.files(TABLE)) == 1, "compaction by the pattern")
    for name in ("nightly", "soon"):
        assert client.once("DELETE", f"/v1/schedules/app.*/{name}").status == 204
    client.once("GET", "/v1/schedules/app.*/nightly").problem(404, "schedule_not_found")
    client.once("PUT", "/v1/schedules/app%20x.*/bad", body={"every": "1h"}).problem(400, "bad_table_pattern")
    client.once("PUT", "/v1/schedules/app.none/bad", body={"every": "1h"}).problem(404, "table_not_found")


def test_the_policy_follows_commits(server, client):
    client.create_table(TABLE, "id long required", properties=EAGER)
    fill(client)
    wait_for(lambda: len(client.files(TABLE)) < 8, "compaction after commits")
    wait_for(lambda: jobs(client, kind="compact", state="done"), "job of the policy", 60)
    assert jobs(client, kind="compact")[0]["reason"] == "policy"


def test_errors_of_schedules(server, client):
    quiet_table(client)
    for body, code in [
        ({"every": "1h", "zone": "Nowhere/Town"}, "unknown_time_zone"),
        ({"every": "1h", "window": "25:00-26:00"}, "bad_window"),
        ({"every": "1h", "bytes-per-hour": "much"}, "bad_byte_size"),
        ({"every": "1h", "cpu-share": "200%"}, "bad_schedule"),
        ({"on": "commit", "action": "expire"}, "bad_schedule"),
    ]:
        client.once("PUT", "/v1/tables/app/events/schedules/x", body=body).problem(400, code)

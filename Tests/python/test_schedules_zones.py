"""When schedules run: every run of many zones and years beside Python's zoneinfo, and what the commands refuse."""

from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import pytest

from support.cli import firn

UTC = timezone.utc
# Half an hour of change, a skipped day, negative saving, changes at midnight, Ramadan, no change, far east and west.
ZONES = [
    "Europe/Berlin", "Europe/Dublin", "America/New_York", "America/St_Johns", "America/Santiago", "America/Havana",
    "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Chatham", "Pacific/Kiritimati", "Asia/Kathmandu", "Asia/Beirut",
    "Asia/Tehran", "Africa/Casablanca", "Africa/Cairo", "America/Nuuk", "Antarctica/Troll", "Etc/GMT+12",
]  # fmt: skip


def named(zone: ZoneInfo, hour: int, minute: int, start: datetime, end: datetime) -> list[datetime]:
    """Once a local day: the first occurrence, and a time that is skipped at the moment of the jump."""
    runs = []
    day = start.astimezone(zone).date() - timedelta(days=2)
    while day <= end.astimezone(zone).date() + timedelta(days=2):
        local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
        moment = local.astimezone(UTC)
        if moment.astimezone(zone).replace(tzinfo=None) != local.replace(tzinfo=None):
            low, high = moment - timedelta(hours=30), moment + timedelta(hours=30)
            before = low.astimezone(zone).utcoffset()
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) / 2
                middle = middle.replace(microsecond=0)
                shown = middle.astimezone(zone).replace(tzinfo=None)
                if shown < local.replace(tzinfo=None):
                    low = middle
                else:
                    high = middle
            assert high.astimezone(zone).utcoffset() > before
            moment = high
        runs.append(moment)
        day += timedelta(days=1)
    return sorted({run for run in runs if start < run < end})


def predicted(cron: str, zone: str, start: datetime, count: int) -> list[datetime]:
    rows = firn(
        "schedule", "next", "--cron", cron, "--zone", zone, "--after", f"{start:%Y-%m-%dT%H:%M:%SZ}", "--count", count,
        "--output", "ndjson",
    ).rows()  # fmt: skip
    runs = [datetime.fromisoformat(row["utc"].replace("Z", "+00:00")) for row in rows]
    for row, run in zip(rows, runs):
        if not (zone == "UTC"):
            local = run.astimezone(ZoneInfo(zone))
            if local.utcoffset().total_seconds() % 60 == 0:
                assert row["zoned"] == local.isoformat()
    return runs


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("hour, minute", [(2, 30), (0, 0)])
def test_named_hours_beside_zoneinfo(zone, hour, minute):
    start = datetime(2005, 1, 1, tzinfo=UTC)
    runs = predicted(f"{minute} {hour} * * *", zone, start, 40 * 365)
    expected = named(ZoneInfo(zone), hour, minute, start, runs[-1] + timedelta(seconds=1))
    assert runs == expected


@pytest.mark.parametrize("zone", ZONES)
def test_every_shown_hour_beside_zoneinfo(zone):
    start = datetime(2023, 12, 31, 12, 7, tzinfo=UTC)
    runs = predicted("*/15 * * * *", zone, start, 2 * 366 * 96)
    # Quarters of an hour on the clock; every zone's offset is a multiple of one by now.
    first = start.replace(minute=15)
    assert runs == [first + timedelta(minutes=15 * step) for step in range(len(runs))]


@pytest.mark.limit(300)
def test_every_zone_can_be_read():
    """The next noon of every zone that the system has; Python may know older names from a package."""
    start = datetime(2026, 11, 22, tzinfo=UTC)
    zones = [zone for zone in sorted(available_timezones()) if Path("/usr/share/zoneinfo", zone).exists()]
    assert len(zones) > 300
    for zone in zones[::6]:
        run = predicted("0 12 * * *", zone, start, 1)[0]
        assert run.astimezone(ZoneInfo(zone)).hour == 12, zone


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["--cron", "61 * * * *"], "minute"),
        (["--cron", "0 3 * * *", "--zone", "Europe/Nowhere"], "Europe/Berlin"),
        (["--cron", "0 3 * * *", "--zone", "../../etc/passwd"], "no time zone"),
        (["--every", "5"], "5m"),
        (["--every", "5m", "--window", "1-5"], "01:00-05:00"),
        (["--every", "5m", "--window", "05:00-05:00"], "empty"),
    ],
)
def test_errors_tell_what_to_write(arguments, says):
    assert says in firn("schedule", "next", *arguments).failed()


def test_usage():
    firn("schedule", "next").usage_error()
    firn("schedule", "next", "--every", "5m", "--on-commit").usage_error()
    firn("schedule", "next", "--every", "5m", "--after", "yesterday").usage_error()
    assert "most specific" in firn("schedule", "--help").ok().stdout
    assert "taken up" in " ".join(firn("jobs", "--help").ok().stdout.split())

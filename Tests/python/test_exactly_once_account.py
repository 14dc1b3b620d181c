"""The checker of the exactly-once runs is itself checked: it must find each kind of fault, alone and in any reader."""

import datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from support.account import Account
from support.records import COLUMNS, body_of, digest, row_of, rows_of


@pytest.fixture
def sent() -> list[dict]:
    return [row for batch in range(20) for row in rows_of("pq"[batch // 10], batch, 10)]


@pytest.fixture
def account(sent) -> Account:
    account = Account()
    account.acknowledged(sent)
    return account


def test_all_is_well(account, sent):
    findings = account.compare(reversed(sent))
    assert findings.clean and findings.rows == len(sent) == account.promised
    assert account.check(sent, "any") == len(sent)


def test_a_lost_record_is_found(account, sent):
    findings = account.compare(sent[:77] + sent[78:])
    assert findings.lost == [sent[77]["id"]] and not findings.doubled and not findings.altered
    with pytest.raises(AssertionError, match="1 lost: p-7-7"):
        account.check(sent[:77] + sent[78:], "any")


def test_a_doubled_record_is_found(account, sent):
    findings = account.compare([*sent, sent[3]])
    assert findings.doubled == [sent[3]["id"]] and not findings.lost and not findings.invented


def test_one_lost_and_another_doubled_do_not_cancel_out(account, sent):
    findings = account.compare([*sent[1:], sent[3]])
    assert (findings.lost, findings.doubled) == ([sent[0]["id"]], [sent[3]["id"]])
    assert findings.rows == len(sent)


@pytest.mark.parametrize("column", [name for name in COLUMNS if name != "id"])
def test_an_altered_value_is_found_in_every_column(account, sent, column):
    """A null for a value, a value for a null, and a neighbour's value."""
    victim = next(index for index, row in enumerate(sent) if row[column] is not None)
    other = next(row[column] for row in sent[victim + 1 :] if row[column] not in (None, sent[victim][column]))
    for value in (None, other):
        changed = sent[victim] | {column: value}
        findings = account.compare([*sent[:victim], changed, *sent[victim + 1 :]])
        assert findings.altered == [changed["id"]] and not findings.lost and not findings.invented, value


def test_values_in_each_others_columns_are_found(account, sent):
    changed = dict(sent[0], producer=sent[0]["id"], id=sent[0]["producer"])
    findings = account.compare([changed, *sent[1:]])
    assert findings.lost == [sent[0]["id"]] and findings.invented == [changed["id"]]


def test_an_invented_record_is_found(account, sent):
    findings = account.compare([*sent, row_of("nobody", 1, 1)])
    assert findings.invented == ["nobody-1-1"] and not findings.lost


def test_a_record_of_unknown_fate_may_be_there_once(account, sent):
    maybe = rows_of("once", 1, 2)
    account.unknown(maybe)
    assert account.compare(sent).clean
    assert account.compare([*sent, maybe[0]]).clean
    assert account.compare([*sent, maybe[0], maybe[0]]).doubled == ["once-1-0"]


def test_a_refused_record_must_not_be_there(account, sent):
    account.refused(rows_of("zombie", 1, 1))
    assert account.compare(sent).clean
    assert account.compare([*sent, row_of("zombie", 1, 0)]).refused == ["zombie-1-0"]


def test_a_withdrawn_record_must_be_gone(account, sent):
    account.withdrawn(sent[:1])
    assert account.compare(sent[1:]).clean
    assert account.compare(sent).refused == [sent[0]["id"]]
    with pytest.raises(AssertionError, match="never acknowledged"):
        account.withdrawn(rows_of("stranger", 1, 1))


def test_equal_records_sent_twice_must_be_there_twice():
    account = Account()
    twice = rows_of("p", 1, 1)
    account.acknowledged(twice)
    account.acknowledged(twice)
    assert account.compare(twice).lost == ["p-1-0"]
    assert account.compare(twice * 2).clean
    assert account.compare(twice * 3).doubled == ["p-1-0"]


def test_an_empty_table_has_lost_everything(account, sent):
    assert len(account.compare([]).lost) == len(sent)


def test_digests_do_not_depend_on_the_reader():
    """Column order, Arrow and back, and missing columns make no difference; the sign of zero does."""
    rows = [row for batch in range(50) for row in rows_of("r", batch, 4)]
    place = pa.struct([("code", pa.int32()), ("city", pa.string())])
    schema = pa.schema(
        [
            ("payload", pa.large_string()), ("place", place), ("tags", pa.list_(pa.string())), ("flag", pa.bool_()),
            ("ratio", pa.float64()), ("price", pa.decimal128(18, 4)), ("at", pa.timestamp("us", "UTC")),
            ("n", pa.int32()), ("batch", pa.int64()), ("producer", pa.string()), ("id", pa.string()),
        ]
    )  # fmt: skip
    back = pa.Table.from_pylist(rows, schema=schema).to_pylist()
    assert list(map(digest, back)) == list(map(digest, rows))
    bare = {"id": "x", "producer": "p", "batch": 1, "n": 1}
    assert digest(bare) == digest(bare | {"tags": None, "payload": None})
    assert digest(bare | {"ratio": 0.0}) != digest(bare | {"ratio": -0.0})
    assert digest(bare | {"tags": []}) != digest(bare | {"tags": None})
    assert digest(bare | {"price": Decimal("1.0000")}) != digest(bare | {"price": Decimal("1.0001")})
    zone = datetime.timezone(datetime.timedelta(hours=2))
    moment = datetime.datetime(2026, 1, 1, 12, tzinfo=zone)
    assert digest(bare | {"at": moment}) == digest(bare | {"at": moment.astimezone(datetime.timezone.utc)})


def test_rows_follow_from_their_names():
    assert row_of("p", 3, 4) == row_of("p", 3, 4) != row_of("p", 4, 3)
    assert body_of(rows_of("p", 1, 5)) == body_of(rows_of("p", 1, 5))

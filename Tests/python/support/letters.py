"""Batches of which some records do not fit their table: each record is followed to where it ends."""

import json
from collections import Counter

from support.records import wire
from support.senders import KeySender, SequenceSender

# A column that the table gets later; until then, records that name it are dead letters.
LATER = "later"


def is_bad(number: int, n: int) -> str | None:
    """What is wrong with a record: nothing, for good, or until the column is there."""
    return {0: "type", 3: "later", 5: "json", 8: "later"}.get((number * 5 + n * 3) % 11)


def text_of(row: dict, fault: str | None) -> str:
    """The line as it is sent."""
    values = wire(row)
    if fault == "type":
        values["n"] = f"no number {row['id']}"
    if fault == "later":
        values[LATER] = f"later {row['id']}"
    text = json.dumps(values)
    return text[:-1] + ', "broken' if fault == "json" else text


class LetterSender:
    """Mixed into a sender: keeps apart which rows land, and which payloads become dead letters."""

    rows_max = 12

    def make(self, number: int):
        rows, _ = super().make(number)
        faults = [is_bad(number, row["n"]) for row in rows]
        lines = [text_of(row, fault) for row, fault in zip(rows, faults)]
        self.sent[number] = (rows, faults, lines)
        return [row for row, fault in zip(rows, faults) if fault is None], "\n".join(lines).encode() + b"\n"

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.sent: dict[int, tuple[list, list, list]] = {}

    def check_answer(self, batch, answer):
        letters = batch.body.count(b"\n") - batch.size
        assert answer["accepted"] + answer.get("dead-lettered", 0) == letters + batch.size, f"{self.name}: {answer}"

    @property
    def later_rows(self) -> list[dict]:
        return [
            row | {LATER: f"later {row['id']}"}
            for rows, faults, _ in self.sent.values()
            for row, fault in zip(rows, faults)
            if fault == "later"
        ]

    @property
    def hopeless(self) -> Counter:
        """Payloads that never fit."""
        return Counter(
            line
            for _, faults, lines in self.sent.values()
            for fault, line in zip(faults, lines)
            if fault in ("type", "json")
        )

    @property
    def letters(self) -> Counter:
        """Payloads of everything that did not fit when it was sent."""
        return Counter(
            line for _, faults, lines in self.sent.values() for fault, line in zip(faults, lines) if fault is not None
        )


class KeyLetterSender(LetterSender, KeySender):
    pass


class SequenceLetterSender(LetterSender, SequenceSender):
    pass

"""What a write to the journal does in which order, and what it does where Cassandra cannot tell."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from schemas.errors import DatabaseUnavailable, UncertainWrite
from schemas.ids import uuid7
from schemas.times import us_of
from store import conditional_writes, journal
from store.conditional_writes import MAX_ATTEMPTS
from store.database import Statement
from store.journal import Event, Journal

NOW_US = us_of(datetime(2026, 11, 21, 12, tzinfo=UTC))
USER = uuid4()


class FakeDatabase:
    """Records the table of each statement; insertions into the journal get the given answers."""

    def __init__(self, *answers: Exception | list[Any]) -> None:
        self.tables: list[str] = []
        self.topics: list[object] = []
        self.refused_topic = ""
        self._answers = list(answers)

    async def run(self, cql: str, values: Sequence[object] = ()) -> list[Any]:
        table = cql.partition("INTO ")[2].partition(" ")[0] or "read"
        self.tables.append(table)
        if table != "changes":
            return self._answer()
        if values[3] == self.refused_topic:
            raise DatabaseUnavailable("nobody answers")
        self.topics.append(values[3])
        return []

    async def run_batch(self, _: Sequence[Statement]) -> list[Any]:
        self.tables.append("journal batch")
        return self._answer()

    def _answer(self) -> list[Any]:
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


INSERTED = [(True,)]
NOT_APPLIED = [(False,)]
LOST = UncertainWrite("the node died")


def an_event(entity_id: UUID | None = None) -> Event:
    entity_id = entity_id or uuid7(NOW_US // 1000, uuid4().bytes[:10])
    return Event(uuid4(), entity_id, "set-confirmed", {"reps": 8}, NOW_US)


class TakenSlot(SimpleNamespace):
    """The answer of a conditional insertion that found another event in its slot."""

    def __getitem__(self, _: int) -> bool:
        return False


def taken_by(event: Event) -> list[Any]:
    received = datetime.fromtimestamp(event.received_us / 1e6, UTC)
    row = TakenSlot(event_id=event.event_id, kind=event.kind, received_at=received)
    row.payload = journal._payload(event)
    return [row]


def appended(database: Any, *events: Event) -> list[Event]:
    """What the journal says is in the slots of these events: several are appended in a batch."""
    appending = Journal(database)
    if len(events) == 1:
        return [asyncio.run(appending.append(USER, events[0], "sets"))]
    return asyncio.run(appending.append_all(USER, events, "sets"))


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditional_writes, "_MAX_JITTER_S", 0.0)


@pytest.mark.parametrize("count", [1, 2])
def test_events_are_announced_before_they_are_written(count: int) -> None:
    """A crash in between must leave nothing that no sweep looks for."""
    dying = FakeDatabase(RuntimeError("the process ends here"))
    with pytest.raises(RuntimeError, match="ends here"):
        appended(dying, *(an_event() for _ in range(count)))
    assert dying.tables == ["changes", "journal" if count == 1 else "journal batch"]


def test_an_old_month_is_announced_before_the_event_is_written() -> None:
    old = an_event(uuid7(NOW_US // 1000 - 500 * 86_400_000, bytes(10)))
    database = FakeDatabase(INSERTED)
    assert appended(database, old) == [old]
    assert database.tables == ["changes", "changes", "journal"]


def test_an_event_whose_answer_was_lost_is_asked_for_again() -> None:
    """Another one may be in its slot."""
    mine = an_event()
    theirs = replace(mine, body={"reps": 9})
    assert appended(FakeDatabase(LOST, taken_by(theirs)), mine) == [theirs]
    assert appended(FakeDatabase(LOST, INSERTED), mine) == [mine]


def test_events_of_a_batch_whose_answer_was_lost_are_appended_one_by_one() -> None:
    first, second = an_event(), an_event()
    theirs = replace(second, body={"reps": 9})
    database = FakeDatabase(LOST, INSERTED, taken_by(theirs))
    assert appended(database, first, second) == [first, theirs]


def test_a_condition_whose_answer_was_lost_is_asked_again() -> None:
    mine, other = an_event(), uuid4()
    database = FakeDatabase(LOST, NOT_APPLIED, taken_by(mine))
    appending = Journal(database).append_unless(USER, mine, "sets", other)
    assert asyncio.run(appending) == mine
    assert database.tables == ["changes", "journal batch", "changes", "journal batch", "read"]


def test_a_condition_that_nothing_explains_is_uncertain() -> None:
    """The user is being erased."""
    database = FakeDatabase(NOT_APPLIED, [], [])
    with pytest.raises(UncertainWrite):
        asyncio.run(Journal(database).append_unless(USER, an_event(), "sets", uuid4()))


@pytest.mark.parametrize("condition", [False, True])
def test_an_event_that_stays_uncertain_is_not_acknowledged(*, condition: bool) -> None:
    """The sweep looks for it: its write may be completed much later."""
    database = FakeDatabase(*[LOST] * MAX_ATTEMPTS)
    writing, event = Journal(database), an_event()
    if condition:
        appending = writing.append_unless(USER, event, "sets", uuid4())
    else:
        appending = writing.append(USER, event, "sets")
    with pytest.raises(UncertainWrite):
        asyncio.run(appending)
    tried = ["journal batch" if condition else "journal", "changes"] * MAX_ATTEMPTS
    assert database.tables == ["changes", *tried]
    assert database.topics == ["sets", *["unsettled"] * MAX_ATTEMPTS]


def test_an_uncertain_write_is_announced_before_it_is_repeated() -> None:
    """A node that hangs takes so long that the request may end before the last attempt."""
    one, several = FakeDatabase(LOST, INSERTED), FakeDatabase(LOST, INSERTED, INSERTED)
    appended(one, an_event())
    assert one.tables == ["changes", "journal", "changes", "journal"]
    appended(several, an_event(), an_event())
    assert several.tables[:3] == ["changes", "journal batch", "changes"]
    assert one.topics[1] == several.topics[1] == "unsettled"


def test_an_event_stays_uncertain_also_where_that_cannot_be_announced() -> None:
    database = FakeDatabase(*[LOST] * MAX_ATTEMPTS)
    database.refused_topic = "unsettled"
    with pytest.raises(UncertainWrite):
        appended(database, an_event())

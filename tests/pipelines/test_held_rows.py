"""How many users' sets a run holds at once while it finds out who changed."""

import asyncio
import weakref
from datetime import UTC, datetime
from uuid import UUID

import pytest

from pipelines.exercise.recipes import recipe_of
from pipelines.exercise.unchanged import drop_unchanged
from pipelines.lifecycle import gather
from pipelines.lifecycle.scope import scope_of
from pipelines.personal.unchanged import split_unchanged
from schemas.retention import LABELLED_TTL_S
from store.labelled_sets import LabelledSets
from store.sets import Sets
from tests.store.made_records import labelled, set_row

USERS = [UUID(int=number) for number in range(1, 25)]
AT_ONCE = 4


class Rows(list):
    """Rows of one user that say when nobody holds them any more."""


class Held:
    """Counts the users whose rows are held, and the most at once."""

    def __init__(self) -> None:
        self.now = self.most = self.read = 0

    def counting(self, read):
        """The same read, counted."""

        async def counted(repository, *key):
            rows = Rows(await read(repository, *key))
            self.now, self.read = self.now + 1, self.read + 1
            self.most = max(self.most, self.now)
            weakref.finalize(rows, self.let_go)
            return rows

        return counted

    def let_go(self) -> None:
        self.now -= 1


@pytest.fixture
def held(monkeypatch):
    counts = Held()
    monkeypatch.setattr(gather, "AT_ONCE", AT_ONCE)
    for repository, name in ((Sets, "revisions"), (LabelledSets, "training_revisions")):
        monkeypatch.setattr(repository, name, counts.counting(getattr(repository, name)))
    return counts


def test_sets_of_changed_users_are_held_a_few_users_at_a_time(empty, held):
    for user in USERS:
        asyncio.run(Sets(empty).put(user, set_row()))
    to_learn, unchanged = split_unchanged(empty, "load", [*USERS, UUID(int=99)])
    assert (to_learn, unchanged) == (tuple(USERS), [])
    assert held.read == len(USERS) + 1
    assert held.most <= AT_ONCE


def test_labelled_sets_of_changed_users_are_held_a_few_users_at_a_time(empty, held, spark_config):
    for user in USERS:
        asyncio.run(LabelledSets(empty).put(user, labelled(set_row()), LABELLED_TTL_S))
    scope = scope_of(empty, "form", [*USERS, UUID(int=99)], datetime.now(UTC))
    assert [user for user, _ in scope.keys] == USERS
    assert held.read == 0, "whether there are sets is known from one row"
    assert drop_unchanged(empty, scope, recipe_of(spark_config, None)) == scope
    assert held.read == len(USERS)
    assert held.most <= AT_ONCE

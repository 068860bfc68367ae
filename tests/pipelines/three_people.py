"""Three people in the store, and the global model that serves them."""

import asyncio
from datetime import UTC, datetime

from pipelines.lifecycle.pointers import pointers_in_effect, read_serving
from store.champions import Champions
from store.models import ModelKey
from tests.pipelines.people import LAYOUT, done_at, put, user_id

PEOPLE = 3
EVERYBODY = [user_id(person) for person in range(PEOPLE)]


def put_all(database, people, at=None):
    for user, sets in zip(EVERYBODY, people, strict=True):
        put(database, user, sets, at or datetime.now(UTC))


def put_newest(database, people, held_back=1):
    """The sets that were held back, done now."""
    now = datetime.now(UTC)
    for user, sets in zip(EVERYBODY, people, strict=False):
        put(database, user, done_at(sets[-held_back:], now), now)


def served(database):
    keys = [(user, LAYOUT) for user in EVERYBODY]
    pointers = pointers_in_effect(database, keys, "exercise")
    return {user for user, _ in read_serving(database, pointers)}


def global_run(database):
    found = asyncio.run(Champions(database).serving(ModelKey.of_global(LAYOUT, "exercise")))
    return found.run_id if found else None

"""Fixtures of the store's tests: both stores, an event loop, a job family per test."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from schemas.config import Limits
from store.records import Records, records_in
from tests.cassandra_node import ON_NODE
from tests.store.memory import memory_records


@pytest.fixture(params=["memory", pytest.param("cassandra", marks=ON_NODE)])
def records(request: pytest.FixtureRequest) -> Records:
    if request.param == "memory":
        return memory_records()
    return records_in(request.getfixturevalue("database"), Limits())


@pytest.fixture
def run() -> Iterator[Callable[[Any], Any]]:
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture
def family() -> str:
    """A job family of this test alone, as the keyspace is shared."""
    return f"test-{uuid4()}"

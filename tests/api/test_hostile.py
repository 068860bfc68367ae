"""A short run of the hostile benchmark: every operation is fuzzed, every decoder attacked."""

from collections.abc import Callable, Iterator, Mapping

import pytest

from bench.fuzz import (
    FuzzResult,
    _asked,
    ask_everything,
)
from bench.fuzz_user import FuzzUser, log_in, prepare_fuzz_user
from bench.hostile import BodyDecoder, attack_in_subprocess, public_decoders
from schemas.families import BATCH_FAMILIES
from schemas.progress import NoProgress
from tests.api.conftest import PASSWORD, RunningService

GREED_MB = 120


def test_decoders_accept_or_reject_mutated_bodies_without_crashing() -> None:
    hostile = attack_in_subprocess(40_000, seed=7)
    assert hostile.crashes == {}
    assert 0.02 < hostile.accepted / hostile.cases < 0.6, "mutation must reach past the parsers"
    assert hostile.growth_mb < 32


def test_memory_growth_of_a_decoder_is_measured_after_a_larger_allocation() -> None:
    larger = bytearray(b"x") * (2 * GREED_MB << 20)
    del larger
    assert attack_in_subprocess(20, 7, greedy).growth_mb > 0.9 * GREED_MB


def greedy() -> Mapping[str, BodyDecoder]:
    """All decoders, one of which allocates a lot of memory at every call."""
    decoders = public_decoders()

    def decode(body: bytes) -> object:
        return len(bytearray(b"x") * (GREED_MB << 20)), decoders["samples"](body)

    return {**decoders, "samples": decode}


@pytest.fixture
def operators(service: RunningService) -> Iterator[Callable[[], FuzzUser]]:
    """Makes new operators with a model of every family; live runs are removed afterwards."""

    def operator() -> FuzzUser:
        name, other = service.register().username, service.register().username
        ids = service.run(prepare_fuzz_user(service.services.database, name, other))
        return log_in(service.url, name, PASSWORD, ids)

    yield operator
    for family in BATCH_FAMILIES:
        cql = "DELETE FROM live_runs WHERE family = ?"
        service.run(service.services.database.run(cql, (family,)))


# The generator's warnings about schemas and health checks are irrelevant here.
@pytest.mark.filterwarnings("ignore")
def test_fuzzed_operations_respond_as_documented(
    service: RunningService, operators: Callable[[], FuzzUser]
) -> None:
    result = ask_everything(service.url, operators, 120, NoProgress())
    assert result.cases >= 120
    assert 0.3 < result.about_known / result.cases < 0.7, (
        "the other requests are about nonexistent resources"
    )
    assert dict(result.problems) == {}
    assert result.silent == frozenset(), "these operations never succeeded"


def test_operations_that_never_succeeded_fail_the_fuzz_report() -> None:
    operations = frozenset({"GET /livez", "GET /v1/me/export"})
    result = FuzzResult(operations, cases=10_000, about_known=5_000, answered={"GET /livez"})
    [figure] = [one for one in _asked(result) if one.name == "operations_answered"]
    assert (figure.value, figure.floor, figure.holds) == (1, 2, False)
    assert "silent: GET /v1/me/export" in str(figure.protocol)

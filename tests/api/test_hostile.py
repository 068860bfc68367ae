"""The hostile benchmark in short: every operation asked, every decoder attacked."""

from collections.abc import Mapping

import pytest

from bench.fuzz import (
    NEEDS_A_MODEL,
    Asked,
    _asked,  # pyright: ignore[reportPrivateUsage]
    ask_everything,
)
from bench.hostile import Decoder, attack_apart, decoders_of_strangers
from bench.known import Asker, let_operate, log_in
from schemas.progress import Silent
from tests.api.conftest import PASSWORD, RunningService

GREED_MB = 120


def test_decoders_refuse_or_understand_whatever_comes() -> None:
    hostile = attack_apart(40_000, seed=7)
    assert hostile.crashes == {}
    assert 0.02 < hostile.accepted / hostile.cases < 0.6, "mutation must reach past the parsers"
    assert hostile.growth_mb < 32


def test_a_greedy_decoder_is_noticed_whatever_else_was_large() -> None:
    larger = bytearray(b"x") * (2 * GREED_MB << 20)
    del larger
    assert attack_apart(20, 7, greedy).growth_mb > 0.9 * GREED_MB


def greedy() -> Mapping[str, Decoder]:
    """All decoders, and one of them takes memory at every call."""
    decoders = decoders_of_strangers()

    def decode(body: bytes) -> object:
        return len(bytearray(b"x") * (GREED_MB << 20)), decoders["samples"](body)

    return {**decoders, "samples": decode}


def operator(service: RunningService) -> Asker:
    """Somebody who may operate, with a run and somebody to follow."""
    name, other = service.register().username, service.register().username
    ids = service.run(let_operate(service.services.database, name, other))
    return log_in(service.url, name, PASSWORD, ids)


# The generator's own warnings about schemas and health are no business of this test.
@pytest.mark.filterwarnings("ignore")
def test_every_operation_answers_as_its_document_says(service: RunningService) -> None:
    asked = ask_everything(service.url, lambda: operator(service), 120, Silent())
    assert asked.cases >= 120
    assert asked.about >= 0.4 * asked.cases
    assert dict(asked.found) == {}
    assert asked.operations >= NEEDS_A_MODEL
    assert asked.silent == frozenset(), "nobody of these was asked about what is there"


def test_a_fuzz_that_nobody_answers_does_not_pass() -> None:
    answered = {"GET /livez", "GET /v1/me/rank"}
    silent = Asked(
        frozenset({*answered, *NEEDS_A_MODEL, "GET /v1/me/export"}),
        10_000,
        5_000,
        answered=answered,
    )
    [figure] = [one for one in _asked(silent) if one.name == "operations_answered"]
    assert (figure.value, figure.floor, figure.holds) == (1, 2, False)
    assert "silent: GET /v1/me/export" in str(figure.protocol)

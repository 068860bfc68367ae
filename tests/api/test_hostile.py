"""The hostile benchmark in short: every operation asked, every decoder attacked."""

from collections.abc import Mapping

import pytest

from bench.fuzz import ask_everything
from bench.hostile import Decoder, attack_apart, decoders_of_strangers
from schemas.progress import Silent
from tests.api.conftest import RunningService

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


# The generator's own warnings about schemas and health are no business of this test.
@pytest.mark.filterwarnings("ignore")
def test_every_operation_answers_as_its_document_says(service: RunningService) -> None:
    asked, wrong = ask_everything(
        service.url, lambda: service.register().tokens["access_token"], 300, Silent()
    )
    assert asked >= 300
    assert dict(wrong) == {}

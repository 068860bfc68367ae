"""The hostile benchmark in short: every operation asked, every decoder attacked."""

import pytest

from bench.fuzz import ask_everything
from bench.hostile import attack
from schemas.progress import Silent
from tests.api.conftest import RunningService


def test_decoders_refuse_or_understand_whatever_comes() -> None:
    hostile = attack(40_000, seed=7)
    assert hostile.crashes == {}
    assert 0.02 < hostile.accepted / hostile.cases < 0.6, "mutation must reach past the parsers"
    assert hostile.growth_mb < 32


# The generator's own warnings about schemas and health are no business of this test.
@pytest.mark.filterwarnings("ignore")
def test_every_operation_answers_as_its_document_says(service: RunningService) -> None:
    asked, wrong = ask_everything(
        service.url, lambda: service.register().tokens["access_token"], 300, Silent()
    )
    assert asked >= 300
    assert dict(wrong) == {}

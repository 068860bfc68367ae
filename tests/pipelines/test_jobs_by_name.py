"""Jobs by name: what the command line may ask for."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pipelines.jobs import JOBS, train
from schemas.config import Config
from schemas.errors import BadInput
from schemas.families import FAMILIES


def test_every_family_that_is_trained_has_a_job_and_a_time():
    trained = {name for name, family in FAMILIES.items() if family.kind != "kernel"}
    assert set(JOBS) == trained
    assert set(Config().schedule.jobs) == trained


def test_an_unknown_family_is_named_with_those_that_exist():
    with pytest.raises(BadInput, match="'exercises'.*exercise, activity, form, intensity"):
        train("exercises", Config())


@pytest.mark.parametrize(
    ("family", "options", "says"),
    [
        ("rank", {"engine": "local"}, "rank runs on Spark"),
        ("exercise-search", {"engine": "local"}, "exercise-search runs on Spark"),
        ("form", {"cutoff_at": datetime(2026, 1, 1, tzinfo=UTC)}, "form finds its cut-off itself"),
    ],
)
def test_an_option_that_a_family_does_not_know_is_refused(
    family: str, options: dict[str, Any], says: str
):
    with pytest.raises(BadInput, match=says):
        train(family, Config(), **options)

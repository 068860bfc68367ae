"""Jobs by name: what the command line may ask for."""

import pytest

from pipelines.jobs import JOBS, train
from schemas.config import Config
from schemas.errors import BadInput
from schemas.families import FAMILIES


def test_every_job_is_a_family():
    assert set(JOBS) <= set(FAMILIES)


def test_an_unknown_family_is_named_with_those_that_exist():
    with pytest.raises(BadInput, match="'exercises'.*exercise, activity, form, intensity"):
        train("exercises", Config())


def test_an_option_that_a_family_does_not_know_is_refused():
    with pytest.raises(BadInput, match="rank runs on Spark"):
        train("rank", Config(), engine="local")

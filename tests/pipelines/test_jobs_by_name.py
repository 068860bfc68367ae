"""Jobs by name, as the command line starts them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from pyspark.sql import SparkSession

from pipelines import rank, recommend
from pipelines.activity.job import TOPICS
from pipelines.batch.family import BatchFamily
from pipelines.experiments import job as experiment
from pipelines.jobs import EXPERIMENTS, FROM_ROWS, JOBS, train
from schemas.config import Config
from schemas.errors import BadInput, NotEnoughLabels
from schemas.families import FAMILIES, MART_JOB
from schemas.progress import NoProgress


def test_every_trained_family_has_a_job_and_a_schedule():
    trained = {name for name, family in FAMILIES.items() if family.kind != "kernel"}
    assert set(JOBS) == trained
    assert set(Config().schedule.jobs) == trained | {MART_JOB}


def test_unknown_family_is_refused_with_the_list_of_families():
    with pytest.raises(BadInput, match="'exercises'.*exercise, activity, form, intensity"):
        train("exercises", Config())


@pytest.mark.parametrize(
    ("family", "options", "says"),
    [
        (
            "rank",
            {"engine": "local"},
            "rank runs on Spark only: .* exercise, activity, form, intensity, load, next; for rank",
        ),
        ("exercise-search", {"engine": "local"}, "exercise-search runs on Spark"),
        ("form", {"cutoff_at": datetime(2026, 1, 1, tzinfo=UTC)}, "form finds its cut-off itself"),
    ],
)
def test_option_that_a_family_does_not_support_is_refused(
    family: str, options: dict[str, Any], says: str
):
    with pytest.raises(BadInput, match=says):
        train(family, Config(), **options)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_experiment_reports_its_progress(name: str, monkeypatch: pytest.MonkeyPatch):
    """It takes minutes, in which `muvr train all` would show nothing."""
    told: list[object] = []

    def opened(*_: object, progress: object = None) -> None:
        told.append(progress)
        raise NotEnoughLabels("no further")

    monkeypatch.setattr(experiment, "open_job", opened)
    progress = NoProgress()
    with pytest.raises(NotEnoughLabels):
        train(name, Config(), progress=progress)
    assert told == [progress]


def test_jobs_over_all_users_listen_to_erasures():
    over_everybody = [family for family in FROM_ROWS.values() if isinstance(family, BatchFamily)]
    assert len(over_everybody) == 3
    for topics in [TOPICS, *(family.topics for family in over_everybody)]:
        assert {"erased", "erasure-done"} <= set(topics)


def test_recommend_without_sets_before_the_cutoff_says_how_old_they_must_be(
    monkeypatch: pytest.MonkeyPatch,
):
    """In the first four weeks of a deployment all sets are evaluation data."""
    row = {"user_id": "u", "exercise": "curl", "early": 0.0, "late": 3.0}
    monkeypatch.setattr(recommend, "newest_set_at", lambda *_: datetime.now(UTC))
    monkeypatch.setattr(recommend, "map_logs", lambda *_: ([row], {}))
    with pytest.raises(NotEnoughLabels, match="no set is 28 days older than the newest"):
        recommend.learn_recommend(cast(SparkSession, None), Config(), datetime.now(UTC))


class Rows:
    """A Spark table, as far as ranks read it."""

    def __init__(self, *rows: tuple[str, ...]) -> None:
        self.frame = self
        self.rows = rows

    def select(self, *_: str) -> "Rows":
        return self

    def toLocalIterator(self) -> Iterator[tuple[str, ...]]:
        return iter(self.rows)

    def isEmpty(self) -> bool:
        return not self.rows


def test_ranks_become_equal_when_the_last_follow_ends(monkeypatch: pytest.MonkeyPatch):
    """Without this the old ranks would stay live for as long as rows are kept."""
    tables = {"follows": Rows(), "usernames": Rows(("ben",), ("anna",)), "ranks": Rows()}
    monkeypatch.setattr(rank, "read_table", lambda *asked: tables[asked[-1]])
    with pytest.raises(NotEnoughLabels, match="nobody follows anybody yet"):
        rank.learn_rank(cast(SparkSession, None), Config(), datetime.now(UTC))
    tables["ranks"] = Rows(("anna",))
    found = rank.learn_rank(cast(SparkSession, None), Config(), datetime.now(UTC))
    assert found.rows == [("anna", 0.5, 1), ("ben", 0.5, 1)]
    assert not found.refusal

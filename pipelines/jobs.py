"""Every family's job under its name: what `muvr train NAME` and the schedule call."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from pipelines.activity.job import train_activity
from pipelines.batch.family import BatchFamily
from pipelines.batch.job import train_batch
from pipelines.clusters import CLUSTERS
from pipelines.exercise.job import train_exercise
from pipelines.experiments.averaged import averaged
from pipelines.experiments.job import ExperimentData, RecipeResult, train_experiment
from pipelines.experiments.perceptron import perceptron
from pipelines.experiments.search import search
from pipelines.form import train_form
from pipelines.intensity import INTENSITY
from pipelines.lifecycle.runs import RunReport
from pipelines.lifecycle.scope import EngineName, UserSelection
from pipelines.load import LOAD
from pipelines.next import NEXT
from pipelines.personal.family import PersonalFamily
from pipelines.personal.job import train_personal
from pipelines.rank import RANK
from pipelines.recommend import RECOMMEND
from schemas.config import Config
from schemas.errors import BadInput
from schemas.families import ACTIVITY, AVERAGED, EXERCISE, FORM
from schemas.progress import Progress

FROM_SAMPLES: Mapping[str, Callable[..., RunReport]] = {
    EXERCISE: train_exercise,
    ACTIVITY: train_activity,
    FORM: train_form,
}
"""Families that learn from samples, on Spark or in one process."""

FROM_ROWS: Mapping[str, PersonalFamily | BatchFamily] = {
    family.name: family for family in (INTENSITY, LOAD, NEXT, CLUSTERS, RECOMMEND, RANK)
}
"""Families that learn from confirmed sets: one model per user, or over everybody."""

ON_LOCAL: Sequence[str] = (
    *FROM_SAMPLES,
    *(name for name, family in FROM_ROWS.items() if isinstance(family, PersonalFamily)),
)
"""Families that can also be trained in this process, without Spark."""

EXPERIMENTS: Mapping[str, Callable[[ExperimentData], RecipeResult]] = {
    "exercise-perceptron": perceptron,
    "exercise-search": search,
    AVERAGED: averaged,
}
"""Other ways to learn exercises, tried on a sample of users, on Spark."""

JOBS: Sequence[str] = (*FROM_SAMPLES, *FROM_ROWS)
"""The family of every job."""

ALL_JOBS: Sequence[str] = (
    EXERCISE,
    AVERAGED,
    *(name for name in JOBS if name != EXERCISE),
)
"""What `muvr train all` runs, in this order."""


def train(
    family: str,
    config: Config,
    *,
    users: UserSelection = "all",
    cutoff_at: datetime | None = None,
    engine: EngineName = "spark",
    progress: Progress | None = None,
) -> RunReport:
    """Run one family's job.

    Args:
        family: one of `JOBS`, or a key of `EXPERIMENTS`.
        config: where Cassandra and Spark are.
        users: "all", "changed" since the family's last run, or these. Batch families and
            experiments read everybody even when users are named.
        cutoff_at: exercise only: sets from this time on judge what was learned from earlier ones.
        engine: "local", in this process, is possible only for `ON_LOCAL`.
        progress: is told about every step.

    Raises:
        BadInput: no such family, or an option that it does not know.
        LeaseHeld: another run of the family is under way.
    """
    _check_options(family, cutoff_at, engine)
    if family in FROM_SAMPLES:
        more = {"cutoff_at": cutoff_at} if family == EXERCISE else {}
        return FROM_SAMPLES[family](config, users=users, engine=engine, progress=progress, **more)
    if family in EXPERIMENTS:
        return train_experiment(
            family,
            EXPERIMENTS[family],
            config,
            only_changed=users == "changed",
            progress=progress,
        )
    recipe = FROM_ROWS[family]
    if isinstance(recipe, PersonalFamily):
        return train_personal(recipe, config, users=users, engine=engine, progress=progress)
    return train_batch(recipe, config, only_changed=users == "changed", progress=progress)


def _check_options(family: str, cutoff_at: datetime | None, engine: EngineName) -> None:
    """Refuse an unknown family, and options that its job does not have.

    Raises:
        BadInput: which.
    """
    known = (*JOBS, *EXPERIMENTS)
    if family not in known:
        sentence = f"no job trains {family!r}; there are {', '.join(known)}"
        raise BadInput(sentence, field="family", value=family)
    if engine != "spark" and family not in ON_LOCAL:
        sentence = (
            f"{family} runs on Spark only: it compares everybody. Without Spark there are "
            f"{', '.join(ON_LOCAL)}; for {family} leave the engine out"
        )
        raise BadInput(sentence, field="engine", value=engine)
    if cutoff_at is not None and family != EXERCISE:
        raise BadInput(f"{family} finds its cut-off itself", field="cutoff_at", value=cutoff_at)

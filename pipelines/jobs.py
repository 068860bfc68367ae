"""Every family's job under its name: what `muvr train NAME` and the schedule call."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from pipelines.activity import train_activity
from pipelines.averaged import averaged
from pipelines.batch import BatchFamily, train_batch
from pipelines.beside import Beside, Found, train_beside
from pipelines.clusters import CLUSTERS
from pipelines.exercise import EngineName, train_exercise
from pipelines.form import train_form
from pipelines.intensity import INTENSITY
from pipelines.load import LOAD
from pipelines.next import NEXT
from pipelines.perceptron import perceptron
from pipelines.personal import PersonalFamily, train_personal
from pipelines.rank import RANK
from pipelines.recommend import RECOMMEND
from pipelines.runs import RunReport
from pipelines.scope import Users
from pipelines.search import search
from schemas.config import Config
from schemas.errors import BadInput
from schemas.progress import Progress

Job = Callable[[Config, Users, Progress | None], RunReport]


def _batch(family: BatchFamily, config: Config, users: Users, told: Progress | None) -> RunReport:
    """Batch families read everybody: for named users there is nothing else to do."""
    return train_batch(family, config, only_changed=users == "changed", progress=told)


def _personal(
    family: PersonalFamily, config: Config, users: Users, told: Progress | None
) -> RunReport:
    return train_personal(family, config, users=users, progress=told)


def _exercise(config: Config, users: Users, told: Progress | None) -> RunReport:
    return train_exercise(config, users=users, progress=told)


def _activity(config: Config, users: Users, told: Progress | None) -> RunReport:
    return train_activity(config, users=users, progress=told)


def _form(config: Config, users: Users, told: Progress | None) -> RunReport:
    return train_form(config, users=users, progress=told)


JOBS: Mapping[str, Job] = {
    "exercise": _exercise,
    "activity": _activity,
    "form": _form,
    **{one.name: partial(_personal, one) for one in (INTENSITY, LOAD, NEXT)},
    **{one.name: partial(_batch, one) for one in (CLUSTERS, RECOMMEND, RANK)},
}

BESIDE: Mapping[str, Callable[[Beside], Found]] = {
    "exercise-perceptron": perceptron,
    "exercise-search": search,
    "exercise-averaged": averaged,
}
"""Models beside the exercise family's own, on a sample of its people."""

EVERY: Sequence[str] = (
    "exercise",
    "exercise-averaged",
    *(one for one in JOBS if one != "exercise"),
)
"""What `muvr train all` runs, in this order."""

ANYWHERE: Mapping[str, Callable[..., RunReport]] = {
    "activity": train_activity,
    "form": train_form,
}
"""Jobs that read sensors and run in one process as well."""


def train(
    family: str,
    config: Config,
    *,
    users: Users = "all",
    cutoff_at: datetime | None = None,
    engine: EngineName = "spark",
    progress: Progress | None = None,
) -> RunReport:
    """Run one family's job.

    Args:
        family: a key of `JOBS` or `BESIDE`.
        config: where Cassandra and Spark are.
        users: "all", "changed" since the family's last run, or these.
        cutoff_at: exercise only: sets from here on judge.
        engine: local is known for exercise, activity and form.
        progress: is told about every step.

    Raises:
        BadInput: no such family, or an option that it does not know.
        LeaseHeld: another run of the family is under way.
    """
    if family in BESIDE and engine == "spark" and cutoff_at is None:
        return train_beside(family, BESIDE[family], config, only_changed=users == "changed")
    if family not in JOBS:
        known = ", ".join([*JOBS, *BESIDE])
        raise BadInput(f"no job trains {family!r}; there are {known}", field="family", value=family)
    if family == "exercise":
        return train_exercise(
            config, users=users, cutoff_at=cutoff_at, engine=engine, progress=progress
        )
    if family in ANYWHERE and cutoff_at is None:
        return ANYWHERE[family](config, users=users, engine=engine, progress=progress)
    if engine != "spark" or cutoff_at is not None:
        raise BadInput(f"{family} runs on Spark and finds its cut-off itself", field="engine")
    return JOBS[family](config, users, progress)

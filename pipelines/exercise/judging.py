"""The late sets that judge a user's models. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from models.exercise.minimum_sets import missing_sets
from models.exercise.model import ExerciseModel
from pipelines.exercise.evaluation import SetWithWindows, evaluation_sets, majority_hits
from pipelines.exercise.labelled import LabelledRow
from pipelines.exercise.prepared import PreparedSets, TimeSplit
from pipelines.lifecycle.incumbents import EvaluationPeriod
from pipelines.lifecycle.open_refusals import NONE_SINCE_GLOBAL


class JudgingSets(NamedTuple):
    """The late sets that judge a user's models.

    Attributes:
        late: all of them, which judge the global models.
        known: of exercises that the user's own model can have learned, which judge it.
        beatable: whether a model can name more of `known` than "always the most frequent exercise".
    """

    late: Sequence[SetWithWindows]
    known: Sequence[SetWithWindows]
    beatable: bool


def judging_sets(
    prepared: PreparedSets,
    split: TimeSplit,
    evaluated: ExerciseModel | None,
    unlearned: EvaluationPeriod | None,
) -> JudgingSets:
    """The late sets that judge, without those that may be in the global model."""
    late = covered_sets(unlearned, evaluation_sets(split.late, prepared.windows))
    known = _known(evaluated, late)
    return JudgingSets(late, known, unlearned is None or _is_beatable(split.early, known))


def _known(
    evaluated: ExerciseModel | None, late: Sequence[SetWithWindows]
) -> Sequence[SetWithWindows]:
    """The late sets that judge the user's own model: of exercises that it can have learned."""
    return [(row, x) for row, x in late if evaluated and row.exercise in evaluated.labels]


def _is_beatable(early: Sequence[LabelledRow], known: Sequence[SetWithWindows]) -> bool:
    """Whether a model can name more of these sets than "always the most frequent exercise" does.

    It cannot where all are of the exercise that was the most frequent before, be it perfect.
    """
    return not all(majority_hits(early, known).sets.values())


def sets_missing_to_judge(prepared: PreparedSets, *, beatable: bool) -> str:
    """What the user lacks for an evaluation, "" where nothing."""
    with_windows = [row.exercise for row in prepared.used if prepared.windows[row.set_id].rows]
    return missing_sets(with_windows) or ("" if beatable else NONE_SINCE_GLOBAL)


def covered_sets(
    period: EvaluationPeriod | None, late: Sequence[SetWithWindows]
) -> Sequence[SetWithWindows]:
    """The sets that a period covers; all where there is none."""
    if period is None:
        return late
    return [(row, x) for row, x in late if period.covers(row.started_at, row.revision)]

"""Which recipe's global model serves people without one of their own: held-out people decide.

Two recipes learn from the same sampled people, a fifth of whom are kept out to judge. One is the
discriminant of everybody's sums (a sum is one exact round of reducing); the other is Iterative
Reduce, which needs some of the people to end its rounds (`pipelines.experiments.sample.parted`).
Both are asked about the sets of the judges. The averaged model serves when it names more of them
right than luck explains. Otherwise the sums serve: they are exact, and a person is taken out of
them by a subtraction.

The averaged model takes some things from the global one, in which the judges are members: the scale
of its features, how windows make up a set, and the border of the unknown, which is not asked here.
None of its weights were learned from them, and none of its rounds chosen by them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from models.exercise.model import ExerciseModel
from pipelines.exercise.calibration import Calibrations
from pipelines.exercise.everybody import combine, sums_of_portions
from pipelines.exercise.gate import Contest, Trial, contest
from pipelines.exercise.judging import Hits, SetWithWindows, ask, askable, majority
from pipelines.exercise.labelled import LabelledRow, labelled_sets, newest
from pipelines.exercise.passes import read_partition
from pipelines.exercise.prepared import Recipe
from pipelines.exercise.windows import windowed
from pipelines.experiments.sample import LAYOUT
from pipelines.keys import UserKey
from pipelines.lifecycle.attempts import attempted
from schemas.errors import NotEnoughLabels
from store.database import Database


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody whom neither recipe has learned from.

    Attributes:
        user_id: who.
        labelled_sets: how many sets are read.
        asked: those that may be truth, with their windows.
        majority: always naming the exercise that this person does most often.
    """

    user_id: str
    labelled_sets: int
    asked: Sequence[SetWithWindows]
    majority: Hits


def strangers_of(database: Database, keys: Iterable[UserKey], recipe: Recipe) -> list[Stranger]:
    """Held-out people as they are asked about; nobody whose data is broken."""
    found: list[Stranger] = []
    for key in keys:
        sets = labelled_sets(read_partition(database, key))
        one = attempted(partial(stranger_of, str(key[0]), sets, recipe)).value
        if one is not None:
            found.append(one)
    return found


def stranger_of(user_id: str, sets: Sequence[LabelledRow], recipe: Recipe) -> Stranger:
    """One person, with as many sets as a person gives to everybody.

    Raises:
        BadSamples: a recording does not decode.
    """
    used = newest(sets, recipe.everybody_sets)
    asked = askable(used, windowed(used, LAYOUT, recipe.windows).of)
    return Stranger(user_id, len(used), asked, majority(used, asked))


def sums_of(given: Iterable[Mapping[str, Any]]) -> ExerciseModel:
    """The discriminant of the sums of people of whom nobody is held out.

    Args:
        given: rows of `pipelines.exercise.everybody.GIVEN`.

    Raises:
        NotEnoughLabels: they tell nothing apart.
    """
    portions = sums_of_portions(given, LAYOUT)
    one = combine(portions, LAYOUT, Calibrations())
    if one is None:
        people = sum(len(portion.members) for portion in portions)
        raise NotEnoughLabels(f"{people} people do not do two exercises with enough movement")
    return one.learned.model


def judged(averaged: ExerciseModel, sums: ExerciseModel, people: Sequence[Stranger]) -> Contest:
    """Both recipes' models, asked about the same sets of the same people."""
    return contest(
        [
            Trial(
                one.user_id,
                one.labelled_sets,
                ask(averaged, one.asked).sets,
                ask(sums, one.asked).sets,
                one.majority.sets,
            )
            for one in people
        ]
    )

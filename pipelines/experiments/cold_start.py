"""Which recipe's global model serves new users: decided on a test split of the sampled users.

Two recipes learn from the same sample without its test split, a fifth of the users. One is the
discriminant of the users' sums (a sum is one exact round of reducing); the other is Iterative
Reduce, which needs a validation split to stop its rounds (`pipelines.experiments.sample`). Both are
evaluated on the sets of the test users. The averaged model serves when it names more of them right
than chance explains. Otherwise the model of the sums serves: it is exact, and a user is removed
from it by a subtraction.

The averaged model takes some parameters from the serving global model, of which test users may be
members: the scale of its features, how windows are combined to a set, and the threshold of the
unknown, which is not evaluated here. None of its weights were learned from test users, and none of
its rounds chosen by them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from models.exercise.model import ExerciseModel
from pipelines.exercise.calibration import Calibrations
from pipelines.exercise.evaluation import (
    Hits,
    SetWithWindows,
    evaluation_sets,
    hits_of,
    majority_hits,
)
from pipelines.exercise.gate import Comparison, compare
from pipelines.exercise.global_fit import fit_from_sums, portion_sums
from pipelines.exercise.labelled import LabelledRow, labelled_sets, newest
from pipelines.exercise.passes import read_training_sets
from pipelines.exercise.prepared import Recipe
from pipelines.exercise.trials import UserTrial
from pipelines.exercise.windows import find_windows
from pipelines.experiments.sample import LAYOUT
from pipelines.keys import UserKey
from pipelines.lifecycle.attempts import attempted
from schemas.errors import NotEnoughLabels
from store.database import Database


@dataclass(frozen=True, slots=True)
class HeldOutUser:
    """A test user: neither recipe has learned from this user.

    Attributes:
        user_id: the user.
        labelled_sets: how many sets are read.
        sets: those with ground truth, with their windows.
        majority: hits of always naming this user's most frequent exercise.
    """

    user_id: str
    labelled_sets: int
    sets: Sequence[SetWithWindows]
    majority: Hits


def held_out_users(
    database: Database, keys: Iterable[UserKey], recipe: Recipe
) -> list[HeldOutUser]:
    """The test users of these keys; those whose data is broken are left out."""
    users: list[HeldOutUser] = []
    for key in keys:
        sets = labelled_sets(read_training_sets(database, key))
        user = attempted(partial(held_out_user, str(key[0]), sets, recipe)).value
        if user is not None:
            users.append(user)
    return users


def held_out_user(user_id: str, sets: Sequence[LabelledRow], recipe: Recipe) -> HeldOutUser:
    """One test user, with as many sets as a member gives to the global model.

    Raises:
        BadSamples: a recording does not decode.
    """
    used = newest(sets, recipe.member_sets)
    truth = evaluation_sets(used, find_windows(used, LAYOUT, recipe.windows).by_set)
    return HeldOutUser(user_id, len(used), truth, majority_hits(used, truth))


def model_of_sums(rows: Iterable[Mapping[str, Any]]) -> ExerciseModel:
    """The discriminant of the sums of the users who are not held out.

    Args:
        rows: of `pipelines.exercise.global_fit.MEMBER_SUMS`.

    Raises:
        NotEnoughLabels: they have fewer than two exercises.
    """
    portions = portion_sums(rows, LAYOUT)
    global_model = fit_from_sums(portions, LAYOUT, Calibrations())
    if global_model is None:
        people = sum(len(portion.members) for portion in portions)
        raise NotEnoughLabels(f"{people} people do not do two exercises with enough movement")
    return global_model.learned.model


def compare_models(
    averaged: ExerciseModel, sums: ExerciseModel, users: Sequence[HeldOutUser]
) -> Comparison:
    """Compare both recipes' models on the same sets of the test users."""
    return compare(
        [
            UserTrial(
                user.user_id,
                user.labelled_sets,
                hits_of(averaged, user.sets).sets,
                hits_of(sums, user.sets).sets,
                user.majority.sets,
                {row.set_id: row.exercise for row, _ in user.sets},
            )
            for user in users
        ]
    )

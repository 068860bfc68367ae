"""The sample's three parts: who is learned from, who chooses, who judges."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.experiments.averaged import averaged
from pipelines.experiments.job import ExperimentData
from pipelines.experiments.sample import LAYOUT, SAMPLED, parted
from pipelines.experiments.search import search
from pipelines.lifecycle.members import sample
from schemas.errors import NotEnoughLabels
from tests.models.test_exercise_scores import model_of
from tests.pipelines.people import user_id

FEATURES, LABELS = 16, 3
WINDOWS = 40  # of a set
PATIENCE = 3  # rounds without a new best


@pytest.mark.parametrize(
    ("people", "learn", "choose", "judge"),
    [(3, 1, 1, 1), (4, 2, 1, 1), (6, 3, 1, 2), (10, 7, 1, 2), (12, 7, 2, 3), (128, 89, 13, 26)],
)
def test_as_many_have_each_part(people, learn, choose, judge):
    found = Counter(parted([(user_id(n), LAYOUT) for n in range(people)]).values())
    assert found == {"learn": learn, "choose": choose, "judge": judge}


@pytest.mark.parametrize("people", [0, 1, 2])
def test_fewer_than_three_people_cannot_be_parted(people):
    with pytest.raises(NotEnoughLabels, match=f"{people} people .* 3 are needed"):
        parted([(user_id(n), LAYOUT) for n in range(people)])


@given(st.sets(st.integers(0, 10**6), min_size=3, max_size=140), st.integers(0, 9))
def test_a_part_follows_from_the_lot_and_not_from_the_order_in_which_people_come(people, seed):
    keys = [(user_id(person), LAYOUT) for person in people]
    assert parted(sample(keys, LAYOUT, seed)) == parted(sample(reversed(keys), LAYOUT, seed))


def rows_of(part: str, people: int, *, turned: bool = False):
    """Sets that are easy to tell apart; turned: under each other's names."""
    rng = np.random.default_rng(len(part))
    rows = []
    for person in range(people):
        for k in range(LABELS):
            x = rng.normal(0, 0.6, (WINDOWS, FEATURES))
            x[:, k] += 1
            named = f"exercise {(k + turned) % LABELS}"
            rows.append((f"{part}{person}", named, part, WINDOWS, x.astype("<f2").tobytes()))
    return rows


@pytest.fixture(scope="module")
def world(spark):
    """What a recipe is given when the named parts have the names of exercises mixed up."""
    like = model_of(FEATURES, labels=LABELS)

    def beside(*turned: str, people: tuple[int, int, int] = (4, 1, 2)) -> ExperimentData:
        rows = [
            row
            for part, several in zip(("learn", "choose", "judge"), people, strict=True)
            for row in rows_of(part, several, turned=part in turned)
        ]
        columns = "user_id string, exercise string, part string, windows int, x binary"
        assert [word.split()[0] for word in columns.split(", ")] == SAMPLED.names
        return ExperimentData(spark, spark.createDataFrame(rows, columns), like)

    return beside


def test_those_who_choose_end_the_rounds_and_those_who_judge_decide_nothing(world):
    """Whom everything confuses never sees an error fall; who is right would go on for long."""
    right, wrong = averaged(world("choose")), averaged(world("choose", "judge"))
    assert right.metrics["rounds"] == 1 + PATIENCE
    assert right.metrics["loss"] == sorted(right.metrics["loss"])
    assert (right.content, right.metrics["loss"]) == (wrong.content, wrong.metrics["loss"])
    assert right.metrics["windows_right"] > 0.6 > 0.4 > wrong.metrics["windows_right"]


def test_averages_of_four_splits_end_within_a_point_of_one_process(world):
    beside = world(people=(16, 4, 12))

    def right(frame) -> float:
        return averaged(ExperimentData(beside.spark, frame, beside.like)).metrics["windows_right"]

    alone, four = right(beside.frame.coalesce(1)), right(beside.frame.repartition(4, "user_id"))
    assert alone > 0.6  # of three
    assert abs(four - alone) <= 0.01


def test_who_judges_is_not_asked_which_candidate_is_the_best(world):
    assert search(world()) == search(world("judge"))


def test_a_part_without_a_window_is_named(world):
    beside = world()
    nobody = ExperimentData(beside.spark, beside.frame.where("part != 'choose'"), beside.like)
    with pytest.raises(NotEnoughLabels, match="no set of the people who choose"):
        averaged(nobody)

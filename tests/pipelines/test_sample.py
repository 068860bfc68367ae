"""The three splits of the experiments' sample: training, validation and test."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.exercise.names import feature_names
from pipelines.experiments.averaged import averaged
from pipelines.experiments.job import ExperimentData
from pipelines.experiments.perceptron import perceptron
from pipelines.experiments.sample import LAYOUT, SAMPLED, split_people
from pipelines.experiments.search import search
from pipelines.lifecycle.members import sample
from schemas.errors import NotEnoughLabels
from tests.models.made_exercise_model import storable_model_of
from tests.pipelines.people import user_id

FEATURES, LABELS = len(feature_names(False)), 3
TELLING = 16  # features; the others are noise a hundred times smaller
WINDOWS = 40  # of a set
PATIENCE = 3  # rounds without a new best
SEEDS = {"train": 5, "validation": 6, "test": 5}


@pytest.mark.parametrize(
    ("people", "train", "validation", "test"),
    [(3, 1, 1, 1), (4, 2, 1, 1), (6, 3, 1, 2), (10, 7, 1, 2), (12, 7, 2, 3), (128, 89, 13, 26)],
)
def test_split_sizes_for_numbers_of_people(people, train, validation, test):
    sizes = Counter(split_people([(user_id(n), LAYOUT) for n in range(people)]).values())
    assert sizes == {"train": train, "validation": validation, "test": test}


@pytest.mark.parametrize("people", [0, 1, 2])
def test_fewer_than_three_people_cannot_be_split(people):
    with pytest.raises(NotEnoughLabels, match=f"{people} people .* 3 are needed"):
        split_people([(user_id(n), LAYOUT) for n in range(people)])


@given(st.sets(st.integers(0, 10**6), min_size=3, max_size=140), st.integers(0, 9))
def test_split_does_not_depend_on_the_order_of_the_people(people, seed):
    keys = [(user_id(person), LAYOUT) for person in people]
    assert split_people(sample(keys, LAYOUT, seed)) == split_people(
        sample(reversed(keys), LAYOUT, seed)
    )


def rows_of(split: str, people: int, *, windows: int = WINDOWS, turned: bool = False):
    """Sets that are easy to tell apart; if turned, with the names of other exercises."""
    rng = np.random.default_rng(SEEDS[split])
    rows = []
    for person in range(people):
        for k in range(LABELS):
            x = rng.normal(0, 0.006, (windows, FEATURES))
            x[:, :TELLING] = rng.normal(0, 0.6, (windows, TELLING))
            x[:, k] += 1
            named = f"exercise {(k + turned) % LABELS}"
            rows.append((f"{split}{person}", named, split, windows, x.astype("<f2").tobytes()))
    return rows


@pytest.fixture(scope="module")
def world(spark):
    """The data of a recipe; the named splits have the names of exercises mixed up."""
    reference = storable_model_of(LABELS)

    def data(
        *turned: str, people: tuple[int, int, int] = (4, 1, 2), windows: int = WINDOWS
    ) -> ExperimentData:
        rows = [
            row
            for split, several in zip(SEEDS, people, strict=True)
            for row in rows_of(split, several, windows=windows, turned=split in turned)
        ]
        columns = "user_id string, exercise string, split string, windows int, x binary"
        assert [word.split()[0] for word in columns.split(", ")] == SAMPLED.names
        return ExperimentData(spark, spark.createDataFrame(rows, columns), reference)

    return data


def test_early_stopping_uses_the_validation_split_and_not_the_test_split(world):
    """With wrong validation labels the loss never falls; with right ones training would go on."""
    right, wrong = averaged(world("validation")), averaged(world("validation", "test"))
    assert right.metrics["rounds"] == 1 + PATIENCE
    assert right.metrics["loss"] == sorted(right.metrics["loss"])
    assert (right.content, right.metrics["loss"]) == (wrong.content, wrong.metrics["loss"])
    assert right.metrics["windows_right"] > 0.6 > 0.4 > wrong.metrics["windows_right"]


def test_averaging_over_four_partitions_is_within_a_point_of_one_process(world):
    data = world(people=(16, 2, 8), windows=200)  # long sets: a third of the rounds on Spark

    def right(frame) -> float:
        return averaged(ExperimentData(data.spark, frame, data.reference)).metrics["windows_right"]

    alone, four = right(data.frame.coalesce(1)), right(data.frame.repartition(4, "user_id"))
    assert alone > 0.6  # of three labels
    assert abs(four - alone) <= 0.01


def test_best_candidate_does_not_depend_on_the_test_split(world):
    assert search(world()) == search(world("test"))


@pytest.mark.parametrize(
    ("recipe", "split", "verb"),
    [
        (averaged, "train", "learn"),
        (averaged, "validation", "choose"),
        (averaged, "test", "judge"),
        (perceptron, "train", "learn"),
        (perceptron, "test", "judge"),
    ],
)
def test_split_without_windows_is_named_in_the_error(world, recipe, split, verb):
    data = world()
    nobody = ExperimentData(data.spark, data.frame.where(f"split != '{split}'"), data.reference)
    with pytest.raises(NotEnoughLabels, match=f"no set of the people who {verb}"):
        recipe(nobody)

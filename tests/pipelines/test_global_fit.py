"""Users' statistics are summed in portions: the same bytes for every partitioning and order."""

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.exercise.codec import statistics_to_bytes
from models.exercise.statistics import total
from pipelines.exercise.global_fit import (
    PORTION_MEMBERS,
    fit_global_models,
    portion_rows,
    portions_of,
    require_whole_portions,
)
from pipelines.exercise.labelled import COLUMNS, LabelledRow
from pipelines.exercise.learner import member_statistics
from pipelines.exercise.prepared import Recipe
from pipelines.lifecycle.engines import spark_key
from pipelines.lifecycle.labelled_partitions import partition_table
from schemas.errors import NoKernel, SpanBroken
from schemas.inputs import ACC3, ACC6
from store.labelled_sets import TrainingSet
from tests.pipelines.people import LAYOUT, sets_of, user_id

RECIPE = Recipe("test")
KEYS = [(UUID(int=n), layout) for layout in (ACC6, ACC3) for n in range(2 * PORTION_MEMBERS + 3)]


@pytest.fixture(scope="module")
def people(spar):
    return {(user_id(person), LAYOUT): sets_of(spar, person, exercises=2) for person in range(3)}


def group(key, sets: list[LabelledRow]):
    """A partition as a Spark task receives it."""
    stored = [
        TrainingSet(
            UUID(set_.set_id),
            set_.revision,
            set_.exercise,
            set_.started_at,
            set_.label_source,
            set_.samples,
            set_.features,
        )
        for set_ in sets
    ]
    return spark_key(key), partition_table(stored, key, COLUMNS)


@given(st.permutations(KEYS))
def test_portions_do_not_depend_on_the_order_of_the_keys(keys):
    portions = portions_of(keys)
    assert portions == portions_of(KEYS)
    assert sorted(map(len, portions)) == [3, 3, *[PORTION_MEMBERS] * 4]
    assert all(len({layout for _, layout in portion}) == 1 for portion in portions)
    assert sorted(key for portion in portions for key in portion) == sorted(KEYS)


def test_portion_sum_does_not_depend_on_the_order_of_its_members(people):
    portion = [group(*one) for one in people.items()]
    rows = portion_rows(portion, recipe=RECIPE)
    assert rows == portion_rows(portion[::-1], recipe=RECIPE)
    users = sorted(str(user) for user, _ in people)
    assert [row["user_id"] for row in rows] == users
    assert [row.get("members") for row in rows] == [None, None, users]
    each = [member_statistics(people[UUID(user), LAYOUT], LAYOUT, RECIPE) for user in users]
    assert rows[-1]["sums"] == statistics_to_bytes(total([one for one, _ in each]))
    kept = [[one["features"] for one in row["fresh"]] for row in rows]
    assert kept == [[one.features for one in fresh] for _, fresh in each]


@pytest.mark.parametrize("broken", [0, 2])  # the last member's row holds the sum
def test_user_with_broken_samples_is_left_out_of_the_portion_sum(people, broken):
    sets = dict(people)
    key = sorted(sets)[broken]
    junk = replace(sets[key][0], samples=b"\x93 no samples")
    rows = portion_rows([group(*one) for one in {**sets, key: [junk]}.items()], recipe=RECIPE)
    del sets[key]
    assert rows == portion_rows([group(*one) for one in sets.items()], recipe=RECIPE)
    assert len(rows) == 2
    assert portion_rows([group(key, [junk])], recipe=RECIPE) == []


def test_global_model_does_not_depend_on_the_order_of_the_portions(people):
    rows = [row for one in people.items() for row in portion_rows([group(*one)], recipe=RECIPE)]
    found, again = (fit_global_models(several, {})[LAYOUT] for several in (rows, rows[::-1]))
    assert found.version == again.version
    assert found.members == {str(user) for user, _ in people}


def test_sums_that_split_or_mix_portions_are_refused():
    portions = [[(UUID(int=1), LAYOUT), (UUID(int=2), LAYOUT)], [(UUID(int=3), LAYOUT)]]

    def row(*numbers):
        return {"model_id": LAYOUT, "members": [str(UUID(int=n)) for n in numbers]}

    member = {"model_id": LAYOUT, "members": None}
    require_whole_portions([row(1, 2), member, row(3)], portions)
    require_whole_portions([row(2)], portions)  # the other members are gone or broken
    for split in ([row(1), row(2)], [row(1, 2, 3)], [row(2, 3)]):
        with pytest.raises(SpanBroken, match="one by one"):
            require_whole_portions(split, portions)


def test_run_fails_where_an_executor_has_no_compiled_code(people, monkeypatch: pytest.MonkeyPatch):
    """Not its users: they would be left out of the global model one by one, without a word."""

    def of_another_release(*_: object) -> None:
        raise NoKernel("muvr_features.so is of another release: 6.")

    monkeypatch.setattr("pipelines.exercise.global_fit.member_statistics", of_another_release)
    portion = [group(key, sets) for key, sets in people.items()]
    with pytest.raises(NoKernel, match="another release"):
        portion_rows(portion, recipe=RECIPE)

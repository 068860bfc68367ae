"""Ordering, capping and splitting a user's sets."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from pipelines.labelled import LabelledSet, digest, newest, split_at, split_share

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def a_set(minute: int, exercise: str = "curl", revision: int = 1) -> LabelledSet:
    return LabelledSet(
        f"s{minute}", revision, exercise, NOW + timedelta(minutes=minute), "typed", b""
    )


many = st.lists(
    st.builds(a_set, st.integers(0, 500), st.sampled_from(["curl", "press", "squat"])),
    unique_by=lambda one: one.set_id,
)


@given(many)
def test_a_share_splits_every_exercise_in_time_and_loses_nothing(sets):
    early, late = split_share(sets, 0.7)
    assert sorted(one.set_id for one in (*early, *late)) == sorted(one.set_id for one in sets)
    for exercise in {one.exercise for one in sets}:
        before = [one.started_at for one in early if one.exercise == exercise]
        after = [one.started_at for one in late if one.exercise == exercise]
        assert before  # nothing is judged that could not be learned
        assert bool(after) == (len(before) + len(after) >= 2)
        assert not after or max(before) <= min(after)


@given(many, st.integers(-1, 501))
def test_a_date_splits_at_the_date(sets, minute):
    early, late = split_at(sets, NOW + timedelta(minutes=minute))
    assert all(one.started_at < NOW + timedelta(minutes=minute) for one in early)
    assert len(early) + len(late) == len(sets)
    assert not set(early) & set(late)


def test_the_newest_of_each_exercise_oldest_first():
    sets = [a_set(n, "curl" if n % 2 else "press") for n in range(10)]
    assert [one.set_id for one in newest(sets, 2)] == ["s6", "s7", "s8", "s9"]


def test_the_digest_knows_sets_revisions_labels_and_recipe_but_no_order():
    sets = [a_set(1), a_set(2), a_set(3)]
    expected = digest(sets, "recipe 1")
    assert {digest(order, "recipe 1") for order in permutations(sets)} == {expected}
    others = [
        digest(sets[:2], "recipe 1"),
        digest([*sets[:2], a_set(3, revision=2)], "recipe 1"),
        digest([*sets[:2], a_set(3, "press")], "recipe 1"),
        digest(sets, "recipe 2"),
    ]
    assert len({expected, *others}) == 5

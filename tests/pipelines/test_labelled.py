"""Ordering, capping and splitting a user's sets."""

import asyncio
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import cast
from uuid import UUID, uuid4

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.exercise.minimum_sets import MIN_EXERCISES
from pipelines.exercise.labelled import (
    SESSION_GAP,
    LabelledRow,
    digest,
    known_before,
    labelled_sets,
    newest,
    split_at,
    split_judged,
    split_sessions,
    split_share,
)
from pipelines.exercise.passes import learning_pass
from pipelines.exercise.prepared import Recipe
from pipelines.exercise.rows import FitContext, learned_row
from pipelines.exercise.unchanged import sets_digest
from pipelines.exercise.windows import ttl_s
from pipelines.lifecycle.engines import LocalEngine
from pipelines.lifecycle.runs import Run
from pipelines.lifecycle.scope import Scope
from schemas.retention import LABELLED_TTL_S
from schemas.times import us_of
from store.labelled_sets import LabelledSets
from tests.pipelines.people import LAYOUT, put

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def a_set(minute: int, exercise: str = "curl", revision: int = 1) -> LabelledRow:
    return LabelledRow(
        f"s{minute}", revision, exercise, NOW + timedelta(minutes=minute), "typed", b""
    )


many = st.lists(
    st.builds(a_set, st.integers(0, 500), st.sampled_from(["curl", "press", "squat"])),
    unique_by=lambda one: one.set_id,
)


@given(many)
def test_split_share_splits_every_exercise_by_time_and_keeps_all_sets(sets):
    early, late = split_share(sets, 0.7)
    assert sorted(one.set_id for one in (*early, *late)) == sorted(set_.set_id for set_ in sets)
    for exercise in {set_.exercise for set_ in sets}:
        before = [one.started_at for one in early if one.exercise == exercise]
        after = [one.started_at for one in late if one.exercise == exercise]
        assert before  # every evaluated exercise is in the training part
        assert bool(after) == (len(before) + len(after) >= 2)
        assert not after or max(before) <= min(after)


def sessions(*days: str) -> list[LabelledRow]:
    """A set per letter, a minute apart; a session per day. Capital letters are accepted guesses."""
    return [
        replace(
            a_set(1440 * day + minute, {"c": "curl", "p": "press", "s": "squat"}[one.lower()]),
            label_source="accepted_guess" if one.isupper() else "typed",
        )
        for day, sets in enumerate(days)
        for minute, one in enumerate(sets)
    ]


@pytest.mark.parametrize(
    ("days", "early"),
    [
        (("cp", "cp", "cp", "cp"), 6),  # three days of four hold 70 %
        (("cp", "cp"), 2),  # else as much as there is
        (("cpcp", "cp", "cpcpcpcp"), 6),
        (("cpcpcpcp", "cpcp", "s"), 8),  # the last day alone cannot judge
        (("cpcpcpcp", "cpcp", "CP"), 8),  # nor can guesses that were accepted
        (("cp", "cpcpcpcpcpcp"), None),  # a seventh teaches too little
        (("cccc", "pppp"), None),  # what is asked about was not taught
        (("cpcpcpcp",), None),
        ((), None),
    ],
)
def test_sets_are_split_between_two_sessions_where_the_later_ones_can_judge(days, early):
    sets = sessions(*days)
    found = split_sessions(sets[::-1], 0.7)
    assert found == (None if early is None else (sets[:early], sets[early:]))
    assert split_judged(sets, 0.7) == (found or split_share(sets, 0.7))


@given(many)
def test_no_session_is_on_both_sides_and_two_exercises_that_judge_were_taught(sets):
    found = split_sessions(sets, 0.7)
    early, late = split_judged(sets, 0.7)
    if found is None:
        assert (early, late) == split_share(sets, 0.7)
    else:
        assert early + late == sorted(sets, key=lambda one: (one.started_at, one.set_id))
        assert len({one.exercise for one in known_before(early, late)}) >= MIN_EXERCISES
        assert late[0].started_at - early[-1].started_at > SESSION_GAP


def test_late_sets_of_exercises_that_are_new_do_not_judge():
    """The model that is judged cannot know them; the one that ships does."""
    sets = sessions("cp", "cp", "cpcps")
    early, late = split_judged(sets, 0.5)
    assert (early, late) == (sets[:4], sets[4:])
    assert known_before(early, late) == late[:-1]


def test_sessions_are_split_by_sets_that_teach_and_judge():
    """A set without a window counts as none: here press is not taught, or not asked about."""
    sets = sessions("cccp", "cpcpcp")
    assert split_sessions(sets, 0.7) == (sets[:4], sets[4:])
    assert split_sessions(sets, 0.7, teaches=lambda one: one != sets[3]) is None
    assert split_sessions(sets, 0.7, judges=lambda one: one.exercise == "curl") is None
    assert split_judged(sets, 0.7, teaches=lambda one: one != sets[3]) == split_share(sets, 0.7)


@given(many, st.integers(-1, 501))
def test_split_at_separates_sets_before_and_after_the_date(sets, minute):
    early, late = split_at(sets, NOW + timedelta(minutes=minute))
    assert all(one.started_at < NOW + timedelta(minutes=minute) for one in early)
    assert len(early) + len(late) == len(sets)
    assert not set(early) & set(late)


def test_newest_keeps_the_newest_sets_of_each_exercise_oldest_first():
    sets = [a_set(n, "curl" if n % 2 else "press") for n in range(10)]
    assert [one.set_id for one in newest(sets, 2)] == ["s6", "s7", "s8", "s9"]


def test_digest_depends_on_sets_revisions_labels_and_recipe_but_not_on_order():
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


def test_digest_from_revisions_equals_digest_from_sets_with_samples(database):
    """Otherwise users would be trained again by every run."""
    user = uuid4()
    sets = [
        LabelledRow(str(UUID(int=n)), n + 1, name, NOW + timedelta(minutes=n), "typed", b"x")
        for n, name in enumerate(("row", "curl"))
    ]
    put(database, user, sets)
    table = pa.Table.from_pylist([{"user_id": "u", "model_id": LAYOUT, **asdict(s)} for s in sets])
    read = asyncio.run(LabelledSets(database).training_revisions(user, LAYOUT))
    assert sets_digest(read, 1, "r") == digest(newest(labelled_sets(table), 1), "r")


def test_partition_whose_sets_were_deleted_meanwhile_gives_no_row(database):
    pass_ = learning_pass(FitContext(Recipe("r"), {}))
    deleted = Scope(((uuid4(), LAYOUT),), whole=False)
    assert LocalEngine(database).learn(deleted, pass_, cast("Run", None)) == []


def test_unknown_layout_fails_its_user_only():
    table = pa.Table.from_pylist([{"user_id": "u", "model_id": "wrist-acc9", **asdict(a_set(1))}])
    [row] = learned_row(("u", "wrist-acc9"), table, context=FitContext(Recipe("r"), {}))
    assert (row["model_id"], row["status"], row["sets"]) == ("wrist-acc9", "failed", 1)
    assert "wrist-acc9" in row["reason"]


def test_stored_windows_expire_before_their_set_however_long_the_run_takes():
    """Their time to live is that of the start of the run, and they are written at its end."""
    started_at = datetime(2026, 11, 21, tzinfo=UTC)
    for age_days in (0, 320, 398):
        revision = us_of(started_at - timedelta(days=age_days))
        written_s = started_at.timestamp() + 20 * 3600
        expires_s = written_s + ttl_s(revision, started_at)
        assert expires_s < revision / 1e6 + LABELLED_TTL_S

"""One user's model without Spark: what is shipped, what it is evaluated on, what it never saw."""

from dataclasses import replace
from datetime import timedelta

import pytest

from models.exercise.codec import from_bytes
from models.exercise.evaluate import labelled_windows
from models.exercise.fit import fit_global
from models.signal.pieces import unpack_pieces
from models.signal.wrist import wrist_signals
from pipelines.exercise.learner import Incumbent, learn_user, member_statistics
from pipelines.exercise.prepared import Recipe
from pipelines.exercise.windows import WindowRecipe
from schemas.errors import BadSamples, NotEnoughLabels
from tests.pipelines.people import NOW, sets_of

RECIPE = Recipe("test")
EXERCISES = 4


@pytest.fixture(scope="module")
def people(spar):
    return [sets_of(spar, person) for person in range(3)]


def give(sets, recipe=RECIPE):
    return member_statistics(sets, "wrist-acc6", recipe)[0]


@pytest.fixture(scope="module")
def everybody(people):
    first, *others = [give(sets) for sets in people]
    return fit_global(sum(others, first), model_id="wrist-acc6")


def test_a_model_answers_for_the_sets_that_it_was_not_judged_by(people):
    learned = learn_user(people[0], "wrist-acc6", RECIPE)
    model = from_bytes(learned.content)
    assert model.labels == learned.labels == tuple(sorted({one.exercise for one in people[0]}))
    # .7 of four sets is three: the last of each exercise is asked about
    assert set(learned.own.sets) == {one.set_id for one in people[0][-EXERCISES:]}
    assert sum(learned.own.sets.values()) == EXERCISES
    assert sum(learned.majority.sets.values()) == 1
    assert learned.everybody.sets == {}
    assert learned.trained_until == people[0][-1].started_at


def test_the_same_sets_give_the_same_bytes_however_they_are_judged(people, everybody):
    once = learn_user(people[0], "wrist-acc6", RECIPE, everybody, is_member=True)
    again = learn_user(
        people[0],
        "wrist-acc6",
        replace(RECIPE, cutoff_at=NOW + timedelta(days=1)),
        everybody,
        is_member=True,
    )
    assert once.content == again.content
    assert once.own.sets.keys() < again.own.sets.keys()


def test_what_a_member_gives_is_so_much_of_each_exercise_at_most(people):
    """Long sets of one person, under whatever names, must not outweigh what all others say."""
    seconds = give(people[0]).label_seconds()
    most_s = min(seconds.values())
    given = give(people[0], replace(RECIPE, member_s=most_s))
    assert max(seconds.values()) > most_s  # or there is nothing to hold down
    assert given.label_seconds() == pytest.approx(dict.fromkeys(seconds, most_s))
    means = give(people[0]).sums / give(people[0]).seconds[:, None]
    assert given.sums / given.seconds[:, None] == pytest.approx(means)


@pytest.mark.parametrize("member_s", [RECIPE.member_s, 3.0])
def test_the_judged_model_and_everybody_else_have_not_seen_the_late_sets(people, member_s):
    """Late sets of another exercise's label: who had learned them would answer with that label."""
    recipe = replace(RECIPE, member_s=member_s)
    wrong = {one.set_id: one for one in people[0][-EXERCISES:]}
    names = [one.exercise for one in wrong.values()]
    moved = dict(zip(wrong, names[1:] + names[:1], strict=True))
    sets = [
        replace(one, exercise=moved[one.set_id]) if one.set_id in wrong else one
        for one in people[0]
    ]
    others = give(people[1], recipe) + give(people[2], recipe)
    mixed = fit_global(others + give(sets, recipe), model_id="wrist-acc6")
    learned = learn_user(sets, "wrist-acc6", recipe, mixed, is_member=True)
    clean = learn_user(
        sets, "wrist-acc6", recipe, fit_global(others, model_id="wrist-acc6"), is_member=False
    )
    assert learned.own == clean.own
    assert learned.everybody == clean.everybody
    assert not any(learned.own.sets.values())


def test_an_incumbent_is_asked_only_about_sets_after_it_had_learned(people):
    until = people[0][-3].started_at
    model = from_bytes(learn_user(people[0], "wrist-acc6", RECIPE).content)
    learned = learn_user(people[0], "wrist-acc6", RECIPE, incumbent=Incumbent(model, until))
    assert set(learned.incumbent.sets) == {one.set_id for one in people[0][-2:]}


def test_the_global_model_before_is_asked_about_people_whom_the_new_one_does_not_know(
    people, everybody
):
    until = people[0][-3].started_at  # of a set that is late already
    former = Incumbent(everybody.model, until)
    stranger, member = (
        learn_user(people[0], "wrist-acc6", RECIPE, everybody, is_member=within, former=former)
        for within in (False, True)
    )
    assert set(stranger.former.sets) == {one.set_id for one in people[0][-2:]}
    assert member.former.sets == {}
    assert stranger.content == member.content


def test_a_guess_that_was_merely_accepted_judges_nobody(people):
    accepted = [replace(one, label_source="accepted_guess") for one in people[0]]
    assert learn_user(accepted, "wrist-acc6", RECIPE).own.sets == {}


def test_what_training_says_about_a_set_is_what_the_service_says(people):
    learned = learn_user(people[0], "wrist-acc6", replace(RECIPE, cutoff_at=NOW))
    assert learned.own.sets == {}  # nothing lies before the cut-off
    late = people[0][-1]
    model = from_bytes(learned.content)
    signals = wrist_signals(unpack_pieces(late.samples))
    windows = labelled_windows(signals, late.exercise)
    assert model.predict_windows(windows.t0_ns, windows.x) == model.predict(signals)


def test_what_does_not_carry_a_model_says_why(people):
    one_exercise = [row for row in people[0] if row.exercise == people[0][0].exercise]
    with pytest.raises(NotEnoughLabels, match="2 exercises"):
        learn_user(one_exercise, "wrist-acc6", RECIPE)
    broken = [*people[0][1:], replace(people[0][0], samples=b"not samples")]
    with pytest.raises(BadSamples):
        learn_user(broken, "wrist-acc6", RECIPE)


def test_kept_windows_give_the_same_model_without_the_samples(people, everybody):
    first = learn_user(people[0], "wrist-acc6", RECIPE, everybody)
    kept = {one.set_id: one.features for one in first.fresh}
    assert kept.keys() == {one.set_id for one in people[0]}
    found = [replace(one, samples=b"gone", features=kept[one.set_id]) for one in people[0]]
    again = learn_user(found, "wrist-acc6", RECIPE, everybody)
    assert again.content == first.content
    assert (again.own, again.everybody) == (first.own, first.everybody)
    assert again.fresh == ()


def test_kept_windows_of_another_revision_or_recipe_are_not_found(people):
    first = learn_user(people[0], "wrist-acc6", RECIPE)
    kept = {one.set_id: one.features for one in first.fresh}
    sets = [replace(one, features=kept[one.set_id]) for one in people[0]]
    corrected = [replace(sets[0], revision=sets[0].revision + 1), *sets[1:]]
    fresh = learn_user(corrected, "wrist-acc6", RECIPE).fresh
    assert [one.set_id for one in fresh] == [sets[0].set_id]
    other = replace(RECIPE, windows=WindowRecipe(seed=2))
    assert len(learn_user(sets, "wrist-acc6", other).fresh) == len(sets)


def test_windows_that_were_kept_before_sets_had_a_most_are_taken_anew(people, monkeypatch):
    first = learn_user(people[0], "wrist-acc6", RECIPE)
    kept = {one.set_id: one.features for one in first.fresh}
    sets = [replace(one, features=kept[one.set_id]) for one in people[0]]
    for module in ("models.exercise.examples", "pipelines.exercise.windows"):
        monkeypatch.setattr(f"{module}.MAX_ROWS", 10)
    again = learn_user(sets, "wrist-acc6", RECIPE)
    assert [one.set_id for one in again.fresh] == [set_.set_id for set_ in sets]
    new = {one.set_id: one.features for one in again.fresh}
    found = [replace(one, features=new[one.set_id]) for one in people[0]]
    assert learn_user(found, "wrist-acc6", RECIPE).content == again.content

"""One user's model without Spark: its training, evaluation and held-out sets."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from models.exercise.codec import from_bytes
from models.exercise.evaluate import labelled_windows
from models.exercise.fit import fit_global
from models.signal.pieces import unpack_pieces
from models.signal.wrist import wrist_signals
from pipelines.exercise.learner import Incumbent, learn_user, member_statistics
from pipelines.exercise.prepared import Recipe
from pipelines.exercise.windows import WindowRecipe
from pipelines.lifecycle.incumbents import EvaluationPeriod
from pipelines.lifecycle.open_refusals import NONE_SINCE_GLOBAL
from schemas.errors import BadSamples, NotEnoughLabels
from schemas.times import us_of
from tests.pipelines.people import NOW, short

RECIPE = Recipe("test")
EXERCISES = 4


def give(sets, recipe=RECIPE):
    return member_statistics(sets, "wrist-acc6", recipe)[0]


@pytest.fixture(scope="module")
def everybody(people):
    first, *others = [give(sets) for sets in people]
    return fit_global(sum(others, first), model_id="wrist-acc6")


def test_model_is_evaluated_on_late_sets_and_then_trained_on_all(people):
    learned = learn_user(people[0], "wrist-acc6", RECIPE)
    model = from_bytes(learned.content)
    assert model.labels == learned.labels == tuple(sorted({row.exercise for row in people[0]}))
    # 0.7 of four sets is three: the last set of each exercise is evaluated
    assert set(learned.rungs.own.sets) == {row.set_id for row in people[0][-EXERCISES:]}
    assert sum(learned.rungs.own.sets.values()) == EXERCISES
    assert sum(learned.rungs.majority.sets.values()) == 1
    assert learned.rungs.everybody.sets == {}
    assert learned.trained_until == people[0][-1].started_at


def test_model_is_judged_on_another_session_than_it_was_learned_from(people, everybody):
    """The last day lacks two exercises: exercise by exercise the third day is split."""
    sets = people[0][:-2]
    learned = learn_user(sets, "wrist-acc6", RECIPE, everybody, is_member=True)
    assert set(learned.rungs.own.sets) == {row.set_id for row in sets[-2:]}
    rungs = learned.rungs
    assert rungs.own.sets.keys() == rungs.everybody.sets.keys() == rungs.majority.sets.keys()
    by_date = replace(RECIPE, cutoff_at=sets[-2].started_at)
    assert learn_user(sets, "wrist-acc6", by_date, everybody, is_member=True) == learned


def test_exercise_that_is_new_after_the_cutoff_judges_all_but_the_own_model(people, everybody):
    """That of the early sets cannot know it, as the one that ships does. The global one can."""
    new = people[0][0].exercise
    sets = [row for row in people[0] if row.exercise != new or row in people[0][-EXERCISES:]]
    cutoff_at = people[0][-EXERCISES].started_at
    by_date = replace(RECIPE, cutoff_at=cutoff_at)
    learned = learn_user(sets, "wrist-acc6", by_date, everybody)
    late = {row.set_id: row.exercise for row in people[0][-EXERCISES:]}
    assert set(learned.rungs.own.sets) == {name for name in late if late[name] != new}
    assert learned.rungs.everybody.sets.keys() == learned.rungs.majority.sets.keys() == late.keys()
    assert new in learned.labels


def test_model_bytes_do_not_depend_on_the_evaluation_cutoff(people, everybody):
    once = learn_user(people[0], "wrist-acc6", RECIPE, everybody, is_member=True)
    again = learn_user(
        people[0],
        "wrist-acc6",
        replace(RECIPE, cutoff_at=NOW + timedelta(days=1)),
        everybody,
        is_member=True,
    )
    assert (once.content, once.held_out) == (again.content, again.held_out)
    assert once.rungs.own.sets.keys() < again.rungs.own.sets.keys()


@pytest.mark.parametrize(
    ("often", "later", "judges"), [(2, 2, True), (2, 1, True), (1, 1, False), (1, 0, False)]
)
def test_late_sets_of_the_most_frequent_exercise_alone_are_compared_with_no_constant_answer(
    people, everybody, often, later, judges
):
    """A constant answer is right about them: a perfect model would be refused."""
    period = EvaluationPeriod(people[0][-1 - later].started_at)
    more = [
        replace(row, set_id=str(uuid4()), started_at=row.started_at - timedelta(days=9))
        for row in people[0]
        if row.exercise == people[0][-often].exercise
    ]
    sets = [*more, *people[0]]
    learned = learn_user(sets, "wrist-acc6", RECIPE, everybody, unlearned=period)
    last = {row.set_id for row in people[0][len(people[0]) - later :]}
    assert set(learned.rungs.own.sets) == last  # beside what serves they count
    assert set(learned.rungs.majority.sets) == (last if judges else set())
    assert learned.missing_sets == ("" if judges else NONE_SINCE_GLOBAL)


def test_session_in_which_an_exercise_is_too_short_to_learn_is_no_border(people):
    """Nothing would be judged: the model of the first session could not be fitted."""
    one, other = (
        [row for row in people[0] if row.exercise == people[0][n].exercise] for n in (0, 1)
    )
    too_short = replace(other[3], samples=short(other[3].samples))
    order = [one[0], one[1], too_short, one[2], other[0], one[3], other[1], other[2]]
    days = [0, 0, 0, 1, 1, 1, 1, 1]
    sets = [
        replace(row, started_at=NOW + timedelta(days=day, minutes=n))
        for n, (row, day) in enumerate(zip(order, days, strict=True))
    ]
    learned = learn_user(sets, "wrist-acc6", RECIPE)
    assert set(learned.rungs.own.sets) == {one[3].set_id, other[2].set_id}


def test_member_statistics_are_capped_per_exercise(people):
    """Long sets of one person must not outweigh those of all others."""
    seconds = give(people[0]).label_seconds()
    most_s = min(seconds.values())
    given = give(people[0], replace(RECIPE, member_s=most_s))
    assert max(seconds.values()) > most_s  # otherwise nothing is capped
    assert given.label_seconds() == pytest.approx(dict.fromkeys(seconds, most_s))
    means = give(people[0]).sums / give(people[0]).seconds[:, None]
    assert given.sums / given.seconds[:, None] == pytest.approx(means)


@pytest.mark.parametrize("member_s", [RECIPE.member_s, 3.0])
def test_evaluated_own_and_global_models_have_not_seen_the_late_sets(people, member_s):
    """Late sets have wrong labels: a model that had learned them would answer with these."""
    recipe = replace(RECIPE, member_s=member_s)
    wrong = {row.set_id: row for row in people[0][-EXERCISES:]}
    names = [row.exercise for row in wrong.values()]
    moved = dict(zip(wrong, names[1:] + names[:1], strict=True))
    sets = [
        replace(row, exercise=moved[row.set_id]) if row.set_id in wrong else row
        for row in people[0]
    ]
    others = give(people[1], recipe) + give(people[2], recipe)
    mixed = fit_global(others + give(sets, recipe), model_id="wrist-acc6")
    learned = learn_user(sets, "wrist-acc6", recipe, mixed, is_member=True)
    clean = learn_user(
        sets, "wrist-acc6", recipe, fit_global(others, model_id="wrist-acc6"), is_member=False
    )
    assert learned.rungs.own == clean.rungs.own
    assert learned.rungs.everybody == clean.rungs.everybody
    assert not any(learned.rungs.own.sets.values())


def test_incumbent_is_evaluated_only_on_sets_after_its_training(people):
    until = people[0][-3].started_at
    model = from_bytes(learn_user(people[0], "wrist-acc6", RECIPE).content)
    incumbent = Incumbent(model, EvaluationPeriod(until))
    learned = learn_user(people[0], "wrist-acc6", RECIPE, incumbent=incumbent)
    assert set(learned.rungs.incumbent.sets) == {row.set_id for row in people[0][-2:]}


@pytest.mark.parametrize("by", [timedelta(hours=8), timedelta(days=365)])
def test_set_dated_ahead_evaluates_only_an_incumbent_that_was_learned_without_it(people, by):
    """Its date does not tell: the revision is the time of the server."""
    until = people[0][-3].started_at
    ahead = replace(people[0][-1], started_at=people[0][-1].started_at + by)
    model = from_bytes(learn_user(people[0], "wrist-acc6", RECIPE).content)
    incumbent = Incumbent(model, EvaluationPeriod(until))
    for revision, counted in ((us_of(until), ()), (us_of(until) + 1, (ahead.set_id,))):
        sets = [*people[0][:-1], replace(ahead, revision=revision)]
        learned = learn_user(sets, "wrist-acc6", RECIPE, incumbent=incumbent)
        assert set(learned.rungs.incumbent.sets) == {people[0][-2].set_id, *counted}


def test_former_global_model_is_evaluated_only_on_users_outside_the_new_one(people, everybody):
    until = people[0][-3].started_at  # of a set that is in the late part
    period = EvaluationPeriod(until)
    former = Incumbent(everybody.model, period)
    stranger, member = (
        learn_user(people[0], "wrist-acc6", RECIPE, everybody, is_member=within, former=former)
        for within in (False, True)
    )
    assert set(stranger.rungs.former.sets) == {row.set_id for row in people[0][-2:]}
    assert member.rungs.former.sets == {}
    assert stranger.content == member.content


def test_accepted_guesses_are_not_used_for_evaluation(people):
    accepted = [replace(row, label_source="accepted_guess") for row in people[0]]
    assert learn_user(accepted, "wrist-acc6", RECIPE).rungs.own.sets == {}


def test_training_and_serving_predict_the_same_for_a_set(people):
    learned = learn_user(people[0], "wrist-acc6", replace(RECIPE, cutoff_at=NOW))
    assert learned.rungs.own.sets == {}  # nothing lies before the cut-off
    late = people[0][-1]
    model = from_bytes(learned.content)
    signals = wrist_signals(unpack_pieces(late.samples))
    windows = labelled_windows(signals, late.exercise)
    assert model.predict_windows(windows.t0_ns, windows.x) == model.predict(signals)


def test_too_few_exercises_and_broken_samples_raise_a_reason(people):
    one_exercise = [row for row in people[0] if row.exercise == people[0][0].exercise]
    with pytest.raises(NotEnoughLabels, match="2 exercises"):
        learn_user(one_exercise, "wrist-acc6", RECIPE)
    broken = [*people[0][1:], replace(people[0][0], samples=b"not samples")]
    with pytest.raises(BadSamples):
        learn_user(broken, "wrist-acc6", RECIPE)


def test_stored_windows_give_the_same_model_without_the_samples(people, everybody):
    first = learn_user(people[0], "wrist-acc6", RECIPE, everybody)
    kept = {row.set_id: row.features for row in first.fresh}
    assert kept.keys() == {row.set_id for row in people[0]}
    found = [replace(row, samples=b"gone", features=kept[row.set_id]) for row in people[0]]
    again = learn_user(found, "wrist-acc6", RECIPE, everybody)
    assert again.content == first.content
    assert (again.rungs.own, again.rungs.everybody) == (first.rungs.own, first.rungs.everybody)
    assert again.fresh == ()


def test_stored_windows_of_another_revision_or_recipe_are_not_used(people):
    first = learn_user(people[0], "wrist-acc6", RECIPE)
    kept = {row.set_id: row.features for row in first.fresh}
    sets = [replace(row, features=kept[row.set_id]) for row in people[0]]
    corrected = [replace(sets[0], revision=sets[0].revision + 1), *sets[1:]]
    fresh = learn_user(corrected, "wrist-acc6", RECIPE).fresh
    assert [row.set_id for row in fresh] == [sets[0].set_id]
    other = replace(RECIPE, windows=WindowRecipe(seed=2))
    assert len(learn_user(sets, "wrist-acc6", other).fresh) == len(sets)

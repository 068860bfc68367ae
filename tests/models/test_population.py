"""Population: the simulator follows its documented model."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from models.catalogue import BY_NAME, EXERCISES
from models.deviations.model import Target
from models.history import DAY_S, WEEK_S, SetLog
from models.population.person import Body, plates
from models.population.simulate import START_S, simulate, simulate_user
from models.population.world import CIRCLE_SIZE, STYLES
from schemas.errors import BadInput
from tests.models.deviation_pairs import score

USERS, WEEKS, SEED = 36, 12, 5


@pytest.fixture(scope="module")
def people():
    return list(simulate(USERS, WEEKS, SEED))


def test_user_simulated_alone_equals_the_user_in_the_population(people):
    assert simulate_user(7, USERS, WEEKS, SEED) == people[7]
    assert simulate_user(7, USERS, WEEKS, SEED + 1) != people[7]
    with pytest.raises(BadInput, match="36"):
        simulate_user(USERS, USERS, WEEKS, SEED)


def test_ids_are_unique_uuid7_in_time_order(people):
    ids = [session.session_id for person in people for session in person.sessions]
    assert {id_.version for id_ in ids} == {7}
    assert len(set(ids)) == len(ids)
    for person in people:
        times = [session.session_id.int >> 80 for session in person.sessions]
        assert times == [int(session.started_s * 1000) for session in person.sessions]
        assert times == sorted(times)
    sets = [done.set_id for person in people for done in person.sets()]
    assert len(set(sets)) == len(sets)


def test_people_train_at_the_same_hours_of_their_own_clock_in_winter_and_in_summer():
    """The same seed half a year later: the clocks of Berlin, London and New York have changed."""

    def shown(start_s):
        first_day = datetime.fromtimestamp(start_s, UTC).replace(tzinfo=None)
        return [
            datetime.fromtimestamp(session.started_s, ZoneInfo(session.timezone)).replace(
                tzinfo=None
            )
            - first_day
            for person in simulate(USERS, 4, SEED, start_s=start_s)
            for session in person.sessions
        ]

    winter, summer = shown(START_S), shown(START_S + 26 * WEEK_S)
    assert len(winter) > USERS
    assert summer == winter
    through_march = [time % timedelta(days=1) for time in shown(START_S + 10 * WEEK_S)]
    assert through_march == [time % timedelta(days=1) for time in winter]


def test_simulated_sets_have_possible_times_and_values(people):
    for person in people:
        for session in person.sessions:
            ends = [done.started_s + done.duration_s for done in session.sets]
            starts = [done.started_s for done in session.sets]
            assert all(end <= start for end, start in zip(ends, starts[1:], strict=False))
            assert START_S - DAY_S < session.started_s < START_S + (7 * WEEKS + 2) * DAY_S
        for done in person.sets():
            assert done.reps >= 1
            assert (done.weight_kg is None) == (BY_NAME[done.exercise].ratio is None)
            assert done.intensity is None or 0.1 <= done.intensity <= 1


def test_answers_refer_to_planned_sets_of_the_same_exercise_at_most_once(people):
    for session in (session for person in people for session in person.sessions):
        numbers = [answer for answer in session.answers if answer is not None]
        assert len(set(numbers)) == len(numbers)
        assert len(session.answers) == len(session.sets)
        for answer, done in zip(session.answers, session.sets, strict=True):
            assert answer is None or session.plan[answer].exercise == done.exercise


def test_sessions_per_week_follow_the_simulated_rate(people):
    """Poisson, at most one a day: mean within four standard errors for people below 3 a week."""
    some = [person for person in people if person.truth.sessions_per_week < 3]
    expected = sum(person.truth.sessions_per_week * WEEKS for person in some)
    seen = sum(len(person.sessions) for person in some)
    assert abs(seen - expected) < 4 * expected**0.5 + 0.05 * expected


def test_strength_follows_the_documented_growth():
    person = simulate_user(0, 1, 1, 0)
    body = Body(80.0, person.truth, 1.0, 0.0, 0.0)
    squat = BY_NAME["squat"]
    start = 80.0 * 1.6 * person.truth.strength
    assert body.maximum_kg(squat, 0) == pytest.approx(start)
    first_week = body.maximum_kg(squat, 0.01) / start - 1
    assert first_week == pytest.approx(0.01 * person.truth.gain_per_week, rel=0.01)
    limit = 1 + 12 * person.truth.gain_per_week
    assert body.maximum_kg(squat, 500) / start == pytest.approx(limit)


def test_sixty_percent_of_the_own_circle_is_followed(people):
    inside = sum(f // CIRCLE_SIZE == p.truth.circle for p in people for f in p.follows)
    assert inside / (USERS * (CIRCLE_SIZE - 1)) == pytest.approx(0.6, abs=0.12)
    assert all(person.index not in person.follows for person in people)


def test_circles_share_a_taste():
    people = list(simulate(48, 1, 3))
    taste = np.log(np.array([person.truth.taste for person in people]))
    alike = np.corrcoef(taste)
    circle = np.array([person.truth.circle for person in people])
    same = circle[:, None] == circle[None, :]
    off = ~np.eye(len(people), dtype=bool)
    assert alike[same & off].mean() > alike[~same].mean() + 0.2


def test_temperaments_have_their_shares():
    people = simulate(400, 0, 2)
    counts = Counter(person.truth.temperament for person in people)
    for name, style in STYLES.items():
        spread = (400 * style.share * (1 - style.share)) ** 0.5
        assert abs(counts[name] - 400 * style.share) < 4 * spread


def test_alignment_finds_simulated_deviations_better_than_pairing_by_position(people):
    """The truth is not fully observable: which of several equal sets was skipped is unknown."""

    def targets(rows):
        return [Target(row.exercise, row.reps, row.weight_kg) for row in rows]

    def true_rows(session):
        rows = [(answer, place) for place, answer in enumerate(session.answers)]
        return rows + [(n, None) for n in range(len(session.plan)) if n not in session.answers]

    aligned, baseline = score(
        (targets(s.plan), targets(s.sets), true_rows(s)) for p in people for s in p.sessions
    )
    assert aligned.precision > 0.93
    assert aligned.recall > baseline.recall + 0.1


def test_set_log_is_sorted_and_numbers_its_sessions(people):
    person = people[0]
    log = SetLog.of(reversed(person.sets()))
    assert len(log) == len(person.sets())
    assert np.all(np.diff(log.started_s) >= 0)
    assert log.session.max() + 1 == len({done.session for done in person.sets()})
    middle = float(np.median(log.started_s))
    assert len(log.before(middle)) + len(log.since(middle)) == len(log)


def test_catalogue_has_unique_names_and_all_muscles():
    assert len(BY_NAME) == len(EXERCISES)
    assert {muscle for exercise in EXERCISES for muscle in exercise.muscles} == {
        "chest", "back", "shoulders", "arms", "quads", "hamstrings", "calves", "core",
    }  # fmt: skip
    assert plates(20) == 20.0

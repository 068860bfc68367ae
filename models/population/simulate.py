"""Simulates people who train. Every number that comes from here is simulated."""

from collections.abc import Iterator
from uuid import UUID

import numpy as np

from models.catalogue import BY_NAME
from models.history import WEEK_S
from models.population.model import (
    Profile,
    SimulatedPerson,
    SimulatedPlannedSet,
    SimulatedSession,
    SimulatedSet,
    SimulatedUser,
    Truth,
)
from models.population.person import (
    DAYS_OF_SPLIT,
    WEEKS_A_PLAN,
    Body,
    make_split,
    plan_day,
    plates,
    visits,
)
from models.population.world import (
    SPREAD_GAIN,
    SPREAD_SESSIONS,
    SPREAD_STRENGTH,
    STYLES,
    TIMEZONES,
    circle_of,
    follows_of,
    generator,
    taste_of,
    time_at_home_s,
    uuid7,
)
from schemas.errors import BadInput

START_S = 1_767_571_200.0  # Monday, 5 January 2026, 00:00 UTC
CHANGED, SWAPPED, EXTRA, NOT_REPORTED = 0.12, 0.06, 0.15, 0.03


def simulate(
    users: int, weeks: int, seed: int, *, start_s: float = START_S
) -> Iterator[SimulatedUser]:
    """The population, person by person.

    Args:
        users: how many people.
        weeks: how long they train; fewer weeks are the beginning of more.
        seed: the world; the same seed gives the same people, whoever asks for them.
        start_s: midnight UTC of the first day, seconds since the epoch; people live by their own
            clock, so the first visits may lie some hours before it.
    """
    for index in range(users):
        yield simulate_user(index, users, weeks, seed, start_s=start_s)


def simulate_user(
    index: int, users: int, weeks: int, seed: int, *, start_s: float = START_S
) -> SimulatedUser:
    """One person, independent of whether the others were made.

    Args:
        index: number of the person, 0 ≤ index < users.
        users: how many people there are.
        weeks: how long they train; fewer weeks are the beginning of more.
        seed: the world.
        start_s: midnight UTC of the first day, seconds since the epoch.

    >>> person = simulate_user(3, 20, 8, seed=1)
    >>> person == simulate_user(3, 20, 8, seed=1), person == simulate_user(3, 20, 8, seed=2)
    (True, False)
    >>> longer = simulate_user(3, 20, 9, seed=1)
    >>> longer.sessions[: len(person.sessions)] == person.sessions
    True
    """
    if not 0 <= index < users:
        raise BadInput(f"person {index} is not one of {users}", field="index", value=index)
    person, discipline, random = _draw_person(seed, index, start_s)
    profile = person.profile
    body = Body(
        weight_kg=profile.weight_kg,
        truth=person.truth,
        discipline=discipline,
        fatigue=float(random.uniform(0.002, 0.008)),
        bias=float(random.normal(0, 0.03)),
    )
    sessions: list[SimulatedSession] = []
    split = make_split(person.truth, random)
    plan_number = 0
    # Visits have random numbers of their own: how many there are must not change the sessions.
    visits_random = generator(seed, "visits", index)
    for visit, local_s in enumerate(visits(body, weeks, visits_random)):
        week = local_s / WEEK_S
        at_s = time_at_home_s(start_s, local_s, profile.timezone)
        if int(week // WEEKS_A_PLAN) > plan_number:
            plan_number = int(week // WEEKS_A_PLAN)
            split = make_split(person.truth, random)
        plan = plan_day(split[visit % DAYS_OF_SPLIT], body, float(int(week)))
        sessions.append(_session(plan, at_s, week, body, profile.timezone, random))
    follows = follows_of(seed, index, users)
    return SimulatedUser(index, person.user_id, profile, follows, tuple(sessions), person.truth)


def person_of(index: int, seed: int, *, start_s: float = START_S) -> SimulatedPerson:
    """The person of a number, without making their history.

    >>> person = simulate_user(3, 4, 1, seed=1)
    >>> person_of(3, seed=1) == SimulatedPerson(person.user_id, person.profile, person.truth)
    True
    """
    return _draw_person(seed, index, start_s)[0]


def _draw_person(
    seed: int, index: int, start_s: float
) -> tuple[SimulatedPerson, float, np.random.Generator]:
    """(person, discipline, the random numbers that follow)."""
    random = generator(seed, "person", index)
    truth, discipline = _truth(seed, index, random)
    user_id = uuid7(start_s, random)
    return SimulatedPerson(user_id, _profile(seed, index, random), truth), discipline, random


def _truth(seed: int, index: int, random: np.random.Generator) -> tuple[Truth, float]:
    names = list(STYLES)
    temperament = names[int(random.choice(len(names), p=[STYLES[name].share for name in names]))]
    style, circle = STYLES[temperament], circle_of(index)
    truth = Truth(
        temperament=temperament,
        circle=circle,
        strength=style.strength * float(random.lognormal(0, SPREAD_STRENGTH)),
        gain_per_week=style.gain_per_week + float(random.normal(0, SPREAD_GAIN)),
        sessions_per_week=style.sessions_per_week * float(random.lognormal(0, SPREAD_SESSIONS)),
        taste=tuple(taste_of(seed, circle, random).tolist()),
    )
    return truth, style.discipline


def _profile(seed: int, index: int, random: np.random.Generator) -> Profile:
    height = float(random.normal(173, 9))
    return Profile(
        username=f"simulated-{seed}-{index:06d}",  # names of two worlds never meet
        born_year=int(random.integers(1955, 2008)),
        height_cm=round(height),
        weight_kg=round(float(24 * (height / 100) ** 2 * random.lognormal(0, 0.1)), 1),
        timezone=TIMEZONES[int(random.integers(len(TIMEZONES)))],
    )


def _session(
    plan: tuple[SimulatedPlannedSet, ...],
    at_s: float,
    week: float,
    body: Body,
    timezone: str,
    random: np.random.Generator,
) -> SimulatedSession:
    """One visit: the plan is followed, skipped, changed, swapped and added to."""
    session_id, plan_id = uuid7(at_s, random), uuid7(at_s, random)
    order = _order(len(plan), body.discipline, random)
    todo: list[tuple[int | None, SimulatedPlannedSet]] = [
        (number, plan[number]) for number in order
    ]
    if random.random() < EXTRA:
        todo.append((None, _extra(body, week, random)))
    form = float(random.normal(1, 0.02))
    sets: list[SimulatedSet] = []
    clock_s = at_s + 300
    for place, (_, planned) in enumerate(todo):
        done = _perform(planned, place, clock_s, week, form, body, session_id, random)
        sets.append(done)
        clock_s = round(clock_s + done.duration_s + BY_NAME[planned.exercise].rest_s, 1)
    answers = tuple(number for number, _ in todo)
    return SimulatedSession(session_id, plan_id, at_s, timezone, plan, tuple(sets), answers)


def _order(count: int, discipline: float, random: np.random.Generator) -> list[int]:
    """Planned sets that are done, in the order of doing; exercises swap places as a whole."""
    blocks = [list(range(first, min(first + 3, count))) for first in range(0, count, 3)]
    if random.random() < SWAPPED and len(blocks) > 1:
        place = int(random.integers(len(blocks) - 1))
        blocks[place], blocks[place + 1] = blocks[place + 1], blocks[place]
    if random.random() > discipline:
        del blocks[int(random.integers(len(blocks)))]
    kept = random.random(count) < discipline**0.5
    return [number for block in blocks for number in block if kept[number]]


def _extra(body: Body, week: float, random: np.random.Generator) -> SimulatedPlannedSet:
    taste = np.array(body.truth.taste)
    number = int(random.choice(len(taste), p=taste))
    return plan_day([(number, 2)], body, week)[0]


def _perform(
    planned: SimulatedPlannedSet,
    place: int,
    at_s: float,
    week: float,
    form: float,
    body: Body,
    session_id: UUID,
    random: np.random.Generator,
) -> SimulatedSet:
    """One set: perhaps at another weight, cut short when the body cannot, and how it felt."""
    exercise, weight, reps = BY_NAME[planned.exercise], planned.weight_kg, planned.reps
    tired = body.fatigue * place
    if random.random() < CHANGED and weight is not None:
        weight = plates(weight * float(random.choice([0.85, 0.9, 0.95, 1.05, 1.1])))
    if weight is None:
        able = body.capacity_reps(week) * form * (1 - tired)
        effort = reps / able
    else:
        ratio = weight / (body.maximum_kg(exercise, week) * form * (1 - tired))
        able = 30 * (1 / ratio - 1)
        effort = ratio * (1 + reps / 30)
    if random.random() < CHANGED:
        reps = max(reps + int(random.integers(-2, 3)), 1)
    reps = max(min(reps, int(max(able, 1))), 1)
    felt = effort + tired + body.bias + float(random.normal(0, 0.04))
    reported = (
        None if random.random() < NOT_REPORTED else round(float(np.clip(felt, 0.1, 1)) * 20) / 20
    )
    return SimulatedSet(
        session=str(session_id),
        started_s=at_s,
        exercise=planned.exercise,
        reps=reps,
        weight_kg=weight,
        intensity=reported,
        set_id=uuid7(at_s, random),
        duration_s=round(2.5 * reps, 1),
    )

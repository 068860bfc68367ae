"""The written model's constants: temperaments, circles' tastes, who follows whom.

Every draw comes from a generator named by (seed, subject, number), so that one person can be made
without making the others, in any order and on any machine.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import numpy as np

from models.arrays import Floats64
from models.catalogue import EXERCISES
from models.population.model import Temperament
from schemas.zones import time_zone

CIRCLE_SIZE = 12  # people who know each other
KIND_OF_CIRCLES = 6  # circles share one of so many tastes
FAMOUS_AMONG = 1000  # the well-known are some of the first so many people
SUBJECTS = {"person": 1, "circle": 2, "kind": 3, "follows": 4, "visits": 5}


@dataclass(frozen=True, slots=True)
class TrainingStyle:
    """One way to train: mean and spread over people.

    Attributes:
        share: share of the population.
        sessions_per_week: mean visits a week.
        strength: mean of the factor on the usual one-repetition maximum.
        gain_per_week: first relative gain of strength a week.
        discipline: probability that a planned set is done at all.
    """

    share: float
    sessions_per_week: float
    strength: float
    gain_per_week: float
    discipline: float


STYLES: dict[Temperament, TrainingStyle] = {
    "athlete": TrainingStyle(0.12, 4.8, 1.25, 0.003, 0.97),
    "regular": TrainingStyle(0.30, 3.2, 0.90, 0.003, 0.94),
    "newcomer": TrainingStyle(0.22, 2.8, 0.50, 0.016, 0.92),
    "returner": TrainingStyle(0.16, 2.2, 0.85, 0.014, 0.90),
    "occasional": TrainingStyle(0.20, 1.1, 0.60, 0.000, 0.86),
}
SPREAD_STRENGTH, SPREAD_SESSIONS, SPREAD_GAIN = 0.08, 0.10, 0.0012
TIMEZONES = ("Europe/Berlin", "Europe/London", "America/New_York", "Asia/Tokyo")


def generator(seed: int, subject: str, number: int) -> np.random.Generator:
    """The random numbers of one subject of the world of `seed`."""
    return np.random.default_rng([seed, SUBJECTS[subject], number])


def time_at_home_s(start_s: float, local_s: float, timezone: str) -> float:
    """Seconds since the epoch at which a person's own clock shows a time.

    Args:
        start_s: midnight UTC of the first day, whose date counts.
        local_s: what the clock shows, in seconds since its midnight of that day; where clocks
            change meanwhile, it shows whole days all the same.
        timezone: of the clock.

    >>> first_s = 1_767_571_200.0  # 5 January 2026; the 180th day after it is in summer
    >>> shown_s = [first_s + 86_400.0 * day for day in (0, 180)]
    >>> [time_at_home_s(first_s, at_s - first_s, "Europe/Berlin") - at_s for at_s in shown_s]
    [-3600.0, -7200.0]
    """
    shown = datetime.fromtimestamp(start_s + local_s, UTC)
    return shown.replace(tzinfo=time_zone(timezone)).timestamp()


def uuid7(at_s: float, random: np.random.Generator) -> UUID:
    """A UUIDv7 (RFC 9562) whose time is `at_s` and whose other bits come from `random`.

    >>> uuid7(1.5, np.random.default_rng(0)).version
    7
    """
    ms = int(at_s * 1000) & (2**48 - 1)
    high, low = (int(part) for part in random.integers(0, 2**62, 2))
    return UUID(int=ms << 80 | 7 << 76 | (high & 0xFFF) << 64 | 2 << 62 | low)


def circle_of(index: int) -> int:
    """The circle of friends that a person belongs to."""
    return index // CIRCLE_SIZE


def taste_of(seed: int, circle: int, random: np.random.Generator) -> Floats64:
    """A person's liking of each exercise, float64 (exercises,), sum 1.

    A kind of circles likes about a third of the catalogue; its circles vary it a little and each
    person varies it again.
    """
    kind = int(generator(seed, "circle", circle).integers(KIND_OF_CIRCLES))
    shared = generator(seed, "kind", kind).gamma(0.35, size=len(EXERCISES))
    own = generator(seed, "circle", circle).lognormal(0.0, 0.3, len(EXERCISES))
    taste = (shared + 0.01) * own * random.lognormal(0.0, 0.4, len(EXERCISES))
    return taste / taste.sum()


def follows_of(seed: int, index: int, users: int) -> tuple[int, ...]:
    """Whom a person follows: most of the circle, and a few well-known people.

    The well-known are the first of the population, the k-th with a weight of 1/k. One in fifty
    follows nobody. A larger population adds followed people and takes nobody away.

    >>> set(follows_of(1, 5, 40)) == {other for other in follows_of(1, 5, 900) if other < 40}
    True
    """
    random = generator(seed, "follows", index)
    if random.random() < 0.02:
        return ()
    first = circle_of(index) * CIRCLE_SIZE
    friends = np.arange(first, first + CIRCLE_SIZE)
    chosen = set(friends[random.random(CIRCLE_SIZE) < 0.6].tolist())
    famous = 1.0 / np.arange(1, FAMOUS_AMONG + 1)
    count = int(random.poisson(3))
    chosen |= set(random.choice(FAMOUS_AMONG, count, p=famous / famous.sum()).tolist())
    return tuple(sorted(other for other in chosen - {index} if other < users))

"""What the simulator makes of a person: what a client would send, and the truth behind it."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

Temperament = Literal["athlete", "regular", "newcomer", "returner", "occasional"]


@dataclass(frozen=True, slots=True)
class SimulatedSet:
    """One done set, as a client would send it, with the fields of a `DoneSet`.

    Attributes:
        session: the session's id as text.
        started_s: seconds since the epoch.
        exercise: its name.
        reps: repetitions done.
        weight_kg: None where the exercise uses no weight.
        intensity: how hard it felt, 0 to 1 in steps of 0.05; None where the person gave none.
        set_id: the set's id.
        duration_s: seconds from its first to its last repetition.
    """

    session: str
    started_s: float
    exercise: str
    reps: int
    weight_kg: float | None
    intensity: float | None
    set_id: UUID = UUID(int=0)
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True)
class SimulatedPlannedSet:
    """One set of a plan; numbers as in `SimulatedSet`."""

    exercise: str
    reps: int
    weight_kg: float | None
    intensity: float


@dataclass(frozen=True, slots=True)
class SimulatedSession:
    """One visit to the gym.

    Attributes:
        session_id: UUIDv7 of its start.
        plan_id: id of its plan; every visit has its own, because the weights grow and a plan is
            kept as it is now.
        started_s: seconds since the epoch.
        timezone: IANA name.
        plan: what was planned for this day.
        sets: what was done, in order.
        answers: truth: for each done set the number of the planned set that it answers, or None
            for an extra set. Planned sets that nobody answers were skipped.
    """

    session_id: UUID
    plan_id: UUID
    started_s: float
    timezone: str
    plan: tuple[SimulatedPlannedSet, ...]
    sets: tuple[SimulatedSet, ...]
    answers: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """What a person tells about themselves."""

    username: str
    born_year: int
    height_cm: int
    weight_kg: float
    timezone: str


@dataclass(frozen=True, slots=True)
class Truth:
    """What no client ever sends: the answers that learners are scored against.

    Attributes:
        temperament: which of the five ways to train this person has.
        circle: number of the circle of friends.
        strength: factor on the catalogue's usual one-repetition maximum.
        gain_per_week: first relative gain of strength a week; it levels off.
        sessions_per_week: mean visits a week.
        taste: how much the person likes each exercise of the catalogue; sums to 1.
    """

    temperament: Temperament
    circle: int
    strength: float
    gain_per_week: float
    sessions_per_week: float
    taste: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SimulatedPerson:
    """Who somebody is: id, what it tells about itself, and the truth behind its history."""

    user_id: UUID
    profile: Profile
    truth: Truth


@dataclass(frozen=True, slots=True)
class SimulatedUser:
    """One simulated person with a whole history.

    Attributes:
        index: number in the population.
        user_id: its id.
        profile: what it tells about itself.
        follows: numbers of the people it follows, ascending.
        sessions: its visits, oldest first.
        truth: what learners should find.
    """

    index: int
    user_id: UUID
    profile: Profile
    follows: tuple[int, ...]
    sessions: tuple[SimulatedSession, ...]
    truth: Truth

    def sets(self) -> list[SimulatedSet]:
        """All done sets, oldest first."""
        return [done for session in self.sessions for done in session.sets]

"""Sends a simulated population: users register in this process, others send their histories.

The events of one user share journal partitions and are sent in order; those of different users are
independent. So users are sent concurrently, and in several processes, as Python code is the
bottleneck.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from multiprocessing import get_context
from uuid import UUID

from api.passwords import Passwords
from api.tokens import USER_SCOPES
from ingest import registration
from ingest.event_writer import EventWriter
from ingest.follows import follow_all
from ingest.histories import HistorySession, record_history
from models.population.model import SimulatedPerson, SimulatedSession, SimulatedSet, SimulatedUser
from models.population.simulate import person_of, simulate_user
from muvr.context import CommandContext
from schemas.config import Cassandra, Config
from schemas.errors import NameTaken
from schemas.events import PlanBody, SessionOpening, SetConfirmation
from schemas.times import server_time
from store.changes import Changes
from store.concurrency import map_concurrently
from store.connection import connect
from store.credentials import Credentials, credentials_of
from store.database import Database
from store.follows import Follows
from store.processes import end_with_parent
from store.records import records_in
from store.users import User, Users

CONCURRENT_USERS = 8  # whose histories one process sends at a time
CONCURRENT_REGISTRATIONS = 64
MIN_SET_S = 1.0  # a set's duration must be positive


@dataclass(frozen=True, slots=True)
class SimulatedWorld:
    """The parameters of a simulated population; see `models.population.simulate`.

    A world with more users or weeks, and the same seed and first day, contains this one.
    """

    users: int
    weeks: int
    seed: int
    start_s: float

    def person(self, index: int) -> SimulatedUser:
        """One of its people."""
        return simulate_user(index, self.users, self.weeks, self.seed, start_s=self.start_s)

    def people(self) -> list[SimulatedPerson]:
        """The people of this world, without their histories."""
        return [person_of(n, self.seed, start_s=self.start_s) for n in range(self.users)]


def send_crowd(context: CommandContext, world: SimulatedWorld, processes: int) -> dict[str, int]:
    """Send the histories of users who are registered; the numbers of what was sent.

    Raises:
        MuvrError: as a client would get it.
    """
    terminal, counts = context.terminal, Counter[str]()
    terminal.step("people", 0, world.users)
    portions = [
        range(first, min(first + CONCURRENT_USERS, world.users))
        for first in range(0, world.users, CONCURRENT_USERS)
    ]
    with ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=end_with_parent
    ) as pool:
        sent = [
            pool.submit(send_in_process, context.config, world, portion) for portion in portions
        ]
        try:
            for done in as_completed(sent):
                counts.update(done.result())  # unlike `+=`, it keeps zeros
                terminal.step("people", counts["people"], world.users)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return dict(counts)


async def register_all(database: Database, world: SimulatedWorld, password: str) -> None:
    """Register all users who are not registered yet, with one password.

    Raises:
        NameTaken: users of another world have these names.
    """
    changes, users = Changes(database), Users(database)
    kept = await Passwords().hash(password) if password else ""
    register = partial(_register, changes, users, password_hash=kept)
    await map_concurrently(register, world.people(), CONCURRENT_REGISTRATIONS)


async def _register(
    changes: Changes, users: Users, person: SimulatedPerson, password_hash: str
) -> None:
    """Register a simulated user who is not registered yet.

    Raises:
        NameTaken: a user of another world has this name.
    """
    name = person.profile.username
    there = await users.by_name(name)
    if there is None:
        user = User(person.user_id, name, password_hash, USER_SCOPES, server_time())
        await registration.register(changes, users, user)
    elif there.user_id != person.user_id:
        raise NameTaken(
            f"{name!r} is of another simulated world; simulate with another --seed, or "
            "with the --start of that world."
        )


def send_in_process(config: Config, world: SimulatedWorld, people: Sequence[int]) -> Counter[str]:
    """Send a portion, in a worker process with one connection for all its portions."""
    credentials = credentials_of(config, "service")
    database = _connection(config.cassandra, credentials)
    return send_portion(database, config, world, people)


@lru_cache(maxsize=1)
def _connection(settings: Cassandra, credentials: Credentials | None) -> Database:
    return connect(settings, keyspace=settings.keyspace, credentials=credentials)


def send_portion(
    database: Database, config: Config, world: SimulatedWorld, people: Sequence[int]
) -> Counter[str]:
    """Simulate and send the histories of some users concurrently."""
    ids = [person.user_id for person in world.people()]

    async def send() -> Counter[str]:
        """Send all histories concurrently; the numbers of what was sent."""
        users = [world.person(index) for index in people]
        sent = await asyncio.gather(*(send_person(database, config, ids, user) for user in users))
        counts = Counter[str]()
        for of_person in sent:
            counts.update(of_person)
        return counts

    return asyncio.run(send())


async def send_person(
    database: Database, config: Config, ids: Sequence[UUID], person: SimulatedUser
) -> Counter[str]:
    """Record one user's whole history, as the service would."""
    records = records_in(database, config.limits)
    writer = EventWriter(records, server_time, config.limits)
    sessions = [history_session(session) for session in person.sessions]
    await record_history(writer, person.user_id, sessions)
    followees = [ids[number] for number in person.follows]
    await follow_all(records.changes, Follows(database), person.user_id, followees, server_time())
    return Counter(
        people=1,
        sessions=len(sessions),
        sets=sum(len(session.sets) for session in sessions),
        follows=len(followees),
    )


def history_session(session: SimulatedSession) -> HistorySession:
    """A simulated session as events."""
    opening = SessionOpening(
        started_at=_at(session.started_s),
        timezone=session.timezone,
        plan=session.plan_id,
        streams={},
    )
    planned_sets = [asdict(planned) for planned in session.plan]
    plan = PlanBody(name=f"{opening.started_at:%A}", sets=planned_sets)
    plan_body = plan.model_dump(mode="json")
    return HistorySession(session.session_id, opening, list(_confirmed(session.sets)), plan_body)


def _confirmed(sets: Iterable[SimulatedSet]) -> Iterable[tuple[UUID, SetConfirmation]]:
    for done in sets:
        began = _at(done.started_s)
        yield (
            done.set_id,
            SetConfirmation(
                exercise=done.exercise,
                started_at=began,
                ended_at=began + timedelta(seconds=max(done.duration_s, MIN_SET_S)),
                reps=done.reps,
                weight_kg=done.weight_kg,
                intensity=done.intensity,
            ),
        )


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)

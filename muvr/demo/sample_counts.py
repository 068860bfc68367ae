"""Counts the samples of the demo at every stage, from sending to reading them with Spark."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from ingest.sample_rows import body_of
from muvr.demo.sending import SentSamples, username
from pipelines.census import samples_per_session
from schemas.config import Config
from schemas.errors import BadSamples
from schemas.progress import Progress
from store.concurrency import map_concurrently
from store.database import Database
from store.samples import SampleRow, Samples
from store.users import Users

AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class SampleCounts:
    """Samples of the demo's people at every stage; equal when nothing was lost or doubled.

    Attributes:
        read_back: samples of chunks whose body comes back with the hash that was sent.
    """

    recordings: int
    chunks: int
    sent: int
    acknowledged: int
    stored: int
    read_back: int
    read_by_spark: int

    @property
    def are_equal(self) -> bool:
        """Whether every stage has as many samples as were sent."""
        counts = (self.acknowledged, self.stored, self.read_back, self.read_by_spark)
        return all(count == self.sent for count in counts)


async def user_ids(database: Database, people: Sequence[str]) -> dict[str, UUID]:
    """Person to user id; people who never registered are left out."""
    users = Users(database)
    user_of = {person: await users.by_name(username(person)) for person in people}
    return {person: user.user_id for person, user in user_of.items() if user}


async def stored_and_read_back(
    database: Database, sent: SentSamples, progress: Progress
) -> tuple[int, int]:
    """Samples that Cassandra holds of the sent sessions, and those that come back bit for bit."""
    samples = Samples(database)
    sessions = sorted(sent.sessions, key=str)
    stored = read_back = 0

    async def count(session: tuple[UUID, UUID]) -> None:
        """Count one session, named by user and id, into `stored` and `read_back`."""
        nonlocal stored, read_back
        for stream, row in await _rows(samples, *session):
            stored += row.n
            hash_sent = sent.bodies.get((*session, stream, row.seq))
            read_back += row.n if _is_unchanged(row, hash_sent) else 0
        progress.step("read back bit for bit", read_back, sent.samples_sent)

    await map_concurrently(count, sessions, AT_ONCE)
    return stored, read_back


async def _rows(samples: Samples, user_id: UUID, session_id: UUID) -> list[tuple[str, SampleRow]]:
    """Every row of a session, also of bodies that nobody listed."""
    sample_rows: list[tuple[str, SampleRow]] = []
    for stream, parts in (await samples.parts(user_id, session_id)).items():
        chunks = await samples.metadata(user_id, session_id, stream, parts)
        wanted = [(chunk.seq, chunk.sha256) for chunk in chunks]
        rows = await samples.rows(user_id, session_id, stream, wanted)
        sample_rows.extend((stream, row) for row in rows)
    return sample_rows


def _is_unchanged(row: SampleRow, hash_sent: bytes | None) -> bool:
    try:
        return hashlib.sha256(body_of(row)).digest() == hash_sent
    except BadSamples:
        return False


def read_by_spark(config: Config, sent: SentSamples) -> int:
    """Samples of the sent sessions that Spark decodes from Cassandra."""
    samples, _ = samples_per_session(config)
    return sum(samples.get((str(user), str(session)), 0) for user, session in sent.sessions)

"""Confirmed and labelled sets in memory; see `tests.store.memory`."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from schemas.inputs import LAYOUTS
from schemas.times import us_of
from store.labelled_sets import (
    LabelledRevision,
    LabelledSet,
    LabelledSets,
    StoredWindows,
    TrainingRevision,
    TrainingSet,
)
from store.sets import SetRow, Sets, TrainedSet
from store.stretches import StoredStretch, Stretches, StretchKey, StretchMetadata
from tests.store.cells import Cells


def _whole_ms(at: datetime) -> datetime:
    """A time as Cassandra keeps it."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


class MemorySets(Sets):
    """Sets in memory."""

    def __init__(self) -> None:
        self._sets = Cells()

    async def put(self, user_id: UUID, row: SetRow) -> None:
        """Project a confirmation."""
        kept = row._replace(started_at=_whole_ms(row.started_at), ended_at=_whole_ms(row.ended_at))
        self._sets.write((user_id, row.session_id, row.set_id), {"row": kept}, row.revision)

    async def put_all(self, user_id: UUID, rows: Sequence[SetRow]) -> None:
        """Project several confirmations."""
        for row in rows:
            await self.put(user_id, row)

    async def read(self, user_id: UUID, session_id: UUID, set_id: UUID) -> SetRow | None:
        """One set."""
        rows = [row["row"] for _, row in self._sets.read((user_id, session_id, set_id))]
        return rows[0] if rows else None

    async def of_session(self, user_id: UUID, session_id: UUID) -> list[SetRow]:
        """A session's sets."""
        rows = [row["row"] for _, row in self._sets.read((user_id, session_id))]
        return sorted(rows, key=lambda s: (s.started_at, s.set_id))

    async def some(
        self, user_id: UUID, session_id: UUID, set_ids: Collection[UUID]
    ) -> list[SetRow]:
        """The existing ones among these sets of a session, in time order."""
        stored = [await self.read(user_id, session_id, set_id) for set_id in set_ids]
        rows = [row for row in stored if row is not None]
        return sorted(rows, key=lambda s: (s.started_at, s.set_id))

    async def count(self, user_id: UUID, session_id: UUID) -> int:
        """How many sets a session has."""
        return len(await self.of_session(user_id, session_id))

    async def of_user(self, user_id: UUID) -> list[SetRow]:
        """All sets of a user."""
        rows = [row["row"] for _, row in self._sets.read((user_id,))]
        return sorted(rows, key=lambda s: (-s.session_id.int, s.set_id))

    async def of_sessions(self, user_id: UUID, session_ids: Collection[UUID]) -> list[SetRow]:
        """The sets of some sessions."""
        return [row for row in await self.of_user(user_id) if row.session_id in session_ids]

    async def of_exercise(self, user_id: UUID, exercise: str) -> list[SetRow]:
        """All sets of an exercise."""
        return [row for row in await self.of_user(user_id) if row.exercise == exercise]

    async def between(
        self, user_id: UUID, since: datetime, until: datetime | None = None
    ) -> list[SetRow]:
        """The sets that began in a span of time."""
        return [
            row
            for row in await self.of_user(user_id)
            if since <= row.started_at and (until is None or row.started_at < until)
        ]

    async def begun_before(
        self, user_id: UUID, session_ids: Collection[UUID], before: datetime
    ) -> set[UUID]:
        """The sessions with an earlier set."""
        rows = await self.of_user(user_id)
        return {row.session_id for row in rows if row.started_at < before} & {*session_ids}

    async def revisions(
        self, user_id: UUID, only: Collection[tuple[UUID, UUID]] | None = None
    ) -> list[tuple[UUID, int]]:
        """Sets with their revisions."""
        rows = await self.of_user(user_id)
        wanted = [row for row in rows if only is None or (row.session_id, row.set_id) in only]
        return [(row.set_id, row.revision) for row in wanted]

    async def trained(self, user_id: UUID) -> list[TrainedSet]:
        """Every set as training reads it."""
        return [
            TrainedSet(
                row.session_id, row.set_id, row.exercise, us_of(row.started_at) // 1000,
                row.reps, row.weight_kg, row.intensity, row.revision,
            )
            for row in await self.of_user(user_id)
        ]  # fmt: skip

    async def starts_ms(self, user_id: UUID) -> list[int]:
        """The starts of the sets."""
        return [us_of(row.started_at) // 1000 for row in await self.of_user(user_id)]

    async def users(self) -> list[UUID]:
        """Everybody who has sets."""
        return sorted({key[0] for key, _ in self._sets.read(())})

    async def delete(self, user_id: UUID, session_id: UUID, set_id: UUID, at_us: int) -> None:
        """Delete a set."""
        self._sets.delete((user_id, session_id, set_id), at_us)

    async def delete_session(self, user_id: UUID, session_id: UUID, at_us: int) -> None:
        """Delete a session's sets."""
        self._sets.delete((user_id, session_id), at_us)


class MemoryLabelledSets(LabelledSets):
    """Labelled sets in memory."""

    def __init__(self) -> None:
        self._rows = Cells()

    async def put(self, user_id: UUID, row: LabelledSet, ttl_s: int) -> None:
        """Project a set with its samples; without expiry here."""
        key = (user_id, row.model_id, row.set_id)
        self._rows.write(key, {"row": row}, row.revision)

    async def delete(self, user_id: UUID, model_id: str, set_id: UUID, at_us: int) -> None:
        """Delete a labelled set from one layout."""
        self._rows.delete((user_id, model_id, set_id), at_us)

    async def delete_set(self, user_id: UUID, set_id: UUID, at_us: int) -> None:
        """Delete a set from every layout."""
        for model_id in LAYOUTS:
            await self.delete(user_id, model_id, set_id, at_us)

    async def of_user(self, user_id: UUID, model_id: str) -> list[LabelledSet]:
        """The labelled sets of a user in one layout."""
        return [row["row"] for _, row in self._rows.read((user_id, model_id))]

    async def revisions(
        self, user_id: UUID, only: Collection[UUID] | None = None
    ) -> list[LabelledRevision]:
        """Which sets training reads."""
        rows: list[LabelledSet] = [row["row"] for _, row in self._rows.read((user_id,))]
        rows = [row for row in rows if only is None or row.set_id in only]
        return [LabelledRevision(r.model_id, r.set_id, r.session_id, r.revision) for r in rows]

    async def keys(self) -> list[tuple[UUID, str]]:
        """Every (user, layout) that has labelled sets."""
        return sorted({(key[0], key[1]) for key, _ in self._rows.read(())})

    async def has_any(self, user_id: UUID, model_id: str) -> bool:
        """Whether a user has a labelled set in one layout."""
        return bool(await self.of_user(user_id, model_id))

    async def training_sets(self, user_id: UUID, model_id: str) -> list[TrainingSet]:
        """The sets of a user in one layout, with their stored windows."""
        rows = [
            (row["row"], row.get("features")) for _, row in self._rows.read((user_id, model_id))
        ]
        return [
            TrainingSet(
                r.set_id, r.revision, r.exercise, r.started_at, r.label_source, r.samples, features
            )
            for r, features in rows
        ]

    async def training_revisions(self, user_id: UUID, model_id: str) -> list[TrainingRevision]:
        """The revisions and labels of the sets of a user in one layout."""
        rows = await self.of_user(user_id, model_id)
        return [TrainingRevision(r.set_id, r.revision, r.exercise, r.started_at) for r in rows]

    async def keep_windows(
        self, user_id: UUID, model_id: str, kept: Sequence[StoredWindows]
    ) -> None:
        """Store windows beside their sets; without expiry here."""
        for windows in kept:
            if windows.ttl_s > 0:
                key = (user_id, model_id, windows.set_id)
                self._rows.write(key, {"features": windows.features}, windows.revision)


class MemoryStretches(Stretches):
    """Stretches in memory."""

    def __init__(self) -> None:
        self._rows = Cells()

    async def replace(
        self,
        user_id: UUID,
        session_id: UUID,
        rows: Sequence[StoredStretch],
        revision: int,
        ttl_s: int,  # not applied here
    ) -> None:
        """Replace a session's stretches."""
        await self.delete_session(user_id, session_id, revision - 1)
        for metadata, samples in rows:
            key = (user_id, session_id, metadata.model_id, metadata.started_at)
            row = StoredStretch(metadata._replace(revision=revision), samples)
            self._rows.write(key, {"row": row}, revision)

    async def delete_session(self, user_id: UUID, session_id: UUID, at_us: int) -> None:
        """Delete what was written of a session."""
        self._rows.delete((user_id, session_id), at_us)

    async def of_session(self, user_id: UUID, session_id: UUID) -> list[StretchMetadata]:
        """A session's stretches."""
        return [row["row"].metadata for _, row in self._rows.read((user_id, session_id))]

    async def row_keys(self, user_id: UUID, model_id: str) -> list[StretchKey]:
        """The key of every stretch of a user in one layout."""
        keys = [key for key, _ in self._rows.read((user_id,))]
        return [StretchKey(key[1], key[3]) for key in keys if key[2] == model_id]

    async def rows(
        self, user_id: UUID, model_id: str, keys: Sequence[tuple[UUID, datetime]]
    ) -> list[StoredStretch]:
        """The stretches of a user in one layout with these keys."""
        stored = dict(self._rows.read((user_id,)))
        whole = [(user_id, session_id, model_id, at) for session_id, at in keys]
        return [stored[key]["row"] for key in whole if key in stored]

    async def revisions(self, user_id: UUID) -> list[tuple[str, UUID, datetime, int]]:
        """Layout, session, start and revision of every stretch."""
        found = [row["row"].metadata for _, row in self._rows.read((user_id,))]
        return [(m.model_id, m.session_id, m.started_at, m.revision) for m in found]

    async def sessions_of(self, user_id: UUID) -> set[UUID]:
        """Sessions that have stretches."""
        return {key[1] for key, _ in self._rows.read((user_id,))}

    async def keys(self) -> list[tuple[UUID, str]]:
        """Every (user, layout) that has stretches."""
        return sorted({(key[0], key[2]) for key, _ in self._rows.read(())})

"""What was done in a session, by its samples: sets found, named, counted and judged.

Computed when a complete session is first asked for and kept whole in `predictions`: what was
answered, by which models. It is computed again when the session's samples changed, when sets were
found without a learned model and there is one now, and when something was left without a name and
other models serve now. What was named stays as the person has seen it.
"""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from api.fair_queue import FairQueue
from api.measure import Measurer
from api.model_cache import ModelCache, rungs_of
from ingest.recognition import FAMILY, ModelVersions, declared_layout, outdated, recognise_session
from models.recognition.sets import RecognitionModels, SetMeasurements
from schemas.inputs import ACC3, ACC6
from store.predictions import Prediction
from store.records import Records
from store.sessions import SessionRow, newest_revision
from store.sets import SetRow

MAX_CACHED = 1024  # sessions in which nothing was found; a hundred bytes each
T = TypeVar("T")


@dataclass(slots=True)
class _Look:
    """A look at a session, and how many wait for it."""

    task: asyncio.Task[list[Prediction]]
    waiting: int = 0
    begun: bool = False


class Recogniser:
    """Finds the sets of sessions; one session at a time, users in turn, off the event loop."""

    def __init__(self, records: Records, models: ModelCache) -> None:
        self._records = records
        self._models = models
        self._queue = FairQueue()
        self._live_queue = FairQueue()
        self._looks: dict[tuple[UUID, UUID], _Look] = {}
        self._measurer = Measurer(records, models)
        self._empty: OrderedDict[tuple[UUID, UUID, int], ModelVersions] = OrderedDict()

    async def sets_of(self, user_id: UUID, session: SessionRow, now: datetime) -> list[Prediction]:
        """The sets of a complete session in order of time; none while it is not complete.

        Raises:
            DatabaseUnavailable: the samples or a model cannot be read.
            Retryable: too many sessions of this user wait for their turn.
        """
        if not session.complete:
            return []
        kept = await self._fresh(user_id, session)
        return await self._once(user_id, session, now) if kept is None else kept

    async def measured(
        self, user_id: UUID, session: SessionRow, sets: Sequence[SetRow]
    ) -> dict[UUID, SetMeasurements]:
        """What the samples say of confirmed sets, as far as they are in.

        Raises:
            DatabaseUnavailable: samples or the book of form cannot be read.
            Retryable: too many sessions of this user wait for their turn.
        """
        return await self._measurer.of_sets(user_id, session, sets, declared_layout(session))

    def forget(self, user_id: UUID, session_id: UUID) -> None:
        """Forget a session that was deleted; what was answered went with its other rows.

        A look that is under way may end: nothing that it writes outlives the deletion.
        """
        for key in [key for key in self._empty if key[:2] == (user_id, session_id)]:
            del self._empty[key]

    async def _once(self, user_id: UUID, session: SessionRow, now: datetime) -> list[Prediction]:
        """One look at a session however many ask.

        A look that has begun goes on without them: who gave up finds it next time. One that waits
        for its turn is dropped with the last of them.
        """
        key = (user_id, session.session_id)
        look = self._looks.get(key)
        if look is None:
            task = asyncio.create_task(self._find_in_turn(user_id, session, now))
            look = self._looks[key] = _Look(task)
            task.add_done_callback(lambda done: self._forget_look(key, done))
        look.waiting += 1
        try:
            return await asyncio.shield(look.task)
        finally:
            look.waiting -= 1
            if not look.waiting and not look.begun:
                look.task.cancel()
                self._forget_look(key, look.task)

    def _forget_look(self, key: tuple[UUID, UUID], task: asyncio.Task[list[Prediction]]) -> None:
        """Forget a look that is over or that nobody wants: the next caller begins another one."""
        look = self._looks.get(key)
        if look is not None and look.task is task:
            del self._looks[key]

    async def in_turn(self, user_id: UUID, look: Callable[..., T], *given: Any) -> T:
        """Run a look at a live session in a thread, one at a time and users in turn.

        Looks at whole sessions have a queue of their own: the two do not wait for each other.

        Raises:
            Retryable: too many live sessions of this user wait for their turn.
        """
        return await self._live_queue.whole(user_id, lambda: asyncio.to_thread(look, *given))

    async def _find_in_turn(
        self, user_id: UUID, session: SessionRow, now: datetime
    ) -> list[Prediction]:
        async with self._queue.turn(user_id):
            self._looks[user_id, session.session_id].begun = True
            return await self._find(user_id, session, now)

    async def _fresh(self, user_id: UUID, session: SessionRow) -> list[Prediction] | None:
        """What was answered, None where it is to be answered (again)."""
        revision_us = await self._revision(user_id, session)
        kept = await self._records.predictions.of_session(user_id, session.session_id)
        kept = [one for one in kept if one.predicted_at.timestamp() * 1e6 >= revision_us]
        was = self._empty.get((user_id, session.session_id, revision_us))
        if kept and kept[0].details:
            was = json.loads(kept[0].details)["asked"]
        if was is None:
            return None
        now, _ = await self.learned_for(user_id, was["layout"])
        return None if outdated(was, now, abstained=any(o.abstained for o in kept)) else kept

    async def _find(self, user_id: UUID, session: SessionRow, now: datetime) -> list[Prediction]:
        revision_us = await self._revision(user_id, session)
        learned_for = partial(self.learned_for, user_id)
        seen = await recognise_session(
            self._records, user_id, session, revision_us, learned_for, now
        )
        if seen is None:
            return []
        kept, asked = seen
        if not kept:
            self._empty[user_id, session.session_id, revision_us] = asked
            while len(self._empty) > MAX_CACHED:
                self._empty.popitem(last=False)
        return kept

    async def _revision(self, user_id: UUID, session: SessionRow) -> int:
        lists = await self._records.sessions.lists(user_id, session.session_id)
        return newest_revision(lists)

    async def learned_for(
        self, user_id: UUID, layout: str
    ) -> tuple[ModelVersions, RecognitionModels]:
        """The models that would answer now, and their versions."""
        ladder = await self._models.ladder(user_id, layout, FAMILY)
        activity = await self._models.find(user_id, layout, "activity")
        alone = await self._models.find(user_id, ACC3, "activity") if layout == ACC6 else None
        activity = activity or alone
        form = await self._models.find(user_id, layout, "form")
        asked = {
            "layout": layout,
            "exercise": [one.stored.version for one in ladder],
            "activity": activity.stored.version if activity else None,
            "form": form.stored.version if form else None,
        }
        return asked, RecognitionModels(
            tuple(rungs_of(ladder)),
            activity.model if activity else None,
            form.model if form else None,
            alone.model if alone else None,
        )

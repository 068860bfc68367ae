"""Recognises the sets of sessions: segmented, classified, counted and scored by their samples.

A complete session is recognised when it is first requested, and the predictions are stored with
their models. It is recognised again when its samples changed, when a crash left some of its sets
unwritten, when sets were segmented without a trained model and there is one now, and when a set was
left without a name and other models serve now. A named set keeps its name.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from api.fair_queue import FairQueue
from api.model_cache import ModelCache, rungs_of
from ingest.bounded_cache import BoundedCache
from ingest.recognition import (
    ModelVersions,
    outdated,
    recognise_session,
    stored_predictions,
    versions_used,
)
from ingest.stored_session import with_lists
from models.recognition.sets import RecognitionModels
from schemas.families import ACTIVITY, EXERCISE, FORM
from schemas.inputs import ACC3, ACC6, input_layout
from store.predictions import Prediction
from store.records import Records
from store.sessions import SessionRow

MAX_CACHED = 1024  # sessions without any set; a hundred bytes each
T = TypeVar("T")


@dataclass(slots=True)
class _Recognition:
    """A recognition of a session in progress, and how many callers wait for it."""

    task: asyncio.Task[list[Prediction]]
    waiting: int = 0
    started: bool = False


class Recogniser:
    """Recognises one session at a time, users in turn, off the event loop."""

    def __init__(self, records: Records, models: ModelCache) -> None:
        self._records = records
        self._models = models
        self._queue = FairQueue()
        self._live_queue = FairQueue()
        self._running: dict[tuple[UUID, UUID], _Recognition] = {}
        self._no_sets = BoundedCache[tuple[UUID, UUID, int], ModelVersions](MAX_CACHED)

    async def recognised_sets(
        self, user_id: UUID, session: SessionRow, now: datetime
    ) -> list[Prediction]:
        """The recognised sets of a complete session in time order; none of an incomplete one.

        Raises:
            DatabaseUnavailable: the samples or a model cannot be read.
            Retryable: too many sessions of this user wait for their turn.
        """
        if not session.complete:
            return []
        predictions = await self._stored(user_id, session)
        return (
            await self._recognise_once(user_id, session, now)
            if predictions is None
            else predictions
        )

    def forget(self, user_id: UUID, session_id: UUID) -> None:
        """Drop a deleted session from the cache; its predictions were deleted with its other rows.

        A recognition in progress may finish: nothing that it writes survives the deletion.
        """
        for key in [key for key in self._no_sets if key[:2] == (user_id, session_id)]:
            del self._no_sets[key]

    async def _recognise_once(
        self, user_id: UUID, session: SessionRow, now: datetime
    ) -> list[Prediction]:
        """Share one recognition of a session among all callers.

        One that has started goes on without them: its result is stored for later. One that waits
        for its turn is cancelled with the last of them.
        """
        key = (user_id, session.session_id)
        recognition = self._running.get(key)
        if recognition is None:
            task = asyncio.create_task(self._recognise_in_turn(user_id, session, now))
            recognition = self._running[key] = _Recognition(task)
            task.add_done_callback(lambda done: self._forget(key, done))
        recognition.waiting += 1
        try:
            return await asyncio.shield(recognition.task)
        finally:
            recognition.waiting -= 1
            if not recognition.waiting and not recognition.started:
                recognition.task.cancel()
                self._forget(key, recognition.task)

    def _forget(self, key: tuple[UUID, UUID], task: asyncio.Task[list[Prediction]]) -> None:
        """Forget a recognition that is finished or cancelled: the next caller starts a new one."""
        recognition = self._running.get(key)
        if recognition is not None and recognition.task is task:
            del self._running[key]

    async def run_live(self, user_id: UUID, work: Callable[..., T], *args: Any) -> T:
        """Run `work` for a live session in a thread, one at a time and users in turn.

        Complete sessions have a queue of their own: the two do not wait for each other.

        Raises:
            Retryable: too many live sessions of this user wait for their turn.
        """
        return await self._live_queue.run(user_id, lambda: asyncio.to_thread(work, *args))

    async def _recognise_in_turn(
        self, user_id: UUID, session: SessionRow, now: datetime
    ) -> list[Prediction]:
        async with self._queue.turn(user_id):
            self._running[user_id, session.session_id].started = True
            return await self._recognise(user_id, session, now)

    async def _stored(self, user_id: UUID, session: SessionRow) -> list[Prediction] | None:
        """The stored predictions, None if the session must be recognised (again)."""
        stored = await with_lists(self._records, user_id, session)
        predictions = await stored_predictions(stored)
        no_sets = self._no_sets.get((*stored.key, stored.lists_revision))
        used = versions_used(predictions) or no_sets
        if used is None:
            return None
        current, _ = await self.load_models(user_id, used["layout"])
        abstained = any(prediction.abstained for prediction in predictions)
        return None if outdated(used, current, abstained=abstained) else predictions

    async def _recognise(
        self, user_id: UUID, session: SessionRow, now: datetime
    ) -> list[Prediction]:
        stored = await with_lists(self._records, user_id, session)
        result = await recognise_session(stored, partial(self.load_models, user_id), now)
        if result is None:
            return []
        predictions, versions = result
        if not predictions:
            self._no_sets[*stored.key, stored.lists_revision] = versions
        return predictions

    async def load_models(
        self, user_id: UUID, layout: str
    ) -> tuple[ModelVersions, RecognitionModels]:
        """The models that serve a user now, and their versions."""
        ladder = await self._models.ladder(user_id, layout, EXERCISE)
        activities = await self._models.by_layout(user_id, layout, ACTIVITY)
        acc_only = activities.get(ACC3) if layout == ACC6 else None
        activity = activities.get(input_layout(layout)) or acc_only
        forms = await self._models.by_layout(user_id, layout, FORM)
        form = forms.get(input_layout(layout))
        versions = {
            "layout": layout,
            "exercise": [loaded.stored.version for loaded in ladder],
            "activity": activity.stored.version if activity else None,
            "form": form.stored.version if form else None,
        }
        return versions, RecognitionModels(
            tuple(rungs_of(ladder)),
            activity.model if activity else None,
            {of_layout: loaded.model for of_layout, loaded in forms.items()},
            acc_only.model if acc_only else None,
        )

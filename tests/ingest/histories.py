"""Histories of a phone, run against the store and a model of the expected result.

An operation is (kind, a, b, fails_after): the first attempt fails after `fails_after` calls to
the store, and the client, which got no answer, sends the same request again.
"""

import hashlib
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from ingest.chunks import Chunk, canonical_body, decode_chunk
from ingest.sweeper import sweep_user
from models.signal.pieces import Piece, unpack_pieces
from schemas.config import Limits
from schemas.errors import (
    Deleted,
    EventConflict,
    MissingChunks,
    MuvrError,
    NotFound,
    StaleRevision,
)
from schemas.events import Completion, SessionOpening, SetConfirmation
from schemas.ids import uuid7
from store.records import Records
from tests.ingest.costs import FreeRecorder
from tests.ingest.failing_records import FailAfterCalls
from tests.ingest.history_model import Model

START = datetime(2026, 11, 21, 10, tzinfo=UTC)
N, RATE_HZ, NUMBERS = 50, 50.0, 4  # four chunks of a second each
LIMITS = Limits()
STREAM = {"kind": "acc", "unit": "g", "device": "watch", "placement": "wrist", "side": "left"}
_counter = itertools.count()


def new_id() -> UUID:
    return uuid7(int(START.timestamp() * 1000), next(_counter).to_bytes(10, "big"))


def body(seq: int, variant: int) -> bytes:
    """A chunk; each (number, variant) has its own samples."""
    counts = np.full((N, 3), 10 * seq + variant, dtype=np.int16)
    counts[:, 2] += 4000
    t0_ns = int(START.timestamp()) * 10**9 + seq * 10**9
    return canonical_body(Piece(t0_ns, RATE_HZ, "g", 1 / 4096, counts))


def chunk(piece: Piece) -> Chunk:
    """A chunk as the service decodes it."""
    return decode_chunk(canonical_body(piece), "application/cbor", LIMITS)


BODIES = {(seq, v): body(seq, v) for seq in range(NUMBERS) for v in range(2)}
CHUNKS: dict[tuple[int, int], Chunk] = {
    key: decode_chunk(one, "application/cbor", LIMITS) for key, one in BODIES.items()
}
SHA = {key: hashlib.sha256(one).hexdigest() for key, one in BODIES.items()}
EXERCISES = ("biceps curl", "bench press")


def confirmation(a: int, content: int) -> SetConfirmation:
    return SetConfirmation(
        exercise=EXERCISES[content],
        started_at=START + timedelta(seconds=2 * a + 0.2),
        ended_at=START + timedelta(seconds=2 * a + 1.8),
        reps=5 + content,
    )


def hashes(length: int, variant: int) -> tuple[tuple[int, int], ...]:
    """A stream list; `variant` is the body of chunk 0, all others have the first body."""
    return tuple((seq, variant if seq == 0 else 0) for seq in range(length))


class HistoryRunner:
    """One session of one user, driven through a history beside its model."""

    def __init__(self, records: Records) -> None:
        self.real = records
        self.failing = FailAfterCalls(records)
        self.ticks = itertools.count()
        self.recorder = FreeRecorder(self.failing.records(), LIMITS, self.clock)
        self.user, self.session = UUID(int=next(_counter) << 64 | 7), new_id()
        self.set_ids = {a: new_id() for a in range(2)}
        self.etags: dict[tuple[int, int], int] = {}
        self.model = Model()

    def clock(self) -> datetime:
        return START + timedelta(minutes=1, milliseconds=next(self.ticks))

    async def open(self) -> None:
        opening = SessionOpening(started_at=START, timezone="UTC", streams={"acc": STREAM})
        await self.recorder.open_session(self.user, self.session, opening)

    async def run(self, history: list[tuple[str, int, int, int]]) -> None:
        await self.open()
        for kind, a, b, fails_after in history:
            if fails_after:
                await self._attempt_that_fails(kind, a, b, fails_after)
            await getattr(self, f"_{kind}")(a, b)
        await self._sweep(0, 0)
        await self.check()

    async def _attempt_that_fails(self, kind: str, a: int, b: int, fails_after: int) -> None:
        """The first attempt, whose answer the client does not get."""
        self.failing.calls_left = fails_after - 1
        try:
            await self._send(kind, a, b)
        except MuvrError:
            pass  # without an answer the client sends the same again
        finally:
            self.failing.calls_left = None

    async def _send(self, kind: str, a: int, b: int) -> Any:
        user, session, recorder = self.user, self.session, self.recorder
        match kind:
            case "put":
                return await recorder.put_chunk(user, session, "acc", a, CHUNKS[a, b % 2])
            case "complete":
                listed: list[str | None] = [SHA[key] for key in hashes(a, b % 2)]
                streams = Completion(streams={"acc": listed})
                return await recorder.complete(user, session, streams)
            case "confirm":
                said = confirmation(a % 2, b % 2)
                return await recorder.confirm_set(user, session, self.set_ids[a % 2], said)
            case "correct":
                said, etag = confirmation(a % 2, b % 2), self.etags.get((b // 2, a % 2), 1)
                return await recorder.confirm_set(user, session, self.set_ids[a % 2], said, etag)
            case "drop":
                return await recorder.delete_set(user, session, self.set_ids[a % 2])
            case "erase":
                return await recorder.delete_session(user, session)
        raise AssertionError(kind)

    async def _put(self, a: int, b: int) -> None:
        if self.model.deleted:
            await _raises(Deleted, self._send("put", a, b))
            return
        receipt = await self._send("put", a, b)
        assert (receipt.seq, receipt.sha256) == (a, SHA[a, b % 2])
        self.model.held.add((a, b % 2))

    async def _complete(self, a: int, b: int) -> None:
        model, new = self.model, hashes(a, b % 2)
        if model.deleted:
            await _raises(Deleted, self._send("complete", a, b))
            return
        missing = [key[0] for key in new if key not in model.held]
        if missing:
            problem = await _raises(MissingChunks, self._send("complete", a, b))
            assert problem.missing == {"acc": missing}
            return
        old = model.listed or ()
        if old[: len(new)] != new and new[: len(old)] != old:
            await _raises(EventConflict, self._send("complete", a, b))
            return
        row = await self._send("complete", a, b)
        assert row.complete
        model.listed = max(old, new, key=len) if model.listed is not None else new
        assert row.ended_at == (
            START + timedelta(seconds=len(model.listed)) if model.listed else None
        )
        model.project_lists()
        for set_ in model.sets:
            model.project(set_)

    async def _confirm(self, a: int, b: int) -> None:
        a, content, model = a % 2, b % 2, self.model
        if model.deleted or (a in model.sets and model.sets[a] is None):
            await _raises(Deleted, self._send("confirm", a, b))
        elif model.answers.get(a, {}).get(0, content) != content:
            await _raises(EventConflict, self._send("confirm", a, b))
            model.project(a)  # a repeat finishes what the first try may have left
        else:
            row = await self._send("confirm", a, b)
            if a not in model.sets:
                self._accepted(a, content, 0, row.revision)
            model.project(a)
            assert row.revision == model.revisions[a]
            assert row.exercise == EXERCISES[model.sets[a] or 0]
            self.etags[b // 2, a] = row.revision

    async def _correct(self, a: int, b: int) -> None:
        a, content, model = a % 2, b % 2, self.model
        etag = self.etags.get((b // 2, a), 1)
        if model.deleted or (a in model.sets and model.sets[a] is None):
            await _raises(Deleted, self._send("correct", a, b))
        elif a not in model.sets:
            await _raises(NotFound, self._send("correct", a, b))
        elif etag != model.revisions[a] and model.answers[a].get(etag) != content:
            await _raises(StaleRevision, self._send("correct", a, b))
        else:
            row = await self._send("correct", a, b)
            if etag == model.revisions[a] and content != model.sets[a]:
                self._accepted(a, content, etag, row.revision)
            model.project(a)
            assert row.revision == model.revisions[a]
            self.etags[b // 2, a] = row.revision

    def _accepted(self, a: int, content: int, after: int, revision: int) -> None:
        model = self.model
        assert revision > after
        model.answers.setdefault(a, {})[after] = content
        model.sets[a], model.revisions[a] = content, revision
        model.labelled.pop(a, None)
        model.project(a)

    async def _drop(self, a: int, b: int) -> None:
        a, model = a % 2, self.model
        if a not in model.sets and not model.deleted:
            await _raises(NotFound, self._send("drop", a, b))
            return
        await self._send("drop", a, b)
        if a in model.sets or model.deleted:
            model.sets[a] = None
            model.labelled.pop(a, None)

    async def _erase(self, a: int, b: int) -> None:
        await self._send("erase", a, b)
        self.model.deleted = True
        self.model.labelled.clear()
        self.model.dead.clear()

    async def _sweep(self, a: int, b: int) -> None:  # the signature of all operations
        await sweep_user(self.real, self.user, START, self.clock())
        if not self.model.deleted:
            self.model.project_lists()
            for set_ in self.model.sets:
                self.model.project(set_)

    async def check(self) -> None:
        """The store against the model, byte for byte."""
        model, records = self.model, self.real
        labelled = await records.labelled.of_user(self.user, "wrist-acc3")
        assert {row.set_id for row in labelled} == {self.set_ids[a] for a in model.labelled}
        by_set = {row.set_id: row for row in labelled}
        for a, (content, keys) in model.labelled.items():
            row = by_set[self.set_ids[a]]
            assert row.exercise == EXERCISES[content]
            pieces = unpack_pieces(row.samples).acc
            got = np.concatenate([piece.counts[:, 0] for piece in pieces])
            assert sorted(set(got.tolist())) == sorted(10 * seq + v for seq, v in keys)
        letters = [letter async for letter in records.dead_letters.of_user(self.user, self.clock())]
        assert {letter.payload for letter in letters} == {BODIES[key] for key in model.dead}
        if model.deleted:
            assert await records.samples.parts(self.user, self.session) == {} or not any(
                [
                    await records.samples.metadata(self.user, self.session, s, p)
                    for s, p in (await records.samples.parts(self.user, self.session)).items()
                ]
            )
            await _raises(Deleted, self.recorder.stored_chunk_numbers(self.user, self.session))
            return
        chunks = await records.samples.metadata(self.user, self.session, "acc", [0])
        assert {(h.seq, h.sha256.hex()) for h in chunks} == {(k[0], SHA[k]) for k in model.held}
        held = (await self.recorder.stored_chunk_numbers(self.user, self.session))["acc"]
        twice = {seq for seq in range(NUMBERS) if {(seq, 0), (seq, 1)} <= model.held}
        assert set(held.several) == twice
        stored = await records.sets.of_session(self.user, self.session)
        assert {row.set_id: row.exercise for row in stored} == {
            self.set_ids[a]: EXERCISES[content]
            for a, content in model.sets.items()
            if content is not None
        }


async def _raises(kind: type[MuvrError], call: Any) -> Any:
    with pytest.raises(kind) as caught:
        await call
    assert caught.type is kind
    return caught.value

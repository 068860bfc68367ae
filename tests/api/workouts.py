"""Workouts with known sets, sent over HTTP, and a user's models of them."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from models.activity.codec import to_bytes as activity_to_bytes
from models.activity.examples import activity_examples
from models.activity.fit import fit_activity
from models.exercise.examples import set_statistics
from models.exercise.fit import fit_user
from models.exercise.statistics import total
from models.form.codec import to_bytes as form_to_bytes
from models.form.model import CountedSet, fit_form
from models.recognition.counting import repetitions
from models.signal.pieces import Piece, Recording
from models.signal.timeline import cut
from models.signal.wrist import wrist_signals
from schemas.inputs import ACC6
from schemas.layout import owner_of
from store.models import ModelKey, StoredModel
from tests.api.conftest import Person
from tests.api.learned import stored
from tests.api.live_client import bodies, open_session
from tests.api.phone import fresh_id
from tests.pipelines.workouts import workout

NamedSpan = tuple[int, int, str]


def hours_ago(hours: float) -> datetime:
    """A time that passes every clock check."""
    return (datetime.now(UTC) - timedelta(hours=hours)).replace(microsecond=0)


def chunks_of(piece: Piece) -> list[bytes]:
    """A stream as chunks of ten seconds."""
    return bodies(piece, samples=500)


def send(
    person: Person, recording: Recording, cut: Callable[[Piece], Iterable[bytes]] = chunks_of
) -> str:
    """Send a recording as a complete session, cut into chunks by `cut`; return its id."""
    session = open_session(person, recording)
    lists: dict[str, list[str]] = {}
    with person.client() as client:
        for stream, pieces in (("acc", recording.acc), ("gyro", recording.gyro)):
            chunks = list(cut(pieces[0]))
            for seq, chunk in enumerate(chunks):
                answer = client.put(
                    f"/v1/sessions/{session}/streams/{stream}/chunks/{seq}",
                    content=chunk,
                    headers={"Content-Type": "application/cbor"},
                )
                assert answer.status_code == 200, answer.text
            lists[stream] = [hashlib.sha256(chunk).hexdigest() for chunk in chunks]
        done = client.post(f"/v1/sessions/{session}/complete", json={"streams": lists})
        assert done.status_code == 200, done.text
    return str(session)


def send_seconds(person: Person, recording: Recording) -> str:
    """Send a recording as a complete session in one-second chunks; return its id."""
    return send(person, recording, bodies)


def confirm(
    person: Person, session: str, span: NamedSpan, etag: str | None = None, **said: Any
) -> tuple[str, str]:
    """Confirm a set; return its id and its ETag."""
    start_ns, end_ns, exercise = span
    set_id = said.pop("set_id", None) or str(fresh_id())
    body: Mapping[str, Any] = {
        "exercise": exercise,
        "started_at": at(start_ns).isoformat(),
        "ended_at": at(end_ns).isoformat(),
        "label_source": "typed",
        **said,
    }
    headers = {"If-Match": etag} if etag else {}
    with person.client() as client:
        answer = client.put(f"/v1/sessions/{session}/sets/{set_id}", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return set_id, answer.headers["ETag"]


def session_of(person: Person, session: str) -> dict[str, Any]:
    """A session as the service returns it."""
    with person.client() as client:
        answer = client.get(f"/v1/sessions/{session}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def at(ns: int) -> datetime:
    return datetime.fromtimestamp(ns / 1e9, UTC)


def models_of(person: Person) -> dict[str, StoredModel]:
    """Models of a user's workouts: exercise, activity and form."""
    owner = owner_of(person.user_id)
    done = [workout(seed) for seed in (1, 2, 3)]
    whole = [(wrist_signals(recording), spans) for recording, spans in done]
    sets = [
        (wrist_signals(cut(recording, a, b)), name)
        for recording, spans in done
        for a, b, name in spans
    ]
    exercise = fit_user(
        total([set_statistics(signals, name, seed=n) for n, (signals, name) in enumerate(sets)])
    )
    examples = [
        example
        for n, (signals, spans) in enumerate(whole)
        for example in activity_examples(signals, [(a, b) for a, b, _ in spans], str(n), ACC6)
    ]
    counted = [
        CountedSet(str(UUID(int=n)), name, "left", n, found.repetitions)
        for n, (signals, name) in enumerate(sets)
        if (found := repetitions(signals))
    ]
    contents = {
        "activity": activity_to_bytes(fit_activity(examples, ACC6)),
        "form": form_to_bytes(fit_form(counted)),
    }
    others = {family: _stored(owner, family, content) for family, content in contents.items()}
    return {"exercise": stored(exercise, owner), **others}


def _stored(owner: str, family: str, content: bytes) -> StoredModel:
    return StoredModel.of(ModelKey(owner, ACC6, family), content, {}, uuid4(), datetime.now(UTC))

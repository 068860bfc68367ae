"""Sending imported recordings through the service: the same calls as any client's."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from examples.client import Client, LoginNeeded, RequestRefused, chunk, new_id
from ingest.importers.imported import ImportedRecording
from models.signal.pieces import Piece
from schemas.errors import BadInput, NameTaken
from schemas.progress import Progress

CHUNK_SAMPLES = 4096
NAME_TAKEN = 409
WHEN_NAME_TAKEN = "Say that one as --password, or set one with `muvr user password NAME`."
DAY_NS = 86_400 * 10**9
YEAR_DAYS = 364
WEEK_DAYS = 7
OLDEST = timedelta(days=399)  # ids may lie 400 days back, and the import takes a while


def import_recordings(
    url: str,
    source: str,
    recordings: Sequence[ImportedRecording],
    password: str,
    progress: Progress,
    username: str | None = None,
    *,
    moved_days: int = 0,
) -> dict[str, int]:
    """Send every recording as a session of its person, with its sets confirmed.

    Ids follow from the content and the time, so that importing twice adds nothing as long as
    `moved_days` is the same.

    Args:
        url: of the service.
        source: where the recordings come from.
        recordings: what to send.
        password: of everybody.
        progress: is told about every recording.
        username: whose they all are; None makes a user `SOURCE-PERSON` of each of their people.
        moved_days: how much later all recordings are dated than they were made.

    Returns:
        users, sessions, chunks, samples, sets; days_moved.

    Raises:
        NameTaken: a user has another password.
        RequestRefused: the service does not take a recording; the sentence names its file.
    """
    counts: Counter[str] = Counter(days_moved=moved_days)
    clients: dict[str, Client] = {}
    for done, recording in enumerate(recordings, start=1):
        name = username or f"{source}-{recording.person}"
        if name not in clients:
            clients[name] = connect(url, name, password)
        try:
            counts.update(send_recording(clients[name], recording, moved_days * DAY_NS))
        except RequestRefused as refusal:
            raise _with_origin(recording, refusal) from refusal
        progress.step(f"import {source}", done, len(recordings))
    for client in clients.values():
        client.close()
    return {"users": len(clients), **counts}


def _with_origin(recording: ImportedRecording, refusal: RequestRefused) -> RequestRefused:
    """A refusal that names the recording's file, and the next step."""
    if not recording.origin:
        return refusal
    next_step = "Correct this file or leave it out, then import again: nothing is added twice."
    detail = f"{recording.origin}: {refusal.problem.get('detail', '')} {next_step}"
    return RequestRefused(refusal.status, {**refusal.problem, "detail": detail})


def days_to_move(recordings: Sequence[ImportedRecording], now: datetime | None = None) -> int:
    """Whole weeks, in days, by which all recordings move, so that the service takes their ids.

    They are full years of 364 days, so that the newest is of the last one. Where the oldest would
    then be too old, further weeks are added, in steps as long as the span of the recordings allows.
    Weekdays stay the same, and an import that is repeated within the year, or the step, has the
    same ids. It is for sources that never change: a newer recording beside them would move them
    less.

    Raises:
        BadInput: the recordings span too many days.
    """
    times_ns = [piece.t0_ns for imported in recordings for piece in imported.recording.acc]
    oldest, newest = time_of(min(times_ns)), time_of(max(times_ns))
    now = now or datetime.now(UTC)
    moved = (now - newest).days // YEAR_DAYS * YEAR_DAYS
    if _fits(oldest, moved, now):
        return moved
    step = max((OLDEST - (newest - oldest)).days // WEEK_DAYS * WEEK_DAYS, WEEK_DAYS)
    moved += ((now - newest).days - moved) // step * step
    if not _fits(oldest, moved, now):
        raise BadInput(
            f"The recordings are of {oldest:%Y-%m-%d} to {newest:%Y-%m-%d}, "
            f"{(newest - oldest).days} days: more than the {OLDEST.days} that fit into the time "
            "for which ids are accepted, moved by whole weeks.",
            field="path",
            next_step="Import the older ones from a folder of their own.",
        )
    return moved


def _fits(oldest: datetime, moved_days: int, now: datetime) -> bool:
    return now - oldest - timedelta(days=moved_days) <= OLDEST


def connect(url: str, username: str, password: str, next_step: str = WHEN_NAME_TAKEN) -> Client:
    """Register, or log in where the name is taken.

    Raises:
        NameTaken: with another password; the sentence ends in the next step.
    """
    client = Client(url)
    try:
        client.register(username, password)
    except RequestRefused as refusal:
        if refusal.status != NAME_TAKEN:
            raise
        try:
            client.login(username, password)
        except LoginNeeded as wrong_password:
            sentence = f"{username!r} is registered with another password."
            raise NameTaken(sentence, next_step=next_step) from wrong_password
    return client


def session_of(source: ImportedRecording, moved_ns: int) -> UUID:
    """The id of the session that a recording becomes."""
    started_ns = source.recording.acc[0].t0_ns + moved_ns
    return named_id(started_ns, f"{source.person} {source.recording.side}")


def send_recording(client: Client, source: ImportedRecording, moved_ns: int) -> Counter[str]:
    """Send a recording as a complete session, `moved_ns` later than it was; counts of what it held.

    Its sets are confirmed as the source says.
    """
    recording = source.recording
    started_ns = recording.acc[0].t0_ns + moved_ns
    session = session_of(source, moved_ns)
    kinds = {"acc": recording.acc, "gyro": recording.gyro}
    wearing = {"placement": "wrist", **({"side": recording.side} if recording.side else {})}
    streams = {
        kind: {"kind": kind, "unit": pieces[0].unit, **wearing}
        for kind, pieces in kinds.items()
        if pieces
    }
    chunks = (
        (kind, seq, body)
        for kind in streams
        for seq, (body, _) in enumerate(
            chunk_bodies(kinds[kind], samples=CHUNK_SAMPLES, moved_ns=moved_ns)
        )
    )
    receipts = send_chunks(
        client, session, time_of(started_ns), streams, chunks, timezone=source.timezone
    )
    samples = sum(receipt["samples"] for receipt in receipts)
    counts: Counter[str] = Counter(sessions=1, chunks=len(receipts), samples=samples)
    for set_ in source.sets:
        values = {"reps": set_.reps, "weight_kg": set_.weight_kg}
        client.confirm_set(
            session,
            named_id(set_.start_ns + moved_ns, f"{session} {set_.exercise}"),
            set_.exercise,
            time_of(set_.start_ns + moved_ns),
            time_of(set_.end_ns + moved_ns),
            **{name: value for name, value in values.items() if value is not None},
        )
        counts.update(sets=1)
    return counts


def send_chunks(
    client: Client,
    session: UUID,
    started_at: datetime,
    streams: Mapping[str, Mapping[str, str]],
    chunks: Iterable[tuple[str, int, bytes]],
    *,
    timezone: str,
) -> list[dict[str, Any]]:
    """Open a session, send its chunks and complete it; the receipts of the chunks, in order.

    Args:
        client: of its user.
        session: its id.
        started_at: its start.
        streams: their names and what they are.
        chunks: stream, number and body, those of a stream in the order of their numbers.
        timezone: IANA name.
    """
    client.open_session(session, started_at, streams, timezone)
    receipts: list[dict[str, Any]] = []
    hashes: dict[str, list[str]] = {stream: [] for stream in streams}
    for stream, seq, body in chunks:
        receipt = client.put_chunk(session, stream, seq, body)
        receipts.append(receipt)
        hashes[stream].append(receipt["sha256"])
    client.complete(session, hashes)
    return receipts


def chunk_bodies(
    pieces: Sequence[Piece], *, samples: int, moved_ns: int = 0
) -> Iterator[tuple[bytes, int]]:
    """The chunks of a stream, each with its number of samples.

    Args:
        pieces: of the stream, in time order.
        samples: the most in one chunk.
        moved_ns: how much later they are dated than they were made.
    """
    for piece in pieces:
        for start in range(0, len(piece.counts), samples):
            counts = piece.counts[start : start + samples]
            t_ms = None if piece.t_ms is None else piece.t_ms[start : start + samples]
            offset_ns = round(start / piece.rate_hz * 1e9) if t_ms is None else int(t_ms[0]) * 10**6
            body = chunk(
                piece.t0_ns + moved_ns + offset_ns,
                piece.rate_hz,
                piece.unit,
                piece.scale,
                counts.astype("<i2").tobytes(),
                None if t_ms is None else (t_ms - t_ms[0]).tolist(),
            )
            yield body, len(counts)


def named_id(at_ns: int, name: str) -> UUID:
    """A UUIDv7 of that time whose other bits follow the name: the same in every run."""
    return new_id(time_of(at_ns), hashlib.sha256(name.encode()).digest()[:10])


def time_of(at_ns: int) -> datetime:
    """Nanoseconds since the epoch, to the microsecond."""
    return datetime.fromtimestamp(at_ns // 1000 / 1e6, UTC)

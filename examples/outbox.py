"""A queue that survives the phone: what was recorded offline is sent when there is a network.

Requests are kept in SQLite, synced to disk before `add_…` returns, sent in order, and removed only
when the server has taken them. What it refuses for good, or what cannot be sent at all, is kept
aside with its body (`refused`), so that a recording is never lost to somebody's mistake. The
service takes each of them twice without harm, so a crash between the answer and the removal loses
and doubles nothing.

Each account needs a file of its own: what waits is recorded for whoever is logged in when it is
sent.
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from examples.answers import LoginNeeded, RequestRefused, TooSlow, TryLater, may_be_retried
from examples.client import CannotBeSent, Client, ReceiptWrong, rfc3339

BATCH_BYTES = 900_000  # below the server's cap of 1 MiB
NAMES_BYTES = 100  # of a chunk in a batch, at most, beside its body
CHUNKS = """CREATE TABLE IF NOT EXISTS chunks (
    session TEXT, stream TEXT, seq INTEGER, sha256 TEXT, body BLOB,
    PRIMARY KEY (session, stream, seq, sha256))"""
CALLS = """CREATE TABLE IF NOT EXISTS calls (
    id INTEGER PRIMARY KEY, session TEXT, kind TEXT, body TEXT)"""
KEPT_ASIDE = """CREATE TABLE IF NOT EXISTS kept_aside (
    id INTEGER PRIMARY KEY, what TEXT, problem TEXT, body BLOB)"""


class Refused(NamedTuple):
    """What the server will never take as it is, or what cannot be sent to it.

    Attributes:
        what: kind, session, and for a chunk its stream and number.
        problem: the server's reason.
        body: as it was kept: of a chunk the very bytes, of anything else JSON.
    """

    what: str
    problem: dict[str, Any]
    body: bytes


class WaitingChunk(NamedTuple):
    """A chunk that is not on the server yet; `sha256` is that of the body, in hexadecimal."""

    session: str
    stream: str
    seq: int
    sha256: str
    body: bytes

    @property
    def size(self) -> int:
        """Bytes of a batch that it takes."""
        return len(self.body) + NAMES_BYTES


class Outbox:
    """What is not on the server yet."""

    def __init__(self, path: Path) -> None:
        self._file = sqlite3.connect(path, isolation_level=None)
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute("PRAGMA synchronous=FULL")
        with self._file:
            self._file.execute("BEGIN IMMEDIATE")  # another process may open it at this moment
            for table in (CHUNKS, CALLS, KEPT_ASIDE):
                self._file.execute(table)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def add_session(
        self,
        session: UUID,
        started_at: datetime,
        streams: Mapping[str, Mapping[str, str]],
        timezone: str = "UTC",
    ) -> None:
        """Keep the opening of a session."""
        opening = {"started_at": rfc3339(started_at), "streams": streams, "timezone": timezone}
        self._call(session, "open", opening)

    def add_chunk(self, session: UUID, stream: str, seq: int, body: bytes) -> None:
        """Keep a chunk; another body under the same number is kept beside it, as by the server."""
        self._file.execute(
            "INSERT OR IGNORE INTO chunks VALUES (?, ?, ?, ?, ?)",
            (str(session), stream, seq, _sha256(body), body),
        )

    def add_set(self, session: UUID, set_id: UUID, body: Mapping[str, Any]) -> None:
        """Keep a confirmed set: the fields of `Client.confirm_set`, times as datetime."""
        self._call(session, "set", {"set_id": str(set_id), **_plain(body)})

    def add_completion(self, session: UUID, hashes: Mapping[str, Sequence[str]]) -> None:
        """Keep the list of chunks that are the session."""
        self._call(session, "complete", {"hashes": hashes})

    def __len__(self) -> int:
        """How many things wait."""
        return sum(
            self._file.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
            for table in ("chunks", "calls")
        )

    def refused(self) -> list[Refused]:
        """What the server will never take, with its reason: for a person to look at."""
        rows = self._file.execute("SELECT what, problem, body FROM kept_aside ORDER BY id")
        return [Refused(what, json.loads(problem), body) for what, problem, body in rows.fetchall()]

    def send(self, client: Client) -> int:
        """Send what waits: openings, then chunks in batches, then sets and completions.

        Returns:
            how many things wait no longer: the server has taken them, or they are in `refused`.
            Without a connection to the server it ends early; call again.

        Raises:
            LoginNeeded: log in and call again; what was not sent still waits.
            ReceiptWrong: other bytes arrived than were sent; they still wait.
        """
        before = len(self)
        with suppress(TryLater):
            self._send_calls(client, "open")
            self._send_chunks(client)
            self._send_calls(client, "set")
            self._send_calls(client, "complete")
        return before - len(self)

    def _call(self, session: UUID, kind: str, body: Mapping[str, Any]) -> None:
        self._file.execute(
            "INSERT INTO calls (session, kind, body) VALUES (?, ?, ?)",
            (str(session), kind, json.dumps(body)),
        )

    def _send_calls(self, client: Client, kind: str) -> None:
        rows = self._file.execute(
            "SELECT id, session, body FROM calls WHERE kind = ? ORDER BY id", (kind,)
        ).fetchall()
        for number, session, text in rows:
            try:
                _kept_call(client, kind, UUID(session), json.loads(text))()
            except LoginNeeded:
                raise
            except RequestRefused as problem:
                if self._came_early(session, problem):
                    continue
                self._keep_aside(f"{kind} {session}", problem.problem, text.encode())
            except CannotBeSent as problem:  # a queue must not stop at it
                unsent = {"title": "It cannot be sent", "detail": str(problem)}
                self._keep_aside(f"{kind} {session}", unsent, text.encode())
            self._file.execute("DELETE FROM calls WHERE id = ?", (number,))

    def _came_early(self, session: str, problem: RequestRefused) -> bool:
        """Whether only chunks are missing that wait here: another thread added them meanwhile."""
        if not str(problem.problem.get("type")).endswith(":missing-chunks"):
            return False
        rows = self._file.execute("SELECT 1 FROM chunks WHERE session = ? LIMIT 1", (session,))
        return rows.fetchone() is not None

    def _send_chunks(self, client: Client) -> None:
        """Send all chunks in batches: in smaller ones once a batch did not arrive in time."""
        limit_bytes = BATCH_BYTES
        while batch := self._next_batch(limit_bytes):
            try:
                self._send_batch(client, batch)
            except TooSlow:
                limit_bytes = sum(chunk.size for chunk in batch) // 2

    def _send_batch(self, client: Client, batch: Sequence[WaitingChunk]) -> None:
        """Send some chunks of one session.

        Raises:
            TooSlow: they did not arrive in time, and are more than one.
            TryLater: the server could not take one of them now.
            LoginNeeded: it takes nothing before a new login.
            ReceiptWrong: it took other bytes than these.
        """
        for chunk, answer in zip(batch, _put(client, batch), strict=True):
            what = f"chunk {chunk.session} {chunk.stream} {chunk.seq}"
            problem = answer.get("problem")
            if problem and may_be_retried(problem["status"]):
                raise TryLater(f"{what}: {problem}")
            if problem:
                self._keep_aside(what, problem, chunk.body)
            elif answer["sha256"] != chunk.sha256:
                raise ReceiptWrong(f"{what}: {answer['sha256']}")
            self._file.execute(
                "DELETE FROM chunks WHERE session = ? AND stream = ? AND seq = ? AND sha256 = ?",
                chunk[:4],
            )

    def _next_batch(self, limit_bytes: int) -> list[WaitingChunk]:
        """The next chunks of one session: one at least, others as far as the limit goes."""
        batch: list[WaitingChunk] = []
        size = 0
        rows = self._file.execute(
            "SELECT session, stream, seq, sha256, body FROM chunks "
            "ORDER BY session, stream, seq, sha256 LIMIT 500"
        )
        for chunk in map(WaitingChunk._make, rows):
            size += chunk.size
            if batch and (chunk.session != batch[0].session or size > limit_bytes):
                break
            batch.append(chunk)
        return batch

    def _keep_aside(self, what: str, problem: Mapping[str, Any], body: bytes) -> None:
        self._file.execute(
            "INSERT INTO kept_aside (what, problem, body) VALUES (?, ?, ?)",
            (what, json.dumps(problem), body),
        )


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _put(client: Client, batch: Sequence[WaitingChunk]) -> list[dict[str, Any]]:
    """The server's answer to each chunk; a refusal of the whole request is that of each of them."""
    try:
        chunks = [(chunk.stream, chunk.seq, chunk.body) for chunk in batch]
        return client.put_chunks(UUID(batch[0].session), chunks)
    except LoginNeeded:
        raise
    except RequestRefused as problem:
        return [{"problem": {**problem.problem, "status": problem.status}} for _ in batch]


def _kept_call(
    client: Client, kind: str, session: UUID, body: dict[str, Any]
) -> Callable[[], object]:
    """The call that was kept.

    Raises:
        CannotBeSent: a field of it is missing, or is no time.
    """
    try:
        if kind == "complete":
            return partial(client.complete, session, body["hashes"])
        started_at = datetime.fromisoformat(body.pop("started_at"))
        if kind == "open":
            opening = started_at, body["streams"], body["timezone"]
            return partial(client.open_session, session, *opening)
        ended_at = datetime.fromisoformat(body.pop("ended_at"))
        set_id, exercise = UUID(body.pop("set_id")), body.pop("exercise")
        return partial(client.confirm_set, session, set_id, exercise, started_at, ended_at, **body)
    except (KeyError, TypeError, ValueError) as problem:
        raise CannotBeSent(f"{kind} {session}: {problem!r}") from problem


def _plain(body: Mapping[str, Any]) -> dict[str, Any]:
    return {k: rfc3339(v) if isinstance(v, datetime) else v for k, v in body.items()}

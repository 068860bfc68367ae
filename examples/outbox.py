"""A queue that survives the phone: what was recorded offline is sent when there is a network.

Requests are kept in SQLite, synced to disk before `add_…` returns, sent in order, and removed only
when the server has taken them. What it refuses for good is kept aside with its body (`refused`), so
that a recording is never lost to somebody's mistake. The service takes each of them twice without
harm, so a crash between the answer and the removal loses and doubles nothing.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from examples.client import (
    Client,
    LoginNeeded,
    ReceiptWrong,
    RequestRefused,
    TryLater,
    may_be_retried,
    rfc3339,
)

BATCH_BYTES = 900_000  # below the server's cap of 1 MiB
TABLES = """
CREATE TABLE IF NOT EXISTS chunks (
    session TEXT, stream TEXT, seq INTEGER, body BLOB, PRIMARY KEY (session, stream, seq));
CREATE TABLE IF NOT EXISTS calls (
    id INTEGER PRIMARY KEY, session TEXT, kind TEXT, body TEXT);
CREATE TABLE IF NOT EXISTS kept_aside (
    id INTEGER PRIMARY KEY, what TEXT, problem TEXT, body BLOB);
"""


class Refused(NamedTuple):
    """What the server will never take as it is.

    Attributes:
        what: kind, session, and for a chunk its stream and number.
        problem: the server's reason.
        body: as it was kept: of a chunk the very bytes, of anything else JSON.
    """

    what: str
    problem: dict[str, Any]
    body: bytes


class Outbox:
    """What is not on the server yet."""

    def __init__(self, path: Path) -> None:
        self._file = sqlite3.connect(path, isolation_level=None)
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute("PRAGMA synchronous=FULL")
        self._file.executescript(TABLES)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def add_session(
        self, session: UUID, started_at: datetime, streams: Mapping[str, Mapping[str, str]]
    ) -> None:
        """Keep the opening of a session."""
        self._call(session, "open", {"started_at": rfc3339(started_at), "streams": streams})

    def add_chunk(self, session: UUID, stream: str, seq: int, body: bytes) -> None:
        """Keep a chunk."""
        self._file.execute(
            "INSERT OR IGNORE INTO chunks VALUES (?, ?, ?, ?)", (str(session), stream, seq, body)
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
            A lost connection ends it early; call again.

        Raises:
            LoginNeeded: log in and call again; what was not sent still waits.
            ReceiptWrong: other bytes arrived than were sent; they still wait.
        """
        before = len(self)
        with suppress(TryLater):
            self._send_calls(client, "open")
            while self._send_batch(client):
                pass
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
                _say(client, kind, UUID(session), json.loads(text))
            except LoginNeeded:
                raise
            except RequestRefused as problem:
                if self._came_early(session, problem):
                    continue
                self._keep_aside(f"{kind} {session}", problem.problem, text.encode())
            except UnicodeEncodeError as problem:  # half an emoji; a queue must not stop at it
                unsent = {"title": "It cannot be written as UTF-8", "detail": str(problem)}
                self._keep_aside(f"{kind} {session}", unsent, text.encode())
            self._file.execute("DELETE FROM calls WHERE id = ?", (number,))

    def _came_early(self, session: str, problem: RequestRefused) -> bool:
        """Whether only chunks are missing that wait here: another thread added them meanwhile."""
        if not str(problem.problem.get("type")).endswith(":missing-chunks"):
            return False
        rows = self._file.execute("SELECT 1 FROM chunks WHERE session = ? LIMIT 1", (session,))
        return rows.fetchone() is not None

    def _send_batch(self, client: Client) -> bool:
        """Send the next chunks of one session; False when there is none left.

        Raises:
            TryLater: the server could not take one of them now.
            LoginNeeded: it takes nothing before a new login.
            ReceiptWrong: it took other bytes than these.
        """
        batch = list(self._next_batch())
        if not batch:
            return False
        answers = _put(client, UUID(batch[0][0]), [row[1:] for row in batch])
        for (session, stream, seq, body), answer in zip(batch, answers, strict=True):
            what = f"chunk {session} {stream} {seq}"
            problem = answer.get("problem")
            if problem and may_be_retried(problem["status"]):
                raise TryLater(f"{what}: {problem}")
            if problem:
                self._keep_aside(what, problem, body)
            elif answer["sha256"] != hashlib.sha256(body).hexdigest():
                raise ReceiptWrong(f"{what}: {answer['sha256']}")
            self._file.execute(
                "DELETE FROM chunks WHERE session = ? AND stream = ? AND seq = ?",
                (session, stream, seq),
            )
        return True

    def _next_batch(self) -> Iterator[tuple[str, str, int, bytes]]:
        size, of_session = 0, None
        rows = self._file.execute(
            "SELECT session, stream, seq, body FROM chunks ORDER BY session, stream, seq LIMIT 500"
        )
        for session, stream, seq, body in rows.fetchall():
            size += len(body) + 100
            if of_session is not None and (session != of_session or size > BATCH_BYTES):
                return
            of_session = session
            yield session, stream, seq, body

    def _keep_aside(self, what: str, problem: Mapping[str, Any], body: bytes) -> None:
        self._file.execute(
            "INSERT INTO kept_aside (what, problem, body) VALUES (?, ?, ?)",
            (what, json.dumps(problem), body),
        )


def _put(
    client: Client, session: UUID, chunks: Sequence[tuple[str, int, bytes]]
) -> list[dict[str, Any]]:
    """The server's answer to each chunk; a refusal of the whole request is that of each of them."""
    try:
        return client.put_chunks(session, chunks)
    except LoginNeeded:
        raise
    except RequestRefused as problem:
        return [{"problem": {**problem.problem, "status": problem.status}} for _ in chunks]


def _say(client: Client, kind: str, session: UUID, body: dict[str, Any]) -> None:
    if kind == "open":
        started_at = datetime.fromisoformat(body["started_at"])
        client.open_session(session, started_at, body["streams"])
    elif kind == "set":
        times = {k: datetime.fromisoformat(body.pop(k)) for k in ("started_at", "ended_at")}
        client.confirm_set(session, UUID(body.pop("set_id")), body.pop("exercise"), **times, **body)
    else:
        client.complete(session, body["hashes"])


def _plain(body: Mapping[str, Any]) -> dict[str, Any]:
    return {k: rfc3339(v) if isinstance(v, datetime) else v for k, v in body.items()}

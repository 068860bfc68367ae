"""Ten people register and send their recordings over HTTP, as a phone would."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from uuid import UUID

from examples.client import Client
from muvr.demo.people import DemoSession
from muvr.importing import connect, send_chunks
from schemas.progress import Progress
from store.secret_file import write_new

WHEN_NAME_TAKEN = (
    "Put that one into the file demo-password of paths.secrets, or run the demo on an empty node: "
    "with another paths.data."
)
PLACEMENT = {"device": "apple watch", "placement": "wrist"}


@dataclass(frozen=True, slots=True)
class SentSamples:
    """What was sent and what was acknowledged.

    Attributes:
        users: person to user id.
        bodies: (user id, session, stream, seq) to the SHA-256 of the body.
        samples_sent, samples_acknowledged: of both streams.
    """

    users: Mapping[str, UUID]
    bodies: Mapping[tuple[UUID, UUID, str, int], bytes]
    samples_sent: int
    samples_acknowledged: int

    @property
    def sessions(self) -> set[tuple[UUID, UUID]]:
        """User id and session of everything that was sent."""
        return {(user, session) for user, session, _, _ in self.bodies}


def username(person: str) -> str:
    """The demo user of a person."""
    return f"spar-{person}"


def demo_password(secrets_folder: Path) -> str:
    """The password of all demo users: random per deployment, readable by its owner only."""
    path = secrets_folder / "demo-password"
    if not path.exists():
        secrets_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_new(path, secrets.token_urlsafe(18).encode())
    return path.read_text()


def connect_people(url: str, people: Sequence[str], password: str) -> dict[str, Client]:
    """Register everybody, or log in where that was done before.

    Raises:
        NameTaken: somebody is registered with another password.
    """
    return {person: connect(url, username(person), password, WHEN_NAME_TAKEN) for person in people}


def send_all(
    clients: Mapping[str, Client],
    people: Mapping[str, Sequence[DemoSession]],
    users: Mapping[str, UUID],
    progress: Progress,
) -> SentSamples:
    """Send every session of everybody, all people at once: open, chunks, complete, sets."""
    of_person = [(p, session) for p, sessions in people.items() for session in sessions]
    total = sum(session.samples for _, session in of_person)
    sent = acknowledged = 0
    with ThreadPoolExecutor(len(people)) as phones:
        # A client is one connection: its sessions go one after another, people beside each other.
        locks = {person: Lock() for person in people}
        jobs = {
            phones.submit(_send_locked, locks[person], clients[person], session): session
            for person, session in sorted(of_person, key=lambda pair: pair[1].started_at)
        }
        for job in as_completed(jobs):
            sent += jobs[job].samples
            acknowledged += job.result()
            progress.step("send samples over HTTP", sent, total)
    bodies = {
        (users[person], session.session, stream, seq): hashlib.sha256(body).digest()
        for person, session in of_person
        for stream, seq, body in session.chunks
    }
    return SentSamples(users, bodies, sent, acknowledged)


def _send_locked(lock: Lock, client: Client, session: DemoSession) -> int:
    with lock:
        return _send(client, session)


def _send(client: Client, session: DemoSession) -> int:
    """Send one session; the number of samples that receipts were given for."""
    streams = {
        "acc": {"kind": "acc", "unit": "g", "side": session.side, **PLACEMENT},
        "gyro": {"kind": "gyro", "unit": "rad/s", "side": session.side, **PLACEMENT},
    }
    receipts = send_chunks(
        client,
        session.session,
        session.started_at,
        streams,
        session.chunks,
        timezone="Europe/London",
    )
    for set_id, started_at, ended_at in session.sets:
        client.confirm_set(
            session.session,
            set_id,
            session.exercise,
            started_at,
            ended_at,
            label_source="typed",
        )
    return sum(receipt["samples"] for receipt in receipts)

"""Clients of a deployment: people with tokens, and their sessions."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import httpx

from bench.load import RequestTarget
from examples.client import new_id
from muvr.deployment import Deployment


def register_people(deployment: Deployment, prefix: str, people: int = 1) -> list[str]:
    """The access tokens of somebody new each, whose names begin with `prefix`."""
    return [deployment.register(f"{prefix}-{time.monotonic_ns()}-{i}") for i in range(people)]


def open_session(url: str, token: str) -> UUID:
    """A new session with one stream."""
    session = new_id()
    now = datetime.now(UTC).isoformat()
    declared = {"kind": "acc", "unit": "g", "device": "watch", "placement": "wrist"}
    httpx.put(
        f"{url}/v1/sessions/{session}",
        headers={"Authorization": f"Bearer {token}"},
        json={
            "started_at": now,
            "sent_at": now,
            "timezone": "Europe/Prague",
            "streams": {"acc": {**declared, "side": "left"}},
        },
        timeout=30,
    ).raise_for_status()
    return session


def chunk_targets(url: str, tokens: Sequence[str], connections: int) -> list[RequestTarget]:
    """A session for each connection, its person taken in turn."""
    turns = [tokens[i % len(tokens)] for i in range(connections)]
    return [
        RequestTarget(
            token, "PUT", f"/v1/sessions/{open_session(url, token)}/streams/acc/chunks/{{seq}}"
        )
        for token in turns
    ]

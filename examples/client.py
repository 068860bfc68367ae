"""A small client that imports nothing of the service; `muvr` itself talks to it through this one.

The whole conversation of a phone in plain calls. It needs httpx and cbor2 only. `examples.answers`
says what an answer means; `examples.outbox` adds the durable queue for weeks offline.

    from examples.client import Client, chunk

    phone = Client("http://127.0.0.1:8080")
    phone.register("ada", "a long password")
    phone.open_session(session, started_at, {"acc": {"kind": "acc", "unit": "g", "side": "left"}})
    receipt = phone.put_chunk(session, "acc", 0, chunk(t0_ns, 50.0, "g", 1 / 4096, counts))
    phone.complete(session, {"acc": [receipt["sha256"]]})
    print(phone.classify({"acc": chunk(...)})["exercise"])
"""

import hashlib
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import cbor2
import httpx

from examples.answers import (
    NOT_MODIFIED,
    REQUEST_TIMEOUT,
    LoginNeeded,
    RequestRefused,
    TooSlow,
    TryLater,
    foreign_answer,
    is_success,
    json_of,
    may_be_retried,
    problem_of,
    refusal,
)

__all__ = [
    "CannotBeSent",
    "Client",
    "LoginNeeded",
    "ReceiptWrong",
    "RequestRefused",
    "TooSlow",
    "TryLater",
    "chunk",
    "may_be_retried",
    "new_id",
    "pause_s",
    "rfc3339",
]

CBOR = "application/cbor"
NPZ = "application/x-npz"
TRIES = 8
PAUSE_S = 0.25
LONGEST_PAUSE_S = 10.0


NO_PROXY: dict[str, httpx.BaseTransport | None] = {
    f"all://{host}": None for host in ("localhost", "127.0.0.1", "[::1]")
}
"""A service on this machine is reached directly, also where the environment names a proxy."""


class CannotBeSent(ValueError):
    """It has no form that the service could read, such as a number that is NaN."""


class ReceiptWrong(Exception):
    """A receipt names other bytes than those that were sent: keep them and send again."""


def chunk(
    t0_ns: int,
    rate_hz: float,
    unit: str,
    scale: float,
    counts: bytes,
    t_ms: Sequence[int] | None = None,
) -> bytes:
    """The body of a chunk. Keep these bytes: their SHA-256 names them from now on.

    Args:
        t0_ns: time of the first sample, nanoseconds since the epoch.
        rate_hz: samples a second.
        unit: "g" or "m/s2" for acceleration, "rad/s" or "deg/s" for rotation.
        scale: unit per count.
        counts: int16 little-endian, x y z x y z …
        t_ms: milliseconds after t0 of every sample, where the device is irregular.
    """
    what = {"v": 1, "t0": t0_ns, "rate_hz": float(rate_hz), "unit": unit, "scale": float(scale)}
    samples = {"n": len(counts) // 6, "xyz": counts}
    irregular = {} if t_ms is None else {"t_ms": list(t_ms)}
    return cbor2.dumps({**what, **samples, **irregular})


def new_id(at: datetime | None = None, noise: bytes | None = None) -> UUID:
    """A UUIDv7: ids of sessions and sets sort by their time.

    Args:
        at: the time it carries; now by default.
        noise: 10 bytes; random by default. The same time and noise give the same id.
    """
    milliseconds = int((at.timestamp() if at else time.time()) * 1000)
    number = milliseconds << 80 | int.from_bytes(noise or os.urandom(10), "big")
    number = number & ~(0xF << 76) | 7 << 76
    return UUID(int=number & ~(0b11 << 62) | 0b10 << 62)


def rfc3339(at: datetime) -> str:
    """A time as the service takes it: RFC 3339, in UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


class Client:
    """One person's connection. Retries what may be retried; renews its token by itself."""

    def __init__(
        self,
        base_url: str,
        timeout_s: float = 40.0,  # the service takes 30
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Where the service is.

        Args:
            base_url: its address; it may have a path.
            timeout_s: of a request.
            transport: what requests go through instead of the network, such as a proxy.
        """
        self._http = httpx.Client(
            base_url=base_url, timeout=timeout_s, transport=transport, mounts=NO_PROXY
        )
        self._access = ""
        self._refresh = ""

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    # ---- who

    def register(self, username: str, password: str) -> None:
        """Make a user and log in.

        Raises:
            RequestRefused: 409 when the name is taken.
        """
        body = {"username": username, "password": password}
        self._keep(self._ask("POST", "/v1/auth/register", "access_token", json=body))

    def login(self, username: str, password: str) -> None:
        """Log in with a password."""
        form = {"username": username, "password": password}
        self._keep(self._ask("POST", "/v1/auth/token", "access_token", data=form))

    def logout(self) -> None:
        """End this login on the server."""
        self._send("POST", "/v1/auth/revoke", {"json": {"token": self._refresh}})

    @property
    def token(self) -> str:
        """The access token, for other tools."""
        return self._access

    # ---- recording

    def open_session(
        self,
        session: UUID,
        started_at: datetime,
        streams: Mapping[str, Mapping[str, str]],
        timezone: str = "UTC",
    ) -> dict[str, Any]:
        """Open a session, or add streams to it."""
        body = {
            "started_at": rfc3339(started_at),
            "timezone": timezone,
            "sent_at": rfc3339(datetime.now(UTC)),
            "streams": streams,
        }
        return self._ask("PUT", f"/v1/sessions/{session}", "session", json=body)

    def put_chunk(self, session: UUID, stream: str, seq: int, body: bytes) -> dict[str, Any]:
        """Send one chunk and check its receipt. Sending it again is always safe.

        Raises:
            ReceiptWrong: the receipt is for other bytes.
        """
        path = f"/v1/sessions/{session}/streams/{stream}/chunks/{seq}"
        headers = {"Content-Type": CBOR}
        receipt = self._ask("PUT", path, "sha256", content=body, headers=headers)
        if receipt["sha256"] != hashlib.sha256(body).hexdigest():
            raise ReceiptWrong(f"chunk {seq} of {stream}: {receipt['sha256']}")
        return receipt

    def put_chunks(
        self, session: UUID, chunks: Iterable[tuple[str, int, bytes]]
    ) -> list[dict[str, Any]]:
        """Send many chunks in one request (at most 1 MiB): a receipt or a problem for each.

        Raises:
            TooSlow: several did not arrive in time.
        """
        items = [
            cbor2.dumps({"stream": stream, "seq": seq, "chunk": body})
            for stream, seq, body in chunks
        ]
        headers = {"Content-Type": "application/cbor-seq"}
        request = {"content": b"".join(items), "headers": headers}
        path = f"/v1/sessions/{session}/chunks"
        response = self._send("POST", path, request, divisible=len(items) > 1)
        return json_of(response, "results")["results"]

    def stored_chunks(self, session: UUID) -> dict[str, Any]:
        """The chunk numbers that the server has: where to go on after a crash of the phone."""
        return self._ask("GET", f"/v1/sessions/{session}/chunks", "streams")

    def complete(self, session: UUID, hashes: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        """Say which chunks are the session, stream by stream in the order of their numbers.

        Raises:
            RequestRefused: 409, with the numbers that the server misses.
        """
        body = {"sent_at": rfc3339(datetime.now(UTC)), "streams": hashes}
        return self._ask("POST", f"/v1/sessions/{session}/complete", "session", json=body)

    def confirm_set(
        self,
        session: UUID,
        set_id: UUID,
        exercise: str,
        started_at: datetime,
        ended_at: datetime,
        **more: Any,
    ) -> dict[str, Any]:
        """Say what a set was: `reps`, `weight_kg`, `intensity`, `label_source` where known."""
        times = {"started_at": rfc3339(started_at), "ended_at": rfc3339(ended_at)}
        body = {"exercise": exercise, **times, **more}
        return self._ask("PUT", f"/v1/sessions/{session}/sets/{set_id}", "set", json=body)

    def session(self, session: UUID) -> dict[str, Any]:
        """The session as the server understands it."""
        return self._ask("GET", f"/v1/sessions/{session}", "session")

    # ---- asking

    def classify(
        self, streams: Mapping[str, bytes], side: str | None = None, *, reps: bool = True
    ) -> dict[str, Any]:
        """Which exercise these samples are.

        Args:
            streams: stream name to the body of a chunk.
            side: the wrist, where it is known.
            reps: whether to count repetitions as well.
        """
        body: dict[str, Any] = {"streams": {k: cbor2.loads(v) for k, v in streams.items()}}
        if side is not None:
            body["side"] = side
        path = "/v1/classify" if reps else "/v1/classify?reps=false"
        headers = {"Content-Type": CBOR}
        return self._ask("POST", path, "exercise", content=cbor2.dumps(body), headers=headers)

    def model(
        self, family: str, etag: str | None = None, model_id: str | None = None
    ) -> tuple[bytes | None, str]:
        """The bytes of a model and their ETag; None when `etag` is still the newest.

        Args:
            family: such as "exercise".
            etag: of the copy that is here.
            model_id: the input that it reads, such as "wrist-acc3"; the one that serves by default.
        """
        headers = {"If-None-Match": etag} if etag else {}
        params = {"format": "npz"} | ({"model_id": model_id} if model_id else {})
        request = {"headers": headers, "params": params}
        response = self._send("GET", f"/v1/me/models/{family}", request)
        if response.status_code == NOT_MODIFIED:
            return None, response.headers["etag"]
        if response.headers.get("Content-Type") != NPZ:
            raise foreign_answer(response)
        return response.content, response.headers["etag"]

    # ---- the wire

    def _keep(self, tokens: Mapping[str, Any]) -> None:
        self._access, self._refresh = tokens["access_token"], tokens["refresh_token"]

    def _ask(self, method: str, path: str, member: str, **request: Any) -> dict[str, Any]:
        """The service's answer, which is a JSON object with that member."""
        return json_of(self._send(method, path, request), member)

    def _send(
        self, method: str, path: str, request: dict[str, Any], *, divisible: bool = False
    ) -> httpx.Response:
        """Try until the answer is final: only a lost connection, 408, 429 and 5xx are tried again.

        Nothing is tried again that the server wants later than `LONGEST_PAUSE_S` from now. A
        `divisible` body that took too long is not: in parts it gets through sooner.
        """
        prepared = self._prepared(method, path, request)
        why, wait_s = "", 0.0
        for attempt in range(TRIES):
            time.sleep(wait_s)
            try:
                response = self._once(prepared, signed=not path.startswith("/v1/auth/"))
            except httpx.TransportError as problem:
                why, wait_s = repr(problem), pause_s(attempt, None)
                continue
            if is_success(response):
                return response
            if response.status_code < 400:
                raise foreign_answer(response)
            if not may_be_retried(response.status_code):
                raise refusal(response.status_code, problem_of(response))
            why = f"{response.status_code} {response.text[:200]}"
            if divisible and response.status_code == REQUEST_TIMEOUT:
                raise TooSlow(f"{method} {path}: {why}")
            retry_after = response.headers.get("Retry-After", "")
            if retry_after.isdigit() and int(retry_after) > LONGEST_PAUSE_S:
                break  # such as until midnight, when the samples of a day are used up
            wait_s = pause_s(attempt, retry_after)
        raise TryLater(f"{method} {path}: {why}")

    def _prepared(self, method: str, path: str, request: dict[str, Any]) -> httpx.Request:
        try:
            return self._http.build_request(method, path, **request)
        except ValueError as problem:  # NaN; half an emoji
            raise CannotBeSent(f"{method} {path}: {problem}") from problem

    def _once(self, request: httpx.Request, *, signed: bool) -> httpx.Response:
        """One request; a signed one with a renewed token when the old one ran out."""
        if not signed:
            return self._http.send(request)
        response = self._http.send(request, auth=self._sign)
        if response.status_code == 401 and self._refresh:
            refresh = {"refresh_token": self._refresh}
            self._keep(self._ask("POST", "/v1/auth/refresh", "access_token", json=refresh))
            response = self._http.send(request, auth=self._sign)
        return response

    def _sign(self, request: httpx.Request) -> httpx.Request:
        request.headers["Authorization"] = f"Bearer {self._access}"
        return request


def pause_s(attempt: int, retry_after: str | None) -> float:
    """How long to wait before the next try: what the server asks for, else twice as long each time.

    >>> [pause_s(n, None) for n in range(3)], pause_s(0, "2")
    ([0.25, 0.5, 1.0], 2.0)
    """
    if retry_after and retry_after.isdigit():
        return min(float(retry_after), LONGEST_PAUSE_S)
    return min(PAUSE_S * 2**attempt, LONGEST_PAUSE_S)

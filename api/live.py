"""A session while it goes on: chunks in, receipts and the running guess out, over one WebSocket.

In, binary: an item as in a batch, CBOR `{stream, seq, chunk}`, `chunk` being the very bytes of the
upload, so hash, number and receipt are the same, and both ways may be mixed. In, JSON text:
`{"auth": token}` (first, when no Authorization header was sent; later to renew) and
`{"resume": true}`. Out, JSON text with a `type`: ready, receipt, problem, guess (what the last 8 s
are), sets (those that are over, in the shape of a session's, and the `current` one or null; every
5 s of samples, provisional until the session is complete), held, auth.

Each item, good or bad, and each word is one request of the caller's limit. Over the limit the
answer is a problem (429) with `retry_after_s` beside it, and the connection goes on. After 16 bad
items the rest of their frame is skipped, and one problem (`field: items`) says so.
"""

import asyncio
import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from api.authenticator import Caller
from api.chunks import SCOPE
from api.dependencies import Services, services_of
from api.items import Item, decoded, items_in
from api.live_connection import LiveConnection, end, quietly
from api.live_results import LiveGuess, LiveSets
from api.quota import keep_chunk
from ingest.chunks import Chunk
from ingest.recordings import wrist_of
from schemas.errors import (
    AccessDenied,
    BadChunk,
    BadInput,
    LimitExceeded,
    MissingScope,
    MuvrError,
    NotAuthenticated,
    Retryable,
)

router = APIRouter(prefix="/v1/sessions/{session}", tags=["recording"])
FIRST_WORD_S = 10.0  # how long a connection may stay without saying who it is
WARN_S = 60.0  # how long before its end a token is asked to be renewed
MAX_BAD_ITEMS = 16  # items of a frame that are each told what is wrong with them


@router.websocket("/live")
async def live(socket: WebSocket, session: str) -> None:
    """Serve one connection until either side ends it."""
    await socket.accept()
    try:
        connection = await _begin(socket, session)
    except MuvrError as error:
        await end(socket, error)
        return
    except WebSocketDisconnect:
        return
    open_connections = connection.services.metrics.live
    open_connections.inc()
    try:
        await connection.say(
            "ready", session=str(connection.session_id), expires_at=_expires(connection.caller)
        )
        await _listen(connection)
    except WebSocketDisconnect:
        pass  # how a connection ends
    except MuvrError as error:
        await end(socket, error)
    finally:
        open_connections.dec()
        # Chunks that were taken are finished: their bytes may already be on disk.
        for task in connection.work:
            task.add_done_callback(lambda done: done.cancelled() or done.exception())


async def _begin(socket: WebSocket, session: str) -> LiveConnection:
    """Who is calling, and which session this is.

    Raises:
        NotAuthenticated, MissingScope, NotFound, DatabaseUnavailable, LimitExceeded.
    """
    services = services_of(socket)
    token = socket.headers.get("authorization", "").partition(" ")[2].strip()
    if not token:
        try:
            first = await asyncio.wait_for(_words(socket), FIRST_WORD_S)
        except TimeoutError as problem:
            raise NotAuthenticated('Send {"auth": "<access token>"} first.') from problem
        token = str(first.get("auth", ""))
    caller = await _admit(services, token)
    services.rate_limiter.take_request(caller.user_id)
    try:
        session_id = UUID(session)
    except ValueError as problem:
        raise BadChunk("session is no UUID", field="session", value=session) from problem
    row = await services.recorder.session(caller.user_id, session_id)
    wrist = wrist_of(row.streams)
    guess = LiveGuess(services, caller.user_id, wrist)
    sets = LiveSets(services, caller.user_id, session_id, wrist)
    return LiveConnection(socket, services, session_id, token, caller, guess, sets)


async def _listen(connection: LiveConnection) -> None:
    """Take messages until the other side leaves, or its token ends."""
    while True:
        left_s = connection.caller.expires_at - time.time()
        if left_s <= 0:
            raise NotAuthenticated("The token has expired and was not renewed.")
        if left_s <= WARN_S and not connection.warned:
            connection.warned = True
            await connection.say("auth", expires_at=_expires(connection.caller))
        until_s = left_s if connection.warned else left_s - WARN_S
        try:
            message = await asyncio.wait_for(connection.socket.receive(), max(0.01, until_s))
        except TimeoutError:
            continue
        if message["type"] == "websocket.disconnect":
            return
        connection.caller = await _still_good(connection)
        if message.get("bytes") is not None:
            await _take(connection, message["bytes"])
        else:
            await _hear(connection, message.get("text") or "")


async def _take(connection: LiveConnection, frame: bytes) -> None:
    """Begin to keep the chunks of a frame; waits while too many are under way."""
    bad = 0
    try:
        for item in items_in(frame):
            if bad == MAX_BAD_ITEMS:
                raise BadChunk(
                    f"{bad} items of the frame are bad; the rest of it is skipped",
                    field="items",
                    value=bad,
                )
            try:
                stream, seq, chunk = _allowed(connection, item)
            except MuvrError as error:
                bad += item.problem is not None or isinstance(error, BadInput)
                await quietly(connection.complain(error, item))
                await asyncio.sleep(0)  # others may be served between two of them
                continue
            await connection.gate.acquire()
            task = asyncio.create_task(_keep(connection, item, stream, seq, chunk))
            connection.work.add(task)
            task.add_done_callback(connection.work.discard)
    except BadChunk as problem:  # too many: those that came first are kept
        await connection.complain(problem)


def _allowed(connection: LiveConnection, item: Item) -> tuple[str, int, Chunk]:
    """Stream, number and samples of an item, which is a request whatever it holds.

    Raises:
        LimitExceeded: one request too many; its chunk is not looked at.
        BadChunk, TooLarge: it is no item, or its chunk is none.
    """
    connection.services.rate_limiter.take_request(connection.caller.user_id)
    return decoded(item, connection.services.config.limits)


async def _keep(
    connection: LiveConnection, item: Item, stream: str, seq: int, chunk: Chunk
) -> None:
    """Keep one chunk: its receipt, or its problem; then perhaps a guess."""
    services, user_id = connection.services, connection.caller.user_id
    guess, sets, piece = connection.guess, connection.sets, chunk.piece
    try:
        with guess.last.awaiting(stream, piece), sets.last.awaiting(stream, piece):
            receipt = await keep_chunk(services, user_id, connection.session_id, stream, seq, chunk)
        guess_is_due, look_is_due = guess.add(stream, piece), sets.add(stream, piece)
        await connection.say("receipt", **msgspec.to_builtins(receipt))
        if guess_is_due:
            await _tell(connection, "guess", guess, item)
        if look_is_due:
            await _tell(connection, "sets", sets, item)
    except MuvrError as error:
        await quietly(connection.complain(error, item))
    except (WebSocketDisconnect, RuntimeError):
        return  # the other side left; its next connection asks what is held
    finally:
        connection.gate.release()


async def _tell(
    connection: LiveConnection, kind: str, running: LiveGuess | LiveSets, item: Item
) -> None:
    """Send what a running guess, or the running sets, say now; if they fail, send the problem.

    An error of one of them must not keep the other from being sent.
    """
    try:
        await connection.say(kind, **await running.answer())
    except MuvrError as error:
        await quietly(connection.complain(error, item))


async def _hear(connection: LiveConnection, text: str) -> None:
    """Answer a text message of the client: renew its token, or say what the server holds.

    Raises:
        NotAuthenticated, MissingScope, Refused: the new token is not good, or somebody else's.
    """
    try:
        connection.services.rate_limiter.take_request(connection.caller.user_id)
    except LimitExceeded as error:
        await connection.complain(error)
        return
    words = _parsed(text)
    if "auth" in words:
        token = str(words["auth"])
        caller = await _admit(connection.services, token)
        if caller.user_id != connection.caller.user_id:
            raise AccessDenied("The new token is another user's.")
        connection.token, connection.caller, connection.warned = token, caller, False
        await connection.say("auth", expires_at=_expires(caller))
    elif "resume" in words:
        await asyncio.gather(*connection.work, return_exceptions=True)
        held = await connection.services.recorder.held(
            connection.caller.user_id, connection.session_id
        )
        streams = {
            name: {"ranges": one.ranges, "several": one.several, "next": _next(one.ranges)}
            for name, one in held.items()
        }
        await connection.say("held", session=str(connection.session_id), streams=streams)
    else:
        await connection.complain(BadChunk('Send {"auth": …}, {"resume": true} or a binary item.'))


async def _still_good(connection: LiveConnection) -> Caller:
    """The caller, unless the login was revoked; the token is believed while Cassandra is away.

    A phone must not be disconnected for a fault of ours: each of its chunks gets a 503 of its own.
    """
    try:
        return await connection.services.authenticator.authenticate_token(connection.token)
    except Retryable:
        return connection.caller


async def _admit(services: Services, token: str) -> Caller:
    caller = await services.authenticator.authenticate_token(token)
    if SCOPE not in caller.scopes:
        raise MissingScope(f"This needs the scope {SCOPE}.")
    return caller


async def _words(socket: WebSocket) -> dict[str, Any]:
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1000))
    return _parsed(message.get("text") or "")


def _parsed(text: str) -> dict[str, Any]:
    try:
        words = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return words if isinstance(words, dict) else {}


def _next(ranges: list[list[int]]) -> int:
    """The first chunk number that is not held; chunks after it may be."""
    return ranges[0][1] + 1 if ranges and ranges[0][0] == 0 else 0


def _expires(caller: Caller) -> str:
    return datetime.fromtimestamp(caller.expires_at, UTC).isoformat().replace("+00:00", "Z")

"""Live sessions over a WebSocket: chunks in, receipts and provisional answers out.

In, binary: items as in a batch, CBOR `{stream, seq, chunk}`, `chunk` being the bytes of an upload,
so hash, number and receipt are the same, and both ways may be mixed. In, JSON text:
`{"auth": token}` (first, when no Authorization header was sent; later to renew) and
`{"resume": true}`. Out, JSON text with a `type`: ready, receipt, problem, guess (what the last 8 s
are), sets (the finished ones, in the shape of a session's, and the `current` one or null; every
5 s of samples, provisional until the session is complete), held, auth.

Each item, valid or not, and each text message is one request of the caller's limit. Over the limit
the answer is a problem (429) with `retry_after_s` beside it, and the connection stays open. After
16 bad items the rest of their frame is skipped, which one problem (`field: items`) reports.
"""

import asyncio
import time
from datetime import UTC, datetime

import msgspec
from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from api.authenticator import Caller
from api.chunk_items import BadItem, Item, decoded, items_in
from api.dependencies import SENSOR_WRITE, Services, services_of
from api.live_connection import LiveConnection, close_with_problem
from api.live_results import LiveGuess, LiveSetTracker
from api.quota import store_chunk
from api.raw_routes import session_id_of
from ingest.chunks import NumberedChunk
from ingest.wrist_streams import wrist_of
from schemas.errors import (
    AccessDenied,
    BadChunk,
    BadInput,
    LimitExceeded,
    MuvrError,
    NotAuthenticated,
    Retryable,
)

router = APIRouter(prefix="/v1/sessions/{session}", tags=["recording"])
AUTH_TIMEOUT_S = 10.0  # how long a connection may stay open without a token
RENEWAL_NOTICE_S = 60.0  # how long before its expiry the client is asked to renew its token
MAX_BAD_ITEMS = 16  # items of a frame that get a problem each


@router.websocket("/live")
async def live(socket: WebSocket, session: str) -> None:
    """Serve one connection until either side ends it.

    Chunks that were accepted are still stored then: their bytes may already be on disk.
    """
    await socket.accept()
    try:
        connection = await _open_connection(socket, session)
        with connection.services.metrics.live.track_inprogress():
            await connection.send(
                "ready",
                session=str(connection.session_id),
                expires_at=_expires_at(connection.caller),
            )
            await _receive_messages(connection)
    except WebSocketDisconnect:
        return
    except Exception as error:  # noqa: BLE001 (told, and logged if it is unexpected)
        await close_with_problem(socket, error)


async def _open_connection(socket: WebSocket, session: str) -> LiveConnection:
    """Authenticate the caller and look up the session.

    Raises:
        NotAuthenticated, MissingScope, BadEvent, NotFound, DatabaseUnavailable, LimitExceeded.
    """
    services = services_of(socket)
    token = socket.headers.get("authorization", "").partition(" ")[2].strip()
    if not token:
        try:
            first = await asyncio.wait_for(_receive_text(socket), AUTH_TIMEOUT_S)
        except TimeoutError as problem:
            raise NotAuthenticated('Send {"auth": "<access token>"} first.') from problem
        token = first.auth or ""
    caller = await _authenticate(services, token)
    services.rate_limiter.take_request(caller.user_id)
    session_id = session_id_of(session)
    row = await services.recorder.session(caller.user_id, session_id)
    wrist = wrist_of(row.streams)
    guess = LiveGuess(services, caller.user_id, wrist)
    sets = LiveSetTracker(services, caller.user_id, session_id, wrist)
    streams = frozenset(row.streams)
    return LiveConnection(socket, services, session_id, token, caller, streams, guess, sets)


async def _receive_messages(connection: LiveConnection) -> None:
    """Handle messages until the client disconnects or its token expires."""
    while True:
        left_s = connection.caller.expires_at - time.time()
        if left_s <= 0:
            raise NotAuthenticated("The token has expired and was not renewed.")
        if left_s <= RENEWAL_NOTICE_S and not connection.renewal_requested:
            connection.renewal_requested = True
            await connection.send("auth", expires_at=_expires_at(connection.caller))
        until_s = left_s if connection.renewal_requested else left_s - RENEWAL_NOTICE_S
        try:
            message = await asyncio.wait_for(connection.socket.receive(), max(0.01, until_s))
        except TimeoutError:
            continue
        if message["type"] == "websocket.disconnect":
            return
        connection.caller = await _revalidated(connection)
        if message.get("bytes") is not None:
            await _handle_frame(connection, message["bytes"])
        else:
            await _handle_text(connection, message.get("text") or "")


async def _handle_frame(connection: LiveConnection, frame: bytes) -> None:
    """Start to store the chunks of a frame; waits while too many are in flight."""
    bad_items = 0
    try:
        for item in items_in(frame):
            if bad_items == MAX_BAD_ITEMS:
                raise BadChunk(
                    f"{bad_items} items of the frame are bad; the rest of it is skipped",
                    field="items",
                    value=bad_items,
                )
            try:
                numbered = _decode_charged(connection, item)
            except MuvrError as error:
                if isinstance(item, BadItem) or isinstance(error, BadInput):
                    bad_items += 1
                await connection.send_problem(error, item)
                await asyncio.sleep(0)  # lets other requests run in between
                continue
            await connection.in_flight.acquire()
            task = asyncio.create_task(_handle_chunk(connection, numbered))
            connection.tasks.add(task)
            task.add_done_callback(connection.tasks.discard)
    except BadChunk as problem:  # too many items: the first ones are stored
        await connection.send_problem(problem)


def _decode_charged(connection: LiveConnection, item: Item | BadItem) -> NumberedChunk:
    """Count an item as a request, then decode it.

    Raises:
        LimitExceeded: too many requests; the chunk is not decoded.
        BadChunk, TooLarge: the item or its chunk is not valid.
    """
    connection.services.rate_limiter.take_request(connection.caller.user_id)
    return decoded(item, connection.services.config.limits)


async def _handle_chunk(connection: LiveConnection, numbered: NumberedChunk) -> None:
    """Store one chunk and send its receipt or problem; then the answers that are due."""
    services, user_id = connection.services, connection.caller.user_id
    guess, sets = connection.guess, connection.sets
    stream, seq, piece = numbered.stream, numbered.seq, numbered.chunk.piece
    try:
        with guess.buffer.storing(stream, piece), sets.buffer.storing(stream, piece):
            receipt = await store_chunk(services, user_id, connection.session_id, numbered)
            if stream not in connection.streams:
                await _use_declared_streams(connection)
        guess_is_due = guess.buffer.add(stream, seq, piece)
        sets_are_due = sets.buffer.add(stream, seq, piece)
        await connection.send("receipt", **msgspec.to_builtins(receipt))
        if guess_is_due:
            await _send_result(connection, "guess", guess)
        if sets_are_due:
            await _send_result(connection, "sets", sets)
    except Exception as error:  # noqa: BLE001 (nobody awaits this task)
        await connection.send_problem(error, numbered)
    finally:
        connection.in_flight.release()


async def _use_declared_streams(connection: LiveConnection) -> None:
    """Use the streams that were declared since the connection was opened."""
    row = await connection.services.recorder.session(
        connection.caller.user_id, connection.session_id
    )
    connection.streams = frozenset(row.streams)
    for running in (connection.guess, connection.sets):
        running.buffer.use(wrist_of(row.streams))


async def _send_result(
    connection: LiveConnection, kind: str, running: LiveGuess | LiveSetTracker
) -> None:
    """Send a live guess or the live sets, or the problem if they fail.

    An error of one of them must not keep the other from being sent. The problem names no chunk: the
    chunk is stored, and a client sets aside those that a problem names.
    """
    if not connection.is_open:
        return  # the client's next connection asks what is stored
    try:
        await connection.send(kind, **await running.evaluate())
    except Exception as error:  # noqa: BLE001 (as above)
        await connection.send_problem(error)


async def _handle_text(connection: LiveConnection, text: str) -> None:
    """Answer a text message of the client: renew its token, or report which chunks are stored.

    Raises:
        NotAuthenticated, MissingScope, AccessDenied: the new token is invalid, or another user's.
    """
    try:
        connection.services.rate_limiter.take_request(connection.caller.user_id)
    except LimitExceeded as error:
        await connection.send_problem(error)
        return
    message = _parsed(text)
    if (token := message.auth) is not None:
        caller = await _authenticate(connection.services, token)
        if caller.user_id != connection.caller.user_id:
            raise AccessDenied("The new token is another user's.")
        connection.token, connection.caller, connection.renewal_requested = token, caller, False
        await connection.send("auth", expires_at=_expires_at(caller))
    elif message.resume is not msgspec.UNSET:
        await asyncio.gather(*connection.tasks, return_exceptions=True)
        stored = await connection.services.recorder.stored_chunk_numbers(
            connection.caller.user_id, connection.session_id
        )
        streams = {
            name: {
                "ranges": numbers.ranges,
                "several": numbers.several,
                "next": _next_number(numbers.ranges),
            }
            for name, numbers in stored.items()
        }
        await connection.send("held", session=str(connection.session_id), streams=streams)
    else:
        await connection.send_problem(
            BadChunk('Send {"auth": …}, {"resume": true} or a binary item.')
        )


async def _revalidated(connection: LiveConnection) -> Caller:
    """The caller, unless the login was revoked; unchanged while Cassandra is unavailable.

    A phone must not be disconnected for a server error: each of its chunks gets a 503 of its own.
    """
    try:
        return await connection.services.authenticator.authenticate_token(connection.token)
    except Retryable:
        return connection.caller


async def _authenticate(services: Services, token: str) -> Caller:
    caller = await services.authenticator.authenticate_token(token)
    caller.require_scope(SENSOR_WRITE)
    return caller


class _Text(msgspec.Struct):
    """A text message. Other members are skipped, so that none of them is kept in memory."""

    auth: str | None = None
    resume: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET  # any value asks for it


async def _receive_text(socket: WebSocket) -> _Text:
    message = await socket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1000))
    return _parsed(message.get("text") or "")


def _parsed(text: str) -> _Text:
    try:
        return msgspec.json.decode(text, type=_Text)
    except (msgspec.DecodeError, RecursionError):
        return _Text()


def _next_number(ranges: list[list[int]]) -> int:
    """The first chunk number that is not stored; later ones may be."""
    return ranges[0][1] + 1 if ranges and ranges[0][0] == 0 else 0


def _expires_at(caller: Caller) -> str:
    return datetime.fromtimestamp(caller.expires_at, UTC).isoformat().replace("+00:00", "Z")

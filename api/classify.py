"""Which exercise is this? The samples stand in the body; nothing of them is kept."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, cast

import msgspec
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from starlette.datastructures import QueryParams

from api.dependencies import Services, authorise, security, services_of
from api.examples import CHUNK, CLASSIFY_BODY
from api.model_cache import Loaded, rungs_of
from api.problems import described
from api.raw import RawRoute, body_of, header_of
from api.shapes import ModelName
from ingest.bodies import decode_body
from ingest.cbor import read_cbor
from ingest.chunks import CBOR, JSON, read_samples
from models.exercise.layout import model_id
from models.exercise.minimum_sets import NEEDED
from models.recognition.counting import FROM_S, repetitions
from models.recognition.naming import NO_MODEL, Named
from models.recognition.wearing import name_as_worn
from models.reps.count import Repetitions
from models.signal.pieces import Piece, Recording, Side
from models.signal.wrist import wrist_signals
from schemas.config import Limits
from schemas.errors import BadChunk, UnsupportedMedia
from schemas.wire import UNITS

router = APIRouter(prefix="/v1", tags=["asking"], route_class=RawRoute)
FAMILY = "exercise"
QUESTION_S = 3600.0  # samples at 1 Hz claim weeks in kilobytes, and all of it becomes 50 Hz
INLINE_S = 20.0  # a longer recording is answered in a thread, so that others do not wait for it
INLINE_BYTES = 1 << 17  # likewise: 300 bytes of zstd may be 30,000 chunks, which take a second
CHUNKS_AT_MOST = 8192  # an hour of seconds, both sensors, is 7,200
WITHOUT_MODEL = f"Confirm {NEEDED}. The next training learns your model from them."


class WindowShape(BaseModel):
    """One window of 4 s."""

    started_at: datetime
    exercise: str
    probability: float = Field(ge=0, le=1)


class ClassifyAnswer(BaseModel):
    """Which exercise the samples are."""

    exercise: str | None = Field(description="null when abstained")
    probability: float = Field(ge=0, le=1, description="calibrated; of the guess when abstained")
    abstained: bool
    reason: str | None = Field(
        description="why abstained: unknown-movement, no-model, too-short, other-layout; where "
        "samples lack what the model learned from: no-gravity, low-rate"
    )
    next_step: str | None = Field(
        description="what the caller can add where there is no model; else null"
    )
    model: ModelName | None
    reps: int | None = Field(description="repetitions; null when not counted")
    reps_confidence: float | None
    guess: str | None = Field(description="the most probable exercise, named or not")
    known: float | None = Field(description="probability that the movement is one it has learned")
    notes: list[str] = Field(description="what was put right in the samples, and what they lack")
    windows: list[WindowShape]


_BODY = {
    "required": True,
    "description": f"at most {CHUNKS_AT_MOST} chunks, which reach over at most {QUESTION_S:.0f} s",
    "content": {
        media: {
            "schema": {
                "anyOf": [
                    {"$ref": "#/components/schemas/ChunkShape"},
                    {"$ref": "#/components/schemas/StreamsShape"},
                ]
            },
            **(
                {"examples": {"chunk": {"value": CHUNK}, "both sensors": {"value": CLASSIFY_BODY}}}
                if media == JSON
                else {}
            ),
        }
        for media in (JSON, CBOR)
    },
}
_PARAMETERS = [
    {
        "name": "side",
        "in": "query",
        "required": False,
        "schema": {"type": "string", "enum": ["left", "right"]},
        "description": "the wrist; where it is not said, both are tried",
    },
    {
        "name": "reps",
        "in": "query",
        "required": False,
        "schema": {"type": "boolean", "default": True},
        "description": "whether to count repetitions as well",
    },
    {
        "name": "Content-Encoding",
        "in": "header",
        "required": False,
        "schema": {"type": "string", "enum": ["zstd", "gzip"]},
    },
]


@router.post(
    "/classify",
    response_model=ClassifyAnswer,
    responses=described(413, 415, 422),
    openapi_extra={
        "requestBody": _BODY,
        "parameters": _PARAMETERS,
        "security": security("predict"),
    },
)
async def classify(request: Request) -> Response:
    """Name the exercise in the samples of one chunk, or of `{"streams": {name: chunk}}`."""
    caller = await authorise(request, "predict")
    services = services_of(request)
    body = await body_of(request)
    limits = services.config.limits
    body = decode_body(body, header_of(request, b"content-encoding"), limits)
    side, count = _asked(request.scope["query_string"])
    given = (body, header_of(request, b"content-type"), limits, side)
    if len(body) <= INLINE_BYTES:
        recording = read_recording(*given)
    else:
        recording = await asyncio.to_thread(read_recording, *given)
    seconds = reach_s(recording)
    ladder = await services.models.ladder(caller.user_id, model_id(recording), FAMILY)
    if seconds <= INLINE_S and not (count and seconds >= FROM_S):
        # In steps with all others that are under way: the same code again is a quarter cheaper.
        await asyncio.sleep(0)
        shape = answer_of(recording, ladder, count=False)
        await asyncio.sleep(0)
    else:
        shape = await asyncio.to_thread(answer_of, recording, ladder, count=count)
    _tell(services, ladder, shape)
    return Response(msgspec.json.encode(shape), media_type="application/json")


@lru_cache(maxsize=64)
def _asked(query: bytes) -> tuple[Side | None, bool]:
    """The side, and whether to count repetitions; few clients ask in many ways."""
    said = QueryParams(query)
    count = said.get("reps", "true").lower() not in ("false", "0", "no")
    return _side(said.get("side"), "side"), count


def answer_of(recording: Recording, ladder: Sequence[Loaded], *, count: bool) -> dict[str, Any]:
    """The answer for a recording, in the shape of `ClassifyAnswer`."""
    signals = wrist_signals(recording)
    named = name_as_worn(signals, rungs_of(ladder))
    return _shape(named, repetitions(signals) if count and not named.answer.abstained else None)


def _shape(named: Named, counted: Repetitions | None = None) -> dict[str, Any]:
    answer, rung = named.answer, named.rung
    return {
        "exercise": answer.exercise,
        "probability": answer.probability,
        "abstained": answer.abstained,
        "reason": answer.reason,
        "next_step": WITHOUT_MODEL if answer.reason == NO_MODEL.reason else None,
        "model": None
        if rung is None
        else {"family": FAMILY, "level": rung.level, "version": rung.version},
        "reps": None if counted is None else counted.count,
        "reps_confidence": None if counted is None else counted.confidence,
        "guess": answer.guess,
        "known": answer.known,
        "notes": answer.notes,
        "windows": [
            {
                "started_at": datetime.fromtimestamp(window.t0_ns / 1e9, UTC),
                "exercise": window.exercise,
                "probability": window.probability,
            }
            for window in answer.windows
        ],
    }


def read_recording(
    body: bytes, media_type: str, limits: Limits, side: Side | None = None
) -> Recording:
    """The samples of a body: one chunk, or several streams of them.

    Raises:
        BadChunk: a part that is no chunk (its name is in `field`), or no acceleration.
        UnsupportedMedia: neither CBOR nor JSON.
    """
    streams = _streams(body, media_type, limits)
    if streams is None:
        pieces = [read_samples(body, media_type, limits)]
    else:
        side = _side(streams.pop("side", None), "side") or side
        pieces = _pieces(streams, media_type, limits)
    kinds = {kind: _of_kind(pieces, kind) for kind in UNITS}
    if not kinds["acc"]:
        raise BadChunk("There is no acceleration in the body (unit g or m/s2).", field="unit")
    return Recording(kinds["acc"], kinds["gyro"], side)


def _streams(body: bytes, media_type: str, limits: Limits) -> dict[str, object] | None:
    """The map of a body that holds `streams`; None for one that is to be read as a chunk."""
    if b"streams" not in body[:64] and b"streams" not in body[-64:]:
        return None
    kind = media_type.partition(";")[0].strip().lower()
    try:
        if kind == JSON:
            whole = msgspec.json.decode(body)
        elif kind == CBOR:
            whole = read_cbor(body, max_depth=6)  # a list of chunks of lists
        else:
            raise UnsupportedMedia(f"Send {CBOR} or {JSON}.", field="Content-Type", value=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise BadChunk(f"The body does not decode: {problem}", field="body") from problem
    if not isinstance(whole, dict) or "streams" not in whole:
        return None
    unknown = [key for key in whole if key not in ("streams", "side")]
    if unknown or not isinstance(whole["streams"], dict) or not whole["streams"]:
        field = str(unknown[0])[:60] if unknown else "streams"
        raise BadChunk("The body must be {streams: {name: chunk}, side?}.", field=field)
    return cast("dict[str, object]", whole)


def _pieces(whole: Mapping[str, object], media_type: str, limits: Limits) -> list[Piece]:
    streams = cast("dict[object, object]", whole["streams"])
    lists = {name: one if isinstance(one, list) else [one] for name, one in streams.items()}
    count = sum(map(len, lists.values()))
    if count > CHUNKS_AT_MOST:
        raise BadChunk(
            f"The body holds {count} chunks; the cap is {CHUNKS_AT_MOST}.",
            field="streams",
            value=count,
        )
    pieces: list[Piece] = []
    for name, chunks in lists.items():
        for one in chunks:
            try:
                pieces.append(read_samples(one, media_type, limits))
            except BadChunk as problem:
                field = f"streams.{str(name)[:60]}.{problem.field}"
                raise BadChunk(str(problem), field=field, value=problem.value) from problem
    return pieces


def _of_kind(pieces: list[Piece], kind: str) -> tuple[Piece, ...]:
    mine = (piece for piece in pieces if piece.unit in UNITS[kind])
    return tuple(sorted(mine, key=lambda piece: piece.t0_ns))


def _side(value: object, field: str) -> Side | None:
    if value is None:
        return None
    if value not in ("left", "right"):
        raise BadChunk("side must be left or right.", field=field, value=value)
    return value


def reach_s(recording: Recording) -> float:
    """Seconds from the first sample of a question to its last, whatever is missing between.

    Raises:
        BadChunk: over `QUESTION_S`.
    """
    first_ns, gyro = recording.acc[0].t0_ns, recording.gyro  # in order of time
    if gyro and gyro[0].t0_ns < first_ns:
        first_ns = gyro[0].t0_ns
    seconds = (max([piece.end_ns for piece in recording.acc + gyro]) - first_ns) / 1e9
    if seconds > QUESTION_S:
        raise BadChunk(
            f"The samples reach over {seconds:.0f} s; at most {QUESTION_S:.0f} s are looked at.",
            field="body",
            value=round(seconds),
        )
    return seconds


def _tell(services: Services, ladder: Sequence[Loaded], shape: Mapping[str, Any]) -> None:
    level = shape["model"]["level"] if shape["model"] else "none"
    outcome = shape["reason"] if shape["abstained"] else "named"
    made = next((one.stored.created_at for one in ladder if one.level == level), None)
    age_s = None if made is None else (services.clock() - made).total_seconds()
    services.metrics.told(FAMILY, level, outcome, age_s)

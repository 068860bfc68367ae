"""`classify`: which exercise the samples in a body are. Nothing is stored."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from starlette.datastructures import QueryParams

from api.dependencies import Services, authorise, security, services_of
from api.examples import CHUNK, CLASSIFY_BODY
from api.fields import AbstainReason
from api.model_cache import LoadedModel, rungs_of
from api.model_name import ModelName
from api.problems import problem_responses
from api.raw_routes import ENCODING, RawRoute, body_of, parameter
from api.request_head import header_of
from ingest.classify_body import (
    MAX_CHUNKS,
    MAX_DURATION_S,
    duration_s,
    read_recording,
    side_of,
)
from ingest.media_types import CBOR, JSON
from ingest.missing_rotation import lacks_rotation
from models.exercise.layout import layout_of_recording
from models.exercise.minimum_sets import NEEDED
from models.recognition.counting import FROM_S, UP_TO_S, repetitions
from models.recognition.naming import NO_MODEL, LadderPrediction
from models.recognition.worn import name_as_worn
from models.reps.count import Repetitions
from models.signal.pieces import Recording, Side
from models.signal.wrist import wrist_signals
from schemas.families import EXERCISE
from schemas.notes import NO_ROTATION, NOT_USED

router = APIRouter(prefix="/v1", tags=["predictions"], route_class=RawRoute)
INLINE_S = 20.0  # a longer recording is classified in a thread, so that others do not wait for it
INLINE_BYTES = 1 << 17  # likewise: 300 bytes of zstd may be 30,000 chunks, which take a second
WITHOUT_MODEL = f"Confirm {NEEDED}. The next training learns your model from them."


class WindowSchema(BaseModel):
    """One window of 4 s, named by itself."""

    started_at: datetime = Field(description="time of its first sample, UTC")
    exercise: str = Field(description="the most probable exercise")
    probability: float = Field(ge=0, le=1, description="calibrated; of that exercise")


class ClassifyResponse(BaseModel):
    """Which exercise the samples are."""

    exercise: str | None = Field(description="null when abstained")
    probability: float = Field(
        ge=0, le=1, description="calibrated; of the guess when abstained; 0 without one"
    )
    abstained: bool = Field(description="whether no exercise is named, for lack of certainty")
    reason: AbstainReason
    next_step: str | None = Field(
        description="what the caller can add where there is no model; else null"
    )
    model: ModelName | None = Field(description="which model was used; null where there is none")
    reps: int | None = Field(
        description="repetitions; null when not counted: abstained, `reps=false`, or not "
        f"{FROM_S:.0f} to {UP_TO_S:.0f} s long"
    )
    reps_confidence: float | None = Field(
        description="probability that `reps` is right, 0 to 1; null when not counted"
    )
    guess: str | None = Field(
        description="the most probable exercise, named or not; null without a window or a model"
    )
    known: float | None = Field(
        description="probability that the model has learned the movement; null without a window or "
        "a model"
    )
    notes: list[str] = Field(
        description="what was put right in the samples, and what they lack: as of a session's set; "
        f"and of each stream that is not read: `name: {NOT_USED}`"
    )
    windows: list[WindowSchema] = Field(
        description="one each second, by start; empty where the samples are too short "
        "or there is no model"
    )


_BODY = {
    "required": True,
    "description": f"at most {MAX_CHUNKS} chunks, which reach over at most {MAX_DURATION_S:.0f} s",
    "content": {
        media: {
            "schema": {
                "anyOf": [
                    {"$ref": "#/components/schemas/ChunkSchema"},
                    {"$ref": "#/components/schemas/StreamsSchema"},
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
    parameter(
        "side",
        {"type": "string", "enum": ["left", "right"]},
        "query",
        "the wrist; where it is not said, both are tried",
    ),
    parameter(
        "reps",
        {"type": "boolean", "default": True},
        "query",
        "whether to count repetitions as well",
    ),
    ENCODING,
]


@router.post(
    "/classify",
    summary="Classify samples",
    response_model=ClassifyResponse,
    response_description="The exercise, or why none is named",
    responses=problem_responses(413, 415, 422),
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
    limits = services.config.limits
    body = await body_of(request, limits)
    side, count = _options(request.scope["query_string"])
    args = (body, header_of(request, b"content-type"), limits, side)
    if len(body) <= INLINE_BYTES:
        read = read_recording(*args)
    else:
        read = await asyncio.to_thread(read_recording, *args)
    recording = read.recording
    seconds = duration_s(recording)
    ladder = await services.models.ladder(caller.user_id, layout_of_recording(recording), EXERCISE)
    if seconds <= INLINE_S and not (count and seconds >= FROM_S):
        # In step with all concurrent requests: running the same code again is a quarter cheaper.
        await asyncio.sleep(0)
        response = classify_response(recording, ladder, count=False, has_all=True)
        await asyncio.sleep(0)
    else:
        response = await asyncio.to_thread(
            classify_response, recording, ladder, count=count, has_all=True
        )
    response["notes"] = [*response["notes"], *(f"{name}: {NOT_USED}" for name in read.unused)]
    _count_answer(services, ladder, response)
    return Response(msgspec.json.encode(response), media_type=JSON)


@lru_cache(maxsize=64)
def _options(query: bytes) -> tuple[Side | None, bool]:
    """The side, and whether to count repetitions; cached, because few queries differ."""
    params = QueryParams(query)
    count = params.get("reps", "true").lower() not in ("false", "0", "no")
    return side_of(params.get("side")), count


def classify_response(
    recording: Recording, ladder: Sequence[LoadedModel], *, count: bool, has_all: bool = False
) -> dict[str, Any]:
    """The response for a recording, in the shape of `ClassifyResponse`.

    Args:
        recording: what was sent.
        ladder: the models that serve the user.
        count: whether to count repetitions.
        has_all: whether no more samples of this time can come, so that missing rotation is noted.
    """
    signals = wrist_signals(recording)
    named = name_as_worn(signals, rungs_of(ladder))
    counted = repetitions(signals, FROM_S) if count and not named.prediction.abstained else None
    response = _response(named, counted)
    if has_all and lacks_rotation(recording, signals):
        response["notes"] = [*response["notes"], NO_ROTATION]
    return response


def _response(named: LadderPrediction, counted: Repetitions | None = None) -> dict[str, Any]:
    prediction, rung = named.prediction, named.rung
    return {
        "exercise": prediction.exercise,
        "probability": prediction.probability,
        "abstained": prediction.abstained,
        "reason": prediction.reason,
        "next_step": WITHOUT_MODEL if prediction.reason == NO_MODEL.reason else None,
        "model": None
        if rung is None
        else {"family": EXERCISE, "level": rung.level, "version": rung.version},
        "reps": None if counted is None else counted.count,
        "reps_confidence": None if counted is None else counted.confidence,
        "guess": prediction.guess,
        "known": prediction.known,
        "notes": prediction.notes,
        "windows": [
            {
                "started_at": datetime.fromtimestamp(window.t0_ns / 1e9, UTC),
                "exercise": window.exercise,
                "probability": window.probability,
            }
            for window in prediction.windows
        ],
    }


def _count_answer(
    services: Services, ladder: Sequence[LoadedModel], response: Mapping[str, Any]
) -> None:
    level = response["model"]["level"] if response["model"] else "none"
    outcome = response["reason"] if response["abstained"] else "named"
    created_at = next(
        (loaded.stored.created_at for loaded in ladder if loaded.level == level), None
    )
    age_s = None if created_at is None else (services.clock() - created_at).total_seconds()
    services.metrics.count_answer(EXERCISE, level, outcome, age_s)

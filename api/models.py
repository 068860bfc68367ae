"""Models for the phone: which one serves, and its bytes in three forms."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel, Field

from api.dependencies import ModelRead, Services, ServicesDep
from api.fields import ETAG_HEADER
from api.model_cache import LoadedModel
from api.model_forms import MEDIA_TYPES, ModelForm
from api.model_name import ModelName
from api.problems import problem_responses
from models.exercise.minimum_sets import NEEDED
from schemas.errors import NoModel
from schemas.families import EXERCISE, FAMILIES
from schemas.inputs import INPUTS, ModelInput

router = APIRouter(prefix="/v1/me/models", tags=["models"])


class ModelEntry(ModelName):
    """A model that serves the caller."""

    model_id: ModelInput = Field(
        description="the input that it reads: acceleration and rotation of a wrist, acceleration "
        "alone, or confirmed sets"
    )
    sha256: str = Field(description="of the npz form, in hex")
    bytes: int = Field(description="length of the npz form")
    promoted_at: datetime = Field(description="since when it serves, UTC")
    created_at: datetime = Field(description="when it was learned, UTC")
    manifest: dict[str, Any] = Field(
        description="the record of its training: sets, metrics, environment and the like; not the "
        "`manifest` that the forms raw and onnx hold. Of a global model nothing of its members"
    )


class ModelList(BaseModel):
    """All models that serve the caller."""

    models: list[ModelEntry] = Field(description="one per family and input, in a fixed order")


_LEARNED = tuple(family.name for family in FAMILIES.values() if family.kind == "model")
"""The families whose models clients get; rows of other names, such as statistics that only training
reads, have pointers as well."""
_TOLD_OF_GLOBAL = frozenset({"level", "labels", "recipe", "features", "settings", "environment"})
UNCHANGED = {304: {"description": "The client has it already"}}


@router.get(
    "",
    summary="List models",
    response_model=ModelList,
    response_description="The models, without their bytes",
    responses={200: {"headers": ETAG_HEADER}, **UNCHANGED},
)
async def list_models(
    caller: ModelRead,
    services: ServicesDep,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The models that serve the caller, one per family and input, with a strong ETag."""
    entries = [
        _entry(layout, loaded)
        for family in _LEARNED
        for layout in INPUTS
        if (loaded := await services.models.find(caller.user_id, layout, family))
    ]
    content = ModelList(models=entries).model_dump_json().encode()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return _response(content, "application/json", etag, if_none_match)


@router.get(
    "/{family}",
    summary="Download a model",
    response_class=Response,
    responses={
        200: {
            "description": "The model; in the form `raw` it stands in JSON, manifest included",
            "content": {
                media: {"schema": {"type": "string", "format": "binary"}}
                for media in MEDIA_TYPES.values()
            },
            "headers": {**ETAG_HEADER, "Muvr-Model": {"schema": {"type": "string"}}},
        },
        **UNCHANGED,
        **problem_responses(406),
    },
)
async def download_model(
    family: str,
    caller: ModelRead,
    services: ServicesDep,
    form: Annotated[ModelForm, Query(alias="format", description="raw is JSON")] = "npz",
    model_id: Annotated[
        ModelInput | None,
        Query(
            description="the input; else the first of these with a model of the user's own, or "
            "else with a global one"
        ),
    ] = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """The bytes of the model that serves the caller, with a strong ETag."""
    if family not in _LEARNED:
        raise NoModel(f"No family {family!r} has models; there are {', '.join(_LEARNED)}.")
    layouts = (model_id,) if model_id else INPUTS
    loaded = await _best(services, caller.user_id, layouts, family)
    if loaded is None:
        step = f"It takes confirmed sets: {NEEDED}. The next training learns them."
        raise NoModel(
            f"No {family} model for {' or '.join(layouts)} serves you yet.",
            next_step=step if family == EXERCISE else "",
        )
    etag, content = services.model_forms.etag(loaded.stored, form), b""
    if etag is None or not _names(if_none_match, etag):
        etag, content = await services.model_forms.written(loaded.stored, form)
    response = _response(content, MEDIA_TYPES[form], etag, if_none_match)
    response.headers["Muvr-Model"] = f"{family}/{loaded.level}/{loaded.stored.version}"
    return response


async def _best(
    services: Services, user_id: UUID, layouts: Sequence[ModelInput], family: str
) -> LoadedModel | None:
    """The model that serves a user: of the first input with one of the user's own, else global.

    A global model that reads more sensors is no better than a user's own: `ModelCache.ladder` tries
    them in the same order.
    """
    first: LoadedModel | None = None
    for layout in layouts:
        loaded = await services.models.find(user_id, layout, family)
        if loaded and loaded.level == "user":
            return loaded
        first = first or loaded
    return first


def _entry(layout: ModelInput, loaded: LoadedModel) -> ModelEntry:
    stored = loaded.stored
    return ModelEntry(
        family=stored.family,
        level=loaded.level,
        version=stored.version,
        model_id=layout,
        sha256=stored.sha256.hex(),
        bytes=len(stored.content),
        promoted_at=loaded.serving.promoted_at,
        created_at=stored.created_at,
        manifest=_told(loaded.level, stored.manifest),
    )


def _told(level: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What a list tells of how a model was learned; golden vectors come with `raw` and `onnx`.

    Of a global model only what says nothing about its members: few members are told apart by sums
    and times of all of them.
    """
    return {
        key: value
        for key, value in manifest.items()
        if key != "golden" and (level == "user" or key in _TOLD_OF_GLOBAL)
    }


def _response(content: bytes, media_type: str, etag: str, if_none_match: str | None) -> Response:
    """The content with its ETag; 304 without it where the client has it already."""
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Authorization"}
    if _names(if_none_match, etag):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=media_type)


def _names(if_none_match: str | None, etag: str) -> bool:
    """Whether a header names an ETag; weak ones compare equal for 304 (RFC 9110, 13.1.2)."""
    if if_none_match is None:
        return False
    named = {text.strip().removeprefix("W/") for text in if_none_match.split(",")}
    return "*" in named or etag in named

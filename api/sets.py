"""Confirmed sets: confirm, correct, delete."""

import re
from contextlib import suppress
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Response

from api.authenticator import Caller
from api.dependencies import Sensor, Services, ServicesDep
from api.fields import ETAG_HEADER
from api.problems import problem_responses
from api.quota import SampleCost, set_quota
from api.set_schema import SetSchema, etag, set_schema
from schemas.errors import BadEvent, Deleted
from schemas.events import SetConfirmation

router = APIRouter(prefix="/v1/sessions/{session}/sets", tags=["recording"])
_ETAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_OWN_ETAG = re.compile(r"0|[1-9]\d{0,18}", re.ASCII)
NO_REVISION = -1
"""What an ETag that this service never gave stands for: no set is ever at it."""


IfMatch = Annotated[
    str | None,
    Header(
        description='the ETag of the revision that this is about, such as "17"; of several one '
        "must be the current one; `*` for any"
    ),
]


@router.put(
    "/{set}",
    summary="Confirm or correct a set",
    response_description="The set as stored",
    responses={200: {"headers": ETAG_HEADER}, **problem_responses(409, 410, 412)},
)
async def confirm_set(
    session: UUID,
    set: UUID,  # the word in the path
    confirmation: SetConfirmation,
    caller: Sensor,
    services: ServicesDep,
    response: Response,
    if_match: IfMatch = None,
) -> SetSchema:
    """Say what a set was. Repeatable; another content needs `If-Match` with the set's ETag.

    A correction that changes nothing keeps the ETag. The id of a set of another session is a 409.

    Its samples are stored once more, to be learned from: each second and sensor counts as 100 of
    the samples of a day, where the session declares an accelerometer. A repeat is free.
    """
    session_row = await services.recorder.session(caller.user_id, session)
    samples = set_quota(session_row, confirmation)
    cost = SampleCost(services.rate_limiter, caller.user_id, samples)
    current = await _revision(services, caller, session, set, if_match)
    row = await services.recorder.confirm_set(
        caller.user_id, session, set, confirmation, current, cost
    )
    response.headers["ETag"] = etag(row)
    return set_schema(row)


@router.delete(
    "/{set}",
    status_code=204,
    summary="Delete a set",
    response_description="Deleted",
    responses=problem_responses(412),
)
async def delete_set(
    session: UUID,
    set: UUID,  # the word in the path
    caller: Sensor,
    services: ServicesDep,
    if_match: IfMatch = None,
) -> Response:
    """Delete a set; its id is not used again. Repeatable: of a deleted one it is 204 as well.

    The next training learns without it, and its model takes over if it passes the gate. Where too
    few sets are left to learn from, the user's old model stops serving then, and the global model
    answers.
    """
    current = None
    if if_match != "*":
        with suppress(Deleted):  # repeatable
            current = await _revision(services, caller, session, set, if_match)
    await services.recorder.delete_set(caller.user_id, session, set, current)
    return Response(status_code=204)


def revisions_of(if_match: str) -> list[int]:
    """The revisions that the ETags of an If-Match header stand for, ascending.

    To clients ETags are opaque: one that is not of this service is like one of an old revision. A
    weak one counts as a strong one: a proxy that compresses answers weakens the ETags that it
    passes on, and a client sends them back as received.

    >>> revisions_of('W/"17"'), revisions_of('"18", "17", "foreign"')
    ([17], [-1, 17, 18])

    Raises:
        BadEvent: it is no list of ETags (RFC 9110, section 13.1.1).
    """
    tags = _ETAG.findall(if_match)
    members = [member.strip() for member in _ETAG.sub("#", if_match).split(",")]
    if not tags or [member for member in members if member] != ["#"] * len(tags):
        raise BadEvent(
            f'If-Match {if_match[:40]!r} is no ETag; send one as received, such as "17"',
            field="If-Match",
            value=if_match[:40],
        )
    return sorted({_revision_of(tag) for tag in tags})


def _revision_of(tag: str) -> int:
    own = _OWN_ETAG.fullmatch(tag) and int(tag) < 1 << 63
    return int(tag) if own else NO_REVISION


async def _revision(
    services: Services, caller: Caller, session_id: UUID, set_id: UUID, if_match: str | None
) -> int | None:
    """The revision to correct or delete: `*` means the current one, and so does a list with it.

    Raises:
        NotFound, Deleted: there is none that `*`, or several ETags, could be about.
    """
    if if_match is None:
        return None
    revisions = [] if if_match == "*" else revisions_of(if_match)
    if len(revisions) == 1:
        return revisions[0]
    row = await services.recorder.confirmed_set(caller.user_id, session_id, set_id)
    return row.revision if not revisions or row.revision in revisions else revisions[-1]

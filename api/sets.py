"""Confirmed sets: confirm, correct, delete."""

import re
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Response

from api.dependencies import Sensor, ServicesDep
from api.problems import problem_responses
from api.quota import SampleCost, set_quota
from api.set_schema import SetSchema, etag, set_schema
from schemas.errors import BadEvent
from schemas.events import SetConfirmation

router = APIRouter(prefix="/v1/sessions/{session}/sets", tags=["recording"])
_ETAG = re.compile(r'"(\d{1,19})"')


IfMatch = Annotated[
    str | None, Header(description='the ETag of the revision that this corrects, such as "17"')
]


@router.put(
    "/{set}",
    summary="Confirm or correct a set",
    response_description="The set as stored",
    responses=problem_responses(409, 410, 412),
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
    responses=problem_responses(410, 412),
)
async def delete_set(
    session: UUID,
    set: UUID,  # the word in the path
    caller: Sensor,
    services: ServicesDep,
    if_match: IfMatch = None,
) -> Response:
    """Delete a set; its id is not used again.

    The next training learns without it, and its model takes over if it passes the gate. Where too
    few sets are left to learn from, the user's old model stops serving then, and the global model
    answers.
    """
    current = None if if_match == "*" else parse_etag(if_match)
    await services.recorder.delete_set(caller.user_id, session, set, current)
    return Response(status_code=204)


def parse_etag(if_match: str | None) -> int | None:
    """The revision that an If-Match header names.

    A weak one counts as a strong one: a proxy that compresses answers weakens the ETags that it
    passes on, and a client sends them back as received.

    >>> parse_etag('"17"'), parse_etag('W/"17"')
    (17, 17)

    Raises:
        BadEvent: it is no ETag of a set.
    """
    if if_match is None:
        return None
    match = _ETAG.fullmatch(if_match.strip().removeprefix("W/"))
    if not match or int(match[1]) >= 1 << 63:
        raise BadEvent(
            f'If-Match {if_match[:40]!r} is no ETag of a set; send one as received, such as "17"',
            field="If-Match",
            value=if_match[:40],
        )
    return int(match[1])


async def _revision(
    services: ServicesDep, caller: Sensor, session_id: UUID, set_id: UUID, if_match: str | None
) -> int | None:
    """The revision to correct; `*` means the current one."""
    if if_match != "*":
        return parse_etag(if_match)
    row = await services.recorder.confirmed_set(caller.user_id, session_id, set_id)
    return row.revision

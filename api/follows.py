"""Follows: list, follow and unfollow users."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from api.cursors import NextPage, PageCursor, PageLimit
from api.dependencies import ServicesDep, Social
from ingest import follows as follows_of
from schemas.errors import BadEvent, NotFound
from store.follows import Follows

router = APIRouter(prefix="/v1/me", tags=["follows"])
CURSOR = "follows:"


class FollowSchema(BaseModel):
    """A user whom the caller follows."""

    user: UUID = Field(description="id of the followed user, which the server made")
    since: datetime = Field(description="when the caller followed, UTC, server's clock")


class FollowList(BaseModel):
    """A page of the users whom the caller follows, by id."""

    follows: list[FollowSchema] = Field(description="by the users' ids")
    cursor: NextPage


@router.get(
    "/follows", summary="List followed users", response_description="A page of followed users"
)
async def list_follows(
    caller: Social, services: ServicesDep, limit: PageLimit = 50, cursor: PageCursor = None
) -> FollowList:
    """The users whom the caller follows, by id."""
    after = services.cursors.unseal_id(CURSOR, cursor)
    rows = await Follows(services.database).page(caller.user_id, after, limit + 1)
    page, next_cursor = services.cursors.page(CURSOR, rows, limit, lambda follow: follow.followee)
    follows = [FollowSchema(user=follow.followee, since=follow.since) for follow in page]
    return FollowList(follows=follows, cursor=next_cursor)


@router.put("/follows/{user}", summary="Follow a user", response_description="The user is followed")
async def follow(user: UUID, caller: Social, services: ServicesDep) -> FollowSchema:
    """Follow a user; repeatable."""
    if user == caller.user_id:
        raise BadEvent("Nobody follows himself.", field="user", value=user)
    if await services.users.by_id(user) is None:
        raise NotFound(f"There is no user {user}.")
    follows = Follows(services.database)
    await follows_of.follow(
        services.records.changes, follows, caller.user_id, user, services.clock()
    )
    stored = await follows.read(caller.user_id, user)
    return FollowSchema(user=user, since=stored.since if stored else services.clock())


@router.delete(
    "/follows/{user}",
    summary="Unfollow a user",
    status_code=204,
    response_description="The user is not followed any more",
)
async def unfollow(user: UUID, caller: Social, services: ServicesDep) -> Response:
    """Unfollow a user; repeatable. The answer is the same where there is no such user."""
    follows = Follows(services.database)
    await follows_of.unfollow(
        services.records.changes, follows, caller.user_id, user, services.clock()
    )
    return Response(status_code=204)

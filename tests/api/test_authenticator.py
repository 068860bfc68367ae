"""A worker caches verified tokens for a while, and never beyond their expiry."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from api.authenticator import Authenticator
from api.tokens import Claims
from schemas.errors import NotAuthenticated
from store.logins import Login

BELIEVED_S = 2.0
TOKEN = "a token"
USER, LOGIN = uuid4(), uuid4()


@dataclass
class World:
    """One token, valid until `expires_at`, and a database that answers once `answers` is set."""

    now: float = 1000.0
    expires_at: float = 1001.5
    checked: int = 0
    asked: int = 0
    login_exists: bool = True
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    trusted: tuple[object, ...] = ("the key",)

    async def read_access(self, token: str) -> Claims:
        self.checked += 1
        if token != TOKEN or self.now >= self.expires_at:
            raise NotAuthenticated("It has expired.")
        return Claims(USER, LOGIN, frozenset({"predict"}), self.expires_at)

    async def read(self, user_id: UUID, login_id: UUID) -> Login | None:
        self.asked += 1
        await self.answers.wait()
        if not self.login_exists:
            return None
        return Login(user_id, login_id, login_id, frozenset(), datetime.now(UTC))

    def authenticator(self) -> Authenticator:
        """An authenticator whose tokens and cache use the same clock."""
        made = Authenticator(self, self, self, BELIEVED_S, clock=lambda: self.now)
        made._verified._clock = lambda: self.now
        return made


async def test_a_token_that_expires_during_a_cache_refresh_is_rejected() -> None:
    world = World()
    authenticator = world.authenticator()
    world.answers.set()
    assert (await authenticator.authenticate_token(TOKEN)).user_id == USER
    world.answers.clear()
    world.now += 0.6 * BELIEVED_S  # past half of its TTL: refreshed in the background
    assert (await authenticator.authenticate_token(TOKEN)).user_id == USER
    await asyncio.sleep(0)
    world.now = world.expires_at  # expired, though the cached result is still fresh
    late = asyncio.create_task(authenticator.authenticate_token(TOKEN))
    await asyncio.sleep(0)
    world.answers.set()
    with pytest.raises(NotAuthenticated):
        await late
    assert world.checked == 2, "once when it was new, once after it expired"


async def test_a_repeated_check_within_the_ttl_does_not_read_the_database() -> None:
    world = World(expires_at=2000.0)
    authenticator = world.authenticator()
    world.answers.set()
    await authenticator.authenticate_token(TOKEN)
    world.answers.clear()  # a query to the database would now wait forever
    for _ in range(3):
        assert (await authenticator.authenticate_token(TOKEN)).login_id == LOGIN
    authenticator.forget(LOGIN)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(authenticator.authenticate_token(TOKEN), 0.01)


@pytest.mark.parametrize("forget", ["login", "user"])
async def test_forgetting_a_login_or_a_user_keeps_the_tokens_of_others(forget: str) -> None:
    world = World(expires_at=2000.0)
    authenticator = world.authenticator()
    world.answers.set()
    await authenticator.authenticate_token(TOKEN)
    others = (authenticator.forget, uuid4()), (authenticator.forget_user, uuid4())
    for call, other in others:
        call(other)
        await authenticator.authenticate_token(TOKEN)
    assert world.asked == 1
    if forget == "login":
        authenticator.forget(LOGIN)
    else:
        authenticator.forget_user(USER)
    await authenticator.authenticate_token(TOKEN)
    assert world.asked == 2


@pytest.mark.parametrize(
    ("header", "is_valid"),
    [
        (f"Bearer {TOKEN}", True),
        (f"bearer   {TOKEN} ", True),
        ("", False),
        ("Bearer", False),
        ("Bearer ", False),
        (f"Basic {TOKEN}", False),
        (TOKEN, False),
    ],
)
async def test_only_a_bearer_token_is_accepted(header: str, *, is_valid: bool) -> None:
    world = World()
    world.answers.set()
    if is_valid:
        assert (await world.authenticator().authenticate(header)).user_id == USER
    else:
        with pytest.raises(NotAuthenticated):
            await world.authenticator().authenticate(header)
    assert world.checked == is_valid


async def test_a_signature_is_verified_again_once_the_trusted_keys_change() -> None:
    world = World(expires_at=2000.0)
    authenticator = world.authenticator()
    world.answers.set()
    for trusted, checked in ((("the key",), 1), (("the key", "a new one"), 2)):
        world.trusted = trusted
        for _ in range(2):
            world.now += BELIEVED_S  # the login is read again, the signature is still valid
            await authenticator.authenticate_token(TOKEN)
            assert world.checked == checked


async def test_a_login_that_has_ended_is_refused_and_not_cached() -> None:
    world = World(expires_at=2000.0, login_exists=False)
    authenticator = world.authenticator()
    world.answers.set()
    for checked in (1, 2):
        with pytest.raises(NotAuthenticated, match="its login has ended"):
            await authenticator.authenticate_token(TOKEN)
        assert world.checked == checked

"""What a worker believes of a token: for a while, and never longer than the token runs."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from api.authenticator import Authenticator
from api.tokens import Claims
from schemas.errors import NotAuthenticated
from store.users import Login

BELIEVED_S = 2.0
TOKEN = "a token"
USER, LOGIN = uuid4(), uuid4()


@dataclass
class World:
    """One token, good until `expires_at`, and a database that answers when it may."""

    now: float = 1000.0
    expires_at: float = 1001.5
    checked: int = 0
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    trusted: tuple[object, ...] = ("the key",)

    async def read_access(self, token: str) -> Claims:
        self.checked += 1
        if token != TOKEN or self.now >= self.expires_at:
            raise NotAuthenticated("It has expired.")
        return Claims(USER, LOGIN, frozenset({"predict"}), self.expires_at)

    async def read(self, user_id: UUID, login_id: UUID) -> Login:
        await self.answers.wait()
        return Login(user_id, login_id, login_id, frozenset(), datetime.now(UTC))

    def authenticator(self) -> Authenticator:
        """With one clock for tokens and for what is believed."""
        made = Authenticator(self, self, self, BELIEVED_S, clock=lambda: self.now)
        made._verified._clock = lambda: self.now
        return made


def test_a_token_that_runs_out_while_it_is_found_out_is_asked_about_anew() -> None:
    async def story() -> None:
        world = World()
        authenticator = world.authenticator()
        world.answers.set()
        assert (await authenticator.authenticate_token(TOKEN)).user_id == USER
        world.answers.clear()
        world.now += 0.6 * BELIEVED_S  # past half of its time: found out again, nobody waits
        assert (await authenticator.authenticate_token(TOKEN)).user_id == USER
        await asyncio.sleep(0)
        world.now = world.expires_at  # and now it is over, though the kept answer is still young
        late = asyncio.create_task(authenticator.authenticate_token(TOKEN))
        await asyncio.sleep(0)
        world.answers.set()
        with pytest.raises(NotAuthenticated):
            await late
        assert world.checked == 2, "once when it was new, once when it was over"

    asyncio.run(story())


def test_a_repeated_check_within_the_ttl_does_not_read_the_database() -> None:
    async def story() -> None:
        world = World(expires_at=2000.0)
        authenticator = world.authenticator()
        world.answers.set()
        await authenticator.authenticate_token(TOKEN)
        world.answers.clear()  # who asked the database now would wait for ever
        for _ in range(3):
            assert (await authenticator.authenticate_token(TOKEN)).login_id == LOGIN
        authenticator.forget(LOGIN)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(authenticator.authenticate_token(TOKEN), 0.01)

    asyncio.run(story())

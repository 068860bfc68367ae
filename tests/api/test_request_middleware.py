"""Requests that take too long are cancelled and answered; other cancellations pass through."""

import asyncio
import json
from types import SimpleNamespace

import pytest
from starlette.types import Message, Receive, Scope, Send

from api.metrics import Metrics
from api.request_log import RequestLog
from api.request_middleware import RequestMiddleware
from api.scope_keys import LEFT_BYTES, MAX_BODY_BYTES, NO_TIMEOUT
from schemas.config import Api, Config
from tests.api.asgi_line import LONG_S, SCOPE, Line, ask
from tests.api.skipping_loop import now_s, run

LONGEST = 20  # parts of a body or a response


@pytest.fixture(autouse=True)
def clock_of_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """The modules under test measure with the clock of the loop, which does not wait."""
    for module in ("request_middleware", "request_state", "request_timeouts"):
        monkeypatch.setattr(f"api.{module}.time", SimpleNamespace(perf_counter=now_s))


def middleware(
    work_s: float, timeout_s: float = 0.05, body_timeout_s: float = 0.1
) -> RequestMiddleware:
    """The middleware in front of an application that reads the body, then works for a while."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:  # the ASGI signature
        await receive()
        await asyncio.sleep(work_s)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    config = Config(api=Api(body_timeout_s=body_timeout_s, request_timeout_s=timeout_s))
    return RequestMiddleware(app, config=config, metrics=Metrics(), log=None)


@pytest.mark.parametrize(
    ("sends", "work_s", "status", "problem"),
    [(False, 0, 408, "too-slow"), (True, LONG_S, 503, "took-too-long")],
)
def test_a_late_body_is_408_and_a_late_response_is_503(sends, work_s, status, problem):
    line = Line(sends=sends)
    run(ask(middleware(work_s), line))
    assert (line.status, line.problem) == (status, problem)


def test_the_response_timeout_begins_with_the_end_of_the_body():
    """Not with the end of the body's own time: clients wait for one of the two, not for the sum."""
    line = Line()

    async def story() -> float:
        await ask(middleware(LONG_S, timeout_s=1.0, body_timeout_s=0.9), line)
        return now_s()

    assert run(story()) == pytest.approx(1.0)
    assert (line.status, line.problem) == (503, "took-too-long")


def test_a_response_may_take_longer_than_the_body_timeout():
    line = Line()
    run(ask(middleware(work_s=0.3, timeout_s=LONG_S), line))
    assert line.status == 204


def test_without_a_body_only_the_response_timeout_applies():
    line = Line()
    service = middleware(LONG_S, timeout_s=0.05, body_timeout_s=LONG_S)

    async def story() -> float:
        await service({**SCOPE, "headers": []}, line.receive, line.send)
        return now_s()

    assert run(story()) == pytest.approx(0.05)
    assert (line.status, line.problem) == (503, "took-too-long")


def test_waiting_for_a_disconnect_is_not_waiting_for_the_body():
    class Patient(Line):
        """A client that sends its body, then waits for the response."""

        async def receive(self) -> Message:
            message = await super().receive()
            self.sends = False
            return message

    async def app(scope: Scope, receive: Receive, send: Send) -> None:  # the ASGI signature
        await receive()
        disconnected = asyncio.create_task(receive())
        await asyncio.sleep(0.2)  # twice the body timeout
        disconnected.cancel()
        await send({"type": "http.response.start", "status": 204, "headers": []})

    config = Config(api=Api(body_timeout_s=0.1, request_timeout_s=LONG_S))
    line = Patient()
    run(ask(RequestMiddleware(app, config=config, metrics=Metrics(), log=None), line))
    assert line.status == 204


def test_a_timer_ends_with_its_request():
    async def story() -> None:
        await ask(middleware(work_s=0, timeout_s=0.02, body_timeout_s=0.02), Line())
        await asyncio.sleep(0.1)  # a timer that goes on would cancel this task

    run(story())


def test_a_line_of_the_log_tells_what_was_received_and_sent():
    async def app(scope: Scope, receive: Receive, send: Send) -> None:  # the ASGI signature
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ab", "more_body": True})
        await send({"type": "http.response.body", "body": b"c"})

    lines: list[str] = []
    logged = RequestMiddleware(
        app, config=Config(), metrics=Metrics(), log=RequestLog(lines.append)
    )
    run(ask(logged, Line()))
    fields = json.loads("".join(lines))
    names = ("method", "route", "status", "problem", "bytes_in", "bytes_out")
    assert [fields.get(name) for name in names] == ["any", "none", 200, None, 1, 3]


class Long(Line):
    """A client whose body arrives in equal parts."""

    def __init__(self, part_bytes: int, after_s: float) -> None:
        super().__init__()
        self.part_bytes, self.after_s, self.left = part_bytes, after_s, LONGEST

    async def receive(self) -> Message:
        await asyncio.sleep(self.after_s)
        self.left -= 1
        return {"type": "http.request", "body": bytes(self.part_bytes), "more_body": self.left > 0}


def taking(max_body_bytes: int) -> RequestMiddleware:
    """In front of an application that reads bodies of up to this size; the general cap is 1 MiB."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope[MAX_BODY_BYTES] = max_body_bytes
        while (await receive())["more_body"]:
            pass
        await send({"type": "http.response.start", "status": 204, "headers": []})

    config = Config(api=Api(body_timeout_s=0.1, request_timeout_s=LONG_S))
    return RequestMiddleware(app, config=config, metrics=Metrics(), log=None)


@pytest.mark.parametrize(
    ("part_bytes", "max_body_bytes", "status"),
    [(2**19, 2**24, 204), (2**15, 2**24, 408), (2**19, 2**22, 413)],
    ids=["as fast as any", "too slow", "over its own cap"],
)
def test_the_body_timeout_is_extended_while_a_long_body_arrives_fast_enough(
    part_bytes: int, max_body_bytes: int, status: int
):
    line = Long(part_bytes, after_s=0.02)  # 0.4 s in all; the timeout is 0.1 s
    run(ask(taking(max_body_bytes), line))
    assert line.status == status


class Slow(Line):
    """Reads `parts` parts of a response, each after a delay, then stops reading."""

    def __init__(self, after_s: float, parts: int) -> None:
        super().__init__()
        self.after_s, self.parts = after_s, parts

    async def send(self, message: Message) -> None:
        await asyncio.sleep(self.after_s if len(self.answer) <= self.parts else LONG_S)
        await super().send(message)


def streaming(parts: int) -> RequestMiddleware:
    """In front of an application that responds in parts; body and response may take 0.15 s."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:  # the ASGI signature
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(parts):
            more = number < parts - 1
            await send({"type": "http.response.body", "body": b"x", "more_body": more})

    config = Config(api=Api(body_timeout_s=0.1, request_timeout_s=0.05))
    return RequestMiddleware(app, config=config, metrics=Metrics(), log=None)


def test_a_started_response_continues_while_the_client_reads_it():
    line = Slow(after_s=0.02, parts=LONGEST)
    run(ask(streaming(LONGEST), line))
    assert len(line.answer) == 1 + LONGEST
    assert line.answer[-1]["more_body"] is False


def test_a_started_response_that_is_not_read_is_cancelled():
    line = Slow(after_s=0.0, parts=5)
    run(ask(streaming(LONGEST), line))
    assert [message["type"] for message in line.answer] == ["http.response.start"] + 5 * [
        "http.response.body"
    ]


@pytest.mark.parametrize("takes", [True, False])
def test_a_client_that_takes_what_was_sent_before_makes_progress(takes: bool):
    """Also while nothing more can be sent, since the buffers on the way are full."""
    line = Line()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:  # the ASGI signature
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"all but", "more_body": True})
        await asyncio.sleep(0.5)
        await send({"type": "http.response.body", "body": b" the rest"})

    def left_bytes() -> int:
        return 10**6 - round(10**5 * now_s()) if takes else 10**6

    config = Config(api=Api(request_timeout_s=0.1))
    layer = RequestMiddleware(app, config=config, metrics=Metrics(), log=None)
    scope = {**SCOPE, "method": "GET", "headers": [], LEFT_BYTES: left_bytes}
    run(layer(scope, line.receive, line.send))
    assert (line.answer[-1]["body"] == b" the rest") == takes


def test_a_request_without_timeout_is_not_cancelled():
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope[NO_TIMEOUT] = True
        await receive()
        await asyncio.sleep(0.4)
        await send({"type": "http.response.start", "status": 204, "headers": []})

    config = Config(api=Api(body_timeout_s=0.1, request_timeout_s=0.05))
    line = Line()
    run(ask(RequestMiddleware(app, config=config, metrics=Metrics(), log=None), line))
    assert line.status == 204


def test_a_cancellation_from_outside_gets_no_response():
    async def ended() -> Line:
        line = Line()
        task = asyncio.create_task(ask(middleware(LONG_S, timeout_s=LONG_S), line))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return line

    assert run(ended()).answer == []

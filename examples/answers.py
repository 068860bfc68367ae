"""What an answer of the service means: done, refused for good, or to be tried again.

RequestRefused        the service said no, and will say no again
└── LoginNeeded       after a new login it may say yes
TryLater              the service did not take it, and may yet
└── TooSlow           it may take fewer at once
"""

from collections.abc import Mapping
from typing import Any

import httpx

NOT_MODIFIED = 304
REQUEST_TIMEOUT = 408
OVER_LIMIT = 429


class RequestRefused(Exception):
    """The server said no, and will say no again: the problem document tells why.

    Attributes:
        status: HTTP status.
        problem: the `application/problem+json` body.
    """

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('title', '')}: {problem.get('detail', '')}")
        self.status = status
        self.problem = problem


class LoginNeeded(RequestRefused):
    """The login is over, or does not allow this: nothing is wrong with what was sent, keep it."""

    def __str__(self) -> str:
        return f"Log in again, then send again: {super().__str__()}"


class TryLater(Exception):
    """The service did not take it, and may yet: keep it and come back.

    Nobody answered or the service asked for patience, through all tries; or another server answered
    in its place, such as the login page of a public network.
    """


class TooSlow(TryLater):
    """Many chunks did not arrive within the service's time: send fewer at once."""


def may_be_retried(status: int) -> bool:
    """Whether the same request may go through later: only 408, 429 and the server's own errors.

    >>> may_be_retried(503), may_be_retried(409)
    (True, False)
    """
    return status in (REQUEST_TIMEOUT, OVER_LIMIT) or status >= 500


def refusal(status: int, problem: Mapping[str, Any]) -> RequestRefused:
    """The error for an answer that is final.

    >>> [type(refusal(status, {})).__name__ for status in (401, 403, 404)]
    ['LoginNeeded', 'LoginNeeded', 'RequestRefused']
    """
    return (LoginNeeded if status in (401, 403) else RequestRefused)(status, problem)


def is_success(response: httpx.Response) -> bool:
    """Whether the service did what was asked: never a redirect, for it sends none."""
    was_conditional = "If-None-Match" in response.request.headers
    return response.is_success or (response.status_code == NOT_MODIFIED and was_conditional)


def json_of(response: httpx.Response, member: str) -> dict[str, Any]:
    """The JSON object of an answer.

    Args:
        response: a success.
        member: what the service's answer always has: the page of a public network may be JSON too.

    Raises:
        TryLater: it is no such object, so no answer of the service.
    """
    answer = _json_object(response)
    if answer is None or member not in answer:
        raise foreign_answer(response)
    return answer


def _json_object(response: httpx.Response) -> dict[str, Any] | None:
    try:
        answer = response.json()
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def foreign_answer(response: httpx.Response) -> TryLater:
    """The error for an answer that the service does not give."""
    start = response.headers.get("Location") or response.text[:200]
    return TryLater(
        f"Another server answered {response.request.url}: {response.status_code} {start}"
    )


def problem_of(response: httpx.Response) -> dict[str, Any]:
    """The problem document of a refusal, or one made of whatever it says instead."""
    fallback = {"title": response.reason_phrase, "detail": response.text[:200]}
    return _json_object(response) or fallback

"""What a fuzzing client knows: a token, and ids of resources that exist.

The service takes only ids that a client could have made now, so random requests alone would never
name an existing resource.
"""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests
from schemathesis.core import NOT_SET

from bench.fuzz_models import store_learned
from examples.client import new_id
from store.database import Database
from store.jobs import JobRuns, UserOutcome
from store.users import Users

WITHIN_S = 30
OPENED = {
    "plan": "/v1/me/plans/{plan}",
    "session": "/v1/sessions/{session}",
    "set": "/v1/sessions/{session}/sets/{set}",
}
FAMILY = "next"  # a model that is learned by a job
EXERCISE = "squat"


@dataclass(frozen=True, slots=True)
class FuzzUser:
    """A user whose requests are fuzzed.

    Attributes:
        token: an access token with every scope.
        known: values by the name of a parameter or field that a client cannot make up: a refresh
            token, another user, a run and its family, an exercise with a model.
    """

    token: str
    known: Mapping[str, Any]


def log_in(url: str, username: str, password: str, ids: Mapping[str, Any]) -> FuzzUser:
    """Log in after scopes were granted, so that the tokens have them."""
    form = {"username": username, "password": password}
    answer = requests.post(f"{url}/v1/auth/token", data=form, timeout=WITHIN_S)
    answer.raise_for_status()
    tokens = answer.json()
    return FuzzUser(tokens["access_token"], {**ids, "refresh_token": tokens["refresh_token"]})


async def prepare_fuzz_user(database: Database, username: str, other: str) -> dict[str, Any]:
    """Grant `operate`, record a run, and let everything be learned of whoever will ask.

    Args:
        database: of the service.
        username: who will ask.
        other: somebody to follow.

    Returns:
        values for the parameters `user`, `family`, `run` and `exercise`.
    """
    asker = await Users(database).grant(username, ["operate"])
    followed = await Users(database).grant(other, [])
    now, run, jobs = datetime.now(UTC), new_id(), JobRuns(database)
    await jobs.start(FAMILY, run, {"users": "all"}, now)
    await jobs.write_users(
        run,
        [UserOutcome(user.user_id, "", "promoted", "", "v1", "{}") for user in (asker, followed)],
    )
    await jobs.finish(FAMILY, run, "done", now, counts={"promoted": 2}, metrics={}, reasons={})
    await store_learned(database, asker.user_id, EXERCISE, run)
    user = str(followed.user_id)
    return {"user": user, "family": FAMILY, "run": str(run), "exercise": EXERCISE}


def opened(
    url: str,
    session: requests.Session,
    document: Mapping[str, Any],
    known: Mapping[str, Any],
    names: Iterable[str] = OPENED,
) -> dict[str, Any]:
    """Open a plan, a session and a set, or some of them, with the document's examples.

    Returns:
        what was known, the new ids, and a stream and a number that the session can have.

    Raises:
        requests.HTTPError: the document shows what the service does not take.
    """
    known = {**known, "stream": "acc", "seq": 0}
    for name in (opener for opener in OPENED if opener in names):
        known[name] = str(new_id())
        body, _ = example(document, OPENED[name], "put")
        answer = session.put(
            url + OPENED[name].format(**known), json=with_known(body, known), timeout=WITHIN_S
        )
        answer.raise_for_status()
    return known


def example(document: Mapping[str, Any], path: str, method: str) -> tuple[Any, str | None]:
    """The example body of an operation and its media type; unset where it has no body."""
    contents = document["paths"][path][method].get("requestBody", {}).get("content", {})
    readable_first = sorted(contents, key=lambda media_type: "cbor" in media_type)
    for media_type in readable_first:
        content = contents[media_type]
        name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
        for described in (content, document["components"]["schemas"].get(name, {})):
            if "example" in described:
                return _with_bytes(described["example"]), media_type
            if isinstance(described.get("examples"), list):
                return _with_bytes(described["examples"][0]), media_type
            if "examples" in described:
                return _with_bytes(next(iter(described["examples"].values()))["value"]), media_type
    return NOT_SET, None


def with_known(body: Any, known: Mapping[str, Any]) -> Any:
    """A body with what is known in place of what an example can only make up.

    >>> with_known({"plan": "made up", "reps": 8}, {"plan": "there", "set": "there"})
    {'plan': 'there', 'reps': 8}
    """
    if not isinstance(body, dict):
        return body
    return {name: known.get(name, value) for name, value in body.items()}


def _with_bytes(value: Any) -> Any:
    """An example as it is sent: the document, which is JSON, writes the samples in base64."""
    if isinstance(value, list):
        return [_with_bytes(item) for item in value]
    if isinstance(value, dict):
        return {
            name: base64.b64decode(item) if name == "xyz" else _with_bytes(item)
            for name, item in value.items()
        }
    return value

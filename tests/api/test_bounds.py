"""Bodies with many invalid parts: few errors, little memory, and each names a field and a value."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from api.account_route import BODY_BYTES
from api.auth import Registration, Revocation, TokenText
from api.problems import shown_value
from ingest.checks import bad
from schemas.bounds import MAX_UNKNOWN_KEYS, TOO_MANY_KEYS
from schemas.config import Cassandra, Limits
from schemas.events import Completion, PlanBody, SessionOpening, SetConfirmation
from tests.api.conftest import Person, RunningService, running_strictly, settings
from tests.api.phone import fresh_id, problem
from tests.peak_memory import peak_bytes

MANY = 200_000
HASH = "0" * 64
PEAK_BYTES = 2**20  # the errors of `MANY` parts would take a hundred times as much


def many_keys(count: int, value: object = 1) -> dict[str, Any]:
    return {f"key{number}": value for number in range(count)}


def errors_within_bounds(model: type[BaseModel], body: dict[str, Any]) -> list[Any]:
    """The errors of a body, whose making takes little memory."""

    def errors() -> list[Any]:
        with pytest.raises(ValidationError) as told:
            model.model_validate(body)
        return told.value.errors(include_url=False)

    told, most_bytes = peak_bytes(errors, PEAK_BYTES)
    assert most_bytes < PEAK_BYTES
    return told


@pytest.mark.parametrize(
    "model",
    [Registration, TokenText, Revocation, SessionOpening, SetConfirmation, Completion, PlanBody],
)
def test_many_unknown_keys_are_one_error(model: type[BaseModel]):
    [error] = errors_within_bounds(model, many_keys(MANY))
    assert (error["type"], error["ctx"]["key"]) == (TOO_MANY_KEYS, "key0")
    assert str(MANY) in error["msg"]


def test_a_few_unknown_keys_are_named_each():
    body = {"username": "ada", "password": "a long password", **many_keys(MAX_UNKNOWN_KEYS)}
    errors = errors_within_bounds(Registration, body)
    assert [error["loc"] for error in errors] == [(key,) for key in many_keys(MAX_UNKNOWN_KEYS)]


@pytest.mark.parametrize(
    ("model", "body", "loc", "value"),
    [
        (Completion, {"streams": {"acc": [HASH, *[1] * MANY]}}, ("streams", "acc", 1), 1),
        (PlanBody, {"name": "a", "sets": [many_keys(60)] * 500}, ("sets", 0, "exercise"), ...),
        (PlanBody, {"name": "a", "sets": [1] * MANY}, ("sets", 0), 1),
        (Completion, {"streams": many_keys(MANY, [])}, ("streams",), ...),
        (Completion, {"streams": many_keys(MANY, 1)}, ("streams",), ...),
        (SessionOpening, {"started_at": 1, "streams": many_keys(MANY)}, ("started_at",), 1),
    ],
)
def test_invalid_parts_are_few_errors_of_which_the_first_names_its_field(
    model: type[BaseModel], body: dict[str, Any], loc: tuple[object, ...], value: object
):
    errors = errors_within_bounds(model, body)
    assert len(errors) <= MAX_UNKNOWN_KEYS + 1
    assert errors[0]["loc"] == loc
    assert value is ... or errors[0]["input"] == value


def test_each_stream_of_a_long_completion_has_one_error():
    streams = {f"acc{number}": [1] * MANY for number in range(16)}
    errors = errors_within_bounds(Completion, {"streams": streams})
    assert [error["loc"] for error in errors] == [("streams", name, 0) for name in streams]


def test_the_answer_to_many_unknown_keys_names_one_and_no_secret(service: RunningService):
    body = {"username": "ada", "password": "a long password", **many_keys(500)}
    with service.client() as client:
        answer = client.post("/v1/auth/register", json=body)
    told = problem(answer, 422, "bad-input")
    assert (told["field"], told["value"]) == ("body", "key0")
    assert "username, password" in told["detail"]
    assert "a long password" not in answer.text


def test_the_answer_to_a_bad_list_names_its_first_bad_part(person: Person):
    with person.client() as client:
        answer = client.post(
            f"/v1/sessions/{fresh_id()}/complete", json={"streams": {"acc": [HASH, *[1] * 100_000]}}
        )
    told = problem(answer, 422, "bad-input")
    assert (told["field"], told["value"]) == ("streams.acc.1", 1)


def test_a_key_of_any_length_is_shortened_in_the_answer(person: Person):
    with person.client() as client:
        answer = client.put(f"/v1/me/plans/{fresh_id()}", json={"k" * 500_000: 1})
    problem(answer, 422, "bad-input")
    assert len(answer.content) < 2_000


@pytest.mark.parametrize("path", ["register", "token", "refresh", "revoke"])
def test_a_body_without_a_token_is_short(service: RunningService, path: str):
    with service.client() as client:
        media_type = "x-www-form-urlencoded" if path == "token" else "json"
        headers = {"Content-Type": f"application/{media_type}"}
        body = b" " * (BODY_BYTES + 1)
        answer = client.post(f"/v1/auth/{path}", content=body, headers=headers)
        problem(answer, 413, "too-large")
        form = client.post("/v1/auth/token", data={"username": "a", "password": "\u20ac" * 256})
    problem(form, 401, "wrong-password")


def test_calls_without_a_token_are_limited_before_their_bodies_are_read(
    keyspace: Cassandra, tmp_path: Path
):
    limits = Limits(logins_per_minute=2)
    with (
        running_strictly(settings(keyspace, tmp_path, limits=limits)) as strict,
        strict.client() as client,
    ):
        answers = [client.post("/v1/auth/register", json={"no": "user"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [422, 422, 429]


@pytest.mark.parametrize(
    "value",
    [
        [1] * MANY,
        [[[[1] * MANY] * 1000] * 1000] * 1000,
        many_keys(MANY),
        b"x" * 10 * MANY,
        "x" * MANY,
    ],
)
def test_a_large_value_is_shown_by_its_first_parts(value: object):
    def shown() -> None:
        assert len(str(shown_value(value))) <= 121
        assert len(str(bad("item", value, "is none"))) < 100

    _, most_bytes = peak_bytes(shown, PEAK_BYTES)
    assert most_bytes < PEAK_BYTES


def test_a_small_value_is_shown_as_it_is():
    value = {"a": [1, "b", None], "c": {}}
    assert shown_value(value) == str(value)

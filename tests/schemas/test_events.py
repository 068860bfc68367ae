"""Validation of the bodies that clients send."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.events import (
    MAX_PLANNED_SETS,
    PlanBody,
    PlannedSet,
    SessionOpening,
    SetConfirmation,
    known_timezone,
)

STREAMS = {"acc": {"kind": "acc", "unit": "g"}}
NOON = "2026-11-21T12:00:00Z"


@pytest.mark.parametrize(
    "text", ["1970-01-01T00:00:00Z", "2026-11-21T10:00:00+01:00", "2199-12-31T23:59:59Z"]
)
def test_times_from_1970_to_2199_are_accepted(text: str) -> None:
    opening = SessionOpening.model_validate(
        {"started_at": text, "sent_at": text, "streams": STREAMS}
    )
    assert opening.started_at == opening.sent_at


def test_times_are_kept_in_utc() -> None:
    opening = SessionOpening.model_validate(
        {"started_at": "2026-11-21T10:00:00+01:00", "streams": STREAMS}
    )
    assert opening.model_dump(mode="json")["started_at"] == "2026-11-21T09:00:00Z"


@pytest.mark.parametrize("name", ["started_at", "sent_at"])
@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00+14:00",  # in UTC there is no such date
        "1970-01-01T00:00:00+01:00",
        "2200-01-01T00:00:00Z",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_times_outside_1970_to_2199_are_refused_with_their_field(name: str, text: str) -> None:
    opening = {"started_at": "2026-11-21T10:00:00Z", "streams": STREAMS, name: text}
    with pytest.raises(ValidationError, match="from 1970-01-01 to before 2200-01-01") as told:
        SessionOpening.model_validate(opening)
    assert told.value.errors()[0]["loc"] == (name,)


@pytest.mark.parametrize("name", ["started_at", "sent_at"])
@pytest.mark.parametrize(
    "text", ["1795255200", "20261121", "123456789012", "-1", "", "2026-11-211"]
)
def test_numbers_as_text_are_no_times(name: str, text: str) -> None:
    """They would be read as seconds or milliseconds of the epoch."""
    opening = {"started_at": NOON, "streams": STREAMS, name: text}
    with pytest.raises(ValidationError, match="RFC 3339") as told:
        SessionOpening.model_validate(opening)
    assert told.value.errors()[0]["loc"] == (name,)


@pytest.mark.parametrize(
    "name", ["localtime", "posixrules", "Factory", "right/UTC", "posix/Europe/London", "UTC\0", ""]
)
def test_machine_dependent_time_zone_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"is no (time )?zone"):
        known_timezone(name)


A_SET: dict[str, Any] = {"exercise": "row", "started_at": NOON, "ended_at": "2026-11-21T12:01:00Z"}


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("ended_at", {"ended_at": NOON}),
        ("ended_at", {"ended_at": "2026-11-21T18:00:01Z"}),
        ("started_at", {"started_at": "yesterday"}),
        ("exercise", {"exercise": "row\x1b[2J"}),
        ("exercise", {"exercise": "a\0b"}),
    ],
)
def test_invalid_set_is_refused_with_its_field(field: str, changes: dict[str, Any]) -> None:
    SetConfirmation.model_validate(A_SET)
    with pytest.raises(ValidationError) as told:
        SetConfirmation.model_validate({**A_SET, **changes})
    (error,) = told.value.errors()
    assert (error["loc"], error["input"]) == ((field,), changes[field])


@pytest.mark.parametrize(
    "changes",
    [
        {"ended_at": "2026-11-21T12:00:00.000001Z"},
        {"ended_at": "2026-11-21T18:00:00Z"},
        {"reps": 0, "weight_kg": 0, "intensity": 0},
        {"reps": 10_000, "weight_kg": 2000, "intensity": 1},
        {"reps": None, "weight_kg": None, "intensity": None},
    ],
)
def test_numbers_of_a_set_are_accepted_to_their_limits(changes: dict[str, Any]) -> None:
    SetConfirmation.model_validate_json(json.dumps({**A_SET, **changes}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("reps", -1),
        ("reps", 10_001),
        ("reps", 8.0),
        ("reps", "8"),
        ("reps", True),
        ("weight_kg", -0.1),
        ("weight_kg", 2000.1),
        ("weight_kg", "60"),
        ("weight_kg", float("nan")),
        ("intensity", -0.1),
        ("intensity", 1.1),
    ],
)
@pytest.mark.parametrize("kind", [SetConfirmation, PlannedSet])
def test_numbers_beyond_their_limits_are_refused(kind: Any, field: str, value: object) -> None:
    fields = A_SET if kind is SetConfirmation else {"exercise": "row"}
    kind.model_validate(fields)
    with pytest.raises(ValidationError) as refused:
        kind.model_validate({**fields, field: value})
    assert refused.value.errors()[0]["loc"] == (field,)


@pytest.mark.parametrize(("count", "is_valid"), [(MAX_PLANNED_SETS, True), (501, False)])
def test_a_plan_has_at_most_five_hundred_sets(count: int, *, is_valid: bool) -> None:
    plan = {"name": "Monday", "sets": [{"exercise": "row"}] * count}
    if is_valid:
        assert len(PlanBody.model_validate(plan).sets) == count
    else:
        with pytest.raises(ValidationError):
            PlanBody.model_validate(plan)


@pytest.mark.parametrize(
    ("field", "changes"),
    [("unit", {"unit": "rad/s"}), ("kind", {"kind": "heart"}), ("device", {"device": "a\x9bb"})],
)
def test_invalid_stream_is_refused_with_its_field(field: str, changes: dict[str, Any]) -> None:
    streams = {"acc": {**STREAMS["acc"], **changes}}
    with pytest.raises(ValidationError) as told:
        SessionOpening.model_validate({"started_at": NOON, "streams": streams})
    (error,) = told.value.errors()
    assert (error["loc"], error["input"]) == (("streams", "acc", field), changes[field])


def test_plan_names_with_terminal_control_characters_are_refused() -> None:
    with pytest.raises(ValidationError, match="name"):
        PlanBody.model_validate({"name": "Monday\x1b]0;owned\x07", "sets": []})
    assert PlanBody.model_validate({"name": " روز ‌پا 🏋️‍♀️ ", "sets": []}).name == "روز ‌پا 🏋️‍♀️"

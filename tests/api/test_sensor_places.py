"""Which streams of a session are searched for sets: over HTTP, by what was declared of them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from ingest.chunks import canonical_body
from models.signal.pieces import Piece
from schemas.times import NS_PER_S
from tests.api.conftest import Person, RunningService
from tests.api.phone import STREAMS, Phone, sha
from tests.ingest.repeating import repeating

ACC, GYRO = STREAMS["acc"], STREAMS["gyro"]
Declared = dict[str, tuple[dict[str, str], int]]
"""Of each stream its declaration, and the second of the session at which its 80 s begin."""


def sample(kind: str) -> Piece:
    """Eighty seconds with a set in their middle."""
    acc = repeating().piece
    if kind == "acc":
        return acc
    return replace(acc, unit="rad/s", counts=np.roll(acc.counts, 1, axis=1))


def send(phone: Phone, declared: Declared) -> None:
    """A complete session with these streams."""
    assert phone.open(streams={name: about for name, (about, _) in declared.items()}).is_success
    hashes: dict[str, list[str]] = {}
    for name, (about, begin_s) in declared.items():
        t0_ns = (int(phone.started.timestamp()) + begin_s) * NS_PER_S
        body = canonical_body(replace(sample(about["kind"]), t0_ns=t0_ns))
        assert phone.put(name, 0, body).status_code == 200
        hashes[name] = [sha(body)]
    assert phone.complete(hashes).status_code == 200


def without_side(about: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in about.items() if key != "side"}


@pytest.mark.parametrize(
    ("declared", "layout", "sets", "unused"),
    [
        ({"a": (ACC, 0), "g": (without_side(GYRO), 0)}, "wrist-acc6", 1, []),
        ({"a": (ACC, 0), "g": ({**GYRO, "placement": "Wrist"}, 0)}, "wrist-acc6", 1, []),
        ({"rec1-acc": (ACC, 0), "rec2-acc": (ACC, 90)}, "wrist-acc3", 2, []),
        ({"a": (ACC, 0), "b": ({**ACC, "side": "right"}, 0)}, "wrist-acc3", 1, ["b"]),
        ({"a": (ACC, 0), "b": (ACC, 40)}, "wrist-acc3", 1, ["b"]),
        ({"a": (ACC, 0), "g": ({**GYRO, "side": "right"}, 0)}, "wrist-acc3", 1, ["g"]),
    ],
)
def test_sets_are_found_in_all_streams_that_belong_together_and_others_are_noted(
    service: RunningService,
    phone: Phone,
    person: Person,
    declared: Declared,
    layout: str,
    sets: int,
    unused: list[str],
):
    send(phone, declared)
    shown = phone.http.get(phone.path).json()
    predictions = service.run(
        service.services.records.predictions.of_session(person.user_id, phone.session)
    )
    used = {json.loads(row.details or "{}")["asked"]["layout"] for row in predictions}
    assert (len(shown["sets"]), used) == (sets, {layout})
    assert [n for n in shown["notes"] if "is-not-used" in n] == [
        f"{name}: is-not-used" for name in unused
    ]


def test_a_set_is_learned_from_both_sensors_although_only_one_declares_its_side(
    service: RunningService, phone: Phone, person: Person
):
    send(phone, {"a": (ACC, 0), "g": (without_side(GYRO), 0)})
    assert phone.confirm(phone.session).status_code == 200
    labelled = service.services.records.labelled.of_user
    rows = [service.run(labelled(person.user_id, f"wrist-acc{n}")) for n in (3, 6)]
    assert [len(of_layout) for of_layout in rows] == [1, 1]

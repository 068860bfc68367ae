"""Codecs of the models per user that are learned from confirmed sets."""

from dataclasses import replace
from math import inf, nan

import pytest

from models.codec import pack, unpack
from models.history import SetLog
from models.intensity import codec as intensity
from models.intensity.fit import IntensitySettings, fit_intensity
from models.load import codec as load
from models.load.fit import LoadSettings, fit_load
from models.next import codec as next_exercise
from models.next.fit import NextSettings, fit_next
from models.population.simulate import simulate
from schemas.errors import BadModelBytes

CODECS = {
    "intensity": intensity,
    "load": load,
    "next": next_exercise,
}


@pytest.fixture(scope="module")
def made():
    """A function per family that learns its model."""
    logs = [SetLog.of(person.sets()) for person in simulate(12, 8, 2)]

    return {
        "intensity": lambda: fit_intensity(logs[:1], IntensitySettings())[0],
        "load": lambda: fit_load(logs[0], LoadSettings()),
        "next": lambda: fit_next(logs[0], NextSettings()),
    }


@pytest.mark.parametrize("family", CODECS)
def test_models_are_deterministic_and_round_trip_through_bytes(family, made):
    codec = CODECS[family]
    blob = codec.to_bytes(made[family]())
    assert codec.to_bytes(made[family]()) == blob
    again = codec.from_bytes(blob)
    assert codec.to_bytes(again) == blob
    assert type(again) is type(made[family]())


@pytest.mark.parametrize("family", CODECS)
def test_junk_truncated_mistagged_and_incomplete_bytes_are_refused(family, made):
    codec = CODECS[family]
    blob = codec.to_bytes(made[family]())
    meta, arrays = unpack(blob, codec.TAG)
    junk = [b"", b"junk", blob[: len(blob) // 2], pack("other-1", meta, arrays)]
    junk += [pack(codec.TAG, {k: v for k, v in meta.items() if k != left}, arrays) for left in meta]
    junk += [
        pack(codec.TAG, meta, {k: v for k, v in arrays.items() if k != left}) for left in arrays
    ]
    junk.append(
        pack(
            codec.TAG,
            meta
            | {"features": [], "settings": {"x": 1}, "limit": "x", "order": "x", "coverage": []},
            arrays,
        )
    )
    for broken in junk:
        with pytest.raises(BadModelBytes):
            codec.from_bytes(broken)


@pytest.mark.parametrize("broken", [nan, inf])
def test_intensity_model_that_predicts_no_number_is_refused(made, broken):
    """One that serves would answer every question of its user with an internal error."""
    model = made["intensity"]()
    for other in (
        replace(model, weights=model.weights * broken),
        replace(model, intercept=broken),
        replace(model, error=broken),
    ):
        with pytest.raises(BadModelBytes, match="no numbers"):
            intensity.from_bytes(intensity.to_bytes(other))

"""Form models as bytes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models import codec
from models.arrays import Floats64
from models.form.model import ExerciseSide, FormModel, MeasuredSet
from models.form.quantities import QUANTITIES, SetQuantities
from models.form.template import FormTemplate
from schemas.errors import BadModelBytes

BOOK_TAG = "muvr-form-book-2"
Arrays = Mapping[str, NDArray[Any]]


def to_bytes(model: FormModel) -> bytes:
    """The stored form of a model; the same model gives the same bytes."""
    keys = sorted(model.templates)
    rows = [model.templates[exercise_side] for exercise_side in keys]
    meta = {
        "places": [list(exercise_side) for exercise_side in keys],
        "quantities": list(QUANTITIES),
        "set_ids": [measured.set_id for measured in model.sets],
        "set_places": [list(measured.exercise_side) for measured in model.sets],
    }
    arrays = {
        "typical": _table([template.typical for template in rows]),
        "spread": _table([template.spread for template in rows]),
        "sets": np.array([template.sets for template in rows], dtype=np.int64),
        "set_typical": _table([measured.quantities.typical for measured in model.sets]),
        "set_kept": _kept([measured.quantities for measured in model.sets]),
        "set_repetitions": np.array(
            [measured.repetitions for measured in model.sets], dtype=np.int64
        ),
        "set_started_ms": np.array(
            [measured.started_ms for measured in model.sets], dtype=np.int64
        ),
    }
    return codec.pack(BOOK_TAG, meta, arrays)


def from_bytes(blob: bytes) -> FormModel:
    """The model of `to_bytes`.

    Raises:
        BadModelBytes: junk, or templates of other quantities.
    """
    meta, arrays = codec.unpack(blob, BOOK_TAG)
    try:
        if tuple(meta["quantities"]) != QUANTITIES:
            raise BadModelBytes(f"form of {meta['quantities']}, here are {QUANTITIES}")
        templates = _templates([_exercise_side(pair) for pair in meta["places"]], arrays)
        return FormModel(templates, _sets(meta, arrays))
    except (KeyError, TypeError, ValueError) as error:
        raise BadModelBytes(f"not a form model: {error}") from error


def _table(rows: list[Floats64]) -> Floats64:
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(QUANTITIES))


def _kept(rows: list[SetQuantities]) -> Floats64:
    """(n, 2) shares of speed and range kept; NaN where a set was too short for them."""
    shares = [[numbers.speed_kept, numbers.range_kept] for numbers in rows]
    known = [[np.nan if share is None else share for share in row] for row in shares]
    return np.array(known, dtype=np.float64).reshape(len(rows), 2)


def _exercise_side(pair: Any) -> ExerciseSide:
    exercise, side = pair
    return str(exercise), str(side)


def _templates(places: list[ExerciseSide], arrays: Arrays) -> dict[ExerciseSide, FormTemplate]:
    typical, spread, sets = arrays["typical"], arrays["spread"], arrays["sets"].tolist()
    shape = (len(places), len(QUANTITIES))
    if not typical.shape == spread.shape == shape or len(sets) != shape[0]:
        raise BadModelBytes(f"{shape[0]} form templates with shape {typical.shape}")
    if not (spread > 0).all():
        raise BadModelBytes("a form template without spread")
    rows = zip(places, sets, typical, spread, strict=True)
    return {
        exercise_side: FormTemplate(exercise_side[0], n, t, s) for exercise_side, n, t, s in rows
    }


def _sets(meta: Mapping[str, Any], arrays: Arrays) -> tuple[MeasuredSet, ...]:
    typical, kept = arrays["set_typical"], arrays["set_kept"]
    if typical.shape[1:] != (len(QUANTITIES),) or kept.shape[1:] != (2,):
        raise BadModelBytes(f"measured sets with shapes {typical.shape} and {kept.shape}")
    rows = zip(
        meta["set_ids"],
        meta["set_places"],
        arrays["set_started_ms"].tolist(),
        arrays["set_repetitions"].tolist(),
        typical,
        kept.tolist(),
        strict=True,
    )
    return tuple(
        MeasuredSet(
            str(set_id),
            _exercise_side(exercise_side),
            started_ms,
            count,
            SetQuantities(t, *_shares(k)),
        )
        for set_id, exercise_side, started_ms, count, t, k in rows
    )


def _shares(kept: list[float]) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(share) else share for share in kept)

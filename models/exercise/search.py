"""Candidates for the model of people who were never seen: discriminants and perceptrons."""

from dataclasses import dataclass, replace

import numpy as np

from models.arrays import Floats, Ints64
from models.exercise.codec import to_bytes
from models.exercise.fit import FitSettings, fit_framed_global
from models.exercise.model import ExerciseModel
from models.exercise.perceptron import (
    PerceptronSettings,
    as_global,
    epoch,
    error,
    perceptron_to_bytes,
    start,
)
from models.exercise.statistics import Frame, statistics_of, total

Examples = tuple[Floats, Ints64]
EPOCHS = 12


@dataclass(frozen=True, slots=True)
class Candidate:
    """A kind of model with settings.

    Attributes:
        name: in the table of results.
        settings: of a discriminant, or of a perceptron.
    """

    name: str
    settings: FitSettings | PerceptronSettings


CANDIDATES = (
    *(
        Candidate(f"discriminant shrink={s:g}", FitSettings(global_shrink=s))
        for s in (0.05, 0.1, 0.2, 0.3)
    ),
    *(
        Candidate(
            f"perceptron hidden={'-'.join(map(str, hidden)) or 'none'} l2={l2:g}",
            PerceptronSettings(hidden=hidden, l2=l2),
        )
        for hidden in ((), (50,), (250, 50))
        for l2 in (1e-4, 1e-3)
    ),
)


def try_candidate(
    candidate: Candidate, learn: Examples, held_out: Examples, like: ExerciseModel
) -> tuple[float, bytes]:
    """Train one candidate and ask it about people that it has not seen.

    Args:
        candidate: which.
        learn: windows as `like.standardised` gives them, float32 (m, d), and labels (m,).
        held_out: the same of other people.
        like: gives the order of exercises.

    Returns:
        share of held-out windows named right by the model as it is stored, and its bytes.
    """
    if isinstance(candidate.settings, FitSettings):
        return _discriminant(candidate.settings, learn, held_out, like)
    return _perceptron(candidate.settings, learn, held_out, like)


def _discriminant(
    settings: FitSettings, learn: Examples, held_out: Examples, like: ExerciseModel
) -> tuple[float, bytes]:
    x, y = learn
    frame = Frame(np.zeros(x.shape[1]))
    done = [(name, x[y == k]) for k, name in enumerate(like.labels)]
    learned = total([statistics_of(rows, name, None, 1.0) for name, rows in done if len(rows)])
    model = fit_framed_global(learned.framed(frame), frame, settings, model_id=like.model_id)
    whole = _composed(model, like)
    return _named_right(whole, held_out, like), to_bytes(whole)


def _perceptron(
    settings: PerceptronSettings, learn: Examples, held_out: Examples, like: ExerciseModel
) -> tuple[float, bytes]:
    model = start(learn[0].shape[1], len(like.labels), settings)
    for round_number in range(EPOCHS):
        model = epoch(model, *learn, settings, round_number)
    if settings.hidden:
        return 1 - error(model, *held_out), perceptron_to_bytes(model)
    whole = as_global(model, like)
    return _named_right(whole, held_out, like), to_bytes(whole)


def _composed(model: ExerciseModel, like: ExerciseModel) -> ExerciseModel:
    """A model of what `like` standardised, as one of raw features; rounded as it is stored."""
    mean, scale = like.mean + model.mean * like.scale, like.scale * model.scale
    return replace(
        model,
        mean=mean.astype(np.float16).astype(np.float32),
        scale=scale.astype(np.float16).astype(np.float32),
    )


def _named_right(model: ExerciseModel, held_out: Examples, like: ExerciseModel) -> float:
    """Share of windows, as `like` standardised them, that a model of raw features names right."""
    x = (like.mean + like.scale * held_out[0]).astype(np.float32)
    named = np.array([like.labels.index(label) for label in model.labels])
    return float((named[model.scores(x).argmax(axis=1)] == held_out[1]).mean())

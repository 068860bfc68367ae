"""The manifest of a stored model: provenance and metrics. Pure."""

from typing import Any

import numpy as np

from models.exercise.codec import from_bytes, golden_vectors
from models.exercise.features import FEATURES_VERSION
from pipelines.exercise.evaluation import Hits
from pipelines.exercise.learner import LearnedModel
from pipelines.exercise.prepared import Recipe
from pipelines.lifecycle.environment import environment

CODE_VERSION = "exercise-8"


def manifest(learned: LearnedModel, recipe: Recipe, calibrated: str) -> dict[str, Any]:
    """The manifest of a user's model; `calibrated` names the data of its calibration."""
    return {
        "level": "user",
        "labels": list(learned.labels),
        "recipe": recipe.name,
        "calibration": calibrated,
        "features": FEATURES_VERSION,
        "code": CODE_VERSION,
        "environment": environment(),
        "data_digest": learned.data_digest,
        "trained_until": learned.trained_until.isoformat(),
        "cutoff_at": recipe.cutoff_at.isoformat() if recipe.cutoff_at else None,
        "sets": learned.sets,
        "seconds": round(learned.seconds, 3),
        "metrics": {
            "own": shares(learned.rungs.own),
            "global": shares(learned.rungs.everybody),
            "incumbent": shares(learned.rungs.incumbent),
            "majority": shares(learned.rungs.majority),
        },
        "golden": golden(learned.content),
    }


def shares(hits: Hits) -> dict[str, float | int] | None:
    """Counts and shares of a rung's hits on late sets; None where it was not evaluated."""
    if not hits.sets:
        return None
    right = sum(hits.sets.values())
    return {
        "sets": len(hits.sets),
        "sets_right": right / len(hits.sets),
        "windows": hits.windows,
        "windows_right": hits.right_windows / max(hits.windows, 1),
    }


def golden(content: bytes) -> dict[str, list[list[float]]]:
    """A golden vector: one row of raw features, and the model's output for it."""
    vectors = golden_vectors(from_bytes(content), 1)
    return {
        name: [[float(str(value)) for value in row] for row in np.atleast_2d(values)]
        for name, values in vectors.items()
    }


def recipe_name(recipe: Recipe, global_version: str) -> str:
    """Everything besides the sets that decides a model's bytes; the cut-off date does not."""
    return (
        f"{CODE_VERSION} {recipe.windows.name} newest_sets={recipe.newest_sets} "
        f"everybody_sets={recipe.member_sets} everybody_s={recipe.member_s:g} "
        f"trusted_from={recipe.cutoff_share:g} "
        f"everybody={global_version or 'none'}"
    )

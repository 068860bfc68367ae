"""Protocol S5: repetitions within one and exact, weights chosen inside the training part.

Three weights of the counter are decided by recordings. Groups (people, days) are split into five
folds; the weights that do best on four of them are scored on the fifth. The same folds fit and
score the confidence.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Floats64, Indices
from models.auroc import auroc
from models.reps.confidence import Confidence, fit_confidence
from models.reps.count import CONFIDENCE, SETTINGS, ranked
from models.reps.examples import FOLDS, Explained, RepsExample, explained
from models.reps.settings import RepsSettings
from models.reps.weights import best_cell, errors_by_weights, merits, weights_at

PartTraits = Sequence[Floats64 | None]
"""What the confidence depends on, (5,) of each stretch of a set; None where nothing was found."""


@dataclass(frozen=True, slots=True)
class HeldOutCounts:
    """What the protocol found.

    Attributes:
        errors: (s,) counted minus believed repetitions of each set, weights chosen without its
            fold.
        surety: (s,) confidence of each count, 0 to 1, learned without its fold.
        chosen: the weights that each fold was scored with.
    """

    errors: Indices
    surety: Floats64
    chosen: tuple[RepsSettings, ...]


def cross_validated(rows: Sequence[Explained], errors: Indices) -> HeldOutCounts:
    """Score every set with weights and a confidence that never saw its fold.

    Args:
        rows: the sets.
        errors: (variations, periods, partials, sets), of `errors_by_weights`, repetitions.
    """
    fold = np.array([r.fold for r in rows])
    result = np.zeros(len(rows), dtype=np.intp)
    surety = np.zeros(len(rows))
    chosen: list[RepsSettings] = []
    for k in range(FOLDS):
        cell = best_cell(merits(errors, rows, fold != k))
        chosen.append(weights_at(cell))
        result[fold == k] = errors[cell][fold == k]
        traits = [traits_of_parts(r, chosen[-1]) for r in rows]
        model = learned(traits_to_learn(traits)[fold != k], errors[cell][fold != k])
        surety[fold == k] = np.array([served_confidence(t, model) for t in traits])[fold == k]
    return HeldOutCounts(result, surety, tuple(chosen))


def traits_of_parts(row: Explained, settings: RepsSettings) -> PartTraits:
    """The traits of the explanation that is chosen for each stretch of a set."""
    return [ranked(part, settings).traits(settings) if part else None for part in row.parts]


def served_confidence(traits: PartTraits, confidence: Confidence) -> float:
    """The confidence that `count_repetitions` gives to a set: that of its least certain stretch.

    0 where a stretch, or the whole set, has no explanation.

    >>> sure = Confidence((1.0, 0.0, 0.0, 0.0, 0.0), 0.0)
    >>> [served_confidence(t, sure) for t in ([np.zeros(5), np.ones(5)], [np.ones(5), None], [])]
    [0.5, 0.0, 0.0]
    """
    return min((0.0 if t is None else confidence.of(t) for t in traits), default=0.0)


def traits_to_learn(sets: Sequence[PartTraits]) -> Floats64:
    """(sets, 5) those of the first stretch of each set; zeros where nothing was found there.

    Whether a count is right is known of whole sets, and nearly all have one stretch.
    """
    first = [traits[0] if traits else None for traits in sets]
    return np.array([np.zeros(5) if traits is None else traits for traits in first])


def learned(traits: Floats64, errors: Indices) -> Confidence:
    """A confidence from the traits (s, 5) and the errors (s,) of counted sets, repetitions."""
    return fit_confidence(traits, (errors == 0).astype(np.float64))


def learned_confidence(rows: Sequence[Explained], errors: Indices) -> Confidence:
    """The confidence to ship (`count.CONFIDENCE`): learned on all of `rows`.

    Args:
        rows: the sets.
        errors: (variations, periods, partials, sets), of `errors_by_weights`, repetitions.
    """
    chosen = best_cell(merits(errors, rows, np.ones(len(rows), dtype=bool)))
    traits = [traits_of_parts(r, weights_at(chosen)) for r in rows]
    return learned(traits_to_learn(traits), errors[chosen])


def shipped_confidence_gap(rows: Sequence[Explained], errors: Indices) -> float:
    """Greatest difference over the sets, 0 to 1, of the shipped confidence and one learned on them.

    Args:
        rows: the sets.
        errors: (variations, periods, partials, sets), of `errors_by_weights`, repetitions.
    """
    relearned = learned_confidence(rows, errors)
    traits = [traits_of_parts(r, SETTINGS) for r in rows]
    return max(
        abs(served_confidence(t, CONFIDENCE) - served_confidence(t, relearned)) for t in traits
    )


def reps_figures(sets: Sequence[RepsExample]) -> dict[str, float]:
    """Protocol S5.

    Args:
        sets: of sources "spar" and "gym".

    Returns:
        `s5_spar`, `s5_spar_exact`, `s5_gym`, `s5_gym_exact` and the same with `_acc_only`:
        shares within one and exact; `..._as_labelled` beside, against the source's own numbers;
        `s5_confidence_auroc_...`: how well the confidence tells exact counts from others;
        `s5_shipped_confidence_gap`: how far the shipped one is from one learned on these sets.
    """
    rows = explained(sets, acc_only=False) + explained(sets, acc_only=True)
    by_weights = errors_by_weights(rows)
    outcome = cross_validated(rows, by_weights)
    figures = {"s5_shipped_confidence_gap": shipped_confidence_gap(rows, by_weights)}
    for source, acc_only in sorted({r.kind for r in rows}):
        mine = np.array([r.kind == (source, acc_only) for r in rows])
        shift = np.array([labelled_shift(r.labelled) for r in rows])[mine]
        tail = "_acc_only" if acc_only else ""
        errors = outcome.errors[mine]
        figures[f"s5_{source}{tail}"] = float((np.abs(errors) <= 1).mean())
        figures[f"s5_{source}_exact{tail}"] = float((errors == 0).mean())
        figures[f"s5_{source}_mean_error{tail}"] = float(np.abs(errors).mean())
        figures[f"s5_{source}_as_labelled{tail}"] = float((np.abs(errors + shift) <= 1).mean())
        figures[f"s5_{source}_exact_as_labelled{tail}"] = float((errors + shift == 0).mean())
        surety, exact = outcome.surety[mine], errors == 0
        figures[f"s5_{source}_confidence_auroc{tail}"] = auroc(surety[~exact], surety[exact])
    return figures


def labelled_shift(labelled: RepsExample) -> int:
    """Believed minus labelled repetitions."""
    return labelled.reps - (
        labelled.reps if labelled.reps_labelled is None else labelled.reps_labelled
    )

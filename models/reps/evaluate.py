"""Protocol S5: repetitions within one and exact, weights chosen inside the training part.

Three weights of the counter are decided by recordings. Groups (people, days) are split into five
folds; the weights that do best on four of them are scored on the fifth. The same folds fit and
score the confidence.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from models.arrays import Flags, Floats64, Indices
from models.auroc import auroc
from models.reps.borders import bounds
from models.reps.confidence import Confidence, fit_confidence
from models.reps.count import CONFIDENCE, SETTINGS, explanations, ranked
from models.reps.explain import Explanation
from models.reps.prepare import prepare
from models.reps.settings import RepsSettings
from models.reps.stretches import joined
from models.signal.windows import RATE_HZ
from models.signal.wrist import WristSignal

VARIATION_WEIGHTS = (0.15, 0.3, 0.45, 0.6, 0.75, 0.9)
PERIOD_WEIGHTS = (0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.14)
PARTIAL_SHARES = (0.4, 0.45, 0.5, 0.55, 0.6)
FOLDS = 5

Cell = tuple[int, int, int]
PartTraits = Sequence[Floats64 | None]
"""What the confidence depends on, (5,) of each stretch of a set; None where nothing was found."""


@dataclass(frozen=True, slots=True)
class RepsExample:
    """A set whose repetitions are known.

    Attributes:
        source: which data it is from ("spar", "gym"); figures are reported per source.
        group: the person or day that must not lie on both sides of a split.
        signals: the wrist during the set and nothing else.
        reps: the number that is believed (nominal or audited).
        reps_labelled: the number that the source gave, where it is another one.
    """

    source: str
    group: str
    signals: tuple[WristSignal, ...]
    reps: int
    reps_labelled: int | None = None


@dataclass(frozen=True, slots=True)
class Explained:
    """A labelled set with everything the counter found in it, before a choice is made.

    Attributes:
        labelled: the set.
        fold: 0..4, the same for all sets of a group.
        acc_only: whether rotation was withheld.
        parts: the explanations of each stretch of it; none where nothing repeats.
    """

    labelled: RepsExample
    fold: int
    acc_only: bool
    parts: tuple[tuple[Explanation, ...], ...]

    @property
    def kind(self) -> tuple[str, bool]:
        """What figures are kept apart by: source and whether rotation was withheld."""
        return self.labelled.source, self.acc_only


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


def folds_of(sets: Sequence[RepsExample]) -> dict[tuple[str, str], int]:
    """A fold for each (source, group): neighbours in sorted order share one."""
    folds: dict[tuple[str, str], int] = {}
    for source in sorted({s.source for s in sets}):
        groups = sorted({s.group for s in sets if s.source == source})
        for at, group in enumerate(groups):
            folds[source, group] = at * FOLDS // len(groups)
    return folds


def explained(sets: Sequence[RepsExample], *, acc_only: bool) -> list[Explained]:
    """Run the counter up to the choice on every set."""
    folds = folds_of(sets)
    return [
        Explained(s, folds[s.source, s.group], acc_only, parts_of(s, acc_only=acc_only))
        for s in sets
    ]


def parts_of(labelled: RepsExample, *, acc_only: bool) -> tuple[tuple[Explanation, ...], ...]:
    """The explanations of each stretch of a set; none of one that is short or still."""
    stretches = joined(labelled.signals, SETTINGS.longest_gap_s)
    ready = (prepare(s.acc_g, None if acc_only else s.gyro, RATE_HZ, SETTINGS) for s in stretches)
    return tuple(() if p is None else tuple(explanations(p, SETTINGS)) for p in ready)


def weights_at(cell: Cell) -> RepsSettings:
    """The settings of one cell of the grid of weights."""
    return replace(
        SETTINGS,
        variation_weight=VARIATION_WEIGHTS[cell[0]],
        period_weight=PERIOD_WEIGHTS[cell[1]],
        partial_share=PARTIAL_SHARES[cell[2]],
    )


def errors_by_weights(rows: Sequence[Explained]) -> Indices:
    """(variations, periods, partials, sets) counted minus believed repetitions."""
    shape = (len(VARIATION_WEIGHTS), len(PERIOD_WEIGHTS), len(PARTIAL_SHARES))
    out = np.zeros((*shape, len(rows)), dtype=np.intp)
    out -= np.array([r.labelled.reps for r in rows])
    for k, part in ((k, part) for k, r in enumerate(rows) for part in r.parts if part):
        counts = np.array(
            [[len(bounds(e, weights_at((0, 0, h))).spans) for e in part] for h in range(shape[2])]
        )
        for v, p in product(range(shape[0]), range(shape[1])):
            scores = [e.score(weights_at((v, p, 0))) for e in part]
            out[v, p, :, k] += counts[:, int(np.argmax(scores))]
    return out


def merits(errors: Indices, rows: Sequence[Explained], used: Flags) -> Floats64:
    """What a choice maximises, for every cell: exact plus twice within one.

    Every source, with and without rotation, weighs the same. One without a used set says nothing.

    Args:
        errors: (variations, periods, partials, sets) counted minus believed repetitions.
        rows: the sets, in that order.
        used: (sets,) those that are looked at.

    Returns:
        (variations, periods, partials), 0 to 3; zeros where no set is used.
    """
    kinds = sorted({r.kind for r, is_used in zip(rows, used, strict=True) if is_used})
    total = np.zeros(errors.shape[:3])
    for kind in kinds:
        mine = used & np.array([r.kind == kind for r in rows])
        e = np.abs(errors[..., mine])
        total += (e == 0).mean(axis=-1) + 2 * (e <= 1).mean(axis=-1)
    return total / max(len(kinds), 1)


def best_cell(merit: Floats64) -> Cell:
    """The middle of the best plateau: each cell counts as the mean of itself and its neighbours.

    >>> lone = np.zeros((6, 7, 5)); lone[0, 0, 0] = 1.0; lone[3:6, 3:6, 1:4] = 0.9
    >>> best_cell(lone)
    (4, 4, 2)
    """
    smooth = np.zeros_like(merit)
    for cell in np.ndindex(merit.shape):
        around = tuple(slice(max(0, c - 1), c + 2) for c in cell)
        smooth[cell] = merit[around].mean()
    v, p, h = np.unravel_index(int(np.argmax(smooth)), merit.shape)
    return int(v), int(p), int(h)


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

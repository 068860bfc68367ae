"""How far scores can be trusted, learned on people whose answers were not used for the scores.

Probabilities of a person's model are set on other people; so is the border to "never seen".
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import fminbound, minimize

from models.arrays import Flags, Floats, Floats64, Ints64
from models.exercise.evaluate import LabelledWindows
from models.exercise.fit import (
    USER_CALIBRATION,
    FitSettings,
    GlobalModel,
    fit_global,
    fit_user,
)
from models.exercise.model import ExerciseModel
from models.exercise.probability import Calibration, mean_log
from models.exercise.statistics import Statistics, total
from models.softmax import log_losses, softmax
from schemas.errors import NotEnoughLabels
from schemas.inputs import ACC6, InputLayout

USUAL = Calibration()  # where few errors say little, stay near here
KEPT_KNOWN = 0.99  # share of known sets that abstention lets through
NEXT_DAY = 0.15  # another day is stranger than a later minute: seen on eight gym days
PENALTY = 1e-3


@dataclass(frozen=True, slots=True)
class LearnSet:
    """What is learned of one labelled set."""

    exercise: str
    statistics: Statistics


@dataclass(frozen=True, slots=True)
class SplitPerson:
    """One person's sets, split in time.

    Attributes:
        learn: the earlier part.
        ask: the later part; nothing of it is in `learn`.
    """

    learn: tuple[LearnSet, ...]
    ask: tuple[LabelledWindows, ...]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Scores of sets that the model did not learn from.

    Attributes:
        scores: (m, k), of all windows.
        truth: int64 (m,), index of the true exercise.
        set_of: int64 (m,), which set a window belongs to, 0, 1, 2, ...
        strangeness: (m,).
    """

    scores: Floats64
    truth: Ints64
    set_of: Ints64
    strangeness: Floats64

    def windows_of_sets(self) -> list[Flags]:
        """Which windows are of each set: a bool (m,) for every set, in order."""
        return [self.set_of == s for s in range(self.set_of.max() + 1)]


def held_out(model: ExerciseModel, sets: Sequence[LabelledWindows]) -> HeldOut | None:
    """The model's scores of those sets whose exercise it knows; None if there is none."""
    asked = [s for s in sets if s.exercise in model.labels and len(s.x)]
    if not asked:
        return None
    x = np.concatenate([s.x for s in asked])
    lengths = [len(s.x) for s in asked]
    return HeldOut(
        scores=model.scores(x).astype(np.float64),
        truth=np.repeat([model.labels.index(s.exercise) for s in asked], lengths),
        set_of=np.repeat(np.arange(len(asked)), lengths),
        strangeness=model.strangeness(x).astype(np.float64),
    )


def left_out(model: ExerciseModel, x: Floats) -> HeldOut:
    """What the model makes of windows (m, d) of one set whose exercise it does not know.

    There is no true index: that of each window's likeliest exercise stands in its place.
    """
    scores = model.scores(x).astype(np.float64)
    one_set = np.zeros(len(x), dtype=np.int64)
    return HeldOut(scores, scores.argmax(axis=1), one_set, model.strangeness(x).astype(np.float64))


def log_loss(held: Sequence[HeldOut], factor: float) -> float:
    """Mean -log probability of the truth over all windows."""
    losses = [log_losses(h.scores * factor, h.truth) for h in held]
    return float(np.concatenate(losses).mean())


def calibrate(
    held: Sequence[HeldOut],
    unknown: Sequence[HeldOut] = (),
    *,
    before: Calibration | None = None,
) -> Calibration:
    """Temperatures and the border of the known.

    Args:
        held: known movement, a HeldOut per model.
        unknown: movement that was left out of everything, a HeldOut per set, whose truth means
            nothing; the slope and centre of P(known) stay as they were when there is none.
        before: where to start from.
    """
    found = before or Calibration()
    if not held:
        return found
    window = _factor([(h.scores, h.truth) for h in held], USUAL.window)
    whole = [sets_of(h, window) for h in held]
    found = replace(found, window=window, whole=_factor(whole, USUAL.whole))
    novelty = np.concatenate([novelty_of_sets(h, found) for h in held])
    found = replace(found, abstain_above=float(np.quantile(novelty, KEPT_KNOWN)) + NEXT_DAY)
    if unknown:
        known, strange = (
            np.concatenate([novelty_of_windows(h, found) for h in several])
            for several in (held, unknown)
        )
        slope, centre = _logistic(known, strange)
        found = replace(found, known_slope=slope, known_centre=centre)
    return found


def learn_calibration(
    people: Sequence[SplitPerson],
    settings: FitSettings | None = None,
    *,
    model_id: InputLayout = ACC6,
    leave_out_exercises: bool = True,
) -> tuple[Calibration, Calibration]:
    """Calibrations for the global model and for users' own models.

    Each person in turn is asked with models of the others (global), and with a model of the
    person's earlier part mixed with the others (own). With `leave_out_exercises` each exercise is
    also taken out of everything and then asked: that is what unknown movement looks like.

    Args:
        people: a sample of 5 to 50 is enough; the cost is two fits per person and exercise.
        settings: how models are fitted.
        model_id: the layout.
        leave_out_exercises: False saves most of the time and keeps P(known) as it is.
    """
    settings = settings or FitSettings()
    learned = [total([s.statistics for s in p.learn]) for p in people if p.learn]
    people = [p for p in people if p.learn]
    if len(people) < 2:
        return Calibration(), Calibration()
    everybody = total(learned)
    seen: tuple[list[HeldOut], list[HeldOut]] = ([], [])
    strange: tuple[list[HeldOut], list[HeldOut]] = ([], [])
    for person, own in zip(people, learned, strict=True):
        for k, model in enumerate(_rungs(own, everybody - own, settings, model_id)):
            held = model and held_out(model, person.ask)
            if held:
                seen[k].append(held)
        for exercise in own.labels if leave_out_exercises else ():
            asked = [s.x for s in person.ask if s.exercise == exercise and len(s.x)]
            reduced = _without(people, exercise)
            mine = _without([person], exercise)
            if not (asked and mine):
                continue
            others = None if reduced is None else reduced - mine
            for k, model in enumerate(_rungs(mine, others, settings, model_id)):
                if model:
                    strange[k].append(left_out(model, np.concatenate(asked)))
    user_calibration = calibrate(seen[1], strange[1], before=USER_CALIBRATION)
    return calibrate(seen[0], strange[0]), user_calibration


def _rungs(
    own: Statistics, others: Statistics | None, settings: FitSettings, model_id: InputLayout
) -> tuple[ExerciseModel | None, ExerciseModel | None]:
    """The global model without this person, and the person's own; None where data is too thin."""
    everybody_else: GlobalModel | None = None
    if others is not None and others.groups:
        try:
            everybody_else = fit_global(others, settings, model_id=model_id)
        except NotEnoughLabels:
            everybody_else = None
    try:
        user = fit_user(own, everybody_else, settings, model_id=model_id)
    except NotEnoughLabels:
        user = None
    return (everybody_else.model if everybody_else else None), user


def _without(people: Sequence[SplitPerson], exercise: str) -> Statistics | None:
    """Everything learned from these people but one exercise."""
    kept = [s.statistics for p in people for s in p.learn if s.exercise != exercise]
    return total(kept) if kept else None


def _factor(scored: Sequence[tuple[Floats64, Ints64]], usual: float) -> float:
    """The factor that makes the log loss of all scores smallest, within 1/20 to 20 × the usual."""

    def loss(log_factor: float) -> float:
        """Mean log loss over all scores, and a little for a factor far from the usual one."""
        factor = float(np.exp(log_factor))
        parts = [log_losses(scores * factor, truth) for scores, truth in scored]
        unusual = (log_factor - np.log(usual)) ** 2
        return float(np.concatenate(parts).mean() + PENALTY * unusual)

    return float(np.exp(fminbound(loss, np.log(usual / 20), np.log(usual * 20))))


def sets_of(held: HeldOut, window: float) -> tuple[Floats64, Ints64]:
    """Mean log probabilities (s, k) and truth (s,) of every set."""
    each = softmax(held.scores * window)
    sets = held.windows_of_sets()
    truth = np.array([held.truth[s][0] for s in sets])
    return np.array([mean_log(each[s]) for s in sets]), truth


def novelty_of_windows(held: HeldOut, calibration: Calibration) -> Floats64:
    """What every window adds to the novelty of its set, (m,)."""
    likeliest = held.scores.argmax(axis=1)
    hesitation = log_losses(held.scores * calibration.window, likeliest)
    return held.strangeness + calibration.hesitation * hesitation


def novelty_of_sets(held: HeldOut, calibration: Calibration) -> Floats64:
    """The novelty of every set, (s,), as `ExerciseModel.novelty` has it."""
    return set_means(novelty_of_windows(held, calibration), held.set_of)


def set_means(values: Floats64, set_of: Ints64) -> Floats64:
    """The mean of every set's windows, (s,)."""
    return np.bincount(set_of, weights=values) / np.bincount(set_of)


def _logistic(known: Floats64, unknown: Floats64) -> tuple[float, float]:
    """Slope and centre of P(known) over novelty, both kinds weighing the same."""

    def loss(at: Floats64) -> float:
        """At (slope, centre): a log loss with a mean of its own for each kind; steep costs."""
        slope, centre = at
        wrong_known = np.logaddexp(0, slope * (known - centre)).mean()
        wrong_unknown = np.logaddexp(0, -slope * (unknown - centre)).mean()
        return float(wrong_known + wrong_unknown + PENALTY * slope**2)

    start = np.array([4.0, (known.mean() + unknown.mean()) / 2])
    slope, centre = minimize(loss, start, method="Nelder-Mead").x
    return float(max(slope, 0.1)), float(centre)

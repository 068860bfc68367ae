"""S6: does a user's model know what it has never seen?

Per user: first 60 % of each recording learned, last 40 % asked, each exercise in turn left out of
everything, the others' statistics too. How the metric is shrunk, P(known) and the border of
abstention are learned on the other users.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from models.arrays import Flags, Floats, Floats64
from models.exercise.calibrate import (
    HeldOut,
    calibrate,
    held_out,
    left_out,
    novelty_of_sets,
    novelty_of_windows,
)
from models.exercise.evaluate import calibration_error
from models.exercise.fit import USER_CALIBRATION, FitSettings, fit_global, fit_user
from models.exercise.probability import Calibration
from models.exercise.protocols.answers import mean
from models.exercise.protocols.outcome import SPAR, ProtocolData, ProtocolOutcome
from models.exercise.protocols.trials import Movement, asked, exercises, learned_of, part, people
from models.exercise.statistics import Statistics, total

CHOICES = tuple(FitSettings(metric_shrink=m) for m in (0.05, 0.1, 0.3))
PROTOCOL = (
    "per user, first 60 % / last 40 %, one exercise left out; metric and P(known) from others"
)


@dataclass(frozen=True, slots=True)
class Strange:
    """What a model without one exercise finds strange.

    Attributes:
        known: held-out windows of the exercises it knows.
        unknown: windows of the one it does not.
    """

    known: HeldOut
    unknown: HeldOut

    def auroc(self, calibration: Calibration) -> float:
        """Chance that an unknown window is newer than a known one."""
        known, unknown = (novelty_of_windows(h, calibration) for h in (self.known, self.unknown))
        return auroc(known, unknown)

    def caught(self, calibration: Calibration) -> bool:
        """Whether the unknown windows together are left without a name."""
        return bool(novelty_of_sets(self.unknown, calibration)[0] > calibration.abstain_above)

    def refused(self, calibration: Calibration) -> Flags:
        """(s,) which known sets are left without one."""
        return novelty_of_sets(self.known, calibration) > calibration.abstain_above


PersonStatistics = dict[str, dict[str, Statistics]]  # of a person, of an exercise
Tried = Sequence[dict[str, list[Strange]]]  # with each of CHOICES, of a person


@dataclass(frozen=True, slots=True)
class Border:
    """What the other users chose for one.

    Attributes:
        choice: which of CHOICES.
        calibration: with P(known) and the border of abstention.
    """

    choice: int
    calibration: Calibration


@dataclass(frozen=True, slots=True)
class UnknownTrial:
    """How one user's models without an exercise fared under the others' border.

    Attributes:
        area: mean AUROC.
        known: bool (m,), of every window that was asked: whether its exercise was.
        probability: float64 (m,), P(known) of each.
        caught: of each exercise that was left out: whether no name was told.
        refused: of each known set: the same.
    """

    area: float
    known: Flags
    probability: Floats64
    caught: list[bool]
    refused: list[bool]


def unknown_exercise(movements: Sequence[Movement]) -> ProtocolOutcome:
    """AUROC per user, and how well P(known) is calibrated."""
    labels = exercises(movements)
    by_person = people(movements)
    learned = {
        p: {e: learned_of([part(m, 0, 0.6) for m in sets if m.exercise == e]) for e in labels}
        for p, sets in by_person.items()
    }
    tried = [
        {p: _left_out(p, by_person[p], learned, settings) for p in by_person}
        for settings in CHOICES
    ]
    borders = {person: _chosen_elsewhere(person, tried) for person in by_person}
    judged = [_judged(tried[b.choice][person], b.calibration) for person, b in borders.items()]
    chosen = tuple(
        f"{person}: metric_shrink {CHOICES[b.choice].metric_shrink:g}"
        for person, b in borders.items()
    )
    return _outcome(judged, labels, chosen)


def auroc(low: Floats, high: Floats) -> float:
    """Chance that one of `high` (n,) is above one of `low` (m,), ties counting half.

    >>> auroc(np.array([0.0, 1.0]), np.array([1.0, 2.0]))
    0.875
    """
    ranks = rankdata(np.concatenate([low, high]))[len(low) :]
    above = ranks.sum() - len(high) * (len(high) + 1) / 2
    return float(above / (len(low) * len(high)))


def _left_out(
    person: str, sets: Sequence[Movement], learned: PersonStatistics, settings: FitSettings
) -> list[Strange]:
    """A person's later movement, asked of models that lack one exercise each."""
    found: list[Strange] = []
    windows = asked([part(m, 0.6, 1) for m in sets])
    for exercise in learned[person]:
        own = total([s for e, s in learned[person].items() if e != exercise])
        others = total(
            [s for p, of in learned.items() for e, s in of.items() if p != person and e != exercise]
        )
        model = fit_user(own, fit_global(others, settings), settings)
        known = held_out(model, windows)
        unknown = [w.x for w in windows if w.exercise == exercise]
        if known is not None and unknown:
            found.append(Strange(known, left_out(model, np.concatenate(unknown))))
    return found


def _chosen_elsewhere(person: str, tried: Tried) -> Border:
    """The choice with the largest area on the other users, and the border learned on them."""
    elsewhere = [[s for p, found in t.items() if p != person for s in found] for t in tried]
    borders = [
        calibrate([s.known for s in f], [s.unknown for s in f], before=USER_CALIBRATION)
        for f in elsewhere
    ]
    best = int(np.argmax([_area(f, b) for f, b in zip(elsewhere, borders, strict=True)]))
    return Border(best, borders[best])


def _area(found: Sequence[Strange], calibration: Calibration) -> float:
    """Mean AUROC over the exercises that were left out."""
    return mean(one.auroc(calibration) for one in found)


def _judged(found: Sequence[Strange], calibration: Calibration) -> UnknownTrial:
    both = [(held, known) for s in found for held, known in ((s.known, True), (s.unknown, False))]
    novelty = [novelty_of_windows(held, calibration) for held, _ in both]
    return UnknownTrial(
        area=_area(found, calibration),
        known=np.concatenate([np.full(len(held.truth), known) for held, known in both]),
        probability=calibration.known_of_each(np.concatenate(novelty)),
        caught=[strange.caught(calibration) for strange in found],
        refused=[one for strange in found for one in strange.refused(calibration).tolist()],
    )


def _outcome(
    judged: Sequence[UnknownTrial], labels: tuple[str, ...], chosen: tuple[str, ...]
) -> ProtocolOutcome:
    measured = ProtocolData(SPAR, PROTOCOL)
    known = np.concatenate([one.known for one in judged])
    ece = _balanced_error(known, np.concatenate([one.probability for one in judged]))
    figures = (
        measured.at_least("s6_auroc", mean(one.area for one in judged), 0.975),
        measured.at_least("s6_worst", min(one.area for one in judged)),
        measured.at_most("s6_ece", ece, 0.03),
        measured.at_least("s6_unknown_abstained", mean(c for one in judged for c in one.caught)),
        measured.at_least("s6_known_abstained", mean(r for one in judged for r in one.refused)),
    )
    return ProtocolOutcome(figures, labels, chosen=chosen)


def _balanced_error(right: Flags, probability: Floats64) -> float:
    """Calibration error with known and unknown windows weighing the same, as P(known) assumes."""
    known, unknown = np.flatnonzero(right), np.flatnonzero(~right)
    repeats = max(1, round(len(known) / len(unknown)))
    rows = np.concatenate([known, np.tile(unknown, repeats)])
    return calibration_error(right[rows], probability[rows])

"""S6: does a user's model know what it has never seen?

Per user: first 60 % of each recording learned, last 40 % asked, each exercise in turn left out of
everything, the others' statistics too. How the metric is shrunk, P(known) and the border of
abstention are learned on the other users.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from models.exercise.calibrate import (
    HeldOut,
    calibrate,
    held_out,
    left_out,
    novelty_of_sets,
    novelty_of_windows,
)
from models.exercise.evaluate import calibration_error
from models.exercise.figures import Outcome
from models.exercise.fit import OWN_CALIBRATION, FitSettings, fit_global, fit_user
from models.exercise.probability import Calibration
from models.exercise.statistics import Statistics, total
from models.exercise.trials import Movement, asked, learned_of, part, people
from schemas.report import Figure

CHOICES = tuple(FitSettings(metric_shrink=m) for m in (0.05, 0.1, 0.3))
DATA = "SPAR-10"
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

    def refused(self, calibration: Calibration) -> NDArray[np.bool_]:
        """Which known sets are left without one."""
        return novelty_of_sets(self.known, calibration) > calibration.abstain_above


def unknown_exercise(movements: Sequence[Movement]) -> Outcome:
    """AUROC per user, and how well P(known) is calibrated."""
    labels = tuple(sorted({m.exercise for m in movements}))
    by_person = people(movements)
    learned = {
        p: {e: learned_of([part(m, 0, 0.6) for m in sets if m.exercise == e]) for e in labels}
        for p, sets in by_person.items()
    }
    tried = [
        {p: _left_out(p, by_person[p], learned, settings) for p in by_person}
        for settings in CHOICES
    ]
    areas: list[float] = []
    right: list[NDArray[np.bool_]] = []
    probability: list[NDArray[np.float64]] = []
    caught: list[bool] = []
    refused: list[bool] = []
    chosen: list[str] = []
    for person in by_person:
        elsewhere = [[s for p, found in t.items() if p != person for s in found] for t in tried]
        borders = [
            calibrate([s.known for s in f], [s.unknown for s in f], before=OWN_CALIBRATION)
            for f in elsewhere
        ]
        best = int(np.argmax([_area(f, b) for f, b in zip(elsewhere, borders, strict=True)]))
        border = borders[best]
        chosen.append(f"{person}: metric_shrink {CHOICES[best].metric_shrink:g}")
        areas.append(_area(tried[best][person], border))
        for strange in tried[best][person]:
            for held, known in ((strange.known, True), (strange.unknown, False)):
                values = novelty_of_windows(held, border)
                slope = border.known_slope * (values - border.known_centre)
                probability.append(1 / (1 + np.exp(np.clip(slope, -30, 30))))
                right.append(np.full(len(values), known))
            caught.append(strange.caught(border))
            refused += strange.refused(border).tolist()
    ece = _balanced_error(np.concatenate(right), np.concatenate(probability))
    return Outcome(
        figures=(
            _share("s6_auroc", float(np.mean(areas)), 0.975),
            _share("s6_worst", min(areas), None),
            Figure("s6_ece", ece, floor=0.03, ceiling=True, data=DATA, protocol=PROTOCOL),
            _share("s6_unknown_abstained", float(np.mean(caught)), None),
            _share("s6_known_abstained", float(np.mean(refused)), None),
        ),
        labels=labels,
        chosen=tuple(chosen),
    )


def auroc(low: NDArray[np.floating], high: NDArray[np.floating]) -> float:
    """Chance that one of `high` is above one of `low`, ties counting half.

    >>> auroc(np.array([0.0, 1.0]), np.array([1.0, 2.0]))
    0.875
    """
    ranks = rankdata(np.concatenate([low, high]))[len(low) :]
    above = ranks.sum() - len(high) * (len(high) + 1) / 2
    return float(above / (len(low) * len(high)))


def _area(found: Sequence[Strange], calibration: Calibration) -> float:
    """Mean AUROC over the exercises that were left out."""
    return float(np.mean([one.auroc(calibration) for one in found]))


def _left_out(
    person: str,
    sets: Sequence[Movement],
    learned: dict[str, dict[str, Statistics]],
    settings: FitSettings,
) -> list[Strange]:
    found: list[Strange] = []
    later = [part(m, 0.6, 1) for m in sets]
    windows = asked(later)
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


def _balanced_error(right: NDArray[np.bool_], probability: NDArray[np.float64]) -> float:
    """Calibration error with known and unknown windows weighing the same, as P(known) assumes."""
    known, unknown = np.flatnonzero(right), np.flatnonzero(~right)
    repeats = max(1, round(len(known) / len(unknown)))
    rows = np.concatenate([known, np.tile(unknown, repeats)])
    return calibration_error(right[rows], probability[rows])


def _share(name: str, value: float, floor: float | None) -> Figure:
    return Figure(name, value, floor=floor, data=DATA, protocol=PROTOCOL)

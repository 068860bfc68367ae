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

from models.exercise.calibrate import HeldOut, calibrate, held_out, novelty_of_sets
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
        unknown: strangeness (m,) of windows of the one it does not.
        scores: (m, k), what it makes of them.
    """

    known: HeldOut
    unknown: NDArray[np.float64]
    scores: NDArray[np.float64]

    @property
    def auroc(self) -> float:
        """Chance that an unknown window is stranger than a known one."""
        return auroc(self.known.strangeness, self.unknown)

    def caught(self, calibration: Calibration) -> bool:
        """Whether the unknown windows together are left without a name."""
        one_set = np.zeros(len(self.unknown), dtype=np.int64)
        unknown = HeldOut(self.scores, one_set, one_set, self.unknown)
        return bool(novelty_of_sets(unknown, calibration)[0] > calibration.abstain_above)

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
        best = int(np.argmax([np.mean([s.auroc for s in found]) for found in elsewhere]))
        found = elsewhere[best]
        border = calibrate(
            [s.known for s in found], [s.unknown for s in found], before=OWN_CALIBRATION
        )
        chosen.append(f"{person}: metric_shrink {CHOICES[best].metric_shrink:g}")
        areas.append(float(np.mean([s.auroc for s in tried[best][person]])))
        for strange in tried[best][person]:
            for values, known in ((strange.known.strangeness, True), (strange.unknown, False)):
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


def _left_out(
    person: str,
    sets: Sequence[Movement],
    learned: dict[str, dict[str, Statistics]],
    settings: FitSettings,
) -> list[Strange]:
    found: list[Strange] = []
    later = [part(m, 0.6, 1) for m in sets]
    windows = asked(later)
    for left_out in learned[person]:
        own = total([s for e, s in learned[person].items() if e != left_out])
        others = total(
            [s for p, of in learned.items() for e, s in of.items() if p != person and e != left_out]
        )
        model = fit_user(own, fit_global(others, settings), settings)
        known = held_out(model, windows)
        unknown = [w.x for w in windows if w.exercise == left_out]
        if known is not None and unknown:
            x = np.concatenate(unknown)
            strange, scores = model.strangeness(x), model.scores(x)
            found.append(Strange(known, strange.astype(np.float64), scores.astype(np.float64)))
    return found


def _balanced_error(right: NDArray[np.bool_], probability: NDArray[np.float64]) -> float:
    """Calibration error with known and unknown windows weighing the same, as P(known) assumes."""
    known, unknown = np.flatnonzero(right), np.flatnonzero(~right)
    repeats = max(1, round(len(known) / len(unknown)))
    rows = np.concatenate([known, np.tile(unknown, repeats)])
    return calibration_error(right[rows], probability[rows])


def _share(name: str, value: float, floor: float | None) -> Figure:
    return Figure(name, value, floor=floor, data=DATA, protocol=PROTOCOL)

"""S6: does a user model recognise exercises that it was not trained on as unknown?

Per user: the first 60 % of each recording is for training, the last 40 % for test, and each
exercise in turn is left out of all training data, also of the prior. Shrinkage of the metric,
P(known) and the abstention threshold are chosen on the other users.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Flags, Floats64
from models.auroc import auroc
from models.exercise.calibrate import (
    HeldOutScores,
    calibrate,
    score_held_out,
    score_unknown,
    set_novelty,
    window_novelty,
)
from models.exercise.evaluate import calibration_error
from models.exercise.fit import USER_CALIBRATION, FitSettings, fit_global, fit_user
from models.exercise.probability import Calibration
from models.exercise.protocols.outcome import SPAR, ProtocolData, ProtocolOutcome
from models.exercise.protocols.trials import (
    Movement,
    evaluation_windows,
    exercises,
    part,
    people,
    training_statistics,
)
from models.exercise.statistics import Statistics, total
from models.mean import mean

CHOICES = tuple(FitSettings(metric_shrink=m) for m in (0.05, 0.1, 0.3))
PROTOCOL = (
    "per user, first 60 % / last 40 %, one exercise left out; metric and P(known) from others"
)


@dataclass(frozen=True, slots=True)
class NoveltyScores:
    """Scores of a model that was trained without one exercise.

    Attributes:
        known: of held-out windows of the exercises that it knows.
        unknown: of windows of the exercise that was left out.
    """

    known: HeldOutScores
    unknown: HeldOutScores

    def auroc(self, calibration: Calibration) -> float:
        """Probability that an unknown window has a higher novelty than a known one."""
        known, unknown = (window_novelty(h, calibration) for h in (self.known, self.unknown))
        return auroc(known, unknown)

    def unknown_abstained(self, calibration: Calibration) -> bool:
        """Whether the model abstains from the unknown windows as one set."""
        return bool(set_novelty(self.unknown, calibration)[0] > calibration.abstain_above)

    def known_abstained(self, calibration: Calibration) -> Flags:
        """(s,) which known sets the model abstains from."""
        return set_novelty(self.known, calibration) > calibration.abstain_above


PersonStatistics = dict[str, dict[str, Statistics]]  # of a person, of an exercise
ScoresByChoice = Sequence[dict[str, list[NoveltyScores]]]  # with each of CHOICES, of a person


@dataclass(frozen=True, slots=True)
class ChosenThreshold:
    """What was chosen for one user on the other users.

    Attributes:
        choice: index into CHOICES.
        calibration: with P(known) and the abstention threshold.
    """

    choice: int
    calibration: Calibration


@dataclass(frozen=True, slots=True)
class NoveltyResults:
    """Results of one user's models without an exercise, under the chosen threshold.

    Attributes:
        mean_auroc: over the exercises that were left out.
        known: bool (m,), of every test window, whether its exercise is known.
        probability: float64 (m,), P(known) of each.
        unknown_abstained: of each exercise that was left out, whether the model abstained.
        known_abstained: of each known set, the same.
    """

    mean_auroc: float
    known: Flags
    probability: Floats64
    unknown_abstained: list[bool]
    known_abstained: list[bool]


def unknown_exercise(movements: Sequence[Movement]) -> ProtocolOutcome:
    """AUROC per user, and how well P(known) is calibrated."""
    labels = exercises(movements)
    by_person = people(movements)
    training = {
        p: {
            e: training_statistics([part(m, 0, 0.6) for m in sets if m.exercise == e])
            for e in labels
        }
        for p, sets in by_person.items()
    }
    scores_by_choice = [
        {p: _score_without_each_exercise(p, by_person[p], training, settings) for p in by_person}
        for settings in CHOICES
    ]
    thresholds = {person: _choose_on_others(person, scores_by_choice) for person in by_person}
    results_by_user = [
        _evaluate(scores_by_choice[b.choice][person], b.calibration)
        for person, b in thresholds.items()
    ]
    chosen = tuple(
        f"{person}: metric_shrink {CHOICES[b.choice].metric_shrink:g}"
        for person, b in thresholds.items()
    )
    return _outcome(results_by_user, labels, chosen)


def _score_without_each_exercise(
    person: str, sets: Sequence[Movement], training: PersonStatistics, settings: FitSettings
) -> list[NoveltyScores]:
    """Scores of a person's test part by models that each lack one exercise."""
    results: list[NoveltyScores] = []
    windows = evaluation_windows([part(m, 0.6, 1) for m in sets])
    for exercise in training[person]:
        own = total([s for e, s in training[person].items() if e != exercise])
        others = total(
            [
                s
                for p, of in training.items()
                for e, s in of.items()
                if p != person and e != exercise
            ]
        )
        model = fit_user(own, fit_global(others, settings), settings)
        known = score_held_out(model, windows)
        unknown = [w.x for w in windows if w.exercise == exercise]
        if known is not None and unknown:
            results.append(NoveltyScores(known, score_unknown(model, np.concatenate(unknown))))
    return results


def _choose_on_others(person: str, scores_by_choice: ScoresByChoice) -> ChosenThreshold:
    """The choice with the largest AUROC on the other users, and the threshold learned on them."""
    others_only = [
        [s for p, results in t.items() if p != person for s in results] for t in scores_by_choice
    ]
    thresholds = [
        calibrate([s.known for s in f], [s.unknown for s in f], initial=USER_CALIBRATION)
        for f in others_only
    ]
    best = int(np.argmax([_mean_auroc(f, b) for f, b in zip(others_only, thresholds, strict=True)]))
    return ChosenThreshold(best, thresholds[best])


def _mean_auroc(results: Sequence[NoveltyScores], calibration: Calibration) -> float:
    """Mean AUROC over the exercises that were left out."""
    return mean(user.auroc(calibration) for user in results)


def _evaluate(results: Sequence[NoveltyScores], calibration: Calibration) -> NoveltyResults:
    both = [
        (held_out, known)
        for s in results
        for held_out, known in ((s.known, True), (s.unknown, False))
    ]
    novelty = [window_novelty(held_out, calibration) for held_out, _ in both]
    return NoveltyResults(
        mean_auroc=_mean_auroc(results, calibration),
        known=np.concatenate([np.full(len(held_out.truth), known) for held_out, known in both]),
        probability=calibration.known_of_each(np.concatenate(novelty)),
        unknown_abstained=[scores.unknown_abstained(calibration) for scores in results],
        known_abstained=[
            user for scores in results for user in scores.known_abstained(calibration).tolist()
        ],
    )


def _outcome(
    results_by_user: Sequence[NoveltyResults], labels: tuple[str, ...], chosen: tuple[str, ...]
) -> ProtocolOutcome:
    measured = ProtocolData(SPAR, PROTOCOL)
    known = np.concatenate([user.known for user in results_by_user])
    ece = _balanced_error(known, np.concatenate([user.probability for user in results_by_user]))
    mean_auroc = mean(user.mean_auroc for user in results_by_user)
    figures = (
        measured.figure("s6_auroc", mean_auroc),
        measured.figure("s6_worst", min(user.mean_auroc for user in results_by_user)),
        measured.figure("s6_ece", ece),
        measured.figure(
            "s6_unknown_abstained",
            mean(c for user in results_by_user for c in user.unknown_abstained),
        ),
        measured.figure(
            "s6_known_abstained", mean(r for user in results_by_user for r in user.known_abstained)
        ),
    )
    return ProtocolOutcome(figures, labels, chosen=chosen)


def _balanced_error(right: Flags, probability: Floats64) -> float:
    """Calibration error with known and unknown windows weighing the same, as P(known) assumes."""
    known, unknown = np.flatnonzero(right), np.flatnonzero(~right)
    repeats = max(1, round(len(known) / len(unknown)))
    rows = np.concatenate([known, np.tile(unknown, repeats)])
    return calibration_error(right[rows], probability[rows])

"""S4c: names of gym exercises on an unseen day.

Models are trained on codes (bench angle, grip) and predict the name of the most likely code. (A sum
over codes would favour names with many of them.) Shrinkage and temperatures are chosen by leaving
out one training day at a time.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.arrays import Flags, Floats64
from models.exercise.calibrate import calibrate
from models.exercise.evaluate import LabelledWindows
from models.exercise.fit import FitSettings, fit_user
from models.exercise.model import ExerciseModel
from models.exercise.probability import pool_windows
from models.exercise.protocols.model_selection import choose_settings
from models.exercise.protocols.outcome import ProtocolData, ProtocolOutcome, gym_text
from models.exercise.protocols.predictions import SetPredictions, mean_over
from models.exercise.protocols.trials import (
    GroupData,
    Movement,
    group_data,
    total_statistics,
    with_windows,
)
from models.exercise.statistics import Statistics
from models.mean import mean
from models.softmax import softmax
from schemas.errors import NotEnoughLabels
from schemas.plurals import plural
from schemas.report import Figure

CHOICES = tuple(FitSettings(shrink=s) for s in (0.1, 0.3, 0.6))
PROTOCOL = (
    "leave one day out, codes learned, name answered, settings by leaving out one training day; "
    "sets whose name was done on one day only are counted apart"
)


@dataclass(frozen=True, slots=True)
class GymSetResult:
    """One test set and its prediction.

    Attributes:
        name, code: the truth.
        learnable: whether its name was also done on another day.
        by_window: bool (m,), whether each window by itself is named right.
        cumulative: bool (m,), whether all windows up to each are named right together.
        window_code_right: bool (m,), whether the code of each window is right.
        right: whether the set is named right; code_right: its code too.
        probability: of the predicted name.
        predicted_name: of the set.
    """

    name: str
    code: str
    learnable: bool
    by_window: Flags
    cumulative: Flags
    window_code_right: Flags
    right: bool
    code_right: bool
    probability: float
    predicted_name: str


def names_on_new_days(movements: Sequence[Movement]) -> ProtocolOutcome:
    """S4c, for names and for codes; `movements` carry the code as their variant.

    A day is not asked where the other days are not enough for a model. Figures are NaN where no set
    could be asked.

    Raises:
        NotEnoughLabels: no day can be asked.
    """
    movements = with_windows(movements)
    by_code = _by_code(movements)
    name_of = {c.exercise: m.exercise for c, m in zip(by_code, movements, strict=True)}
    days = sorted({m.day for m in movements})
    data = {d: group_data([m for m in by_code if m.day == d]) for d in days}
    results: list[GymSetResult] = []
    chosen: list[str] = []
    for day in days:
        try:
            settings, model = _chosen_model({d: v for d, v in data.items() if d != day})
        except NotEnoughLabels as problem:
            chosen.append(f"{day}: not asked, {problem}")
            continue
        chosen.append(f"{day}: shrink {settings.shrink:g}")
        results += [_evaluate_set(model, w, name_of) for w in data[day].evaluation_windows]
    if not results:
        sets = f"{plural(len(movements), 'set')} on {plural(len(days), 'day')}"
        raise NotEnoughLabels(f"no day can be named from the others: there are {sets}")
    return _outcome(results, gym_text(movements), tuple(chosen))


def _by_code(movements: Sequence[Movement]) -> list[Movement]:
    """The sets under their code; a code that several names share is another one for each."""
    names: dict[str, set[str]] = defaultdict(set)
    for m in movements:
        names[m.variant].add(m.exercise)
    return [
        replace(
            m,
            exercise=m.variant if len(names[m.variant]) == 1 else f"{m.exercise} {m.variant}",
        )
        for m in movements
    ]


def _chosen_model(training: dict[str, GroupData]) -> tuple[FitSettings, ExerciseModel]:
    """A model of some days, and the settings chosen by leaving out one of them at a time."""
    settings, held_out = choose_settings(training, CHOICES, _fit)
    statistics = total_statistics(training)
    return settings, fit_user(statistics, None, settings, calibration=calibrate(held_out))


def _fit(statistics: Statistics, settings: FitSettings) -> ExerciseModel:
    return fit_user(statistics, None, settings)


def _evaluate_set(
    model: ExerciseModel, test_set: LabelledWindows, name_of: dict[str, str]
) -> GymSetResult:
    names = sorted({name_of[code] for code in model.labels})
    to_name = np.array([[name_of[code] == name for name in names] for code in model.labels], float)
    code, name = test_set.exercise, name_of[test_set.exercise]
    scores = model.scores(test_set.x).astype(np.float64)
    by_window = softmax(scores * model.calibration.window)
    by_name = (by_window[:, :, None] * to_name).max(axis=1)
    by_name /= by_name.sum(axis=1, keepdims=True)
    factor = model.calibration.whole
    cumulative = np.array([pool_windows(by_name[: n + 1], factor) for n in range(len(by_name))])
    whole = cumulative[-1]
    code_of_set = pool_windows(by_window, factor)
    return GymSetResult(
        name=name,
        code=code,
        learnable=name in names,
        by_window=_is_right(by_name, names, name),
        cumulative=_is_right(cumulative, names, name),
        window_code_right=_is_right(by_window, list(model.labels), code),
        right=names[int(whole.argmax())] == name,
        code_right=model.labels[int(code_of_set.argmax())] == code,
        probability=float(whole.max()),
        predicted_name=names[int(whole.argmax())],
    )


def _is_right(probability: Floats64, names: list[str], name: str) -> Flags:
    return np.array([names[k] == name for k in probability.argmax(axis=1)])


def _outcome(
    results: Sequence[GymSetResult], data: str, chosen: tuple[str, ...]
) -> ProtocolOutcome:
    names = tuple(sorted({name for s in results for name in (s.name, s.predicted_name)}))
    learnable = [s for s in results if s.learnable]
    unlearnable = [s for s in results if not s.learnable]
    measured = ProtocolData(data, PROTOCOL)
    windows, sets = mean_over([s.by_window for s in learnable]), mean(s.right for s in learnable)
    figures = (
        measured.figure("s4c_windows", windows),
        measured.figure("s4c_sets", sets),
        measured.figure("s4c_windows_so_far", mean_over([s.cumulative for s in learnable])),
        measured.figure("s4c_windows_all", mean_over([s.by_window for s in results])),
        measured.figure("s4c_sets_all", mean(s.right for s in results)),
        measured.figure("s4c_code_windows", mean_over([s.window_code_right for s in results])),
        measured.figure("s4c_code_sets", mean(s.code_right for s in results)),
        Figure(
            "s4c_sets_apart",
            len(unlearnable),
            "sets",
            data=data,
            protocol=_unlearnable_text(unlearnable),
        ),
    )
    predictions = tuple(_as_predictions(s, names) for s in results)
    return ProtocolOutcome(figures, names, predictions, chosen)


def _unlearnable_text(sets: Sequence[GymSetResult]) -> str:
    return "done on one day only: " + (", ".join(sorted({s.name for s in sets})) or "none")


def _as_predictions(s: GymSetResult, names: tuple[str, ...]) -> SetPredictions:
    """A result as `SetPredictions`, without its windows."""
    none = np.empty(0, dtype=np.int64)
    return SetPredictions(
        person=s.code,
        truth=none,
        predicted=none,
        probability=np.empty(0),
        set_truth=np.array([names.index(s.name)]),
        set_predicted=np.array([names.index(s.predicted_name)]),
        set_probability=np.array([s.probability]),
        set_abstained=np.array([False]),
    )

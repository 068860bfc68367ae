"""S4c: names of gym exercises on a day that was never seen.

The codes (bench angle, grip) are learned, the name of the likeliest is answered. (The sum over its
codes would favour names that have many of them.) The shrinkage and the temperatures come from
leaving out one training day at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.arrays import Flags, Floats64
from models.exercise.calibrate import calibrate
from models.exercise.evaluate import LabelledWindows
from models.exercise.fit import FitSettings, fit_user
from models.exercise.model import ExerciseModel
from models.exercise.probability import whole_set
from models.exercise.protocols.answers import SetPredictions, mean, mean_over
from models.exercise.protocols.choosing import choose
from models.exercise.protocols.outcome import GYM, ProtocolData, ProtocolOutcome
from models.exercise.protocols.trials import Movement, all_learned, taught
from models.exercise.statistics import Statistics
from models.softmax import softmax
from schemas.report import Figure

CHOICES = tuple(FitSettings(shrink=s) for s in (0.1, 0.3, 0.6))
PROTOCOL = (
    "leave one day out, codes learned, name answered, settings by leaving out one training day; "
    "sets whose name was done on one day only are counted apart"
)


@dataclass(frozen=True, slots=True)
class NamedSet:
    """One set and what was answered.

    Attributes:
        name, code: the truth.
        possible: whether its name was done on another day.
        alone: bool (m,), each window named right by itself.
        so_far: bool (m,), named right from all windows up to it.
        right: the set named right; code_right: its code too.
        probability: of the name that was answered for the set.
        answered: that name.
    """

    name: str
    code: str
    possible: bool
    alone: Flags
    so_far: Flags
    window_code_right: Flags
    right: bool
    code_right: bool
    probability: float
    answered: str


def names_on_new_days(movements: Sequence[Movement]) -> ProtocolOutcome:
    """S4c, with codes beside; `movements` carry the code as their variant."""
    name_of = {m.variant: m.exercise for m in movements}
    by_code = [replace(m, exercise=m.variant) for m in movements]
    days = sorted({m.day for m in movements})
    data = {d: taught([m for m in by_code if m.day == d]) for d in days}
    found: list[NamedSet] = []
    chosen: list[str] = []
    for day in days:
        training = {d: v for d, v in data.items() if d != day}
        settings, held = choose(training, CHOICES, _fit)
        model = fit_user(all_learned(training), None, settings, calibration=calibrate(held))
        chosen.append(f"{day}: shrink {settings.shrink:g}")
        found += [_answer(model, w, name_of) for w in data[day].asked]
    return _outcome(found, tuple(sorted(set(name_of.values()))), tuple(chosen))


def _fit(statistics: Statistics, settings: FitSettings) -> ExerciseModel:
    return fit_user(statistics, None, settings)


def _answer(model: ExerciseModel, asked_set: LabelledWindows, name_of: dict[str, str]) -> NamedSet:
    names = sorted({name_of[code] for code in model.labels})
    to_name = np.array([[name_of[code] == name for name in names] for code in model.labels], float)
    code, name = asked_set.exercise, name_of[asked_set.exercise]
    scores = model.scores(asked_set.x).astype(np.float64)
    alone = softmax(scores * model.calibration.window)
    by_name = (alone[:, :, None] * to_name).max(axis=1)
    by_name /= by_name.sum(axis=1, keepdims=True)
    factor = model.calibration.whole
    so_far = np.array([whole_set(by_name[: n + 1], factor) for n in range(len(by_name))])
    whole = so_far[-1]
    code_of_set = whole_set(alone, factor)
    return NamedSet(
        name=name,
        code=code,
        possible=name in names,
        alone=_named(by_name, names, name),
        so_far=_named(so_far, names, name),
        window_code_right=_named(alone, list(model.labels), code),
        right=names[int(whole.argmax())] == name,
        code_right=model.labels[int(code_of_set.argmax())] == code,
        probability=float(whole.max()),
        answered=names[int(whole.argmax())],
    )


def _named(probability: Floats64, names: list[str], name: str) -> Flags:
    return np.array([names[k] == name for k in probability.argmax(axis=1)])


def _outcome(
    found: Sequence[NamedSet], names: tuple[str, ...], chosen: tuple[str, ...]
) -> ProtocolOutcome:
    possible = [s for s in found if s.possible]
    apart = [s for s in found if not s.possible]
    measured = ProtocolData(GYM, PROTOCOL)
    figures = (
        measured.at_least("s4c_windows", mean_over([s.alone for s in possible]), 0.91),
        measured.at_least("s4c_sets", mean(s.right for s in possible), 0.92),
        measured.at_least("s4c_windows_so_far", mean_over([s.so_far for s in possible])),
        measured.at_least("s4c_windows_all", mean_over([s.alone for s in found])),
        measured.at_least("s4c_sets_all", mean(s.right for s in found)),
        measured.at_least("s4c_code_windows", mean_over([s.window_code_right for s in found])),
        measured.at_least("s4c_code_sets", mean(s.code_right for s in found)),
        Figure("s4c_sets_apart", len(apart), "sets", data=GYM, protocol=_apart(apart)),
    )
    asked_sets = tuple(_as_asked(s, names) for s in found)
    return ProtocolOutcome(figures, names, asked_sets, chosen)


def _apart(sets: Sequence[NamedSet]) -> str:
    return "done on one day only: " + (", ".join(sorted({s.name for s in sets})) or "none")


def _as_asked(s: NamedSet, names: tuple[str, ...]) -> SetPredictions:
    """A set in the common shape; windows are left to the figures."""
    none = np.empty(0, dtype=np.int64)
    return SetPredictions(
        person=s.code,
        truth=none,
        named=none,
        probability=np.empty(0),
        set_truth=np.array([names.index(s.name)]),
        set_named=np.array([names.index(s.answered)]),
        set_probability=np.array([s.probability]),
        set_abstained=np.array([False]),
    )

"""Load: weight, repetitions and intensity of the next set, with an interval."""

from collections.abc import Sequence

from models.history import SetLog
from models.load.codec import to_bytes
from models.load.evaluate import evaluate_load
from models.load.fit import LoadSettings, fit_load
from pipelines.lifecycle.attempts import or_reason
from pipelines.personal.family import PersonalFamily, PersonalModel
from pipelines.personal.gate import Evidence

SETTINGS = LoadSettings()
JUDGED_TARGET = "weight_kg"  # the target that a person would notice first


def learn_load(logs: Sequence[SetLog], cutoff_s: float) -> list[PersonalModel | str]:
    """A forecasting model per user, evaluated on the weights of later sets."""
    return [or_reason(lambda log=log: _learn(log, cutoff_s)) for log in logs]


def _learn(log: SetLog, cutoff_s: float) -> PersonalModel:
    content = to_bytes(fit_load(log, SETTINGS))
    score = evaluate_load([log], cutoff_s, SETTINGS)[JUDGED_TARGET]
    if not score.sets:
        return PersonalModel(content)
    error, last_error = score.error * score.sets, score.last_error * score.sets
    return PersonalModel(content, Evidence(score.sets, error, last_error))


LOAD = PersonalFamily("load", learn_load, f"load-2 {SETTINGS}")

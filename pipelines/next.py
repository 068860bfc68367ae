"""Next: which exercise follows. Contexts of variable length, learned per user."""

from collections.abc import Sequence

from models.history import SetLog
from models.next.codec import to_bytes
from models.next.evaluate import evaluate_next
from models.next.fit import NextSettings, fit_next
from pipelines.lifecycle.attempts import or_reason
from pipelines.personal.family import PersonalFamily, PersonalModel
from pipelines.personal.gate import Evidence

SETTINGS = NextSettings()


def learn_next(logs: Sequence[SetLog], cutoff_s: float) -> list[PersonalModel | str]:
    """A model per user, evaluated on the exercises that followed later."""
    return [or_reason(lambda log=log: _learn(log, cutoff_s)) for log in logs]


def _learn(log: SetLog, cutoff_s: float) -> PersonalModel:
    """The baseline is the better of "the same again" and "the usual one"."""
    content = to_bytes(fit_next(log, SETTINGS))
    score = evaluate_next([log], cutoff_s, SETTINGS)
    later = len(log) - len(log.sessions_before(cutoff_s))
    if not score.users or not later:
        return PersonalModel(content)
    usual = max(score.again, score.usual)
    wrong, usual_wrong = (1 - score.accuracy) * later, (1 - usual) * later
    return PersonalModel(content, Evidence(later, wrong, usual_wrong))


NEXT = PersonalFamily("next", learn_next, f"next-2 {SETTINGS}")

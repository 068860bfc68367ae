"""Next: which exercise follows. Contexts as long as the user's own history carries."""

from collections.abc import Sequence

from models.history import SetLog
from models.next.codec import to_bytes
from models.next.evaluate import evaluate_next
from models.next.fit import NextSettings, fit_next
from pipelines.lifecycle.attempts import or_reason
from pipelines.personal.job import Personal, PersonalFamily

SETTINGS = NextSettings()


def learn_next(logs: Sequence[SetLog], cutoff_s: float) -> list[Personal | str]:
    """Every user's contexts, judged on which exercises followed later."""
    return [or_reason(lambda log=log: _learn(log, cutoff_s)) for log in logs]


def _learn(log: SetLog, cutoff_s: float) -> Personal:
    """The baseline is the better of "the same again" and "the usual one"."""
    content = to_bytes(fit_next(log, SETTINGS))
    score = evaluate_next([log], cutoff_s, SETTINGS)
    later = len(log.since(cutoff_s))
    if not score.users or not later:
        return Personal(content)
    usual = max(score.again, score.usual)
    return Personal(content, later, (1 - score.accuracy) * later, (1 - usual) * later)


NEXT = PersonalFamily("next", learn_next)

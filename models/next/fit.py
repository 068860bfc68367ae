"""Learns the order of a user's exercises."""

from dataclasses import dataclass

from models.history import SetLog
from models.next.features import tokens_of
from models.next.model import NextModel, decayed
from schemas.errors import NotEnoughLabels


@dataclass(frozen=True, slots=True)
class NextSettings:
    """How the order of exercises is learned.

    Attributes:
        order: longest context, tokens; a session's beginning is one.
        half_life_sessions: a session this much older counts half.
        least_sets: fewer sets carry no model.
        most_sessions: only the newest sessions are kept.
    """

    order: int = 5
    half_life_sessions: float = 8.0
    least_sets: int = 20
    most_sessions: int = 200


def fit_next(log: SetLog, settings: NextSettings) -> NextModel:
    """The model of one user.

    Raises:
        NotEnoughLabels: fewer sets than `least_sets`.
    """
    if len(log) < settings.least_sets:
        raise NotEnoughLabels(f"{len(log)} sets, {settings.least_sets} are needed")
    newest = int(log.session[-1])
    recent = log.where(log.session > newest - settings.most_sessions)
    exercises = tuple(sorted({str(name) for name in recent.exercise}))
    tokens, sessions = tokens_of(recent, exercises)
    return NextModel(
        exercises,
        tokens,
        decayed(tokens, newest - sessions, settings.half_life_sessions),
        settings.order,
        settings.half_life_sessions,
        float(recent.started_s[-1]),
    )

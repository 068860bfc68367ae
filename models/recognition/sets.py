"""From an unlabelled recording to its sets: where, what, how many repetitions, how they were done.

activity segments → exercise by the ladder → repetitions → form. Sessions, the classifier and the
live guess all answer with the functions of this folder, so that they cannot disagree.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from models.activity.model import ActivityModel
from models.activity.rhythm import segments_by_rhythm
from models.form.book import FormBook
from models.form.judge import Form, form
from models.recognition.counting import repetitions
from models.recognition.naming import Named, Rung, name_exercise
from models.signal.pieces import Recording
from models.signal.truth import cut
from models.signal.wrist import WristSignal, wrist_signals

if TYPE_CHECKING:
    from models.reps.count import Repetitions


@dataclass(frozen=True, slots=True)
class Learned:
    """What is known when a recording is looked at; everything may be missing.

    Attributes:
        ladder: exercise models, the user's own first.
        activity: finds sets; without it they are found by their rhythm.
        form: the user's templates.
    """

    ladder: tuple[Rung, ...] = ()
    activity: ActivityModel | None = None
    form: FormBook | None = field(default=None)


@dataclass(frozen=True, slots=True)
class RecognisedSet:
    """A set that was found.

    Attributes:
        start_ns, end_ns: nanoseconds since the epoch, on the recording's clock.
        named: which exercise, by which model.
        counted: its repetitions, seconds after the first sample; None where it is too short or
            too long to be one set.
        form: how it was done; None without repetitions.
    """

    start_ns: int
    end_ns: int
    named: Named
    counted: "Repetitions | None"
    form: Form | None


def recognise(recording: Recording, learned: Learned) -> tuple[RecognisedSet, ...]:
    """The sets of a recording, in order.

    Args:
        recording: raw pieces of one wrist, as long as it may be.
        learned: the models to ask.

    Raises:
        BadSamples: a unit that nobody knows.
    """
    signals = wrist_signals(recording)
    if learned.activity is not None:
        segments = learned.activity.segments(signals)
    else:
        segments = segments_by_rhythm(signals)
    return tuple(look_at(recording, one.start_ns, one.end_ns, learned) for one in segments)


def look_at(recording: Recording, start_ns: int, end_ns: int, learned: Learned) -> RecognisedSet:
    """What one stretch of a recording is; its unit is judged on the whole."""
    inside = wrist_signals(cut(recording, start_ns, end_ns))
    named = name_exercise(inside, learned.ladder)
    counted = repetitions(inside)
    exercise = named.answer.exercise
    return RecognisedSet(
        start_ns, end_ns, named, counted, judge(counted, exercise, inside, learned)
    )


def judge(
    counted: "Repetitions | None",
    exercise: str | None,
    signals: Sequence[WristSignal],
    learned: Learned,
) -> Form | None:
    """The form of a set, against the user's own template where there is one."""
    if counted is None or not counted.repetitions:
        return None
    side = signals[0].side if signals else None
    known = learned.form is not None and exercise is not None
    template = learned.form.template(exercise, side) if known else None  # pyright: ignore
    return form(counted.repetitions, template)

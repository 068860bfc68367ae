"""From an unlabelled recording to its sets: where, what, how many repetitions, how they were done.

activity segments → exercise by the ladder → repetitions → form. Sessions, the classifier and the
live guess all answer with the functions of this folder, so that they cannot disagree.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from models.activity.model import ActivityModel
from models.activity.segments import Segment, merge_across_gaps
from models.activity.untrained import untrained_segments
from models.exercise.layout import layout_of
from models.form.book import FormBook
from models.form.judge import Form, form
from models.recognition.counting import repetitions
from models.recognition.naming import Named, Rung
from models.recognition.wearing import as_worn, name_as_worn
from models.reps.count import Repetitions
from models.signal.pieces import Recording
from models.signal.truth import Timeline, timeline
from models.signal.wrist import WristSignal, wrist_signals
from schemas.inputs import ACC3, ACC6
from schemas.times import NS_PER_S

HEARD_SHARE = 0.9  # of a confirmed set: with less its repetitions are not all there
SURELY_NS = 10 * 10**9
"""From here on a stretch that is found is a set also when its repetitions cannot be counted."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What is known when a recording is looked at; everything may be missing.

    Attributes:
        ladder: exercise models, the user's own first.
        activity: finds sets; without it they are found by their rhythm.
        form: the user's templates.
        activity_alone: finds sets where rotation is missing, if `activity` needs it.
    """

    ladder: tuple[Rung, ...] = ()
    activity: ActivityModel | None = None
    form: FormBook | None = field(default=None)
    activity_alone: ActivityModel | None = None


@dataclass(frozen=True, slots=True)
class RecognisedSet:
    """A set that was found.

    Attributes:
        start_ns, end_ns: nanoseconds since the epoch, on the recording's clock.
        named: which exercise, by which model.
        counted: its repetitions, seconds after the first sample; None where it is too short or
            too long to be one set.
        form: how it was done; None without repetitions.
        notes: how the watch was worn, where that is not as it says.
    """

    start_ns: int
    end_ns: int
    named: Named
    counted: Repetitions | None
    form: Form | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """What the samples say of a set whose exercise a person named."""

    counted: Repetitions | None
    form: Form | None


def recognise(recording: Recording, learned: Learned) -> tuple[RecognisedSet, ...]:
    """The sets of a recording, in order.

    Args:
        recording: raw pieces of one wrist, as long as it may be.
        learned: the models to ask.

    Raises:
        BadSamples: a unit that nobody knows.
    """
    segments = segments_of(wrist_signals(recording), learned)
    line = timeline(recording)
    worn, notes = as_worn(line, segments, learned.ladder)
    if worn is not line:
        segments = segments_of(wrist_signals(worn.truth), learned)
    return sets_among(worn, segments, learned, notes)


def sets_among(
    line: Timeline,
    segments: Sequence[Segment],
    learned: Learned,
    notes: tuple[str, ...] = (),
) -> tuple[RecognisedSet, ...]:
    """What segments of a recording are; a short one in which nothing repeats is no set.

    A watch may be worn otherwise from the middle of a session on: each set is read as it was.

    Args:
        line: of one wrist, as its watch was mostly worn.
        segments: where its sets are.
        learned: the models to ask.
        notes: how the watch was worn, where that is not as it says.
    """
    seen = (look_at(line, one.start_ns, one.end_ns, learned) for one in segments)
    return tuple(
        noted(one, notes) for one in seen if repeats(one) or one.end_ns - one.start_ns >= SURELY_NS
    )


def noted(one: RecognisedSet, notes: tuple[str, ...]) -> RecognisedSet:
    """A set with what its session says of the watch; one that is turned back was as declared."""
    answer = one.named.answer
    twice = set(notes) & set(answer.notes)
    if not twice:
        return replace(one, notes=notes)
    alone, session = (tuple(n for n in said if n not in twice) for said in (answer.notes, notes))
    named = replace(one.named, answer=replace(answer, notes=alone))
    return replace(one, named=named, notes=session)


def repeats(one: RecognisedSet) -> bool:
    """Whether a repetition was counted, or the set was too short to count any."""
    return one.counted is None or one.counted.count > 0


def segments_of(signals: Sequence[WristSignal], learned: Learned) -> tuple[Segment, ...]:
    """Where sets are: by what was learned, else by their rhythm."""
    if learned.activity is None:
        return untrained_segments(signals)
    if learned.activity_alone is None:
        return learned.activity.segments(signals)
    bare = [signal for signal in signals if layout_of(signal) == ACC3]
    whole = [signal for signal in signals if layout_of(signal) == ACC6]
    found = (*learned.activity.segments(whole), *learned.activity_alone.segments(bare))
    return merge_across_gaps(found)


def look_at(line: Timeline, start_ns: int, end_ns: int, learned: Learned) -> RecognisedSet:
    """What one stretch of a recording is; its unit and clock were judged on the whole."""
    inside = wrist_signals(line.cut(start_ns, end_ns))
    named = name_as_worn(inside, learned.ladder)
    counted = repetitions(inside)
    exercise = named.answer.exercise
    judged = judge(counted, exercise, inside, learned.form)
    return RecognisedSet(start_ns, end_ns, named, counted, judged)


def measure(
    line: Timeline, start_ns: int, end_ns: int, exercise: str, book: FormBook | None
) -> Measured | None:
    """The repetitions and the form of a set that a person named; None while samples are missing.

    Args:
        line: of the samples around the set.
        start_ns: as the person said, nanoseconds since the epoch.
        end_ns: likewise.
        exercise: as the person said.
        book: the user's templates.
    """
    inside = wrist_signals(line.cut(start_ns, end_ns))
    heard_s = sum(signal.heard_s for signal in inside)
    if not heard_s or heard_s < HEARD_SHARE * (end_ns - start_ns) / NS_PER_S:
        return None
    counted = repetitions(inside)
    return Measured(counted, judge(counted, exercise, inside, book))


def judge(
    counted: Repetitions | None,
    exercise: str | None,
    signals: Sequence[WristSignal],
    book: FormBook | None,
) -> Form | None:
    """The form of a set, against the user's own template where there is one."""
    if counted is None or not counted.repetitions:
        return None
    side = signals[0].side if signals else None
    template = book.template(exercise, side) if book and exercise else None
    return form(counted.repetitions, template)

"""From an unlabelled recording to its sets: time span, exercise, repetitions and form.

activity segments → exercise by the ladder → repetitions → form. Sessions, the classifier and live
recognition all use the functions of this folder, so that they cannot disagree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from models.activity.model import ActivityModel
from models.activity.segments import Segment, merge_across_gaps
from models.activity.untrained import untrained_segments
from models.exercise.layout import common_layout, layout_of
from models.form.judge import Form, form
from models.form.model import FormModel
from models.recognition.counting import repetitions
from models.recognition.naming import LadderPrediction, Rung
from models.recognition.worn import Worn, as_worn, name_as_worn
from models.reps.count import Repetitions
from models.signal.pieces import Recording
from models.signal.timeline import Timeline, timeline
from models.signal.wrist import WristSignal, wrist_signals
from schemas.inputs import ACC3, ACC6, InputLayout
from schemas.notes import QualityNote
from schemas.times import NS_PER_S

FormModels = Mapping[InputLayout, FormModel]
MIN_RECORDED_SHARE = 0.9  # of a confirmed set: with fewer samples repetitions are missing
MIN_SURE_SET_NS = 10 * 10**9
"""A segment of this length or more is a set even if no repetition is counted in it."""


@dataclass(frozen=True, slots=True)
class RecognitionModels:
    """The models that recognition uses; any of them may be missing.

    Attributes:
        ladder: exercise models, the user's own first.
        activity: finds sets; without it they are found by their periodicity.
        form: the user's templates, by the layout of the sets that they were learned from.
        activity_acc_only: finds sets where rotation is missing, if `activity` needs it.
    """

    ladder: tuple[Rung, ...] = ()
    activity: ActivityModel | None = None
    form: FormModels = field(default_factory=dict)
    activity_acc_only: ActivityModel | None = None


@dataclass(frozen=True, slots=True)
class RecognisedSet:
    """A set that was recognised.

    Attributes:
        start_ns, end_ns: nanoseconds since the epoch, on the recording's clock.
        named: which exercise, by which model.
        counted: its repetitions, seconds after `start_ns`; None where it is too short or too long
            to be one set (`models.recognition.counting`).
        form: how it was done; None without repetitions.
        notes: how the watch was worn, where that is not as declared.
    """

    start_ns: int
    end_ns: int
    named: LadderPrediction
    counted: Repetitions | None
    form: Form | None
    notes: tuple[QualityNote, ...] = ()


@dataclass(frozen=True, slots=True)
class SetMeasurements:
    """Repetitions, seconds after its start, and form of a set whose exercise a person named."""

    counted: Repetitions | None
    form: Form | None


def recognise(recording: Recording, models: RecognitionModels) -> tuple[RecognisedSet, ...]:
    """The sets of a recording, in order.

    Args:
        recording: raw pieces of one wrist, of any length.
        models: to recognise with.

    Raises:
        BadSamples: an unknown unit.
    """
    worn, segments = find_segments(recording, models)
    return recognise_segments(worn.line, segments, models, worn.notes)


def find_segments(
    recording: Recording, models: RecognitionModels, reported: Sequence[RecognisedSet] = ()
) -> tuple[Worn, tuple[Segment, ...]]:
    """How the watch was worn, and where sets are.

    Segments tell how it was worn, and are searched again where that is not as declared.

    Args:
        recording: raw pieces of one wrist, of any length.
        models: to recognise with.
        reported: sets that are known already; segments that overlap them are left out.

    Raises:
        BadSamples: an unknown unit.
    """
    line = timeline(recording)
    segments = _without(segments_of(wrist_signals(recording), models), reported)
    worn = as_worn(line, segments, models.ladder)
    if worn.line is not line or worn.undeclared_side is not None:
        segments = _without(segments_of(worn.signals(), models), reported)
    return worn, segments


def _without(segments: Sequence[Segment], reported: Sequence[RecognisedSet]) -> tuple[Segment, ...]:
    """The segments that overlap no reported set."""
    return tuple(
        segment
        for segment in segments
        if not any(segment.start_ns < s.end_ns and s.start_ns < segment.end_ns for s in reported)
    )


def recognise_segments(
    line: Timeline,
    segments: Sequence[Segment],
    models: RecognitionModels,
    notes: tuple[QualityNote, ...] = (),
) -> tuple[RecognisedSet, ...]:
    """The sets of given segments; a short segment without repetitions is no set.

    How the watch is worn may change during a session, so it is checked for each set again.

    Args:
        line: of one wrist, as its watch was mostly worn.
        segments: where its sets are.
        models: to recognise with.
        notes: how the watch was worn, where that is not as declared.
    """
    candidates = (recognise_span(line, s.start_ns, s.end_ns, models) for s in segments)
    return tuple(
        with_session_notes(candidate, notes)
        for candidate in candidates
        if has_repetitions(candidate) or candidate.end_ns - candidate.start_ns >= MIN_SURE_SET_NS
    )


def with_session_notes(recognised: RecognisedSet, notes: tuple[QualityNote, ...]) -> RecognisedSet:
    """A set with the session's notes.

    A note that the session and the set share cancels out: what was corrected twice was declared
    right.
    """
    prediction = recognised.named.prediction
    shared = set(notes) & set(prediction.notes)
    if not shared:
        return replace(recognised, notes=notes)
    own, session = (
        tuple(note for note in several if note not in shared)
        for several in (prediction.notes, notes)
    )
    named = replace(recognised.named, prediction=replace(prediction, notes=own))
    return replace(recognised, named=named, notes=session)


def has_repetitions(recognised: RecognisedSet) -> bool:
    """Whether a repetition was counted, or the set was too short to count any."""
    return recognised.counted is None or recognised.counted.count > 0


def segments_of(signals: Sequence[WristSignal], models: RecognitionModels) -> tuple[Segment, ...]:
    """Where sets are, by the activity models, or by periodicity without one."""
    if models.activity is None:
        return untrained_segments(signals)
    if models.activity_acc_only is None:
        return models.activity.segments(signals)
    acc_only = [signal for signal in signals if layout_of(signal) == ACC3]
    complete = [signal for signal in signals if layout_of(signal) == ACC6]
    return merge_across_gaps(
        (*models.activity.segments(complete), *models.activity_acc_only.segments(acc_only))
    )


def recognise_span(
    line: Timeline, start_ns: int, end_ns: int, models: RecognitionModels
) -> RecognisedSet:
    """The set of one span of a recording, whose unit and clock were corrected as a whole."""
    inside = wrist_signals(line.cut(start_ns, end_ns))
    named = name_as_worn(inside, models.ladder)
    counted = _counted_after(start_ns, inside)
    exercise = named.prediction.exercise
    set_form = judge_form(counted, exercise, inside, models.form)
    return RecognisedSet(start_ns, end_ns, named, counted, set_form)


def measure_set(
    line: Timeline, start_ns: int, end_ns: int, exercise: str, form_models: FormModels
) -> SetMeasurements | None:
    """Repetitions and form of a confirmed set; None while samples are missing.

    Args:
        line: of the samples around the set.
        start_ns: as confirmed, nanoseconds since the epoch.
        end_ns: likewise.
        exercise: as confirmed.
        form_models: the user's templates, by layout.
    """
    inside = wrist_signals(line.cut(start_ns, end_ns))
    recorded_s = sum(signal.recorded_s for signal in inside)
    if not recorded_s or recorded_s < MIN_RECORDED_SHARE * (end_ns - start_ns) / NS_PER_S:
        return None
    counted = _counted_after(start_ns, inside)
    return SetMeasurements(counted, judge_form(counted, exercise, inside, form_models))


def _counted_after(start_ns: int, inside: Sequence[WristSignal]) -> Repetitions | None:
    """The repetitions of a set, seconds after its start: samples may begin later."""
    counted = repetitions(inside)
    if counted is None:
        return None
    late_s = (min(signal.t0_ns for signal in inside) - start_ns) / NS_PER_S
    return replace(counted, repetitions=tuple(rep.later(late_s) for rep in counted.repetitions))


def judge_form(
    counted: Repetitions | None,
    exercise: str | None,
    signals: Sequence[WristSignal],
    form_models: FormModels,
) -> Form | None:
    """The form of a set, against the user's own template where there is one.

    Speeds of rotation are compared with such speeds, and those of tilt with those of tilt.
    """
    if counted is None or not counted.repetitions:
        return None
    side = signals[0].side if signals else None
    form_model = form_models.get(common_layout(signals))
    template = form_model.template(exercise, side) if form_model and exercise else None
    return form(counted.repetitions, template)

"""Detects a watch that is worn otherwise than declared: turned round, other wrist, other axes.

A recording alone does not tell, a model of the movement does, best the user's own. Where movement
is strange to it as declared and far less strange under another axis map, that map is applied.

Rates of false and missed corrections: decisions 18 and 22. Two deviations at once (other wrist and
turned round) are not tried: they look too much like other exercises.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from models.activity.segments import Segment
from models.exercise.model import FAMILIAR
from models.recognition.naming import (
    NO_MODEL,
    LadderPrediction,
    Rung,
    Stretch,
    name_stretch,
    strangeness,
    stretch_of,
)
from models.recognition.wearing import (
    FRAMES_OF_OTHER_SIGN,
    OTHER_FRAMES,
    OTHER_SIGN,
    OTHER_WRIST,
    ROUND,
    Wearing,
    remap_recording,
)
from models.signal.pieces import Side
from models.signal.timeline import Timeline, timeline
from models.signal.wrist import WristSignal, wrist_signals
from schemas.inputs import ACC6
from schemas.notes import (
    AXES_TURNED,
    UNIT_WAS_MS2,
    QualityNote,
)

MIN_IMPROVEMENT = 0.3  # by which strangeness must fall for another wearing to be accepted
MIN_WINDOWS_FOR_FRAMES = 3  # one of 45 frames may fit a single window by chance


_Found = tuple[Wearing | None, float]
"""A way to wear the watch, None as declared, and how strange movement is to a model in it."""


@dataclass(frozen=True, slots=True)
class Worn:
    """A recording corrected for how its watch was worn.

    Attributes:
        line: the same object where it was worn as declared.
        notes: of the correction.
        undeclared_side: "right" where no side is declared and it was the right wrist. `line` does
            not declare it: sets are named on both wrists, and form is learned without a side.
    """

    line: Timeline
    notes: tuple[QualityNote, ...] = ()
    undeclared_side: Side | None = None

    def signals(self) -> list[WristSignal]:
        """The stretches of the recording, on the wrist that it was worn on."""
        signals = wrist_signals(self.line.recording)
        return [replace(signal, side=signal.side or self.undeclared_side) for signal in signals]


def as_worn(line: Timeline, segments: Sequence[Segment], ladder: Sequence[Rung]) -> Worn:
    """A recording corrected for how its watch was worn.

    Args:
        line: of one wrist.
        segments: where its sets are.
        ladder: models to try, in order.
    """
    declared = stretch_of(_segment_signals(line, segments))
    wearing = _find_wearing(
        declared,
        ((rung, strangeness(rung.model, declared)) for rung in declared.rungs(ladder)),
        _candidate_wearings(line.recording.side),
        line.notes,
    )
    if wearing is None:
        return Worn(line, (), _undeclared_side(declared, line.recording.side, ladder))
    worn = declared.remapped(wearing.axis_map)
    return Worn(
        timeline(remap_recording(line.recording, wearing)),
        _with_note((), line.notes, wearing),
        _undeclared_side(worn, line.recording.side, ladder),
    )


def _undeclared_side(
    stretch: Stretch, declared_side: Side | None, ladder: Sequence[Rung]
) -> Side | None:
    """The right wrist where no side is declared and movement is known as that of a right one.

    It must be familiar there, or far less strange than on the left one, which is tried first. The
    first rung that knows the movement on either wrist decides.
    """
    if declared_side is not None:
        return None
    left, right = stretch.on_wrist("left"), stretch.on_wrist("right")
    for rung in stretch.rungs(ladder):
        on_left, on_right = strangeness(rung.model, left), strangeness(rung.model, right)
        if on_left is None or on_right is None:
            continue
        if min(on_left, on_right) <= rung.model.calibration.abstain_above:
            better = on_left - on_right
            familiar = better > 0 and on_right < FAMILIAR
            return "right" if familiar or better >= MIN_IMPROVEMENT else None
    return None


def name_as_worn(signals: Sequence[WristSignal], ladder: Sequence[Rung]) -> LadderPrediction:
    """Which exercise some movement is, corrected for how its watch was worn.

    Args:
        signals: of one stretch of movement.
        ladder: models in the order in which they are tried; the user's own first.

    Returns:
        The first prediction that names an exercise, else the first; `NO_MODEL` without a model.
    """
    if not ladder:
        return LadderPrediction(NO_MODEL, None)
    declared = stretch_of(signals)
    first = name_stretch(declared, ladder)
    return _retry_under_other_wearings(declared, ladder, first) if _is_strange(first) else first


def _is_strange(result: LadderPrediction) -> bool:
    """Whether the first rung that could read a stretch found it strange."""
    first = next((p.strangeness for p in result.tried if p.strangeness is not None), None)
    return first is not None and first >= FAMILIAR


def _retry_under_other_wearings(
    declared: Stretch, ladder: Sequence[Rung], result: LadderPrediction
) -> LadderPrediction:
    """The same result, or that under another wearing which is far less strange."""
    known_notes = result.tried[0].notes
    windows = sum(len(signal.wrists[0].x) for signal in declared.windows.signals)
    tried = zip(declared.rungs(ladder), result.tried, strict=False)
    wearing = _find_wearing(
        declared,
        [(rung, prediction.strangeness) for rung, prediction in tried],
        _candidate_wearings(declared.signals[0].side),
        known_notes,
        with_frames=windows >= MIN_WINDOWS_FOR_FRAMES,
    )
    if wearing is None:
        return result
    retried = name_stretch(declared.remapped(wearing.axis_map), ladder)
    notes = _with_note(retried.prediction.notes, known_notes, wearing)
    return replace(retried, prediction=replace(retried.prediction, notes=notes))


def _strangeness_under(
    declared: Stretch, rung: Rung, candidates: Sequence[Wearing], at_most: float
) -> dict[Wearing, float]:
    """Strangeness of a stretch to a rung under each wearing; those above `at_most` are left out."""
    by_wearing = {
        wearing: strangeness(rung.model, declared.remapped(wearing.axis_map))
        for wearing in candidates
    }
    return {
        wearing: value
        for wearing, value in by_wearing.items()
        if value is not None and value <= at_most
    }


def _find_wearing(
    declared: Stretch,
    rungs: Iterable[tuple[Rung, float | None]],
    candidates: Sequence[Wearing],
    known_notes: Sequence[QualityNote],
    *,
    with_frames: bool = True,
) -> Wearing | None:
    """How a watch was worn, None for as declared.

    The first rung that knows the movement, as declared or remapped, decides. There are so many
    frames that unknown movement passes as known in one of them by chance: they must make it
    familiar (decision 39). Those of the other sign are tried last, where nothing else does, and by
    models of rotation alone (decision 83).

    Args:
        declared: the movement as declared.
        rungs: in order, and the strangeness of the movement to each as declared.
        candidates: wearings that are tried first.
        known_notes: corrections that the samples already had.
        with_frames: whether the frames of other devices are tried after them.
    """
    for rung, declared_strangeness in rungs:
        if declared_strangeness is None:
            continue
        if declared_strangeness < FAMILIAR:
            return None
        # The abstention threshold is one of novelty; strangeness alone is compared with it here, as
        # it was measured (decision 26). Whether the set is named is decided on its novelty later.
        threshold = rung.model.calibration.abstain_above
        tried = partial(_strangeness_under, declared, rung)
        best: _Found = (None, declared_strangeness)
        best = _clearly_less_strange(best, tried(candidates, threshold), known_notes)
        if with_frames:
            best = _clearly_less_strange(best, tried(OTHER_FRAMES, FAMILIAR), known_notes)
        if with_frames and best[1] >= FAMILIAR and rung.model.model_id == ACC6:
            best = _clearly_less_strange(best, tried(FRAMES_OF_OTHER_SIGN, FAMILIAR), known_notes)
        if best[0] is not None or declared_strangeness <= threshold:
            return best[0]
    return None


def _candidate_wearings(side: Side | None) -> tuple[Wearing, ...]:
    """Wearings to try first; without a declared side both wrists are read anyway."""
    return (ROUND, OTHER_SIGN) if side is None else (ROUND, OTHER_SIGN, OTHER_WRIST)


def _clearly_less_strange(
    best: _Found, by_wearing: Mapping[Wearing, float], known_notes: Sequence[QualityNote]
) -> _Found:
    """The wearing under which movement is least strange, if that is clearly better than the best.

    After a unit was corrected the sign is only a guess: any improvement is accepted for it.
    """
    sign_is_guessed = UNIT_WAS_MS2 in known_notes
    clearly_better = [
        (wearing, strange)
        for wearing, strange in by_wearing.items()
        if best[1] - strange
        >= (0 if sign_is_guessed and wearing == OTHER_SIGN else MIN_IMPROVEMENT)
    ]
    return min(clearly_better, key=lambda found: found[1], default=best)


def _with_note(
    notes: Sequence[QualityNote], known_notes: Sequence[QualityNote], wearing: Wearing
) -> tuple[QualityNote, ...]:
    """The notes with the wearing's; a sign that is turned twice was declared right."""
    turned_twice = AXES_TURNED in known_notes and wearing in (OTHER_SIGN, *FRAMES_OF_OTHER_SIGN)
    kept = [note for note in notes if not (turned_twice and note == AXES_TURNED)]
    as_sent = turned_twice and wearing == OTHER_SIGN
    return tuple(kept) if as_sent else (*kept, wearing.note)


def _segment_signals(line: Timeline, segments: Sequence[Segment]) -> list[WristSignal]:
    """The signals inside segments of a recording."""
    cuts = [line.cut(segment.start_ns, segment.end_ns) for segment in segments]
    return [signal for inside in cuts for signal in wrist_signals(inside)]

"""Imported recordings, in the types that the protocols read."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.importers.gym import gym_is_there, read_gym
from ingest.importers.imported import ImportedRecording, ImportedSet
from ingest.importers.spar import read_spar
from models.activity.evaluate import ActivityRecording
from models.exercise.protocols.trials import Movement
from models.reps.examples import RepsExample
from models.signal.timeline import cut
from models.signal.wrist import WristSignal, wrist_signals


@dataclass(frozen=True, slots=True)
class EvaluationData:
    """The data that the protocols read.

    Attributes:
        spar, gym: labelled sets; `gym` is empty where its folder is not there.
        gym_whole: the gym's continuous recordings.
        counted: sets with a number of repetitions, of both sources.
        gym_folder: where the gym's recordings are, or should be.
        remarks: what of the recordings is not used, in sentences.
    """

    spar: tuple[Movement, ...]
    gym: tuple[Movement, ...]
    gym_whole: tuple[ActivityRecording, ...]
    counted: tuple[RepsExample, ...]
    gym_folder: Path
    remarks: tuple[str, ...] = ()

    @property
    def gym_is_read(self) -> bool:
        """Whether there are any gym recordings."""
        return bool(self.gym_whole or self.gym)


def read_data(datasets: Path, gym_folder: Path) -> EvaluationData:
    """Read SPAR, and the gym recordings if their folder exists."""
    spar = read_spar(datasets)
    gym = read_gym(gym_folder) if gym_is_there(gym_folder) else []
    return EvaluationData(
        spar=tuple(_movements(spar)),
        gym=tuple(_movements(gym)),
        gym_whole=tuple(_continuous(recording) for recording in gym),
        counted=(*_counted("spar", spar), *_counted("gym", gym)),
        gym_folder=gym_folder,
        remarks=tuple(remark for recording in (*spar, *gym) for remark in recording.remarks),
    )


def _signals(recording: ImportedRecording, set_: ImportedSet) -> tuple[WristSignal, ...]:
    """A set's signals, cut from the raw recording as ingest does."""
    return tuple(wrist_signals(cut(recording.recording, set_.start_ns, set_.end_ns)))


def _movements(recordings: Sequence[ImportedRecording]) -> list[Movement]:
    return [
        Movement(
            person=recording.person,
            day=recording.day or "",
            exercise=set_.exercise,
            variant=set_.variant or "",
            signals=_signals(recording, set_),
        )
        for recording in recordings
        for set_ in recording.sets
    ]


def _continuous(recording: ImportedRecording) -> ActivityRecording:
    return ActivityRecording(
        group=recording.day or recording.person,
        signals=tuple(wrist_signals(recording.recording)),
        sets_ns=tuple((set_.start_ns, set_.end_ns) for set_ in recording.sets),
    )


def _counted(source: str, recordings: Sequence[ImportedRecording]) -> list[RepsExample]:
    return [
        RepsExample(
            source=source,
            group=recording.day or recording.person,
            signals=_signals(recording, set_),
            reps=set_.reps if set_.reps_audited is None else set_.reps_audited,
            reps_labelled=set_.reps,
        )
        for recording in recordings
        for set_ in recording.sets
        if set_.reps is not None
    ]

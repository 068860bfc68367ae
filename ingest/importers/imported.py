"""What every importer yields: a recording with the sets that somebody named in it."""

from dataclasses import dataclass

from models.signal.pieces import Recording


@dataclass(frozen=True, slots=True)
class ImportedSet:
    """A set that the source of the recording names.

    Attributes:
        exercise: the source's word for it.
        start_ns, end_ns: nanoseconds since the epoch, on the recording's clock.
        reps: repetitions as the source counts them, None where it does not.
        weight_kg: the load, None where the source does not say.
        variant: a finer name of the source (bench angle, grip), None where it has none.
        reps_audited: repetitions counted again by eye, None where nobody did.
    """

    exercise: str
    start_ns: int
    end_ns: int
    reps: int | None = None
    weight_kg: float | None = None
    variant: str | None = None
    reps_audited: int | None = None


@dataclass(frozen=True, slots=True)
class ImportedRecording:
    """One continuous recording of one wrist.

    Attributes:
        person: who wore the device, in the source's numbering.
        day: the day of the recording, None where the source does not say.
        recording: raw samples as they came.
        sets: what was done in it, in time order.
        timezone: where it was made, a name of the IANA database.
        origin: the file that it was read from, "" where it has none of its own.
    """

    person: str
    day: str | None
    recording: Recording
    sets: tuple[ImportedSet, ...]
    timezone: str = "UTC"
    origin: str = ""

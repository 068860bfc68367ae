"""The result of every importer: a recording with its labelled sets."""

from dataclasses import dataclass

from models.signal.pieces import Recording


@dataclass(frozen=True, slots=True)
class ImportedSet:
    """A labelled set of the source.

    Attributes:
        exercise: the source's name of it.
        start_ns, end_ns: nanoseconds since the epoch, on the recording's clock.
        reps: repetitions as the source counts them, None where it does not.
        weight_kg: the load, None if the source does not give it.
        variant: the source's name of a variant (bench angle, grip), None if there is none.
        reps_audited: repetitions counted again by eye, None if not done.
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
        day: the day of the recording, None if the source does not give it.
        recording: raw samples as they came.
        sets: what was done in it, in time order.
        timezone: where it was made, a name of the IANA database.
        origin: the file that it was read from, "" if it has none of its own.
        remarks: what of the source is not used, a sentence each, for whoever started the import.
    """

    person: str
    day: str | None
    recording: Recording
    sets: tuple[ImportedSet, ...]
    timezone: str = "UTC"
    origin: str = ""
    remarks: tuple[str, ...] = ()

"""Notes on the quality of samples: what was put right in them, and what they lack.

Every module that makes or reads a note takes it from here. The OpenAPI document and the table in
`docs/clients.md` say the meanings that stand here.
"""

from collections.abc import Collection
from typing import Final, NewType

QualityNote = NewType("QualityNote", str)
"""A note without the name of the stream that it is about."""

TIMES_OUTSIDE: Final = QualityNote("times-outside-the-session")
NO_OVERLAP: Final = QualityNote("sensors-do-not-overlap")
CLOCK_IS_OFF: Final = QualityNote("clock-is-off")
CLOCK_WENT_BACK: Final = QualityNote("clock-went-back")
HIGHER_RATE: Final = QualityNote("rate-was-higher")
LOWER_RATE: Final = QualityNote("rate-was-lower")
BATCHED_TIMES: Final = QualityNote("times-came-in-batches")
OVERLAPPING_SAMPLES: Final = QualityNote("samples-overlapped")
FILLED_GAPS: Final = QualityNote("gaps-were-filled")
LONGER_THAN_A_DAY: Final = QualityNote("longer-than-a-day")
UNIT_WAS_MS2: Final = QualityNote("unit-was-m/s2")
UNIT_WAS_G: Final = QualityNote("unit-was-g")
UNIT_WAS_DEG_S: Final = QualityNote("unit-was-deg/s")
UNIT_WAS_RAD_S: Final = QualityNote("unit-was-rad/s")
UNIT_IMPLAUSIBLE: Final = QualityNote("unit-is-implausible")
AXES_TURNED: Final = QualityNote("axes-were-turned")
AXES_SWAPPED: Final = QualityNote("axes-were-swapped")
WATCH_TURNED_ROUND: Final = QualityNote("watch-was-turned-round")
WAS_OTHER_WRIST: Final = QualityNote("was-the-other-wrist")
NO_GRAVITY: Final = QualityNote("gravity-is-missing")
LOW_RATE: Final = QualityNote("rate-is-low")
STUCK_ROTATION: Final = QualityNote("rotation-is-constant")
NO_ROTATION: Final = QualityNote("rotation-is-missing")
NOT_USED: Final = QualityNote("is-not-used")
UNREADABLE: Final = QualityNote("samples-do-not-decode")
NOT_ON_WRIST: Final = QualityNote("not-on-a-wrist")

MEANINGS: Final[dict[tuple[QualityNote, ...], str]] = {
    (TIMES_OUTSIDE,): "chunks lie more than a day before `started_at` or after now: `t0` does not "
    "count nanoseconds since 1970, but time since the device started, milli- or microseconds. "
    "Recognised sets lie there too, and confirmed ones get no samples and are not learned, until "
    "the samples are sent with right times in a new session",
    (NO_OVERLAP,): "acceleration and rotation share no time, so rotation is not used",
    (CLOCK_IS_OFF,): "the device's clock, by more than a minute",
    (CLOCK_WENT_BACK,): "from one chunk number to the next: times from there on are another "
    "clock's",
    (HIGHER_RATE,): "than `rate_hz` by more than 5 %; the chunks' times are believed",
    (LOWER_RATE,): "than `rate_hz`, by a sixth or more, steadily in at least 17 chunks without "
    "`t_ms`; the chunks' times are believed",
    (BATCHED_TIMES,): "samples or chunks were stamped on arrival; they were put where they were "
    "taken",
    (OVERLAPPING_SAMPLES,): "though they were not sent twice; of two samples of one time the first "
    "counts",
    (FILLED_GAPS,): "samples were lost, for up to 6 s, or zeros were sent as acceleration instead",
    (LONGER_THAN_A_DAY,): "sets are looked for in the first 24 hours of samples",
    (UNIT_WAS_MS2, UNIT_WAS_G, UNIT_WAS_DEG_S, UNIT_WAS_RAD_S): "another unit is declared; samples "
    "are read in this one",
    (UNIT_IMPLAUSIBLE,): "a wrist would feel more than 3 g all the time, as with milli-g, or turn "
    "faster than 35 rad/s, whatever the unit, as with mrad/s, or its 15 to 20 rad/s may be deg/s: "
    "such rotation is not used",
    (
        AXES_TURNED,
        AXES_SWAPPED,
        WATCH_TURNED_ROUND,
        WAS_OTHER_WRIST,
    ): "the watch is worn, or its axes lie, otherwise than declared; it is read as it was worn",
    (NO_GRAVITY,): "acceleration without gravity; sets are hardly recognised",
    (LOW_RATE,): "below 22 Hz; repetitions are counted, exercises hardly named",
    (STUCK_ROTATION,): "the gyroscope is off or stuck, so its samples are not used",
    (
        NO_ROTATION,
    ): "of a set, or of the answer of `classify`: a declared gyroscope was silent in it "
    "for 4 s or more, or throughout",
    (NOT_USED,): "the stream was worn elsewhere than the streams that are read, or overlaps one of "
    "them in time",
    (UNREADABLE,): "only of `complete`: stored samples are damaged; reading the session answers "
    "422",
    (NOT_ON_WRIST,): "no stream is placed on a wrist; another one is read as if it were",
}
"""What each note says; notes that say the same of several units or ways to wear a watch stand
together."""

ONLY_OF_SESSIONS: Final = frozenset(
    {TIMES_OUTSIDE, CLOCK_IS_OFF, LONGER_THAN_A_DAY, NOT_USED, UNREADABLE, NOT_ON_WRIST}
)
ONLY_OF_SETS: Final = frozenset(
    {FILLED_GAPS, AXES_SWAPPED, WATCH_TURNED_ROUND, WAS_OTHER_WRIST, NO_ROTATION}
)


def meanings_without(left_out: Collection[QualityNote]) -> str:
    """The notes with their meanings in a sentence, without some of them.

    >>> meanings_without({note for notes in MEANINGS for note in notes} - {NO_GRAVITY})
    '`gravity-is-missing`: acceleration without gravity; sets are hardly recognised'
    """
    said = [
        (", ".join(f"`{note}`" for note in notes if note not in left_out), meaning)
        for notes, meaning in MEANINGS.items()
    ]
    return ". ".join(f"{notes}: {meaning}" for notes, meaning in said if notes)

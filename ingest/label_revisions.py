"""The revision of a labelled set: one number that grows when one of its parts is clearly newer.

A confirmation and a list may be dated in one order and stored in the other. A label that was cut in
between is of the newest date already, but not of both. A revision that were only the newest date
would call it current for ever. Two revisions of a part that is not the newest give one number where
their ages differ by less than an eighth; of more than three streams, by less than a few eighths.
"""

from collections.abc import Iterable

from ingest.event_writer import MS_US

STEPS_PER_DOUBLING = 8
MOST_STEPS = 332
"""Of one part; three parts beside the newest stay under a millisecond, and most sets have the lists
of one or two streams. Ages reach 69 years."""


def label_revision(revisions: Iterable[int], *, streams: int) -> int:
    """The revision of what is cut from a set and lists with these revisions.

    Revisions of the journal are whole milliseconds. The microseconds below say how near the others
    are to the newest one, so that the row that was cut from newer parts has the later timestamp
    and stays, whichever is written last.

    Args:
        revisions: of the set, and of the lists that are there.
        streams: that have lists, or will have: the more, the larger are the steps of each.

    >>> label_revision([5_000_000], streams=2)
    5000000
    >>> label_revision([5_000_000, 1_000_000, 4_999_000], streams=2)
    5000592
    """
    *others, newest = sorted(revisions)
    most = min(MOST_STEPS, (MS_US - 1) // max(1, streams))
    return newest + min(MS_US - 1, sum(_nearness(newest - other, most) for other in others))


def _nearness(age_us: int, most: int) -> int:
    """How near a revision is to a newer one: more is nearer, in steps of an eighth of its age.

    Always more than 0, which is said of a list that is not there yet.

    Args:
        age_us: of the revision.
        most: how near an age of 0 is; if less than `MOST_STEPS`, the steps are larger.

    >>> [_nearness(age_ms * MS_US, 332) for age_ms in (0, 1, 60_000, 86_400_000, 2**41)]
    [332, 331, 230, 146, 28]
    """
    age = age_us // MS_US + STEPS_PER_DOUBLING
    doublings = age.bit_length() - STEPS_PER_DOUBLING.bit_length()
    # The leading bits of the age, as in a floating-point number: no rounding differs anywhere.
    steps = STEPS_PER_DOUBLING * (doublings - 1) + (age >> doublings)
    return max(1, (MOST_STEPS - steps) * most // MOST_STEPS)

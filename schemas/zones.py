"""Time zones by the rules of the locked `tzdata` package, the same on every machine.

Whatever knows of local times goes through `time_zone`: the service, importers, jobs and their
executors. Python alone would take the operating system's rules, which are as old as the machine.
"""

import zoneinfo
from datetime import timedelta
from zoneinfo import ZoneInfo

import tzdata

from schemas.errors import OtherRules
from schemas.times import EPOCH

RULES_VERSION: str = tzdata.IANA_VERSION
"""Of the rules: rows with local times of another version are made again."""
_SECOND = timedelta(seconds=1)


def time_zone(name: str) -> ZoneInfo:
    """The zone of an IANA name.

    >>> EPOCH.astimezone(time_zone("Asia/Kolkata")).isoformat()
    '1970-01-01T05:30:00+05:30'

    Raises:
        KeyError, ValueError, OSError: there is none.
    """
    if zoneinfo.TZPATH:  # the operating system's, for the whole process
        zoneinfo.reset_tzpath(())
        ZoneInfo.clear_cache()
    return ZoneInfo(name)


def utc_offset_s(at_us: int | None, name: str | None) -> int | None:
    """By how much local time is ahead of UTC, s; None where the time or the zone is unknown.

    Args:
        at_us: microseconds since the epoch.
        name: of the zone.

    >>> utc_offset_s(0, "Asia/Kolkata"), utc_offset_s(0, "nowhere")
    (19800, None)
    """
    if at_us is None or name is None:
        return None
    try:
        zone = time_zone(name)
    except (KeyError, ValueError, OSError):
        return None
    at = EPOCH + timedelta(microseconds=at_us)
    offset = at.astimezone(zone).utcoffset()
    return None if offset is None else offset // _SECOND


def utc_offset_by_rules_s(at_us: int | None, name: str | None, rules: str) -> int | None:
    """As `utc_offset_s`, where rows are said to follow one version of the rules.

    Args:
        at_us: microseconds since the epoch.
        name: of the zone.
        rules: the `RULES_VERSION` of who asks, perhaps on another machine.

    Raises:
        OtherRules: those here are others, and the rows would not be what is said of them.
    """
    if rules != RULES_VERSION:
        raise OtherRules(
            f"the rules of time zones (tzdata) are {RULES_VERSION} here and {rules} at the driver."
        )
    return utc_offset_s(at_us, name)

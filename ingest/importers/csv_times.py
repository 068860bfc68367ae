"""Times of the lines of CSV files: with an offset, in a time zone, or counted from a start."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from ingest.checks import T0_MAX_NS
from ingest.importers.csv_lines import TIMES, Column, Line
from ingest.json_chunk import nanoseconds
from schemas.errors import BadChunk, BadInput
from schemas.times import NS_PER_S

EARLIEST_NS = 946_684_800 * NS_PER_S  # 2000: an earlier time was not counted from 1970
FORM = "must be RFC 3339 with Z or an offset, such as 2026-11-21T10:00:00.02Z"
_UNREADABLE = (BadChunk, ArithmeticError, ValueError)


@dataclass(frozen=True, slots=True)
class LineTimes:
    """How the times of a file are read.

    Attributes:
        zone: where times without an offset were read off a clock; None refuses them.
        start_ns: when times that count from 0 began, nanoseconds since the epoch; None where they
            count from 1970.
    """

    zone: ZoneInfo | None = None
    start_ns: int | None = None

    def time_ns(self, line: Line, column: Column) -> int:
        """The time of a line, nanoseconds since the epoch.

        Raises:
            BadInput: it is none, or lies before 2000 or after 2116; line, column and value.
        """
        if column.name == "time":
            at_ns, counted_from = self._read(line, column), ""
        else:
            at_ns, counted_from = (
                self._counted(line, column),
                "; numbers count from 1970 or --start",
            )
        if not EARLIEST_NS <= at_ns < T0_MAX_NS:
            raise line.wrong(column, f"must lie between 2000 and 2116{counted_from}")
        return at_ns

    def _read(self, line: Line, column: Column) -> int:
        if self.start_ns is not None:
            relative = ", ".join(name for name in TIMES if name != "time")
            raise line.wrong(column, f"needs no --start, which is for {relative}")
        try:
            return read_time_ns(line.text(column), self.zone)
        except BadInput as problem:
            raise line.wrong(column, problem.message) from problem

    def _counted(self, line: Line, column: Column) -> int:
        try:
            at_ns = int(Decimal(line.text(column)).scaleb(TIMES[column.name]))
        except (ArithmeticError, ValueError) as problem:
            raise line.wrong(column, "must be a number") from problem
        if self.start_ns is None:
            return at_ns
        if at_ns >= EARLIEST_NS:
            raise line.wrong(column, "counts from 1970 and not from --start; leave --start out")
        return self.start_ns + at_ns


def read_time_ns(text: str, zone: ZoneInfo | None) -> int:
    """RFC 3339 as nanoseconds since the epoch; in a zone, the offset may be missing.

    >>> from schemas.zones import time_zone
    >>> read_time_ns("1970-01-02T01:00:00.5", time_zone("Europe/Zurich"))
    86400500000000

    Raises:
        BadInput: why it cannot be read, as the end of a sentence that begins with it.
    """
    with suppress(*_UNREADABLE):
        return nanoseconds(text)
    try:  # whether only the offset is missing
        wall_ns = nanoseconds(f"{text}Z")
        offset_s = None if zone is None else _offset_s(zone, wall_ns // (60 * NS_PER_S))
    except _UNREADABLE as problem:
        raise BadInput(FORM) from problem
    if zone is None:
        raise BadInput(f"{FORM}; --timezone says where times without an offset are")
    if offset_s is None:
        why = f"occurs twice or never in {zone.key}, where clocks change; write it with its offset"
        raise BadInput(why)
    return wall_ns - offset_s * NS_PER_S


@lru_cache(maxsize=1024)
def _offset_s(zone: ZoneInfo, wall_minute: int) -> int | None:
    """By how much a minute of a zone's clocks is ahead of UTC; None where it is not one minute."""
    wall = datetime(1970, 1, 1) + timedelta(minutes=wall_minute)  # noqa: DTZ001 a clock on a wall
    offsets = {wall.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1)}
    offset = offsets.pop()
    return None if offsets or offset is None else round(offset.total_seconds())

"""Times as whole numbers."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.times import EARLIEST, EPOCH, LATEST, at_ms_of_ns, clock_from, us_of


@given(st.integers(us_of(EARLIEST) * 1000, us_of(LATEST) * 1000))
def test_times_of_today_are_those_of_floating_point_rounded_down_to_ms(ns: int):
    """Releases that computed them through a float stored the same times."""
    assert at_ms_of_ns(ns) == datetime.fromtimestamp(ns // 1_000_000 / 1000, UTC)


def test_a_clock_goes_on_from_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = SimpleNamespace(s=5.0)
    monkeypatch.setattr("schemas.times.time", SimpleNamespace(monotonic=lambda: now.s))
    clock = clock_from(EPOCH)
    assert clock() == EPOCH
    now.s = 7.5
    assert clock() == EPOCH + timedelta(seconds=2.5)

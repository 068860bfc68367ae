"""Local times follow the locked rules, whatever the machine has."""

import zoneinfo
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import pytest

from schemas.errors import OtherRules
from schemas.times import us_of
from schemas.zones import RULES_VERSION, time_zone, utc_offset_by_rules_s, utc_offset_s

AT = datetime(2026, 11, 30, 17, 30, tzinfo=UTC)


def test_rules_of_the_operating_system_are_not_read(tmp_path: Path):
    """Here Berlin's clocks are Tokyo's."""
    (tmp_path / "Europe").mkdir()
    tokyo = files("tzdata.zoneinfo.Asia").joinpath("Tokyo").read_bytes()
    (tmp_path / "Europe" / "Berlin").write_bytes(tokyo)
    zoneinfo.reset_tzpath([str(tmp_path)])
    zoneinfo.ZoneInfo.clear_cache()
    assert AT.astimezone(zoneinfo.ZoneInfo("Europe/Berlin")).hour == 2
    assert AT.astimezone(time_zone("Europe/Berlin")).hour == 18


@pytest.mark.parametrize(("zone", "hour"), [("America/Vancouver", 10), ("Asia/Almaty", 22)])
def test_rules_are_those_of_the_lock(zone: str, hour: int):
    """Vancouver stays at summer time since 2026; Almaty is 5 hours ahead since 2024."""
    assert RULES_VERSION >= "2026"
    local = AT.astimezone(time_zone(zone))
    assert local.hour == hour
    offset = local.utcoffset()
    assert offset is not None
    assert utc_offset_s(us_of(AT), zone) == offset.total_seconds()


@pytest.mark.parametrize(
    "name", ["nowhere", "", "Europe", "/etc/passwd", "../..", "zone.tab", None]
)
def test_unknown_zone_has_no_offset(name: str | None):
    assert utc_offset_s(us_of(AT), name) is None
    assert utc_offset_s(None, "UTC") is None


def test_rules_of_another_version_are_not_followed_silently():
    assert utc_offset_by_rules_s(0, "Asia/Kolkata", RULES_VERSION) == 19800
    with pytest.raises(OtherRules, match=f"are {RULES_VERSION} here and 2199a at the driver"):
        utc_offset_by_rules_s(None, None, "2199a")

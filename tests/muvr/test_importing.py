"""Imported recordings keep their content, their weekdays and their ids."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import pytest
from typer.testing import CliRunner

from api.passwords import MIN_CHARACTERS
from examples.client import RequestRefused
from ingest.importers.imported import ImportedRecording
from models.signal.pieces import Piece, Recording
from muvr import import_command, importing
from muvr.cli import command_line
from muvr.demo.sending import username
from muvr.import_command import PUBLIC_SOURCES
from muvr.importing import connect, days_to_move, import_recordings, named_id, session_of, time_of
from muvr.service import Service
from schemas.errors import BadInput, NameTaken
from schemas.progress import NoProgress
from tests.api.offline_phone import served_by

NOW = datetime.now(UTC).replace(microsecond=0)


def recorded(at: datetime, origin: str = "") -> ImportedRecording:
    piece = Piece(int(at.timestamp()) * 10**9, 50.0, "g", 0.001, np.zeros((5, 3), np.int16))
    return ImportedRecording("p", None, Recording((piece,), (), "left"), (), origin=origin)


@pytest.mark.parametrize(("age_days", "moved"), [(3, 0), (363, 0), (364, 364), (800, 728)])
def test_old_recordings_move_by_multiples_of_364_days(age_days: int, moved: int):
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    ages = (age_days, age_days + 35)
    recordings = [recorded(now - timedelta(days=age)) for age in ages]
    assert days_to_move(recordings, now) == moved
    assert moved % 7 == 0


@pytest.mark.parametrize("span_days", [0, 37, 100, 250, 390])
def test_recordings_over_many_weeks_are_moved_until_the_oldest_is_accepted(span_days: int):
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    for age_days in range(0, 800, 11):
        newest, oldest = (now - timedelta(days=age_days + more) for more in (0, span_days))
        moved = days_to_move([recorded(newest), recorded(oldest)], now)
        assert moved % 7 == 0
        assert newest + timedelta(days=moved) <= now
        assert now - oldest - timedelta(days=moved) <= timedelta(days=399)
        by_years = age_days // 364 * 364
        if age_days - by_years + span_days <= 399:
            assert moved == by_years  # the same ids as ever


def test_ids_change_as_seldom_as_the_span_allows():
    """Recordings over 100 days: an import that is repeated within 294 days adds nothing."""
    newest = datetime(2025, 1, 1, tzinfo=UTC)
    recordings = [recorded(newest), recorded(newest - timedelta(days=100))]
    moves = [
        days_to_move(recordings, newest + timedelta(days=days)) for days in (0, 299, 300, 363, 364)
    ]
    assert moves == [0, 0, 294, 294, 364]


def test_recordings_that_fit_into_no_year_are_refused_by_their_days():
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    recordings = [recorded(now - timedelta(days=days)) for days in (3, 420)]
    with pytest.raises(BadInput, match=r"2025-09-27 to 2026-11-18, 417 days: more than the 399"):
        days_to_move(recordings, now)


def test_the_same_name_and_time_give_the_same_id():
    at_ns = 1_700_000_000_123_000_000
    assert named_id(at_ns, "a") == named_id(at_ns, "a")
    assert named_id(at_ns, "a") != named_id(at_ns, "b")
    assert named_id(at_ns, "a").int >> 80 == 1_700_000_000_123
    assert time_of(at_ns) == datetime.fromtimestamp(1_700_000_000.123, UTC)


def test_a_recording_keeps_its_id_when_a_newer_one_is_imported_beside_it(
    monkeypatch: pytest.MonkeyPatch,
):
    older, newer = recorded(NOW - timedelta(days=370)), recorded(NOW - timedelta(hours=1))
    opened: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.count("/") == 3:
            opened.append(request.url.path.rpartition("/")[2])
        sha256 = hashlib.sha256(request.content).hexdigest()
        receipt = {"sha256": sha256, "samples": 1}
        return httpx.Response(200, json={"session": "as sent", "set": "as sent", **receipt})

    monkeypatch.setattr(importing, "connect", lambda *_: served_by(answer))
    for recordings in ([older], [older, newer]):
        counts = import_recordings("", "csv", recordings, "", NoProgress(), username="ada")
        assert counts["days_moved"] == 0
    ids = [str(session_of(recording, 0)) for recording in (older, newer)]
    assert opened == [ids[0], *ids]


def test_a_refused_recording_is_named_by_its_file_with_the_next_step(
    monkeypatch: pytest.MonkeyPatch,
):
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(422, json={"title": "Too old", "detail": "500 days back."})

    monkeypatch.setattr(importing, "connect", lambda *_: served_by(answer))
    old = recorded(NOW - timedelta(days=500), "old.csv")
    with pytest.raises(RequestRefused, match=r"old\.csv: 500 days back\. .* import again"):
        import_recordings("", "csv", [old], "", NoProgress(), username="ada")


@pytest.mark.parametrize(("source", "moved"), [("csv", 0), ("gym", 364)])
def test_only_public_recordings_are_moved(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str, moved: int
):
    recordings = [recorded(NOW - timedelta(days=370))]
    imported: list[int] = []

    def imports(*_: object, moved_days: int, **__: object) -> dict[str, int]:
        imported.append(moved_days)
        return {}

    def read_csv(_: Path, person: str, *__: object) -> list[ImportedRecording]:
        assert person == "ada"  # as it is registered: ids of sessions come from it
        return recordings

    public = PUBLIC_SOURCES["gym"]._replace(read=lambda _: recordings)
    monkeypatch.setitem(PUBLIC_SOURCES, "gym", public)
    monkeypatch.setattr(import_command, "read_csv", read_csv)
    monkeypatch.setattr(import_command, "import_recordings", imports)
    monkeypatch.setattr(Service, "_answers", lambda *_: True)
    user = ["--user", "Ada"] if source == "csv" else []
    words = ["import", source, str(tmp_path), *user, "--password", "a long password"]
    assert CliRunner().invoke(command_line(["muvr.import_command"]), words).exit_code == 0
    assert imported == [moved]


@pytest.mark.parametrize("as_json", [False, True])
def test_off_a_terminal_nobody_can_log_in_as_new_public_people_without_a_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, as_json: bool
):
    passwords: list[object] = []

    def imports(*given: object, **_: object) -> dict[str, int]:
        passwords.append(given[3])
        return {"users": 10}

    public = import_command.PUBLIC_SOURCES["gym"]._replace(read=lambda _: [recorded(NOW)])
    monkeypatch.setitem(import_command.PUBLIC_SOURCES, "gym", public)
    monkeypatch.setattr(import_command, "import_recordings", imports)
    monkeypatch.setattr(Service, "_answers", lambda *_: True)
    words = ["import", "gym", str(tmp_path), *(["--json"] if as_json else [])]
    for _ in range(2):
        done = CliRunner().invoke(command_line(["muvr.import_command"]), words)
        assert done.exit_code == 0, done.output
        assert done.stderr.count("nobody can log in as them") == 1
    first, second = passwords
    assert min(len(str(first)), len(str(second))) >= MIN_CHARACTERS
    assert first != second


def test_a_name_with_another_password_is_refused_with_the_next_step(
    monkeypatch: pytest.MonkeyPatch,
):
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(409 if request.url.path.endswith("/register") else 401, json={})

    monkeypatch.setattr(importing, "Client", lambda _: served_by(answer))
    with pytest.raises(NameTaken, match=r"'ada' .* another password\. .*--password"):
        connect("", "ada", "a wrong password")


def test_no_user_of_the_demo_is_one_of_an_import():
    prefixes = {public.username_prefix for public in PUBLIC_SOURCES.values()}
    assert username("01").rpartition("-")[0] not in prefixes

"""DuckDB over a small mart: answers, limits and isolation."""

import os
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.config import Sql
from schemas.errors import BadConfig, BadMart, BadQuery, Exhausted, NoMart, QueryTooLong
from store import mart_query
from store.mart import MANIFEST, MartFolder
from store.mart_query import names_in_duckdb, query_duckdb
from store.pseudonyms import KEY_BYTES, key_id, pseudonym, pseudonym_key
from tests.patched_os import os_with
from tests.store.made_mart import AS_OF, ONE, TWO, made

LIMITS = Sql(seconds=20, rows=3)
NO_MART = MartFolder(Path("/nowhere"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> MartFolder:
    return made(tmp_path_factory.mktemp("its mart"), ONE, 2)


def test_answer_carries_as_of_and_whether_rows_were_truncated(folder: MartFolder):
    counted = query_duckdb(folder, "SELECT count(*) AS n FROM sets", LIMITS)
    assert (counted.columns, counted.rows, counted.more) == (("n",), [(2,)], False)
    assert counted.as_of == AS_OF
    many = query_duckdb(folder, "SELECT a.* FROM sets a, ranks b", LIMITS)
    assert (len(many.rows), many.more) == (3, True)


def test_names_of_columns_are_told_without_an_answer(folder: MartFolder):
    endless = "SELECT count(*), 1 + 1, Reps FROM sets, range(10000000000) a, range(1000000) b"
    names = names_in_duckdb(folder, folder.manifest(), f"{endless} GROUP BY reps", LIMITS)
    assert names == ("count_star()", "(1 + 1)", "reps")
    for refused in ("SELECT * FROM nothing", "DROP VIEW sets", "SELECT 1; SELECT 2", "SELEC"):
        assert names_in_duckdb(folder, folder.manifest(), refused, LIMITS) is None


def test_a_query_can_ask_how_fresh_the_mart_is(folder: MartFolder):
    answer = query_duckdb(folder, "SELECT as_of FROM mart", LIMITS)
    assert answer.rows == [(AS_OF.replace(tzinfo=None),)]


def test_values_that_json_does_not_have_are_none_or_text(folder: MartFolder):
    query = (
        "SELECT 'nan'::DOUBLE, '-inf'::FLOAT, ['inf'::DOUBLE, 1.5], [0, 'nan'::DOUBLE]::DOUBLE[2], "
        "{'share': 'nan'::DOUBLE}, map([DATE '2026-11-21'], ['nan'::DOUBLE])"
    )
    [row] = query_duckdb(folder, query, LIMITS).rows
    assert row == (None, None, [None, 1.5], [0, None], {"share": None}, {"2026-11-21": None})


def test_now_is_in_utc_like_the_times_of_the_mart(
    folder: MartFolder, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        query = "SELECT now(), current_setting('TimeZone')"
        [[now, zone]] = query_duckdb(folder, query, LIMITS).rows
    finally:
        monkeypatch.undo()
        time.tzset()
    assert zone == "UTC", "the process may have read its zone before"
    assert abs(datetime.now(UTC) - now.replace(tzinfo=UTC)) < timedelta(minutes=5)


def test_a_time_with_a_zone_is_that_of_utc(folder: MartFolder):
    query = "SELECT TIMESTAMPTZ '2026-11-21 00:30:00+01', [TIMESTAMPTZ '2026-11-21 00:30:00+01']"
    [row] = query_duckdb(folder, query, LIMITS).rows
    utc = datetime(2026, 11, 20, 23, 30, tzinfo=UTC).replace(tzinfo=None)
    assert row == (utc, [utc])


EVIL = (
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM read_parquet('{mart}/../other/x.parquet')",
    "COPY sets TO '{mart}/stolen.csv'",
    "COPY (SELECT 1) TO '/tmp/stolen.csv'",
    "CREATE TABLE mine AS SELECT 1",
    "DROP VIEW sets",
    "ATTACH '{mart}/mine.db'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "PRAGMA database_list",
    "SELECT 1; SELECT 2",
    "EXPORT DATABASE '{mart}/all'",
    "CALL pragma_version()",
    "SELECT * FROM nothing",
    "SELEC 1",
    "",
)


@pytest.mark.parametrize("query", EVIL)
def test_queries_cannot_read_or_write_outside_the_mart(folder: MartFolder, query: str):
    before = sorted(folder.path.rglob("*"))
    with pytest.raises(BadQuery):
        query_duckdb(folder, query.format(mart=folder.path), LIMITS)
    assert sorted(folder.path.rglob("*")) == before


def test_queries_read_the_current_version_only_also_through_a_link(tmp_path: Path):
    """`paths.mart` may hold other files, and a version that a refresh was killed over."""
    mart, link = tmp_path / "mart", tmp_path / "link"
    made(mart, ONE, 2)
    link.symlink_to(mart)
    strangers = [mart / "letter.txt", mart / TWO / "sets" / "erased.parquet"]
    strangers[1].parent.mkdir(parents=True)
    for stranger in strangers:
        stranger.write_text("somebody's")
    for path in (mart, link):
        folder = MartFolder(path)
        assert query_duckdb(folder, "SELECT count(*) FROM sets", LIMITS).rows == [(2,)]
        for stranger in (*strangers, mart / "manifest.json"):
            for name in (str(stranger), f"{path}/{ONE}/../{stranger.relative_to(mart)}"):
                with pytest.raises(BadQuery, match="Permission"):
                    query_duckdb(folder, f"SELECT * FROM read_text('{name}')", LIMITS)


def test_query_over_the_time_limit_is_stopped(folder: MartFolder):
    endless = "SELECT count(*) FROM range(10000000000) a, range(1000000) b"
    with pytest.raises(QueryTooLong, match=r"sql\.seconds = 0\.2"):
        query_duckdb(folder, endless, Sql(seconds=0.2))


def test_a_query_that_needs_more_memory_names_the_setting(folder: MartFolder):
    large = "SELECT list(x) FROM (SELECT unnest(range(60000000)) AS x)"
    with pytest.raises(Exhausted, match=r"more than sql\.memory_mb = 128"):
        query_duckdb(folder, large, Sql(memory_mb=128))


def test_missing_mart_error_names_the_refresh_command(tmp_path: Path):
    with pytest.raises(NoMart, match="muvr mart refresh"):
        query_duckdb(MartFolder(tmp_path), "SELECT 1", LIMITS)


def test_a_new_version_replaces_the_old_one_and_its_files(tmp_path: Path):
    made(tmp_path, ONE, 2)
    folder = made(tmp_path, TWO, 5)
    assert query_duckdb(folder, "SELECT count(*) FROM sets", LIMITS).rows == [(5,)]
    assert sorted(path.name for path in tmp_path.iterdir()) == [TWO, "manifest.json"]


def test_pruning_keeps_files_that_are_not_mart_versions(tmp_path: Path):
    """`paths.mart` may be an existing folder with other files."""
    files = [tmp_path / "node" / "data.db", tmp_path / TWO[::-1] / "a", tmp_path / ONE / "other"]
    for file in files:
        file.parent.mkdir()
        file.write_text("somebody's")
    made(tmp_path, TWO, 1)
    assert all(file.exists() for file in files)


def test_query_is_retried_if_a_refresh_removed_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = made(tmp_path, ONE, 2)
    refreshes = iter([TWO])

    def refreshed_meanwhile(*_: object) -> None:
        """Replaces `_lock_down`, the last step before the query."""
        for version in refreshes:
            made(tmp_path, version, 5)

    monkeypatch.setattr("store.mart_query._lock_down", refreshed_meanwhile)
    assert query_duckdb(folder, "SELECT count(*) FROM sets", LIMITS).rows == [(5,)]


def test_query_is_retried_if_a_refresh_removed_some_of_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """It began while the older version was being deleted, and met no file that is missing."""
    folder = made(tmp_path, ONE, 2)
    part = tmp_path / ONE / "sets" / "part.parquet"
    shutil.copy(part, part.with_name("rest.parquet"))
    assert query_duckdb(folder, "SELECT count(*) FROM sets", LIMITS).rows == [(4,)]
    create_views, refreshes = mart_query._create_views, iter([TWO])

    def amid_a_deletion(connection: object, version: Path, as_of: str) -> None:
        """A refresh has published its version, and deleted one of two files of the table."""
        for newer in refreshes:
            with monkeypatch.context() as patched:
                patched.setattr(shutil, "rmtree", lambda _: part.unlink())
                made(tmp_path, newer, 5)
        create_views(connection, version, as_of)

    monkeypatch.setattr(mart_query, "_create_views", amid_a_deletion)
    assert query_duckdb(folder, "SELECT count(*) FROM sets", LIMITS).rows == [(5,)]


def test_pseudonym_key_is_created_once_with_owner_only_permissions(tmp_path: Path):
    key = pseudonym_key(tmp_path / "secrets", NO_MART)
    assert pseudonym_key(tmp_path / "secrets", NO_MART) == key
    assert (tmp_path / "secrets" / "mart-key").stat().st_mode & 0o777 == 0o600
    other = pseudonym_key(tmp_path / "others", NO_MART)
    assert pseudonym(key, "u", "x") != pseudonym(other, "u", "x")
    assert key_id(key) != key_id(other)


def test_pseudonym_key_is_written_atomically(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A full disk: nothing is left that the next call would take for a key."""

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("store.secret_file.os", os_with(fsync=full))
        with pytest.raises(OSError, match="No space"):
            pseudonym_key(tmp_path, NO_MART)
    assert not (tmp_path / "mart-key").exists()
    assert len(pseudonym_key(tmp_path, NO_MART)) == KEY_BYTES
    assert [path.name for path in tmp_path.iterdir()] == ["mart-key"]


def test_no_key_is_made_for_a_mart_that_has_one_elsewhere(tmp_path: Path):
    """A deliberate change of the key is possible all the same."""
    mart = made(tmp_path / "mart", ONE, 1)
    with pytest.raises(BadConfig, match=r"mart-key is missing.*Put it back.*delete .*manifest"):
        pseudonym_key(tmp_path / "secrets", mart)
    assert list((tmp_path / "secrets").iterdir()) == []
    (mart.path / MANIFEST).unlink()
    assert len(pseudonym_key(tmp_path / "secrets", mart)) == KEY_BYTES


@pytest.mark.parametrize("content", ["", "00" * (KEY_BYTES - 1), "no key at all"])
def test_invalid_pseudonym_key_file_is_refused(tmp_path: Path, content: str):
    (tmp_path / "mart-key").write_text(content)
    with pytest.raises(BadConfig, match=f"mart-key is no key of {KEY_BYTES} bytes.*delete"):
        pseudonym_key(tmp_path, NO_MART)


def test_a_version_is_on_the_disk_before_it_is_the_current_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Else a power failure leaves names of files without their content, and no version before."""
    steps: list[str] = []

    def synced(handle: int) -> None:
        steps.append(os.readlink(f"/proc/self/fd/{handle}"))
        os.fsync(handle)

    def replaced(old: Path, new: Path) -> None:
        steps.append("current")
        os.replace(old, new)

    monkeypatch.setattr("store.synced.os", os_with(fsync=synced, replace=replaced))
    made(tmp_path, ONE, 1)
    version = tmp_path / ONE
    before = steps[: steps.index("current")]
    assert {str(version), *map(str, version.rglob("*"))} <= set(before)
    assert steps[-1] == str(tmp_path)


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_mart_whose_files_cannot_be_read_is_to_be_made_again(tmp_path: Path, damage: str):
    """As after a power failure: names of files are there, and their content is not."""
    folder = made(tmp_path, ONE, 2)
    for file in (tmp_path / ONE / "sets").iterdir():
        file.write_bytes(b"") if damage == "cut" else file.unlink()
    with pytest.raises(BadMart, match="muvr mart refresh --all"):
        query_duckdb(folder, "SELECT count(*) FROM sets", LIMITS)
    with pytest.raises(BadMart, match=ONE):
        query_duckdb(folder, "SELECT count(*) FROM ranks", LIMITS)


def test_a_file_of_the_mart_that_a_query_names_is_not_the_marts_fault(folder: MartFolder):
    with pytest.raises(BadQuery, match="No files found"):
        query_duckdb(folder, f"SELECT * FROM '{folder.path}/{ONE}/none.parquet'", LIMITS)

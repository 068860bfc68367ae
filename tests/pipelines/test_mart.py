"""The mart on Spark over Cassandra: full refresh, refresh of changed users, and erasure."""

import asyncio
import json
import re
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame

from ingest.erasure import erase_user
from models.deviations.hours import HourOfDay
from pipelines.mart import job as mart
from pipelines.mart.deviations import SQL, as_frame, as_rows, as_sql
from pipelines.mart.frames import Refresh, frame_of
from pipelines.mart.job import refresh_mart
from pipelines.mart.query import make_views, query_spark
from pipelines.mart.tables import SOURCES, copies_digest, padded_keys
from schemas.config import Config, Sql
from schemas.errors import BadConfig, IncompleteRun
from schemas.mart import MART
from schemas.times import us_of
from store.mart import MANIFEST, MartFolder
from store.mart_query import query_duckdb
from store.pseudonyms import pseudonym, pseudonym_key
from tests.pipelines.analyst_guide import questions
from tests.pipelines.mart_people import FIVE_YEARS_BEHIND, NOW, OLD, RETIRING, RUN, people
from tests.spark_session import emptied

A_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
LIMITS = Sql(seconds=120, rows=1000)


def later(minutes: int) -> Callable[[], datetime]:
    """A fixed clock, so many minutes after NOW."""
    return lambda: NOW + timedelta(minutes=minutes)


@pytest.fixture(scope="module")
def world(spark_config, spark, tmp_path_factory):  # the session is started
    """A keyspace with people, and the mart of it."""
    place = tmp_path_factory.mktemp("mart")
    paths = spark_config.paths.model_copy(
        update={"mart": place / "mart", "secrets": place / "secrets"}
    )
    config = spark_config.model_copy(update={"paths": paths})
    with emptied(config.cassandra) as database:
        gyms = asyncio.run(people(database))
        # A refresh reads the last minutes again: this one is so late that no user changed in them.
        report = refresh_mart(config, clock=later(10))
        assert (report.status, report.metrics["read"]) == ("done", "all")
        yield config, database, gyms


def tables(config: Config) -> dict[str, list[dict[str, object]]]:
    """Every row of the mart, sorted."""
    folder = MartFolder(config.paths.mart)
    manifest = folder.manifest()
    found = {name: pq.read_table(folder.table(manifest, name)).to_pylist() for name in MART}
    assert {name: len(rows) for name, rows in found.items()} == manifest.rows
    return {name: sorted(rows, key=repr) for name, rows in found.items()}


def test_mart_holds_the_rows_of_the_tables_without_personal_ids(world):
    config, _, gyms = world
    found = tables(config)
    text = repr(found)
    ids = set(A_UUID.findall(text)) - {str(RUN), str(OLD), str(RETIRING)}
    runs = {row["run"] for row in found["job_runs"]}
    assert ids <= runs
    for gym in gyms:
        for secret in (gym.user, gym.session, gym.plan, *(one for one, _ in gym.sets.values())):
            assert str(secret) not in text

    key = pseudonym_key(config.paths.secrets, MartFolder(config.paths.mart))
    third = pseudonym(key, "u", gyms[2].user)
    rows = [row for row in found["deviations"] if row["user"] == third]
    assert [row["kinds"] for row in sorted(rows, key=lambda row: row["position"])] == [
        ["as_planned"],
        ["reps"],
        ["missed"],
        ["extra"],
    ]
    missed = next(row for row in rows if row["kinds"] == ["missed"])
    assert missed["actual"] is None
    assert missed["planned"]["exercise"] == "row"
    assert (missed["local_hour"], str(missed["local_date"])) == (23, "2026-11-21")
    assert missed["started_at_utc"] == datetime(2026, 11, 21, 22, 30)  # noqa: DTZ001 as documented
    [session] = [row for row in found["sessions"] if row["user"] == third]
    assert (session["plan"], session["local_hour"]) == (pseudonym(key, "p", gyms[2].plan), 23)
    assert len([row for row in found["planned_sets"] if row["user"] == third]) == 3
    assert {row["live"] for row in found["clusters"] if row["run"] == str(RUN)} == {True}
    assert {row["live"] for row in found["clusters"] if row["run"] == str(OLD)} == {False}
    assert found["clusters"][0]["frequency"] == 3.0
    assert ("clusters", "model.score", 0.5) in {
        (row["family"], row["metric"], row["value"]) for row in found["evaluations"]
    }
    serving = [("exercise", "v1", "v1"), ("activity", None, "v0"), ("intensity", None, "v2")]
    assert {
        (row["owner"], row["family"], row["version"], row["serves"]) for row in found["champions"]
    } == {(pseudonym(key, "u", gym.user), *one) for gym in gyms for one in serving}
    [letter] = found["dead_letters"]
    assert letter["reason"] == "of session (id)"


def test_key_of_pseudonyms_is_in_no_plan_of_a_refresh(world, monkeypatch):
    """Spark shows plans on its page, in its event log and in errors."""
    config, _, _ = world
    before, plans = tables(config), dict[str, str]()

    def remembered(refresh: Refresh, name: str) -> DataFrame:
        frame = frame_of(refresh, name)
        execution = frame._jdf.queryExecution()
        plans[name] = f"{execution.toString()} {execution.analyzed().toJSON()} {refresh}"
        return frame

    monkeypatch.setattr(mart, "frame_of", remembered)
    assert refresh_mart(config, everybody=True, clock=later(12)).status == "done"
    assert plans.keys() == MART.keys() - {"evaluations"}
    assert {name for name, plan in plans.items() if "unhex(sha2(" in plan} >= {"sets", "models"}
    key = pseudonym_key(config.paths.secrets, MartFolder(config.paths.mart))
    for one in (key, *padded_keys(key)):
        # as Base64 in each of the three places in which it may begin
        base64 = [b64encode(bytes(n) + one)[4:-4].decode().lower() for n in range(3)]
        for text in (one.hex(), repr(one)[2:-1].lower(), *base64):
            assert [name for name, plan in plans.items() if text in plan.lower()] == []
    unchanged = MART.keys() - {"job_runs", "evaluations"}
    after = tables(config)
    assert {name: after[name] for name in unchanged} == {name: before[name] for name in unchanged}


def test_mart_columns_and_types_equal_the_documented_ones(world):
    config, _, _ = world
    folder = MartFolder(config.paths.mart)
    for name, table in MART.items():
        answer = query_duckdb(folder, f"SELECT * FROM (DESCRIBE {name})", LIMITS)
        assert [row[:2] for row in answer.rows] == [(c.name, c.type) for c in table.columns]


def test_queries_of_the_guide_give_the_same_rows_on_duckdb_and_spark(world, spark):
    config, _, _ = world
    folder = MartFolder(config.paths.mart)
    assert len(questions()) == 10
    for question in questions():
        duck = query_duckdb(folder, question, LIMITS)
        other = query_spark(spark, folder, question, LIMITS)
        assert (duck.columns, duck.as_of) == (other.columns, other.as_of)
        assert duck.rows == [tuple(pytest.approx(value) for value in row) for row in other.rows]
        assert duck.rows, question


def test_decimals_are_numbers_on_both_engines(world, spark):
    """DuckDB makes decimals of 0.5, which JSON would have as text."""
    folder = MartFolder(world[0].paths.mart)
    question = "SELECT 0.5 AS half, sum(CASE WHEN reps > 0 THEN 1.0 ELSE 0.0 END) AS n FROM sets"
    [duck], [other] = (
        query_duckdb(folder, question, LIMITS).rows,
        [tuple(row) for row in query_spark(spark, folder, question, LIMITS).rows],
    )
    assert duck == other
    assert [type(value) for value in (*duck, *other)] == [float] * 4


def test_numbers_that_json_does_not_have_are_none_on_both_engines(world, spark):
    config, _, _ = world
    folder = MartFolder(config.paths.mart)
    numbers = "VALUES (CAST('NaN' AS DOUBLE)), (-CAST('Infinity' AS DOUBLE))"
    both = "array_agg(n) FILTER (WHERE n IS NOT NULL) AS both"
    query = f"SELECT max(n) AS none, min(n) AS least, {both} FROM ({numbers}) t(n)"
    duck = query_duckdb(folder, query, LIMITS)
    other = query_spark(spark, folder, query, LIMITS)
    assert duck.rows == other.rows == [(None, None, [None, None])]
    nested = "'{\"a\": {\"share\": NaN}}', 'MAP<STRING, STRUCT<share: DOUBLE>>'"
    [[by_name]] = query_spark(spark, folder, f"SELECT from_json({nested}) AS by", LIMITS).rows
    assert by_name == {"a": {"share": None}}


def test_times_are_those_of_utc_on_both_engines_wherever_the_machine_is(world, spark, monkeypatch):
    config, _, _ = world
    folder = MartFolder(config.paths.mart)
    by_day = "SELECT date_trunc('day', started_at) AS day, count(*) AS n FROM sets GROUP BY 1"
    at = "CAST('2026-11-21 22:30:00' AS TIMESTAMP) AS at"
    text = "2026-11-21T22:30:00Z"
    nested = [
        f"from_json('{json.dumps(value)}', '{type_}') AS a"
        for value, type_ in (
            ({"at": text}, "MAP<STRING, TIMESTAMP>"),
            ([text], "ARRAY<TIMESTAMP>"),
            ({"at": text, "n": 1}, "STRUCT<at: TIMESTAMP, n: INT>"),
        )
    ]
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        duck, other = (
            query(f"{by_day} ORDER BY day, n").rows
            for query in (
                partial(query_duckdb, folder, limits=LIMITS),
                partial(query_spark, spark, folder, limits=LIMITS),
            )
        )
        answer = query_spark(spark, folder, f"SELECT {', '.join([at, *nested])}", LIMITS)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert duck == other
    assert {str(day)[11:] for day, _ in duck} == {"00:00:00"}
    utc = datetime(2026, 11, 21, 22, 30, tzinfo=UTC).replace(tzinfo=None)
    assert answer.columns == ("at", "a", "a", "a")
    assert answer.rows == [(utc, {"at": utc}, [utc], {"at": utc, "n": 1})]


def test_deviations_by_hour_are_the_same_in_sql_dataframe_and_rows(world, spark):
    config, _, _ = world
    folder = MartFolder(config.paths.mart)
    make_views(spark, folder, folder.manifest())
    deviations = spark.table("deviations")
    answers = [
        as_sql(spark, "bench press"),
        as_frame(deviations, "bench press"),
        as_rows(deviations, "bench press"),
    ]
    assert answers[0] == answers[1] == answers[2]
    assert sum(hour.planned for hour in answers[0]) == 6
    assert sum(hour.deviated for hour in answers[0]) == 3
    assert answers[0][0] == HourOfDay(23, 6, 3)
    assert as_sql(spark, "it's") == as_rows(deviations, "it's") == []
    assert SQL.format(exercise="bench press").strip() == questions()[0].strip()


def test_refresh_reads_changed_users_and_removes_erased_ones(world):
    config, database, gyms = world
    before = {path.name for path in config.paths.mart.iterdir()}

    async def changes() -> None:
        await gyms[0].do("second", 5, "bench press", 8)
        await erase_user(database, gyms[1].user, datetime.now(UTC))
        for user in (gyms[0].user, gyms[1].user):
            at_us = us_of(later(20)())
            await gyms[0].records.changes.announce(user, "sets", at_us)

    asyncio.run(changes())
    report = refresh_mart(config, clock=later(30))
    assert (report.metrics["read"], report.counts["users"]) == ("changed", 2)
    by_change = tables(config)
    again = refresh_mart(config, everybody=True, clock=later(40))
    assert again.metrics["read"] == "all"
    whole = tables(config)
    assert {n: r for n, r in by_change.items() if n not in ("job_runs", "evaluations")} == {
        n: r for n, r in whole.items() if n not in ("job_runs", "evaluations")
    }
    gone = pseudonym(
        pseudonym_key(config.paths.secrets, MartFolder(config.paths.mart)), "u", gyms[1].user
    )
    assert gone not in repr(whole)
    assert len(whole["sessions"]) == 2
    corrected = pseudonym(
        pseudonym_key(config.paths.secrets, MartFolder(config.paths.mart)), "u", gyms[0].user
    )
    rows = [row for row in whole["deviations"] if row["user"] == corrected]
    assert [row["started_at_utc"].year for row in rows] == [FIVE_YEARS_BEHIND.year] * 4
    kinds = [row["kinds"] for row in whole["deviations"] if row["kinds"] == ["reps"]]
    assert len(kinds) == 1  # of the third person; that of the first was corrected
    after = {path.name for path in config.paths.mart.iterdir()}
    assert len(after) == len(before) == 2
    assert after & before == {"manifest.json"}


def test_version_of_another_database_is_not_copied_from(world):
    """As after a restore into a new node: people who exist nowhere else would stay for ever."""
    config, database, _ = world
    folder = MartFolder(config.paths.mart)
    before = folder.manifest()
    cql = "SELECT id FROM system_schema.tables WHERE keyspace_name = ? AND table_name = 'users'"
    [users] = database.execute(cql, (config.cassandra.keyspace,))
    assert before.database_id == str(users.id)

    folder.publish(replace(before, database_id=str(RUN)))
    assert refresh_mart(config, clock=later(42)).metrics["read"] == "all"
    assert folder.manifest().database_id == before.database_id

    text = (folder.path / MANIFEST).read_text()
    fields = json.loads(text)
    del fields["database_id"]  # as in a mart of another release
    (folder.path / MANIFEST).write_text(json.dumps(fields))
    made_of = (before.layout, before.key_id, before.database_id)
    assert mart._reusable_version(folder, made_of, NOW) is None
    (folder.path / MANIFEST).write_text(text)
    assert mart._reusable_version(folder, made_of, NOW) is not None


def test_mart_is_not_refreshed_by_a_host_without_its_key(world, tmp_path):
    """It would make a key, and nobody's pseudonym would be what analysts know."""
    config, _, _ = world
    folder = MartFolder(config.paths.mart)
    before = folder.manifest()
    paths = config.paths.model_copy(update={"secrets": tmp_path})
    with pytest.raises(BadConfig, match=r"mart-key is missing.* delete .*manifest\.json"):
        refresh_mart(config.model_copy(update={"paths": paths}), clock=later(42))
    assert list(tmp_path.iterdir()) == []
    assert folder.manifest() == before


def test_corrected_column_reaches_people_who_did_not_change(world, monkeypatch):
    """Names and types stay, so that only the expression tells that copied rows are out of date."""
    config, _, _ = world
    assert refresh_mart(config, clock=later(43)).metrics["read"] == "changed"
    sets = SOURCES["sets"]
    corrected = {**sets.expressions, "revised_at": "timestamp_micros(revision - 1000000)"}
    monkeypatch.setitem(SOURCES, "sets", replace(sets, expressions=corrected))
    before = tables(config)["sets"]
    assert refresh_mart(config, clock=later(44)).metrics["read"] == "all"
    second = timedelta(seconds=1)
    assert {row["revised_at"] for row in tables(config)["sets"]} == {
        row["revised_at"] - second for row in before
    }


def test_new_rules_of_time_zones_reach_people_who_did_not_change(monkeypatch):
    before = copies_digest()
    assert copies_digest() == before
    monkeypatch.setattr("pipelines.mart.tables.RULES_VERSION", "2199a")
    assert copies_digest() != before


def test_mart_is_not_replaced_by_rows_written_to_another_machine(world, monkeypatch):
    """Past one machine an executor that does not share `paths.mart` writes to its own disk."""
    config, _, _ = world
    before = tables(config)
    monkeypatch.setattr("pipelines.mart.job.file_url", lambda path: f"file://{path}-elsewhere")
    with pytest.raises(IncompleteRun, match="none of it is in"):
        refresh_mart(config, everybody=True, clock=later(45))
    assert tables(config) == before


def test_mart_folder_that_executors_do_not_share_is_refused(spark, tmp_path, monkeypatch):
    mart._require_shared(spark, tmp_path)
    assert not mart._seen_by_executors(spark, str(tmp_path / "absent"))
    monkeypatch.setattr(mart, "_seen_by_executors", lambda *_: False)
    with pytest.raises(BadConfig, match="another folder"):
        mart._require_shared(spark, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("zone", "ahead_h"), [("Asia/Almaty", 5), ("nowhere", None)])
def test_local_times_follow_the_locked_rules_in_every_table(world, zone, ahead_h):
    """Almaty is 5 hours ahead since 2024, and 6 to the locked Java; a zone may also be unknown."""
    config, database, gyms = world
    one = gyms[2]
    database.execute(
        "UPDATE sessions SET timezone = ? WHERE user_id = ? AND session_id = ?",
        (zone, one.user, one.session),
    )
    rows = database.execute("SELECT month, session_id, position FROM deviations ALLOW FILTERING")
    of_session = [row for row in rows if row.session_id == one.session]
    assert of_session
    for row in of_session:
        database.execute(
            "UPDATE deviations SET timezone = ? "
            "WHERE user_id = ? AND month = ? AND session_id = ? AND position = ?",
            (zone, one.user, *row),
        )
    assert refresh_mart(config, everybody=True, clock=later(50)).status == "done"
    key = pseudonym_key(config.paths.secrets, MartFolder(config.paths.mart))
    user, found = pseudonym(key, "u", one.user), tables(config)
    for table, began in (("sessions", "started_at"), ("deviations", "started_at_utc")):
        mine = [row for row in found[table] if row["user"] == user]
        assert mine
        for row in mine:
            at = ahead_h and row[began] + timedelta(hours=ahead_h)
            expected = (at.hour, at.date()) if at else (None, None)
            assert (row["local_hour"], row["local_date"]) == expected
    others = {row["local_hour"] for row in found["sessions"] if row["user"] != user}
    assert others == {23}

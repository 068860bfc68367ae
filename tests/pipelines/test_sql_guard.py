"""The allow-list of Spark SQL over the mart."""

import pytest
from pyspark.errors import ParseException, PySparkException

from pipelines.mart.guard import require_readable
from pipelines.mart.guarded_session import guarded_session
from pipelines.mart.query import parsed
from schemas.errors import BadQuery

HARMLESS = (
    "SELECT count(*), avg(weight_kg) FROM sets WHERE exercise LIKE 'b%' GROUP BY exercise",
    "WITH mine AS (SELECT user, max(reps) AS most FROM sets GROUP BY user) "
    "SELECT * FROM mine JOIN ranks USING (user) ORDER BY most DESC LIMIT 5",
    "SELECT user FROM sets WHERE user IN (SELECT user FROM clusters WHERE live)",
    "SELECT row_number() OVER (PARTITION BY user ORDER BY started_at) FROM sets",
    "SELECT planned.exercise FROM deviations WHERE NOT array_contains(kinds, 'extra') "
    "UNION ALL SELECT exercise FROM sets",
    "SELECT CASE WHEN reps > (SELECT avg(reps) FROM sets) THEN 1 ELSE 0 END FROM sets",
    "SELECT 1",
)
EVIL = (
    "SELECT java_method('java.lang.System', 'getenv', 'HOME')",
    "SELECT reflect('java.lang.Runtime', 'getRuntime')",
    "SELECT 1 WHERE exists(array(1), x -> java_method('a', 'b') IS NULL)",
    "SELECT IDENTIFIER('java_method')('java.lang.System', 'lineSeparator')",
    "SELECT * FROM text.`/etc/passwd`",
    "SELECT * FROM `text`.`/etc/passwd`",
    "SELECT * FROM muvr.muvr.users",
    "SELECT * FROM users",
    "SELECT * FROM (SELECT * FROM csv.`/etc/passwd`)",
    "WITH sets AS (SELECT * FROM text.`/etc/passwd`) SELECT * FROM sets",
    "SELECT (SELECT max(value) FROM text.`/etc/passwd`)",
    "SELECT * FROM sets WHERE EXISTS (SELECT * FROM text.`/etc/passwd`)",
    "SELECT * FROM sets JOIN LATERAL (SELECT * FROM text.`/etc/passwd`)",
    "SELECT * FROM range(1000000000)",
    "SELECT TRANSFORM (user) USING 'cat' FROM sets",
    "CREATE TEMPORARY VIEW v USING text OPTIONS (path '/etc/passwd')",
    "CREATE TABLE t AS SELECT 1",
    "INSERT OVERWRITE DIRECTORY '/tmp/x' USING csv SELECT * FROM sets",
    "DROP VIEW sets",
    "ADD JAR '/tmp/evil.jar'",
    "SET spark.sql.runSQLOnFiles = true",
    "CREATE FUNCTION f AS 'a.b.C'",
    "CACHE TABLE sets",
    "SHOW TABLES",
    "DESCRIBE sets",
    "EXPLAIN SELECT 1",
    "USE muvr",
    "SELECT * FROM VALUES (java_method('a', 'b'))",
    "SELECT sum(reps) FILTER (WHERE reflect('a', 'b') IS NULL) FROM sets",
    "SELECT sum(reps) OVER w FROM sets WINDOW w AS (ORDER BY java_method('a', 'b'))",
    "SELECT explode(sequence(1, 1000000000))",
    "SELECT a FROM sets LATERAL VIEW explode(kinds) t AS a",
    "SELECT uuid()",
    "SELECT version()",
)


@pytest.mark.parametrize("query", HARMLESS)
def test_reading_the_mart_is_allowed(spark, query: str):
    require_readable(parsed(spark, query), query)


def test_queries_outside_the_allow_list_are_refused(spark):
    passed = []
    for query in EVIL:
        try:
            require_readable(parsed(spark, query), query)
        except BadQuery:
            continue
        passed.append(query)
    assert passed == []


OF_CLIENTS = {
    "SELECT current_database()": [("default",)],
    "select current_schema();": [("default",)],
    "SHOW SCHEMAS": [("default",)],
    "SHOW DATABASES": [("default",)],
    "SHOW TABLES": [("", "sets", True)],
    "SHOW  TABLES\nIN `default`": [("", "sets", True)],
    "SHOW TABLES LIKE '*'": [("", "sets", True)],
    "show views from default": [("", "sets", True)],
    "SHOW COLUMNS IN sets": [("reps",)],
    "DESCRIBE sets": [("reps", "int", None)],
    "DESC `sets`": [("reps", "int", None)],
    "DESCRIBE TABLE default.sets": [("reps", "int", None)],
    "SELECT * FROM default.sets WHERE 1 = 0": [],
    "SELECT `default`.`sets`.`reps`, 'default.sets' FROM `default`.`sets` -- default.sets": [
        (1, "default.sets")
    ],
    "SELECT `it's`.reps FROM Default . sets `it's` WHERE 'a' = 'a'": [(1,)],
    "USE `default`": [],
}
"""What drivers and programs say by themselves, with the answer over one table."""
NOT_OF_CLIENTS = (
    *("SHOW TABLES IN global_temp", "SHOW TABLES IN muvr.muvr", "SHOW COLUMNS IN users"),
    *("DESCRIBE EXTENDED sets", "DESCRIBE muvr.muvr.users", "SHOW CREATE TABLE sets"),
    *("SELECT current_database(), java_method('a', 'b')", "SELECT current_user()", "USE muvr"),
    *("SELECT * FROM `default`.users", "SELECT * FROM muvr.default.sets", "SHOW FUNCTIONS"),
    *("DROP VIEW default.sets", "INSERT INTO default.sets VALUES (1)"),
)


@pytest.fixture
def guarded(spark):
    """A guarded session; afterwards the usual session is the default again."""
    try:
        yield guarded_session(spark)
    finally:  # also where it was not made: all later tests would have no session
        sessions = spark.sparkContext._gateway.jvm.org.apache.spark.sql.SparkSession
        sessions.setDefaultSession(spark._jsparkSession)
        sessions.setActiveSession(spark._jsparkSession)


def test_guarded_session_refuses_queries_before_they_run(spark, guarded):
    guarded.createDataFrame([(1,)], "reps int").createOrReplaceTempView("sets")
    assert [row[0] for row in guarded.sql("SELECT sum(reps) FROM sets").collect()] == [1]
    for query in ("SELECT java_method('java.lang.System', 'lineSeparator')", "DROP VIEW sets"):
        with pytest.raises(Exception, match="is not for queries over the mart"):
            guarded.sql(query)
    with pytest.raises(Exception, match="Reckoning with a date means something else in DuckDB"):
        guarded.sql("SELECT a - a FROM (VALUES (DATE '2026-01-01')) t(a)")
    with pytest.raises(Exception, match="`load` cannot be resolved"):
        guarded.sql("SELECT load FROM sets")
    with pytest.raises(ParseException, match="Syntax error at or near 'SELEC'"):
        guarded.sql("SELEC load FROM sets")
    guarded.sql("use default")
    assert guarded.table("sets").count() == 1
    [row] = spark.sql("SELECT java_method('java.lang.Math', 'abs', -1)").collect()
    assert row[0] == "1"  # the unguarded session is unchanged


def test_guarded_session_analyses_each_text_once(guarded):
    """What its parser hands out is resolved, so that Spark runs the very plan that was checked."""
    guarded.createDataFrame([(1,)], "reps int").createOrReplaceTempView("sets")
    assert parsed(guarded, "SELECT sum(reps) AS n FROM sets").analyzed()
    frame = guarded.sql("WITH most AS (SELECT max(reps) AS n FROM sets) SELECT n FROM most")
    execution = frame._jdf.queryExecution()
    assert execution.analyzed().equals(execution.logical())
    assert frame.collect() == [(1,)]


def test_guarded_session_answers_what_clients_say_by_themselves(guarded):
    guarded.createDataFrame([(1,)], "reps int").createOrReplaceTempView("sets")
    assert {text: guarded.sql(text).collect() for text in OF_CLIENTS} == OF_CLIENTS
    passed = []
    for text in NOT_OF_CLIENTS:
        try:
            guarded.sql(text)
        except PySparkException as problem:
            if "is not for queries over the mart" in str(problem):
                continue
        passed.append(text)
    assert passed == []

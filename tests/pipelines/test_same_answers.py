"""A query that Spark and DuckDB both accept has one answer."""

import math

import duckdb
import pytest

from pipelines.mart.guard import FUNCTIONS, require_readable
from pipelines.mart.query import parsed, query_spark
from pipelines.mart.same_meaning import ARGUMENTS, FIELDS
from pipelines.mart.same_meaning import FUNCTIONS as DIFFERENT
from pipelines.mart.same_types import DAYS_BETWEEN
from schemas.config import Sql
from schemas.errors import BadQuery
from store.mart import MartFolder
from store.mart_query import query_duckdb
from tests.store.made_mart import AS_OF, ONE, made

LIMITS = Sql(seconds=120, rows=1000)
ROWS = """(VALUES
    (1, 2.5E0, 7, 'Bench press', DATE '2027-01-01', TIMESTAMP '2026-01-31 01:02:03.5', true),
    (2, -2.5E0, -7, ' ab12 ', DATE '2024-12-31', TIMESTAMP '2026-06-30 23:59:59', false),
    (3, 0.5E0, 0, '', DATE '2026-11-29', TIMESTAMP '2024-02-29 00:00:00', true),
    (4, -0.4E0, 3, 'Ähre', DATE '2026-11-30', TIMESTAMP '1969-12-31 23:59:59', false),
    (5, 0E0, 3, '.b.', DATE '2026-01-04', TIMESTAMP '2027-01-03 12:00:00', true),
    (6, NULL, NULL, NULL, NULL, NULL, NULL)) t(id, x, n, s, d, began, b)"""
SCALARS = {
    "abs": ("abs(x)", "abs(n)"),
    "array_contains": ("array_contains(kinds, 'extra')",),
    "ceil": ("ceil(x)", "ceil(n)"),
    "ceiling": ("ceiling(x)",),
    "chr": ("chr(39)", "chr(228)"),
    "coalesce": ("coalesce(x, n)", "coalesce(NULL, x, 1)"),
    "concat_ws": ("concat_ws('-', s, NULL, n)", "concat_ws(s, 'a', 'b')", "concat_ws('', s, s)"),
    "contains": ("contains(s, 'b')", "contains(s, '')"),
    "date": ("date(began)", "date('2026-01-31')"),
    "date_add": ("date_add(d, n)",),
    "date_part": ("date_part('week', d)", "date_part('doy', began)", "date_part('m', began)"),
    "date_trunc": tuple(
        f"date_trunc('{unit}', {time})"
        for unit in ("year", "quarter", "month", "week", "day")
        for time in ("began", "d")
    )
    + ("date_trunc('hour', began)", "date_trunc('minute', began)", "date_trunc('second', began)"),
    "day": ("day(began)", "day(d)"),
    "dayofmonth": ("dayofmonth(d)",),
    "dayofyear": ("dayofyear(d)",),
    "exp": ("exp(x)", "exp(1000E0)"),
    "extract": tuple(
        f"extract({field} FROM began)"
        for field in sorted(FIELDS - {"dow_iso", "dayofweek_iso", "yearofweek", "y", "yrs"})
    )
    + ("extract(day FROM began - TIMESTAMP '2026-01-01 00:00:00')",),
    "floor": ("floor(x)", "floor(n)"),
    "greatest": ("greatest(x, n, 1)", "greatest(s, 'B')", "greatest(d, DATE '2026-01-01')"),
    "hour": ("hour(began)",),
    "if": ("if(b, 1, 2)", "if(NULL, 1, 2)"),
    "ifnull": ("ifnull(x, 2)",),
    "least": ("least(x, n, 1)", "least(s, 'B')"),
    "left": ("left(s, 2)", "left(s, 0)", "left(s, greatest(0, n))"),
    "length": ("length(s)",),
    "ln": ("ln(abs(x) + 1)", "ln(nullif(abs(x), 0))"),
    "log": ("log(2, abs(x) + 1)",),
    "log10": ("log10(abs(x) + 1)",),
    "log2": ("log2(abs(x) + 1)",),
    "lower": ("lower(s)",),
    "lpad": ("lpad(s, 3, 'xy')", "lpad(s, n, '0')"),
    "ltrim": ("ltrim(s)",),
    "minute": ("minute(began)",),
    "mod": ("mod(n, 3)", "mod(n, -3)", "mod(x, 2)", "mod(n, 0)", "mod(5, n)"),
    "month": ("month(d)", "month(began)"),
    "nullif": ("nullif(n, 3)", "nullif(x, NULL)"),
    "pow": ("pow(x, 2)",),
    "power": ("power(x, 2)", "power(2, x)", "power(-8E0, x)"),
    "quarter": ("quarter(d)",),
    "regexp_extract": (
        "regexp_extract(s, '([a-z]+)([0-9]+)', 0)",
        "regexp_extract(s, '([a-z]+)([0-9]+)', 2)",
        "regexp_extract(s, '^B*(.*)$', 1)",
        "regexp_extract(s, '^(.*?)h*$', 1)",
    ),
    "replace": ("replace(s, 'b', 'x')", "replace(s, '', 'x')", "replace(s, 'b', NULL)"),
    "reverse": ("reverse(s)",),
    "right": ("right(s, 2)", "right(s, 0)"),
    "round": ("round(x)", "round(n)", "round(x, 1)", "round(n, -1)", "round(CAST(2.5 AS DOUBLE))"),
    "rpad": ("rpad(s, 3, 'xy')", "rpad(s, n, '0')"),
    "rtrim": ("rtrim(s)",),
    "second": ("second(began)",),
    "sign": ("sign(x)", "sign(n)"),
    "split_part": ("split_part(s, '.', 1)", "split_part(s, '.', 9)", "split_part(s, '.', -1)"),
    "sqrt": ("sqrt(abs(x))",),
    "substr": ("substr(s, 2)", "substr(s, 1, 3)", "substr(s, greatest(1, n), 1)"),
    "substring": ("substring(s, 2, 1)", "substring(s FROM 2 FOR 1)", "substring(s, 20)"),
    "to_timestamp": ("to_timestamp(1700000000)",),
    "trim": ("trim(s)", "trim(BOTH 'b' FROM s)"),
    "upper": ("upper(s)",),
    "weekofyear": ("weekofyear(d)",),
    "year": ("year(d)", "year(began)"),
    "try_cast": ("try_cast(s AS DOUBLE)",),
    "casts": (
        "CAST(NOT b AS INT)",
        "CAST(deviated AS INT)",
        "CAST(x > 0 AS INT)",
        "CAST(floor(x) AS INT)",
        "CAST(ceil(x) AS BIGINT)",
        "CAST(round(x) AS INT)",
        "CAST(n AS DOUBLE)",
        "CAST(x AS DECIMAL(10, 1))",
        "CAST(floor(CAST('-2.7' AS DOUBLE)) AS INT)",
        "CAST(n AS STRING)",
        "CAST(x AS STRING)",
        "CAST(d AS STRING)",
        "CAST(began AS STRING)",
        "CAST(began AS DATE)",
        "CAST(n AS BOOLEAN)",
        "CAST(reps AS BIGINT)",
    ),
    "operators": (
        *("x / n", "n / 0", "x / 0.0", "n % 3", "n % 0", "x % 0", "x % 2", "-n % 3", "5 / 2"),
        *("s || NULL", "s || n", "s || chr(39)", "s LIKE '%b%'", "s ILIKE 'B%'", "n IN (3, NULL)"),
        *("NOT b", "NOT n = 3", "n BETWEEN -7 AND 3", "x IS NULL", "n > '10'", "s < 'B'"),
        *(
            "d + 1",
            "began + INTERVAL '1' DAY",
            "began + INTERVAL '1' MONTH",
            "began - INTERVAL '1' HOUR",
        ),
        "CAST(d AS TIMESTAMP) - CAST(DATE '2026-01-01' AS TIMESTAMP)",
        "CAST(d AS TIMESTAMP) + INTERVAL '1' MONTH",
        "d + INTERVAL '5' HOUR",
        "began - d",
        "extract(day FROM CAST(d AS TIMESTAMP) - CAST(DATE '2026-06-01' AS TIMESTAMP))",
        "2147483647 + CAST(n AS DOUBLE)",
    ),
}
AGGREGATES = {
    "array_agg": ("array_agg(n) FILTER (WHERE n IS NOT NULL)",),
    "avg": ("avg(x)", "avg(n)", "avg(x / n)", "avg(n / 0)"),
    "bool_and": ("bool_and(b)",),
    "bool_or": ("bool_or(b)",),
    "corr": ("corr(x, n)",),
    "count": ("count(*)", "count(x)", "count(DISTINCT n)", "count(x / n)"),
    "count_if": ("count_if(b)",),
    "covar_pop": ("covar_pop(x, n)",),
    "covar_samp": ("covar_samp(x, n)",),
    "max": ("max(x)", "max(s)", "max(d)", "max(x / n)"),
    "max_by": ("max_by(s, x) FILTER (WHERE s IS NOT NULL)",),
    "mean": ("mean(x)",),
    "median": ("median(x)", "median(n)"),
    "min": ("min(x)", "min(s)", "min(x / n)"),
    "min_by": ("min_by(s, x) FILTER (WHERE s IS NOT NULL)",),
    "regr_intercept": ("regr_intercept(x, n)",),
    "regr_r2": ("regr_r2(x, n)",),
    "regr_slope": ("regr_slope(x, n)",),
    "stddev": ("stddev(x)",),
    "stddev_pop": ("stddev_pop(x)",),
    "stddev_samp": ("stddev_samp(x)",),
    "sum": ("sum(x)", "sum(n)", "sum(x / n)", "sum(n % 0)", "sum(CASE WHEN b THEN 1.5 END)"),
    "var_pop": ("var_pop(x)",),
    "var_samp": ("var_samp(x)",),
    "variance": ("variance(x)",),
}
WINDOWS = {
    name: (f"{name}({arguments}) OVER (ORDER BY n, id)",)
    for name, arguments in {
        "cume_dist": "",
        "dense_rank": "",
        "first_value": "x",
        "lag": "x",
        "last_value": "x",
        "lead": "x, 1, 9",
        "nth_value": "x, 2",
        "ntile": "2",
        "percent_rank": "",
        "rank": "",
        "row_number": "",
        "sum": "x",
    }.items()
}
DIFFERS = (
    *("log(100)", "kinds[1]", "concat('a', NULL)", "CAST(2.7 AS INT)", "CAST(x AS BIGINT)"),
    *("try_cast('2.7' AS INT)", "CAST(s AS INT)", "CAST(weight_kg AS INT)", "dayofweek(d)"),
    *("weekday(d)", "extract(dow FROM d)", "extract(dayofweek FROM d)", "date_part('dow', d)"),
    *("extract(second FROM began)", "regexp_replace('aaa', 'a', 'b')", "mode(n)", "isnan(x)"),
    *("regexp_extract('ab12', '([a-z]+)([0-9]+)')", "array_agg(n)", "max_by(n, x)", "min_by(n, x)"),
    *("array_agg(n) FILTER (WHERE x IS NOT NULL)", "approx_count_distinct(n)", "left('abc', -1)"),
    *("right('abc', n)", "substr('abc', 0, 2)", "substring('abc', 2, -1)", "split('a.b', '.')"),
    *("ltrim('xxa', 'x')", "rtrim('axx', 'x')", "trim('xax', 'x')", "json_array_length('{}')"),
    *("cardinality(kinds)", "any_value(x)", "first(x)", "last(x)", "'it''s'"),
    *("chr(300)", "'a' || 1 + 2", "date_trunc('decade', began)", "regexp_replace(s, 'a', 'b')"),
    *(
        "chr(greatest(0, 65))",
        "first(x) OVER (ORDER BY n)",
        "last(x, true)",
        "'a\\tb'",
        "'a' LIKE 'a\\%'",
        '"exercise"',
    ),
    "CAST(reps AS INT) FROM (SELECT avg(weight_kg) AS reps FROM sets)",
)
DATE_SUMS = (
    "local_date - local_date FROM sessions",
    "max(local_date) - min(local_date) FROM sessions",
    "local_date - lag(local_date) OVER (ORDER BY started_at) FROM sessions",
    "coalesce(local_date, DATE '2026-01-01') - DATE '2026-01-01' FROM sessions",
    "a - b FROM (SELECT max(local_date) AS a, min(local_date) AS b FROM sessions)",
    "a - a FROM (VALUES (DATE '2026-01-01')) t(a)",
    "(SELECT max(local_date) - min(local_date) FROM sessions)",
    "1 FROM sessions WHERE session IN (SELECT session FROM sessions "
    "WHERE local_date - DATE '2026-01-01' IS NULL)",
    "transform(array_agg(local_date) FILTER (WHERE local_date IS NOT NULL), "
    "x -> x - DATE '2026-01-01') FROM sessions",
    "CASE WHEN true THEN local_date END - INTERVAL '1' DAY FROM sessions",
    "max(local_date) + INTERVAL 7 DAYS FROM sessions",
    "max(local_date) - INTERVAL '2' DAY FROM sessions",
    "DATE '2026-01-31' + INTERVAL '1' MONTH",
    "INTERVAL '1' YEAR + max(local_date) FROM sessions",
)

OF_ONE = {
    "date_diff": "date_diff(DATE '2026-01-31', DATE '2026-01-01')",
    "date_sub": "date_sub(DATE '2026-01-31', 1)",
    "datediff": "datediff(DATE '2026-01-31', DATE '2026-01-01')",
    "element_at": "element_at(kinds, 1)",
    "filter": "filter(kinds, k -> k IS NULL)",
    "from_json": "from_json('{}', 'a INT')",
    "regexp_replace": "regexp_replace('aaa', 'a', 'b', 1)",
    "split": "split('a.b', '[.]', -1)",
    "trunc": "trunc(DATE '2026-01-31', 'month')",
}
"""What DuckDB refuses, though it has a function of the name."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> MartFolder:
    return made(tmp_path_factory.mktemp("mart"), ONE, 1)


def same(one: object, other: object) -> bool:
    """Whether two values are equal, or differ in the last digits of a double."""
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=1e-12)
    return one == other


@pytest.mark.parametrize("compared", [SCALARS, AGGREGATES, WINDOWS], ids=["row", "all", "window"])
def test_functions_of_both_engines_give_the_same_answers(spark, folder: MartFolder, compared):
    """Over nulls, negative numbers, ties, fractions, zeros and days at the edge of a year."""
    asked = [expression for expressions in compared.values() for expression in expressions]
    of_row = "" if compared is AGGREGATES else "ORDER BY id"
    text = (
        f"SELECT {', '.join(asked)} FROM {ROWS} CROSS JOIN "
        f"(SELECT kinds, deviated, reps FROM deviations CROSS JOIN sets LIMIT 1) one {of_row}"
    )
    duck, other = query_duckdb(folder, text, LIMITS), query_spark(spark, folder, text, LIMITS)
    assert duck.columns == other.columns
    assert len(duck.rows) == len(other.rows) > 0
    different = {
        expression: answers
        for expression, *answers in zip(
            asked, zip(*duck.rows, strict=True), zip(*other.rows, strict=True), strict=True
        )
        if not all(map(same, *answers))
    }
    assert different == {}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("SELECT count(*) FROM sets", ("count_star()",)),
        ("SELECT Reps, Reps AS Most, sum(reps + 1) FROM sets GROUP BY reps", None),
        ("SELECT a.*, b.user, planned.reps FROM ranks a, ranks b, deviations", None),
        ("SELECT * FROM ranks JOIN clusters USING (user)", None),
        ("WITH n AS (SELECT user, max(reps) FROM sets GROUP BY user) SELECT * FROM n", None),
        ("SELECT 1, 'a' || 'b', -reps FROM sets UNION ALL SELECT 2, 'c', 3", None),
        ("SELECT (SELECT count(*) FROM sets), CASE WHEN true THEN 1 END, NULL, 1.5", None),
        (
            "SELECT count(*), element_at(kinds, 1) FROM deviations GROUP BY kinds",
            ("count(1)", "element_at(kinds, 1)"),
        ),
    ],
)
def test_columns_have_the_same_names_on_both_engines(
    spark, folder: MartFolder, query: str, names: tuple[str, ...] | None
):
    """Also what has no name in the query; the last one is refused by DuckDB."""
    other = query_spark(spark, folder, query, LIMITS).columns
    if "element_at" not in query:
        assert other == query_duckdb(folder, query, LIMITS).columns
    assert names in (None, other)


def test_every_function_that_both_engines_have_is_compared_or_refused():
    with duckdb.connect(":memory:") as connection:
        found = connection.execute("SELECT DISTINCT function_name FROM duckdb_functions()")
        in_duckdb = {name for (name,) in found.fetchall()}
    compared = {*SCALARS, *AGGREGATES, *WINDOWS, *DIFFERENT, *ARGUMENTS, *OF_ONE}
    assert (FUNCTIONS & in_duckdb) - compared == set()
    assert DIFFERENT.keys() <= FUNCTIONS


def test_functions_with_other_arguments_run_on_one_engine_only(spark, folder: MartFolder):
    for call in OF_ONE.values():
        query = f"SELECT {call} FROM deviations"
        require_readable(parsed(spark, query), query)
        with pytest.raises(BadQuery):
            query_duckdb(folder, query, LIMITS)


def test_what_duckdb_answers_differently_is_refused_by_spark(spark):
    said = dict.fromkeys(DIFFERS, "")
    for call in DIFFERS:
        query = f"SELECT {call}"
        try:
            require_readable(parsed(spark, query), query)
        except BadQuery as problem:
            said[call] = str(problem)
    assert [
        c for c, text in said.items() if "means something else in DuckDB; say" not in text
    ] == []


def test_sums_of_dates_are_refused_by_spark_whatever_the_dates_are_called(
    spark, folder: MartFolder
):
    said = dict.fromkeys(DATE_SUMS, "")
    for call in DATE_SUMS:
        try:
            query_spark(spark, folder, f"SELECT {call}", LIMITS)
        except BadQuery as problem:
            said[call] = str(problem)
    assert [call for call, text in said.items() if DAYS_BETWEEN not in text] == []


@pytest.mark.parametrize(
    "call",
    [
        *("chr()", "extract()", "date_trunc()", "max_by() FILTER (WHERE x IS NOT NULL)"),
        *("array_agg() FILTER (WHERE x IS NOT NULL)", "first_value()", "left()"),
    ],
)
def test_missing_arguments_are_left_to_spark(spark, folder: MartFolder, call: str):
    with pytest.raises(BadQuery, match="Spark: "):
        query_spark(spark, folder, f"SELECT {call} FROM {ROWS}", LIMITS)


@pytest.mark.parametrize(
    "call",
    [
        *("r'[\\d]+'", "'it\\'s'", "'a' -- it's\n, 'b'", "'a' /* \"b\" */ || 'b'", "`exercise`"),
        *("extract(dow_iso FROM local_date)", "regexp_replace(s, 'a', 'b', 1)", "local_date + 1"),
        *("split(s, '[.]', -1)", "(SELECT named.reps FROM sets named)", "s LIKE 'a!%' ESCAPE '!'"),
    ],
)
def test_what_only_spark_runs_is_not_refused(spark, call: str):
    query = f"SELECT {call}"
    require_readable(parsed(spark, query), query)


def test_both_engines_say_how_fresh_the_mart_is(spark, folder: MartFolder):
    query = "SELECT as_of, count(*) AS n FROM mart GROUP BY as_of"
    duck, other = query_duckdb(folder, query, LIMITS), query_spark(spark, folder, query, LIMITS)
    assert duck.rows == other.rows == [(AS_OF.replace(tzinfo=None), 1)]


def test_division_by_zero_is_null_on_both_engines(spark, folder: MartFolder):
    """A set may have no weight, and no repetition."""
    sets = "(VALUES (60E0, 0), (0E0, 0), (40E0, 8)) t(weight_kg, reps)"
    for query, rows in (
        (f"SELECT avg(weight_kg / reps), count(weight_kg / reps) FROM {sets}", [(5.0, 1)]),
        (f"SELECT count(*) FROM {sets} WHERE weight_kg / reps > 1", [(1,)]),
        (f"SELECT sum(8 % reps), sum(mod(weight_kg, 0)) FROM {sets}", [(0, None)]),
    ):
        assert query_duckdb(folder, query, LIMITS).rows == rows
        assert query_spark(spark, folder, query, LIMITS).rows == rows

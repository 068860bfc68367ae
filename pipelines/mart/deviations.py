"""One question in three forms: how often is an exercise deviated from, per hour of the day?

As SQL text, as a DataFrame, and over typed rows; all three agree. A planned set counts under the
hour in which it was done, a missed one under that in which its session began, both where the
person was.
"""

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from models.deviations.hours import DeviationAtHour, HourOfDay, deviated_by_hour

SQL = """
SELECT local_hour, count(*) AS planned, sum(CASE WHEN deviated THEN 1 ELSE 0 END) AS deviated
FROM deviations
WHERE planned.exercise = '{exercise}'
GROUP BY local_hour
ORDER BY local_hour
"""


def as_sql(spark: SparkSession, exercise: str) -> list[HourOfDay]:
    """The question as text; `deviations` is a view of the session."""
    text = SQL.format(exercise=exercise.replace("\\", "\\\\").replace("'", "\\'"))
    return _hours(spark.sql(text))


def as_frame(deviations: DataFrame, exercise: str) -> list[HourOfDay]:
    """The question to a DataFrame."""
    return _hours(
        deviations.where(f.col("planned.exercise") == exercise)
        .groupBy("local_hour")
        .agg(f.count("*").alias("planned"), f.sum(f.col("deviated").cast("int")).alias("deviated"))
        .orderBy("local_hour")
    )


def as_rows(deviations: DataFrame, exercise: str) -> list[HourOfDay]:
    """The question over typed rows, one at a time."""
    chosen = deviations.select("planned.exercise", "local_hour", "deviated")
    return deviated_by_hour((DeviationAtHour(*row) for row in chosen.toLocalIterator()), exercise)


def _hours(frame: DataFrame) -> list[HourOfDay]:
    return [HourOfDay(*row) for row in frame.select(*HourOfDay._fields).collect()]

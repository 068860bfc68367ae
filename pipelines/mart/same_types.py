"""Sums of dates, which are of another type in DuckDB: Spark refuses them once names are resolved.

Whether a name is a date, the parsed text of a query does not tell: it may be a column of a
subquery, or what a window or `coalesce` makes of one. So these are sought in the resolved plan.
"""

from collections.abc import Iterator
from typing import Any

from pipelines.mart.nodes import SUBQUERIES, items_of, name_of, words
from schemas.errors import BadQuery

DATE_SUMS = words("SubtractDates DateAddInterval DateAddYMInterval")
"""What Spark makes of `date - date`, and of a date and an interval that is not of days only."""
DAYS_BETWEEN = "extract(day FROM CAST(a AS TIMESTAMP) - CAST(b AS TIMESTAMP))"


def require_same_types(resolved: Any) -> None:
    """Refuse reckoning with dates that gives another type in DuckDB.

    Args:
        resolved: a query's plan as Spark's analysis left it (a JVM object).

    Raises:
        BadQuery: saying what is to be said instead.
    """
    for expression in _expressions_of(resolved):
        if name_of(expression) in DATE_SUMS or _adds_days(expression):
            raise BadQuery(
                "Reckoning with a date means something else in DuckDB; say CAST(… AS TIMESTAMP) "
                f"of each date in it, for days: {DAYS_BETWEEN}.",
                field="sql",
                value=str(expression.toString())[:100],
            )


def _adds_days(expression: Any) -> bool:
    """Whether it is a date and an interval of days, which Spark makes a number."""
    if name_of(expression) != "DateAdd":
        return False
    days = expression.right()
    if name_of(days) == "UnaryMinus":
        days = days.child()
    return name_of(days) == "ExtractANSIIntervalDays"


def _expressions_of(plan: Any) -> Iterator[Any]:
    """Every expression of a plan and of the plans in it."""
    for expression in items_of(plan.expressions()):
        yield from _with_parts(expression)
    for child in items_of(plan.children()):
        yield from _expressions_of(child)


def _with_parts(expression: Any) -> Iterator[Any]:
    yield expression
    if name_of(expression) in SUBQUERIES:
        yield from _expressions_of(expression.plan())
    for child in items_of(expression.children()):
        yield from _with_parts(child)

"""Promises about Spark's plans, read from the plan itself.

A plan that shuffles or scans everything gives the same answer, only late: no test of results
would notice. So the jobs that promise not to, check.
"""

import re
from collections.abc import Collection
from typing import Any

from pyspark.sql import DataFrame

from schemas.errors import PlanViolated

SHUFFLES = ("Exchange", "Sort", "SortMergeJoin", "BroadcastExchange")
TREE = re.compile(r"^[\s:|]*(?:[+:]-\s)?(?:\*\(\d+\)\s)?(\w+)")  # " - Requested Columns" is no step
DIRECT_JOIN = re.compile(r"Cassandra Direct Join \[([^\]]+)\]")


def physical_plan(frame: DataFrame) -> str:
    """The physical plan as Spark prints it, adaptive parts in their first form."""
    java: Any = frame._jdf
    return str(java.queryExecution().executedPlan().toString())


def nodes(plan: str) -> set[str]:
    r"""The names of a plan's steps.

    >>> sorted(nodes("MapInArrow f(x)\n+- Exchange hashpartitioning(k)\n   +- *(1) Sort [k]"))
    ['Exchange', 'MapInArrow', 'Sort']
    """
    steps = (TREE.match(line) for line in plan.splitlines())
    return {step.group(1) for step in steps if step is not None}


def joined_columns(plan: str) -> set[str]:
    """The columns by which a Direct Join reads; none where there is no such join.

    >>> plan = "+- Cassandra Direct Join [user_id = user_id#1, set_id = set_id#2] ks.sets - Reading"
    >>> sorted(joined_columns(plan))
    ['set_id', 'user_id']
    """
    joins = DIRECT_JOIN.findall(plan)
    return {pair.split(" = ")[0] for join in joins for pair in join.split(", ")}


def require_no_shuffle(frame: DataFrame) -> None:
    """Refuse a plan with an Exchange or a Sort.

    Raises:
        PlanViolated: with the plan.
    """
    plan = physical_plan(frame)
    shuffles = sorted(nodes(plan) & set(SHUFFLES))
    if shuffles:
        raise PlanViolated(f"The plan holds {', '.join(shuffles)}:\n{plan}")


def require_direct_join(frame: DataFrame, columns: Collection[str] = ()) -> None:
    """Refuse a plan that reads more of a table than the keys it was joined with.

    Args:
        frame: whose plan.
        columns: those of the keys, where it must be joined on more than the partition key.

    Raises:
        PlanViolated: with the plan.
    """
    plan = physical_plan(frame)
    joined = joined_columns(plan)
    if not joined or not joined.issuperset(columns) or "BatchScan" in nodes(plan):
        raise PlanViolated(f"The plan reads the whole table instead of the joined keys:\n{plan}")

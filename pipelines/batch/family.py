"""A batch family: its table, what makes a new run due, and the recipe that gives its rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pyspark.sql import SparkSession

from schemas.config import Config
from schemas.topics import Topic


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The result of a recipe.

    Attributes:
        rows: tuples in the order of the family's columns, user id first.
        metrics: of the recipe beside its baselines.
        refusal: why the rows must not go live, "" when they may.
        counts: what was read.
        broken: users whose data could not be read, with the reason.
    """

    rows: Sequence[tuple[object, ...]]
    metrics: Mapping[str, object]
    refusal: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BatchFamily:
    """A family whose results are a table per run.

    Attributes:
        name: of the family.
        table: where its rows go; keyed by run and user.
        columns: their names and Spark types, without the run.
        topics: of the changes after which a new run is due.
        learn: the recipe; it is told when the run began.
    """

    name: str
    table: str
    columns: str
    topics: tuple[Topic, ...]
    learn: Callable[[SparkSession, Config, datetime], BatchResult]

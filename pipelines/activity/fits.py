"""What the driver fits from rows of the passes. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from operator import add

from models.activity.border_examples import fit_both_borders
from models.activity.fit import fit_discriminant
from models.activity.model import ActivityModel
from models.exercise.codec import statistics_from_bytes, statistics_to_bytes
from models.exercise.statistics import Statistics
from pipelines.activity.examples import BorderExamples, Borders, border_examples_from_bytes
from pipelines.activity.rows import BorderContext, BorderHalves, EvaluationContext
from pipelines.keys import Row
from pipelines.lifecycle.incumbents import IncumbentBytes
from schemas.inputs import LAYOUTS, InputLayout

BORDER_EXAMPLES = 600  # of each kind, over all users: 60 MB on the driver


def border_context(sums_rows: Sequence[Row]) -> BorderContext:
    """The inputs of the second pass, from the rows of the first in order: those with sums."""
    by_layout = {
        layout: of_layout
        for layout in LAYOUTS
        if (of_layout := [row for row in sums_rows if row["model_id"] == layout])
    }
    return BorderContext(
        totals={layout: statistics_to_bytes(total_of(rows)) for layout, rows in by_layout.items()},
        single_user=frozenset(layout for layout, rows in by_layout.items() if len(rows) == 1),
        examples_per_user=max(4, BORDER_EXAMPLES // max(map(len, by_layout.values()))),
    )


def evaluation_context(
    context: BorderContext, border_rows: Sequence[Row], incumbents: Mapping[str, IncumbentBytes]
) -> EvaluationContext:
    """The inputs of the third pass, from the rows of the second in order."""
    halves = {
        layout: halves_of(
            [row for row in border_rows if row["model_id"] == layout],
            by_day=layout in context.single_user,
        )
        for layout in context.totals
    }
    return EvaluationContext(context, halves, incumbents)


def halves_of(border_rows: Sequence[Row], *, by_day: bool) -> BorderHalves:
    """Fit border models to each half of a layout's users, who go to the halves in turn.

    Where the layout has one user, that user's days do.
    """
    by = 1 if by_day else 0
    groups: dict[str, list[BorderExamples]] = {}
    for user_and_day, examples in border_examples_of(border_rows):
        groups.setdefault(user_and_day[by], []).append(examples)
    first, second = list(groups)[::2], list(groups)[1::2]
    learned = [
        fit_borders([examples for group in half for examples in groups[group]])
        for half in (first, second)
    ]
    return BorderHalves(frozenset(first), *learned)


def fit_layout(
    sums_rows: Sequence[Row], border_rows: Sequence[Row], layout: InputLayout
) -> ActivityModel:
    """The model of one layout, from its rows of the first two passes in order.

    Raises:
        NotEnoughLabels: less than 20 s of exercise or of idle.
    """
    model = fit_discriminant(total_of(sums_rows), layout)
    start, end = fit_borders([examples for _, examples in border_examples_of(border_rows)])
    return replace(model, start=start, end=end)


def border_examples_of(border_rows: Sequence[Row]) -> list[tuple[tuple[str, str], BorderExamples]]:
    """(user, day) and the border examples of that day, in the order of the rows.

    Rows of users whose pass failed have none.
    """
    return [
        ((row["user_id"], day), border_examples_from_bytes(bytes(content)))
        for row in border_rows
        for day, content in zip(row["days"] or (), row["borders"] or (), strict=True)
    ]


def fit_borders(days: Sequence[BorderExamples]) -> Borders:
    """Models of starts and of ends, learned from the border examples of days."""
    return fit_both_borders(
        [example for day in days for example in day.starts],
        [example for day in days for example in day.ends],
    )


def total_of(sums_rows: Sequence[Row]) -> Statistics:
    """The sums over all users of a layout, added in the order of the rows."""
    return reduce(add, [statistics_from_bytes(bytes(row["sums"])) for row in sums_rows])

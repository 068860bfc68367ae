"""Tables of runs: one in full; many with results beside baselines, and reasons for failures."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from muvr.terminal import Terminal, cell_text
from pipelines.lifecycle.runs import RunReport
from schemas.inputs import LAYOUTS

SCORES_TITLE = "trained; live and not count models or rows: a user may have several"
HEAD = ("family", "status", "live", "not", "measured", "value", "beside", "s")
WHY_HEAD = ("family", "why", "times")
LIVE = ("promoted", "unchanged", "rows")
REPORTED = ("failed", "not-learned", "refused", "vetoed", "overtaken", "withdrawn", "retired")
REASONS = 5  # shown per family
TableRow = tuple[object, ...]


class Score(NamedTuple):
    """A metric beside that of a baseline, None where there is none."""

    measured: str
    value: float
    baseline: str = ""
    baseline_value: float | None = None


def show_run(terminal: Terminal, run: Mapping[str, Any]) -> None:
    """Print a run as a table: counts, metrics, seconds and reasons."""
    title = f"{run['family']}: {run['status']} ({run['run_id']})"
    parts = ("counts", "metrics", "seconds", "reasons")
    rows = [pair for part in parts for pair in run.get(part, {}).items() if cell_text(pair[1])]
    if rows:
        terminal.table(title, ("what", "value"), rows)
    else:  # a run in progress has no counts yet
        terminal.say(title)


def score_rows(
    reports: Iterable[RunReport], simulated: Mapping[str, float] | None
) -> list[TableRow]:
    """One row per score; a family's first row has its counts and seconds.

    Args:
        reports: of the runs.
        simulated: adjusted Rand indices of the clusters of simulated people, where there are any.
    """
    rows: list[TableRow] = []
    for report in reports:
        scores = scores_of(report)
        if report.family == "clusters" and simulated:
            scores += _simulation_scores(simulated)
        counts = (_count(report, LIVE), _count(report, REPORTED))
        first, *others = scores or [Score("", float("nan"))]
        seconds = round(sum(report.seconds.values()), 1)
        rows.append((report.family, report.status, *counts, *_cells(first), seconds))
        rows += [("", "", "", "", *_cells(other), "") for other in others]
    return rows


def reason_rows(reports: Iterable[RunReport]) -> list[TableRow]:
    """The reasons of runs, the most frequent of each family first.

    >>> from uuid import UUID
    >>> why = {"6 sets, 40 are needed": 1, "7 sets, 40 are needed": 2}
    >>> reason_rows([RunReport("load", UUID(int=0), "done", {}, {}, why, {})])
    [('load', '7 sets, 40 are needed', 2), ('', '6 sets, 40 are needed', 1)]
    """
    rows: list[TableRow] = []
    for report in reports:
        ordered = sorted(report.reasons.items(), key=lambda pair: -pair[1])[:REASONS]
        names = [report.family, *[""] * len(ordered)]
        rows += [(name, why, times) for name, (why, times) in zip(names, ordered, strict=False)]
    return rows


def scores_of(report: RunReport) -> list[Score]:
    """The main metrics of a run, which depend on the family.

    >>> from uuid import UUID
    >>> metrics = {"later_sets": 40, "error": 0.05, "last_error": 0.08}
    >>> report = RunReport("load", UUID(int=0), "done", {}, metrics, {}, {})
    >>> [tuple(score) for score in scores_of(report)]
    [('error later', 0.05, 'as last time', 0.08)]
    """
    metrics: Mapping[str, Any] = report.metrics
    if "cold_start" in metrics:
        return _cold_start_scores(metrics["cold_start"])
    if "later_sets" in metrics:
        return [Score("error later", metrics["error"], "as last time", metrics["last_error"])]
    if "popularity" in metrics:
        return _recommender_scores(metrics)
    if "reseed" in metrics:
        return [Score("Rand, reseeded", metrics["reseed"])]
    if "iterations" in metrics:
        return [Score("iterations", metrics["iterations"])]
    if layouts := _layouts_of(metrics):
        return _activity_scores(layouts[0].get("f1", {}))
    return _exercise_scores(metrics.get("compared", {}))


def _activity_scores(shares: Mapping[str, float]) -> list[Score]:
    """The incumbent is judged only on days after its training: so is the model beside it."""
    pairs = (
        ("F1 of seconds", "own", "rhythm"),
        ("F1 of later seconds", "own_later", "incumbent"),
    )
    return [
        Score(measured, shares[own], name, shares[name])
        for measured, own, name in pairs
        if {own, name} <= shares.keys()
    ]


def _recommender_scores(metrics: Mapping[str, Any]) -> list[Score]:
    return [
        Score(f"{what}@10", metrics["model"][what], name.replace("_", " "), metrics[name][what])
        for what in ("ndcg", "recall")
        for name in ("popularity", "repeat_last")
    ]


def _cold_start_scores(comparison: Mapping[str, Any]) -> list[Score]:
    """The averaged model beside the one of sums, on sets of held-out users."""
    return [
        Score("right of strangers", comparison["challenger"], name, comparison[part])
        for name, part in (("sums", "serving"), ("majority", "majority"))
        if comparison["challenger"] is not None
    ]


def _exercise_scores(compared: Mapping[str, Any]) -> list[Score]:
    """The own models beside each other rung, on the sets on which both were asked."""
    return [
        Score("right later", compared[name]["own_right"], name, compared[name]["right"])
        for name in ("incumbent", "everybody", "majority")
        if name in compared
    ]


def _simulation_scores(simulated: Mapping[str, float]) -> list[Score]:
    clusters, alone = simulated["clusters"], simulated["frequency_alone"]
    return [Score("Rand, simulated", clusters, "frequency alone", alone)]


def _count(report: RunReport, names: Sequence[str]) -> int:
    """How many models or rows have one of these outcomes, global models included."""
    of_layouts = sum(layout["outcome"] in names for layout in _layouts_of(report.metrics))
    return of_layouts + sum(report.counts.get(name, 0) for name in names)


def _layouts_of(metrics: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The metrics of an activity run's models, one per layout."""
    return [metrics[layout] for layout in LAYOUTS if layout in metrics]


def _cells(score: Score) -> tuple[str, str, str]:
    beside = f"{_number(score.baseline_value)} {score.baseline}".strip()
    return score.measured, _number(score.value), beside


def _number(value: float | None) -> str:
    return "" if value is None or value != value else f"{value:.4g}"

"""The status page at `/`, which anybody may read. No ids, no names, no reasons, no scripts."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.dependencies import Services
from api.health import VERSION
from api.problems import RETRY_AFTER_S
from ingest.ttl_cache import TtlCache
from schemas.errors import DatabaseUnavailable
from schemas.families import FAMILIES
from schemas.times import server_time
from store.jobs import JobRun, is_dead, shown_status
from store.overview import Overview, read_overview, shown

router = APIRouter()
Overviews = TtlCache[str, Overview]
FRESH_S = 3.0
"""How old the overview on the page may be."""
_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_KINDS = {
    "model": "a model for each person",
    "batch": "learned from everybody together",
    "kernel": "computed when asked, not learned",
}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


@router.get("/", response_class=HTMLResponse, include_in_schema=False)
async def page(request: Request) -> HTMLResponse:
    """Node, counts, models and the last runs."""
    overview = await _overview(request)
    text = _templates.get_template("page.html").render(
        version=VERSION,
        commit=request.app.state.commit,
        missing=request.app.state.connector.not_ready_reason or "Cassandra does not answer.",
        node=None if overview is None else _node(overview),
        numbers=[] if overview is None else _numbers(overview),
        families=list(FAMILIES.values()),
        kinds=_KINDS,
        runs=[] if overview is None else [_run(run) for run in overview.runs[:12]],
        read_at="" if overview is None else f"{overview.read_at:%H:%M:%S} UTC",
    )
    wait = {} if overview else {"Retry-After": str(RETRY_AFTER_S)}
    return HTMLResponse(
        text,
        headers={"Content-Security-Policy": _POLICY, "Cache-Control": "no-store", **wait},
        status_code=200 if overview else 503,
    )


async def _overview(request: Request) -> Overview | None:
    """The overview, at most some seconds old: the page must not put load on the node.

    Anybody may ask, as often as they like: requests that arrive while it is read share it.
    """
    state = request.app.state
    services: Services | None = state.connector.services
    if services is None:
        return None
    overviews: Overviews = state.overviews
    try:
        return await overviews.fresh("overview", lambda: read_overview(services.database))
    except DatabaseUnavailable:
        return None


def _node(overview: Overview) -> dict[str, str]:
    return {
        "Cassandra": overview.cassandra,
        "Cluster": overview.cluster,
        "Data centre": overview.data_center,
    }


def _numbers(overview: Overview) -> list[tuple[str, str]]:
    names = {
        "users": "people",
        "sessions": "sessions",
        "sets": "confirmed sets",
        "models": "models stored",
        "champions": "models serving",
    }
    return [
        (label, shown(overview.counts[name], more=name in overview.counted_in_part))
        for name, label in names.items()
    ]


def _run(run: JobRun) -> dict[str, Any]:
    now, took = server_time(), ""
    if run.finished_at is not None:
        took = f"{(run.finished_at - run.started_at).total_seconds():.1f} s"
    return {
        "family": run.family,
        "status": shown_status(run._asdict(), now),
        "colour": "failed" if is_dead(run, now) else run.status,
        "started": f"{run.started_at:%Y-%m-%d %H:%M} UTC",
        "took": took,
        "counts": ", ".join(f"{name} {count:,}" for name, count in run.counts.items()),
    }

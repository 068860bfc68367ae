"""The web application: routes, layers and lifespan."""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from fastapi import FastAPI, WebSocket
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api import (
    acquisitions,
    auth,
    batch_results,
    chunks,
    classify,
    complete,
    deviations,
    documentation,
    error_handlers,
    follows,
    forecasts,
    form,
    health,
    jobs,
    live,
    models,
    openapi,
    own_data,
    page,
    plans,
    sessions,
    sets,
    week,
)
from api.database_connector import DatabaseConnector
from api.long_bodies import LongBodies
from api.metrics import Metrics
from api.passwords import Passwords
from api.problems import problem_response
from api.raw_routes import Shortcut
from api.request_log import RequestLog
from api.request_middleware import RequestMiddleware
from schemas.config import Config
from schemas.errors import NotFound

ROUTE_MODULES = (
    chunks,
    classify,
    live,
    sessions,
    complete,
    sets,
    auth,
    models,
    forecasts,
    form,
    week,
    batch_results,
    deviations,
    own_data,
    plans,
    follows,
    acquisitions,
    health,
    jobs,
)
CHECKOUT = Path(__file__).resolve().parent.parent


class Muvr(FastAPI):
    """FastAPI behind `RequestMiddleware`, which limits every request's size and time.

    Added with `add_middleware` it would run behind FastAPI's own layers, which take a tenth of the
    time of a chunk.
    """

    request_middleware: RequestMiddleware

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of the server, through the middleware."""
        scope["app"] = self
        await self.request_middleware(scope, receive, send)

    async def layers(self, scope: Scope, receive: Receive, send: Send) -> None:
        """FastAPI's own application, behind the middleware."""
        await super().__call__(scope, receive, send)


def create_app(config: Config, log: RequestLog | None = None) -> Muvr:
    """The application for these settings.

    Nothing is opened here: connections are made when a worker starts, after the fork.
    """
    metrics = Metrics()
    app = Muvr(
        title="Muvr",
        version=health.VERSION,
        lifespan=_lifespan,
        separate_input_output_schemas=False,
        generate_unique_id_function=lambda route: route.name,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a client takes a redirect for a captive portal
    )
    app.state.metrics = metrics
    app.state.durability = None
    app.state.commit = health.commit_of(CHECKOUT)
    app.state.passwords = Passwords()
    app.state.long_bodies = LongBodies(config.limits.body_bytes)
    request_log = (log or RequestLog()) if config.api.access_log else None
    app.state.request_log = request_log
    app.state.connector = DatabaseConnector(config, metrics, request_log)
    app.state.overviews = page.Overviews(page.FRESH_S, 1)
    app.router.default = not_found
    app.openapi = lambda: openapi.document(app)  # pyrefly: ignore[method-assign] as FastAPI documents it
    error_handlers.register(app)
    for module in ROUTE_MODULES:  # the busiest first: routes are matched in order
        app.include_router(module.router)
    app.include_router(documentation.router)
    if config.api.public_page:
        app.include_router(page.router)
    shortcut = Shortcut(
        forwarded(app.layers), routes=(*chunks.router.routes, *classify.router.routes)
    )
    app.request_middleware = RequestMiddleware(
        shortcut, config=config, metrics=metrics, log=request_log
    )
    return app


def forwarded(app: ASGIApp) -> ASGIApp:
    """Wrap an application so that it sees the client address that a local proxy reports.

    uvicorn could do so for every request; only the routes behind `Shortcut` need the address.
    """
    trusted = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1")
    return cast("ASGIApp", ProxyHeadersMiddleware(cast("Any", app), trusted))


async def not_found(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer 404 for a path without a route, also to a WebSocket handshake."""
    problem = NotFound(f"{scope['path']}: Not Found")
    if scope["type"] == "websocket":
        socket = WebSocket(scope, receive, send)
        await socket.send_denial_response(problem_response(problem, socket))
        return
    raise HTTPException(404)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    connector: DatabaseConnector = app.state.connector
    await connector.open()
    try:
        yield
    finally:
        await connector.close()

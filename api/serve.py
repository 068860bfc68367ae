"""Run the service: `python -m api.serve --config conf.yaml`."""

import argparse
import gc
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE

from api.open_files import allow_connections, connections_within, most_files, too_few_files
from api.pid_file import PID_FILE, held_pid_file
from api.workers import Workers
from schemas.config import Config
from schemas.config_file import load_config
from schemas.errors import BadConfig, MuvrError
from schemas.times import server_time
from store.node.folders import Folders
from store.node.owner import require_restored
from store.processes import end_with_parent

SETTINGS = "MUVR_SETTINGS"
"""The variable that tells workers the settings. One that is started anew serves with those of the
others, whatever conf.yaml says by then."""
SHUTDOWN_TIMEOUT_S = 10
WORKER_HEALTHCHECK_S = 30
"""A worker that does not respond for so long is replaced. uvicorn's 5 s are too few beside a
training run that takes all cores: it would kill healthy workers with their requests."""
BLAS_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""One BLAS thread: a product of a few windows is done before a second thread is awake, and its last
bits depend on the number of threads."""


def main(config_path: Path) -> int:
    """Serve until SIGTERM; requests in flight are finished first. Returns the exit code."""
    try:
        config = load_config(config_path)
        config.paths.run.mkdir(parents=True, exist_ok=True)
        with held_pid_file(config.paths.run / PID_FILE):  # before anything in the folder changes
            _prepare(config)
            _serve(config)
    except MuvrError as problem:
        sys.stderr.write(f"{problem}\n")
        return 2 if isinstance(problem, BadConfig) else 1
    return 0


def _serve(config: Config) -> None:
    # Several workers are started anew as processes: each makes its own application.
    settings = uvicorn.Config(
        "api.serve:application",
        factory=True,
        host=config.api.host,
        port=config.api.port,
        workers=config.api.workers,
        loop="uvloop",
        http="api.http_protocol:DeadlineProtocol",
        ws="api.websocket_protocol:ProblemProtocol",
        ws_max_size=config.limits.body_bytes,
        access_log=False,
        proxy_headers=False,
        log_level="warning",
        server_header=False,
        limit_concurrency=connections_within(config.api.connections, most_files()),
        timeout_keep_alive=config.api.idle_timeout_s,
        timeout_worker_healthcheck=WORKER_HEALTHCHECK_S,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
    )
    server = uvicorn.Server(settings)
    with suppress(KeyboardInterrupt):
        if config.api.workers > 1:
            Workers(settings, [settings.bind_socket()]).run()
            return
        server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)


def application() -> FastAPI:
    """The application of one worker, from the settings that `main` was given."""
    from api.app import create_app  # after the environment of metrics is set

    end_with_parent()  # or nobody could stop it: the lock on the file with the id is its parent's
    app = create_app(Config.model_validate_json(os.environ[SETTINGS]))
    _freeze_garbage_collector()
    return app


def _freeze_garbage_collector() -> None:
    """Exclude all objects that exist now from garbage collection: they live until the end.

    Measured: traversing modules and routes took an eighth of the time of a chunk. Requests leave
    few reference cycles, so the youngest generation may also grow larger.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 20)


def _prepare(config: Config) -> None:
    """Prepare environment, keys and metrics before the first worker starts.

    Raises:
        BadConfig: a development key for an address that others can reach.
        NodeFailed: a restore into the embedded node was interrupted, or is under way.
    """
    from api.keys import load_keys

    os.environ[SETTINGS] = config.model_dump_json()
    # numpy reads them when it is first imported, with the application.
    for name in BLAS_THREAD_VARIABLES:
        os.environ.setdefault(name, "1")
    load_keys(config.paths.secrets, config.api.host, server_time())
    _allow_connections(config.api.connections)
    if config.cassandra.own_node:
        require_restored(Folders(config.paths.data.absolute()))
    if config.api.workers > 1:  # workers add up their metrics in files
        folder = config.paths.run / "metrics"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def _allow_connections(wanted: int) -> None:
    """Raise the limit of open files; say so where the system does not allow enough of them."""
    allow_connections(wanted)
    if to_do := too_few_files(wanted, most_files()):
        within = connections_within(wanted, most_files())
        sys.stderr.write(
            f"api.connections is {wanted}, and this process may open {most_files()} files: a "
            f"worker takes {within} connections, and answers 503 to more. To take all: {to_do}.\n"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve Muvr's HTTP interface.")
    parser.add_argument("--config", type=Path, default=Path("conf.yaml"))
    sys.exit(main(parser.parse_args().config))

"""The HTTP service as a process of its own in the background."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from api.pid_file import PID_FILE, serving_pid
from muvr.checkout import CHECKOUT
from schemas.config import Config
from schemas.errors import MuvrError
from schemas.progress import Progress
from store.processes import is_running

_NEAR = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (all addresses, of which it asks one)
READY_WITHIN_S = 60.0
STOPPED_WITHIN_S = 20.0


class ServiceFailed(MuvrError):
    """The service ended before it was ready, or does not stop; the message has its log's end."""


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """The state of the background service.

    Attributes:
        running: whether a service of this run folder is alive, whoever started it.
        ready: whether it answers and Cassandra answers it.
    """

    running: bool
    ready: bool
    pid: int | None
    url: str
    log: str


class Service:
    """Starts, watches and stops `python -m api.serve`."""

    def __init__(self, config: Config, conf_path: Path) -> None:
        self._conf_path = conf_path
        self._pid_file = config.paths.run / PID_FILE
        self._log = config.paths.run / "service.log"
        self._address = (config.api.host, config.api.port)
        self.url = http_url(config.api.host, config.api.port)

    def start(self, progress: Progress) -> None:
        """Start in the background and wait until it is ready; one that runs must answer.

        A start that fails or is interrupted leaves no process behind.

        Raises:
            ServiceFailed: it ended, or did not become ready in time.
        """
        if pid := serving_pid(self._pid_file):
            self._await_answer(pid)
            return
        self._refuse_foreign_service()
        self._pid_file.parent.mkdir(parents=True, exist_ok=True)
        # -P: packages of the folder that it runs in are not ours, whatever their names
        module = [sys.executable, "-P", "-m", "api.serve"]
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [*module, "--config", str(self._conf_path)],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        try:
            self._await_ready(process, progress)
        except BaseException:  # Ctrl-C too: the caller does not know of the process
            _end(process)
            raise

    def _await_answer(self, pid: int) -> None:
        """Wait for the answer of a service that runs already; another command may be starting it.

        Raises:
            ServiceFailed: it does not answer at the configured address.
        """
        deadline = time.monotonic() + READY_WITHIN_S
        while not self._answers("/livez"):
            if serving_pid(self._pid_file) != pid:
                raise ServiceFailed(
                    f"The service (process {pid}) ended just now: {self._log_tail()}"
                )
            if time.monotonic() > deadline:
                raise ServiceFailed(
                    f"The service (process {pid}) runs, but does not answer at {self.url}, as "
                    "after a change of api.port or api.host: `muvr down`, then `muvr up`."
                )
            time.sleep(0.1)

    def _refuse_foreign_service(self) -> None:
        if self._answers("/livez"):
            raise ServiceFailed(
                f"Something that this checkout did not start already answers at {self.url}. "
                "Stop it, or choose another api.port in conf.yaml."
            )

    def _await_ready(self, process: "subprocess.Popen[bytes]", progress: Progress) -> None:
        began = time.monotonic()
        while time.monotonic() - began < READY_WITHIN_S:
            if process.poll() is not None:
                raise ServiceFailed(f"The service ended while starting: {self._log_tail()}")
            if serving_pid(self._pid_file) == process.pid and self._answers("/readyz"):
                progress.step("starting service", 1, 1)
                return
            progress.step("starting service", 0, 1)
            time.sleep(0.1)
        raise ServiceFailed(f"The service was not ready in time: {self._log_tail()}")

    def stop(self) -> bool:
        """Stop gracefully; False when it did not run.

        Raises:
            ServiceFailed: it is another user's, or still there after the time it had.
        """
        pid = serving_pid(self._pid_file)
        if pid is None:
            return False
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:  # it ended just now, as by another `muvr down`
            return False
        except PermissionError:
            raise ServiceFailed(
                f"The service (process {pid}) was started by another user, who has to stop it."
            ) from None
        deadline = time.monotonic() + STOPPED_WITHIN_S
        while is_running(pid) or serving_pid(self._pid_file) == pid:  # its lock goes last
            if time.monotonic() > deadline:
                raise ServiceFailed(f"The service (process {pid}) does not stop; see {self._log}")
            time.sleep(0.05)
        return True

    def status(self) -> ServiceStatus:
        """Whether it runs and answers."""
        pid = serving_pid(self._pid_file)
        ready = pid is not None and self._answers("/readyz")
        return ServiceStatus(pid is not None, ready, pid, self.url, str(self._log))

    def other_release(self) -> str:
        """What to do about a running service of another commit than this checkout's.

        "" where there is none, or where one of the two commits is not known.
        """
        from api.health import commit_of  # FastAPI: other commands do not need it

        answer = self._get("/version")
        try:
            serves = json.loads(answer)["commit"] if answer else ""
        except (ValueError, KeyError, TypeError):  # no service of ours, which is not asked here
            return ""
        here = commit_of(CHECKOUT)
        if not serves or not here or serves == here:
            return ""
        return (
            f"Another release serves: commit {serves}, and this checkout is at {here}. "
            "To serve this one: muvr down, then muvr up."
        )

    @contextmanager
    def checked_url(self) -> Generator[str]:
        """The URL of the service, which must answer; client errors become ours.

        Raises:
            ServiceFailed: nobody answers, or the service refuses what was asked.
        """
        from examples.client import RequestRefused, TryLater  # most commands do not need it

        if not self._answers("/livez"):
            raise ServiceFailed(f"No service answers at {self.url}; start it: muvr up")
        try:
            yield self.url
        except RequestRefused as problem:
            raise ServiceFailed(f"The service refused: {problem}") from problem
        except TryLater as problem:
            raise ServiceFailed(f"The service went away ({problem}); see muvr status") from problem

    def _answers(self, path: str) -> bool:
        """Whether a path answers 200."""
        return self._get(path) is not None

    def _get(self, path: str) -> bytes | None:
        """The body of a path that answers 200, None where it does not.

        It is called ten times a second. A client of httpx would first read all certificates, which
        takes 32 ms of a core each time.
        """
        connection = HTTPConnection(*self._address, timeout=2.0)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.read() if response.status == 200 else None
        except (OSError, HTTPException):
            return None
        finally:
            connection.close()

    def _log_tail(self) -> str:
        text = self._log.read_text(errors="replace")
        lines = [line for line in text.splitlines() if line.strip()]
        return " | ".join(lines[-3:]) or f"see {self._log}"


def http_url(host: str, port: int) -> str:
    """The URL at which this machine reaches a service that listens on a host, name or address.

    >>> http_url("127.0.0.1", 8080), http_url("::1", 8080), http_url("0.0.0.0", 8080)
    ('http://127.0.0.1:8080', 'http://[::1]:8080', 'http://127.0.0.1:8080')
    """
    near = _NEAR.get(host, host)
    return f"http://[{near}]:{port}" if ":" in near else f"http://{near}:{port}"


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a process that was just started, and its workers if it does not end them itself."""
    process.terminate()
    try:
        process.wait(STOPPED_WITHIN_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # it leads a session of its own
        process.wait()

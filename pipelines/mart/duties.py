"""What a server has to do every few seconds: one duty that fails ends neither itself nor others."""

import threading
from collections.abc import Callable, Mapping

from py4j.protocol import Py4JError


class Duties:
    """Duties that talk to Java, each guarded by itself and tried again the next time.

    Args:
        duties: what to do, by what it is called in messages.
        warn: is told when a duty begins to fail, and when it works again; not of every failure.
    """

    def __init__(
        self, duties: Mapping[str, Callable[[], None]], warn: Callable[[str], None]
    ) -> None:
        self._duties, self._warn = duties, warn
        self._failing: set[str] = set()

    def run_until(self, shutdown: threading.Event, every_s: float) -> None:
        """Do all of them every so many seconds, until the event is set."""
        while not shutdown.wait(every_s):
            self.run_once()

    def run_once(self) -> None:
        """Do each of them once."""
        for name, duty in self._duties.items():
            try:
                duty()
            except (Py4JError, OSError) as problem:
                if name not in self._failing:
                    reason = (str(problem).strip() or type(problem).__name__).splitlines()[0]
                    self._warn(f"{name} failed, and is tried again every few seconds: {reason}")
                self._failing.add(name)
            else:
                if name in self._failing:
                    self._warn(f"{name} works again")
                self._failing.discard(name)

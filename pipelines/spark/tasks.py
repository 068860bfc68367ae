"""How far Spark is with a job, by its tasks: a step of a recipe says nothing until it is over."""

import threading
from collections.abc import Generator
from contextlib import contextmanager

from pyspark import SparkContext, StatusTracker

from schemas.progress import Progress

EVERY_S = 1.0


@contextmanager
def told_of_tasks(what: str, progress: Progress) -> Generator[None]:
    """Report the tasks that Spark has done and those that it knows of, once a second.

    Nothing before Spark is started, and nothing where a job does without it. Stages come one after
    the other, so that what is known grows; all is done when the job is.
    """
    over = threading.Event()
    tasks = Tasks()

    def watch() -> None:
        """Look at the tasks from a thread of its own: the job itself waits for Spark."""
        while not over.wait(EVERY_S):
            context = SparkContext._active_spark_context  # pyright: ignore[reportPrivateUsage]
            if context is None or getattr(context, "_jsc", None) is None:  # it is being started
                continue
            done, known = tasks.look(context.statusTracker())
            if done < known:
                progress.step(what, done, known)

    thread = threading.Thread(target=watch, name=f"tasks-{what}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if tasks.known:
        progress.step(what, tasks.known, tasks.known)


class Tasks:
    """Those of all stages that were seen under way."""

    def __init__(self) -> None:
        self._stages: dict[int, tuple[int, int]] = {}

    @property
    def known(self) -> int:
        """How many there are, as far as anybody knows."""
        return sum(total for _, total in self._stages.values())

    def look(self, tracker: StatusTracker) -> tuple[int, int]:
        """How many are done, and how many are known."""
        for stage in self._stages.keys() | set(tracker.getActiveStageIds()):
            info = tracker.getStageInfo(stage)
            if info is not None:
                self._stages[stage] = (info.numCompletedTasks, info.numTasks)
        return sum(done for done, _ in self._stages.values()), self.known

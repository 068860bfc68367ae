"""Progress of a job by Spark's tasks: the steps of a recipe report only when they end."""

import threading
from collections.abc import Generator
from contextlib import contextmanager

from pyspark import SparkContext, StatusTracker

from schemas.progress import Progress

EVERY_S = 1.0


@contextmanager
def task_progress(what: str, progress: Progress) -> Generator[None]:
    """Report once a second how many of Spark's tasks are done.

    Nothing is reported before Spark has started, nor by jobs that do not use it. Stages start one
    after the other, so the total grows.
    """
    stop = threading.Event()
    tasks = TaskCounts()

    def watch() -> None:
        """Poll from a thread: the job itself waits for Spark."""
        while not stop.wait(EVERY_S):
            context = SparkContext._active_spark_context
            if context is None or getattr(context, "_jsc", None) is None:  # it is being started
                continue
            done, total = tasks.update(context.statusTracker())
            if done < total:
                progress.step(what, done, total)

    thread = threading.Thread(target=watch, name=f"tasks-{what}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if tasks.total:
        progress.step(what, tasks.total, tasks.total)


class TaskCounts:
    """Numbers of tasks, over all stages that have been active."""

    def __init__(self) -> None:
        self._stages: dict[int, tuple[int, int]] = {}

    @property
    def total(self) -> int:
        """How many tasks the stages have."""
        return sum(total for _, total in self._stages.values())

    def update(self, tracker: StatusTracker) -> tuple[int, int]:
        """Read the tracker; how many tasks are done, and how many there are."""
        for stage in self._stages.keys() | set(tracker.getActiveStageIds()):
            info = tracker.getStageInfo(stage)
            if info is not None:
                self._stages[stage] = (info.numCompletedTasks, info.numTasks)
        return sum(done for done, _ in self._stages.values()), self.total

"""A job reports the progress of Spark's tasks."""

import threading
import time
from collections import defaultdict

import pytest
from pyspark import StatusTracker
from pyspark.sql import SparkSession

from pipelines.lifecycle.job import open_job
from pipelines.spark import tasks
from schemas.config import Config

TASKS = 6


class Heard:
    """Records the reported progress."""

    def __init__(self) -> None:
        self.said: dict[str, list[tuple[int, int | None]]] = defaultdict(list)

    def step(self, what: str, done: int, total: int | None = None) -> None:
        """Record it."""
        self.said[what].append((done, total))


class Looks:
    """Counts how often the progress was looked at: nothing is heard before the first time."""

    def __init__(self) -> None:
        self._looked = threading.Semaphore(0)

    def note(self) -> None:
        """Called at the begin of each."""
        self._looked.release()

    def wait_for_two(self) -> None:
        """When the second begins, the first is over."""
        for _ in range(2):
            assert self._looked.acquire(timeout=30)


def a_while(number: int) -> int:
    """The work of one task, long enough for a look at it on a busy machine."""
    time.sleep(1.0)
    return number


def test_progress_reports_the_number_of_finished_spark_tasks(
    spark: SparkSession,
    spark_config: Config,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tasks, "EVERY_S", 0.05)
    heard = Heard()
    with open_job(spark_config, "slow", {}, progress=heard) as job:
        work = job.spark().sparkContext.parallelize(range(TASKS), TASKS)
        assert work.map(a_while).collect() == list(range(TASKS))
    assert heard.said["slow: Spark's start"] == [(0, 1), (1, 1)]
    said = heard.said["slow: Spark's tasks"]
    assert said == sorted(said)
    assert len(set(said)) > 2, "not only when all is over"
    assert {total for _, total in said} == {TASKS}
    assert said[-1] == (TASKS, TASKS)


def test_job_without_spark_reports_no_spark_progress(
    spark: SparkSession, spark_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "EVERY_S", 0.01)
    looks = Looks()
    update = tasks.TaskCounts.update

    def noted(counts: tasks.TaskCounts, tracker: StatusTracker) -> tuple[int, int]:
        looks.note()
        return update(counts, tracker)

    monkeypatch.setattr(tasks.TaskCounts, "update", noted)
    heard = Heard()
    with open_job(spark_config, "idle", {}, progress=heard):
        looks.wait_for_two()
    assert heard.said == {}


def test_task_progress_tolerates_a_spark_context_that_is_starting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The context is visible before it is usable."""

    class Starting:
        """Like pyspark's context in its first seconds."""

        @property
        def _jsc(self) -> None:
            looks.note()
            raise AttributeError("_jsc")

        def statusTracker(self) -> None:
            raise AttributeError("_jsc")

    looks = Looks()
    failed: list[str] = []
    report = threading.excepthook

    def note(problem: threading.ExceptHookArgs) -> None:
        """Other tests' threads are none of this one's."""
        if problem.thread is not None and problem.thread.name == "tasks-a job":
            failed.append(repr(problem.exc_value))
        else:
            report(problem)

    monkeypatch.setattr(threading, "excepthook", note)
    monkeypatch.setattr(tasks.SparkContext, "_active_spark_context", Starting())
    monkeypatch.setattr(tasks, "EVERY_S", 0.01)
    with tasks.task_progress("a job", Heard()):
        looks.wait_for_two()
    assert failed == []

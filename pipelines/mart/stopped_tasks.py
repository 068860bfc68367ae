"""Tasks that go on computing after their query was stopped, and how they are ended.

Spark asks a task to end and interrupts its thread. A task that only computes, as the generated
loops of a join without an equality do, notices neither: it keeps its core for good, and the
broadcast tables of its query stay locked. With as many of them as there are cores, no query is
answered any more, and ending Spark waits 120 s for a table that it cannot remove
(`spark.rpc.askTimeout`). Spark's own reaper would end all of Java, and on one machine it does not
even do that.

So the thread is ended as Java 17, the only one that runs here, still can (`Thread.stop`). Java
warns that what the thread held may be left half changed; a process that only reads, and a thread
that would otherwise never end, can live with that.
"""

import time
from typing import Any

from pyspark.sql import SparkSession

OPTIONS = {"spark.executor.killOnFatalError.depth": "0"}
"""What a session needs: else Spark ends all of Java when one of its threads is ended."""

EVERY_S = (
    2.0  # between two calls of `end`: a task that hears that it was stopped has ended long before
)
_TASK = "Executor task launch worker"  # threads keep the name of the last task they had
_RUNNER = "org.apache.spark.executor.Executor$TaskRunner"  # among the callers of a task's code
_ROUNDS = 10  # of waiting for the last of them; one that outlives it is left to Java's end


class StoppedTasks:
    """Ends the tasks that stopped queries of a session have left."""

    def __init__(self, spark: SparkSession) -> None:
        self._spark = spark
        self._seen: set[str] = set()

    def end(self) -> None:
        """End the tasks of stopped queries that were there at the last call already."""
        stopped = self.threads()
        unresponsive = stopped.keys() & self._seen
        for name in unresponsive:
            stopped[name].stop()
        self._seen = stopped.keys() - unresponsive  # it puts its things away now, undisturbed

    def threads(self) -> dict[str, Any]:
        """Java's threads, by name, that compute for a stage which is over."""
        context = self._spark.sparkContext
        java: Any = context._jsc
        infos = java.sc().statusTracker().getExecutorInfos()
        if not any(info.numRunningTasks() for info in infos):
            return {}
        jvm: Any = context._jvm
        # the threads first: the stages of all that compute then are known by the time we ask
        computing = {
            thread.getName(): thread
            for thread in jvm.java.lang.Thread.getAllStackTraces().keySet()
            if thread.getName().startswith(_TASK)
            and any(frame.getClassName() == _RUNNER for frame in thread.getStackTrace())
        }
        active = [f" in stage {stage}." for stage in context.statusTracker().getActiveStageIds()]
        return {
            name: thread
            for name, thread in computing.items()
            if not any(stage in name for stage in active)
        }

    def end_all(self) -> None:
        """Wait until what was stopped has ended, and end what does not end by itself."""
        for _ in range(_ROUNDS):
            if not self.threads():
                return
            self.end()
            time.sleep(EVERY_S)

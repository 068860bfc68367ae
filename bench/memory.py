"""How much memory Spark's driver and its Python workers take while something runs."""

import threading

import psutil

MIB = 2**20
SAMPLE_INTERVAL_S = 0.5


class MemorySampler:
    """Samples resident memory of this process's children; read `peak_mb` afterwards.

    Attributes:
        driver_mb: peak of the JVM.
        worker_mb: peak of any Python worker.
    """

    def __init__(self) -> None:
        self.driver_mb = 0.0
        self.worker_mb = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> "MemorySampler":
        self._thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def peak_mb(self) -> tuple[float, float]:
        """Driver and worker."""
        return self.driver_mb, self.worker_mb

    def _sample(self) -> None:
        while not self._stop.wait(SAMPLE_INTERVAL_S):
            for process in psutil.Process().children(recursive=True):
                try:
                    line, mb = process.cmdline(), process.memory_info().rss / MIB
                except psutil.NoSuchProcess:
                    continue
                if any("SparkSubmit" in part for part in line):
                    self.driver_mb = max(self.driver_mb, mb)
                elif any("pyspark.daemon" in part for part in line):
                    self.worker_mb = max(self.worker_mb, mb)

"""Prometheus metrics, summed over all workers."""

import os
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

from api.metric_files import reserve_metric_files
from models.signal.pieces import Piece

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_LAG_SECONDS = (1, 5, 30, 60, 300, 3600, 6 * 3600, 86400, 7 * 86400, 30 * 86400)


class Metrics:
    """The service's metrics; summed over all workers."""

    def __init__(self) -> None:
        reserve_metric_files()
        self._registry = registry = CollectorRegistry()
        self._request_series: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._answer_series: dict[tuple[str, str, str], tuple[Counter, Histogram]] = {}
        counter = partial(Counter, registry=registry)
        histogram = partial(Histogram, registry=registry)
        of_workers = partial(Gauge, registry=registry, multiprocess_mode="livesum")
        labels = ["route", "method"]
        self.requests = counter("muvr_requests_total", "Requests", [*labels, "status"])
        self.seconds = histogram("muvr_request_seconds", "Time to answer", labels, buckets=_SECONDS)
        problems = "Problems answered, also of single items of a batch and of a live connection"
        self.problems = counter("muvr_problems_total", problems, ["type"])
        self.samples = counter("muvr_samples_total", "Samples acknowledged")
        self.chunks = counter("muvr_chunks_total", "Chunks acknowledged")
        lag = "From the last sample of a chunk to its receipt"
        self.ingest_lag = histogram("muvr_ingest_lag_seconds", lag, buckets=_LAG_SECONDS)
        outcomes = "Answers by family, rung and outcome (named, abstained)"
        self.answers = counter("muvr_answers_total", outcomes, ["family", "level", "outcome"])
        self.cache = counter("muvr_model_cache_total", "Model cache", ["outcome"])
        self.cache_bytes = of_workers("muvr_model_cache_bytes", "Bytes of models in memory")
        age = "Age of the model that answered"
        self.model_age = histogram("muvr_model_age_seconds", age, ["family"], buckets=_LAG_SECONDS)
        self.sweeps = counter("muvr_sweeps_total", "Sweeps by outcome", ["outcome"])
        missed = "Users that a sweep could not project"
        self.sweep_failures = counter("muvr_sweep_failures_total", missed)
        self.live = of_workers("muvr_live_sessions", "Open live connections")

    def count_request(self, route: str, method: str, status: int, took_s: float) -> None:
        """Count a request and how long it took."""
        key = (route, method, status)
        series = self._request_series.get(key)
        if series is None:  # looking up a series by its labels takes longer than counting
            requests = self.requests.labels(route, method, str(status))
            series = self._request_series[key] = (requests, self.seconds.labels(route, method))
        series[0].inc()
        series[1].observe(took_s)

    def count_problem(self, name: str) -> None:
        """Count a problem that a client is told."""
        self.problems.labels(name).inc()

    def count_answer(self, family: str, level: str, outcome: str, age_s: float | None) -> None:
        """Count an answer and the age of its model, None if no model answered."""
        key = (family, level, outcome)
        series = self._answer_series.get(key)
        if series is None:
            answers = self.answers.labels(family, level, outcome)
            series = self._answer_series[key] = (answers, self.model_age.labels(family))
        series[0].inc()
        if age_s is not None:
            series[1].observe(age_s)

    def count_chunk(self, piece: Piece) -> None:
        """Count an acknowledged chunk, and its lag from its last sample to its receipt."""
        self.chunks.inc()
        self.samples.inc(len(piece.counts))
        self.ingest_lag.observe(max(0.0, time.time() - piece.end_ns / 1e9))

    def text(self) -> tuple[bytes, str]:
        """All metrics in Prometheus' text format, and its media type."""
        registry = self._registry
        if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            _forget_killed_workers(Path(folder))
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)
        return generate_latest(registry), CONTENT_TYPE_LATEST


def _forget_killed_workers(folder: Path) -> None:
    """Leave the gauges of workers that were killed out of the sums."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = int(file.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except (ProcessLookupError, PermissionError):  # the latter: another user's has its number
            with suppress(FileNotFoundError):  # another worker was quicker
                multiprocess.mark_process_dead(pid)

"""Figures of benchmarks in which answers, files or a peer's answers are missing: none holds."""

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench import stored_bytes
from bench.__main__ import main
from bench.ingest import LoadMeasurement, times_rows
from bench.load import LoadResult
from bench.load_generator import AnswerTally
from bench.rowwise import RowwiseRates
from bench.serve import cost_figures, load_figures
from schemas.report import Figure

BEGAN_S = 10.0


def tallied(right: int, wrong: int, unanswered: int = 0) -> LoadResult:
    """Right answers after 4 ms each, and refusals after one."""
    tally = AnswerTally()
    for n in range(right):
        tally.add(200, BEGAN_S + n, BEGAN_S + n + 0.004, right=True)
    for _ in range(wrong):
        tally.add(503, BEGAN_S, BEGAN_S + 0.001, right=False)
    tally.add_unanswered(unanswered)
    return tally.result(BEGAN_S, 0.1, 0)


def figures_of(full: LoadResult, loaded: LoadResult, **cpu_us: float | None) -> dict[str, Any]:
    cpu_us = {"classify_us": 300.0, "ping_us": 200.0, **cpu_us}
    figures = [*cost_figures(full, **cpu_us, suffix=""), *load_figures(loaded, suffix="")]
    return {figure.name: figure for figure in figures}


def test_load_of_right_answers_holds():
    figures = figures_of(tallied(8, 0), tallied(8, 0))
    assert figures["p99_ms"].value == pytest.approx(4.0)
    assert figures["loaded_wrong"].value == 0
    assert [figure.holds for figure in figures.values()] == [None, True, None, True, True]


def test_load_without_a_right_answer_is_not_measured():
    figures = figures_of(tallied(8, 0), tallied(0, 50))
    assert (figures["p99_ms"].value, figures["p99_ms"].holds) == (None, False)
    assert (figures["loaded_wrong"].value, figures["loaded_wrong"].holds) == (50, False)


def test_load_with_a_refused_or_missing_answer_does_not_hold():
    for loaded in (tallied(99, 1), tallied(99, 0, unanswered=1)):
        figures = figures_of(tallied(8, 0), loaded)
        assert figures["p99_ms"].holds
        assert (figures["loaded_wrong"].value, figures["loaded_wrong"].holds) == (1, False)


def test_load_without_any_answer_has_the_rate_zero():
    assert tallied(0, 0).per_s == 0.0


@pytest.mark.parametrize("missing", ["classify_us", "ping_us"])
def test_cpu_ratio_without_a_right_answer_is_not_measured(missing: str):
    figures = figures_of(tallied(0, 9), tallied(0, 9), **{missing: None})
    ratio = figures["classify_times_ping"]
    assert (ratio.value, ratio.holds) == (None, False)


def test_times_rows_compares_nothing_but_its_own_ratio():
    """The peer's rate has another unit than the ratio, and stands in the protocol."""
    full = LoadMeasurement(1024, tallied(8, 0), 0.0, 0.0)
    rates = RowwiseRates(per_s=full.samples_per_s / 40, client_share=0.5)
    figure = times_rows("times_row_per_sample_1024", full, rates, floor=30.0)
    assert figure.value == pytest.approx(40)
    assert (figure.peer_value, figure.ratio, figure.holds) == (None, None, True)
    assert f"{rates.per_s:,.0f} rows/s" in str(figure.protocol)


@dataclass
class StoppedNode:
    """A node that writes files of a table when it is stopped, and may be killed before."""

    data: Path
    flushes: bool
    files: dict[str, int] = field(default_factory=dict)
    running: bool = True

    def status(self) -> "StoppedNode":
        """Itself: whether it runs."""
        return self

    def stop(self) -> bool:
        """Write the files; whether all was flushed."""
        for name, size in self.files.items():
            path = self.data / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes(size))
        return self.flushes


@pytest.mark.parametrize(
    ("running", "flushes", "size", "value"),
    [
        (True, True, 4096, 2.0),
        (True, False, 4096, None),
        (False, True, 4096, None),
        (True, True, 0, None),
    ],
)
def test_bytes_per_sample_need_flushed_files(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    running: bool,
    flushes: bool,
    size: int,
    value: float | None,
):
    monkeypatch.setattr(stored_bytes, "CASES", (stored_bytes.FLOORED,))
    monkeypatch.setattr(stored_bytes, "_keep", lambda *_: None)
    files = {"bench_size_1024_2048/samples-1/big-Data.db": size} if size else {}
    deployment: Any = SimpleNamespace(
        config=SimpleNamespace(paths=SimpleNamespace(data=tmp_path)),
        service=SimpleNamespace(stop=lambda: True),
        node=StoppedNode(tmp_path, flushes, files, running),
    )
    counts = np.zeros((2048, 3), dtype=np.int16)
    [figure] = stored_bytes.stored_bytes(deployment, counts, floor=3.0)
    assert (figure.value, figure.holds) == (value, value is not None)


def test_several_benchmarks_end_with_one_table_of_all_figures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    monkeypatch.setenv("MUVR_PATHS__REPORTS", str(tmp_path))
    monkeypatch.setattr("bench.__main__.names", lambda: ["fast", "slow"])
    for name, value in (("fast", 3.0), ("slow", 1.0)):
        figures = [Figure("per_s", value, floor=2.0)]
        module = SimpleNamespace(run=lambda _, figures=figures: figures)
        monkeypatch.setitem(sys.modules, f"bench.{name}", module)
    assert main([]) == 1
    assert sorted(path.name for path in (tmp_path / "bench").iterdir()) == [
        "fast.json",
        "slow.json",
    ]
    together = capsys.readouterr().out.partition("benchmarks")[2]
    assert re.findall(r"(\w+ per_s).*(holds|MISSED)", together) == [
        ("fast per_s", "holds"),
        ("slow per_s", "MISSED"),
    ]

"""A short soak test: kills of the node and of the service during uploads."""

import asyncio
import random
import time
from pathlib import Path

import pytest

from bench import soak
from bench.phone import ChunkLosses, SoakPhone
from examples.client import new_id
from muvr.context import CommandContext
from muvr.terminal import Terminal
from schemas.config_file import load_config

CHECKOUT = Path(__file__).parents[1]


def quiet_context(folder: Path) -> CommandContext:
    """The checkout's settings, with a small node and reports in the test's folder."""
    config = load_config(CHECKOUT / "conf.yaml")
    paths = config.paths.model_copy(update={"reports": folder})
    cassandra = config.cassandra.model_copy(update={"heap_mb": 512})
    config = config.model_copy(update={"paths": paths, "cassandra": cassandra})
    return CommandContext(config, CHECKOUT / "conf.yaml", Terminal(as_json=True))


@pytest.mark.timeout(900)  # a node is killed and started again
# The service outlives the object that started it on purpose; the benchmark kills it by its pid.
@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_no_samples_are_lost_duplicated_or_altered_by_kills(tmp_path: Path) -> None:
    figures = soak.run(quiet_context(tmp_path), kills=2, samples=40_000, phones=4, within_s=600)
    values = {figure.name: figure.value for figure in figures}
    assert values["kills"] == 2
    assert values["samples"] is not None
    assert values["samples"] >= 40_000
    assert {name: values[name] for name in ("lost", "doubled", "altered", "refused")} == {
        "lost": 0,
        "doubled": 0,
        "altered": 0,
        "refused": 0,
    }
    assert list(tmp_path.iterdir()) == [], "the deployment is removed"


class SilentPhone:
    """A phone that never sends anything."""

    samples = 0

    async def send(self, over: asyncio.Event) -> None:
        await over.wait()


def test_a_soak_that_runs_out_of_time_raises_a_one_sentence_error(tmp_path: Path) -> None:
    context, until_s = quiet_context(tmp_path), time.monotonic() - 1
    late = soak._Soak(context.terminal, None, [SilentPhone()], random.Random(1), until_s, 1000)
    with pytest.raises(soak.SoakTookTooLong, match="0 samples were acknowledged so far"):
        asyncio.run(late.run(kills=1))


def test_a_phone_that_never_drains_ends_the_soak_with_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soak, "DRAIN_S", 0.0)
    phone, until_s = SilentPhone(), time.monotonic() + 60
    phone.done = asyncio.Event()
    stuck = soak._Soak(
        quiet_context(tmp_path).terminal, None, [phone], random.Random(1), until_s, 0
    )
    with pytest.raises(soak.SoakTookTooLong, match="1 phones still had something"):
        asyncio.run(stuck.run(kills=0))


class NothingRuns:
    """A deployment whose node and service are already gone when they are killed."""

    def __init__(self) -> None:
        self.node = self.service = self

    def kill_node(self) -> bool:
        return False

    def kill_service(self) -> bool:
        return False

    def start(self, *_: object) -> None:
        """Nothing."""


class IdlePhone(SilentPhone):
    """A phone with nothing to send."""

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self.done.set()

    async def complete(self) -> None:
        """Nothing."""


def test_a_kill_that_ended_no_process_is_not_counted(tmp_path: Path) -> None:
    until_s = time.monotonic() + 60
    idle = soak._Soak(
        quiet_context(tmp_path).terminal, NothingRuns(), [IdlePhone()], random.Random(1), until_s, 0
    )
    assert asyncio.run(idle.run(kills=2)) == 0


A, B, C, SECOND = b"a", b"b", b"c", b"second"
SENT = {0: [A, SECOND], 1: [B], 2: [C]}
WHOLE = [(0, A), (0, SECOND), (1, B), (2, C)]


@pytest.mark.parametrize(
    ("found", "listed", "verdict"),
    [
        (WHOLE, [A, B, C], ChunkLosses(lost=0, doubled=0, altered=0, refused=0)),
        (WHOLE[:3], [A, B, C], ChunkLosses(lost=1, doubled=0, altered=0, refused=0)),
        (WHOLE, [A, B], ChunkLosses(lost=1, doubled=0, altered=0, refused=0)),
        (WHOLE, [SECOND, B, C], ChunkLosses(lost=1, doubled=0, altered=0, refused=0)),
        (WHOLE[:3], [A, B], ChunkLosses(lost=1, doubled=0, altered=0, refused=0)),
        ([*WHOLE, (1, B)], [A, B, C], ChunkLosses(lost=0, doubled=1, altered=0, refused=0)),
        ([*WHOLE, (1, C)], [A, B, C], ChunkLosses(lost=0, doubled=1, altered=0, refused=0)),
    ],
)
def test_lost_and_duplicated_chunks_are_counted(
    found: list[tuple[int, bytes]], listed: list[bytes], verdict: ChunkLosses
) -> None:
    phone = SoakPhone("", "", new_id(), [], random.Random(1))
    phone._sent, phone._acknowledged = SENT, set(WHOLE)
    assert phone.judge(found, listed, altered=0) == verdict

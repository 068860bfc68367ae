"""The crash test in short: two kills of the node, one of the service."""

from pathlib import Path

import pytest

from bench import soak
from muvr.door import Door
from muvr.terminal import Terminal
from schemas.config import load_config

CHECKOUT = Path(__file__).parents[1]


def quiet_door(folder: Path) -> Door:
    """The checkout's settings, with a small node and everything in a folder of the test."""
    config = load_config(CHECKOUT / "conf.yaml")
    paths = config.paths.model_copy(update={"reports": folder})
    cassandra = config.cassandra.model_copy(update={"heap_mb": 512})
    config = config.model_copy(update={"paths": paths, "cassandra": cassandra})
    return Door(config, CHECKOUT / "conf.yaml", Terminal(as_json=True))


# The service outlives the object that started it, on purpose; the benchmark kills it by its id.
@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_nothing_is_lost_doubled_or_altered_by_kills(tmp_path: Path) -> None:
    figures = soak.run(quiet_door(tmp_path), kills=3, samples=60_000, phones=4, within_s=180)
    values = {figure.name: figure.value for figure in figures}
    assert values["kills"] == 3
    assert values["samples"] is not None
    assert values["samples"] >= 60_000
    assert {name: values[name] for name in ("lost", "doubled", "altered", "refused")} == {
        "lost": 0,
        "doubled": 0,
        "altered": 0,
        "refused": 0,
    }
    assert list(tmp_path.iterdir()) == [], "the deployment is gone"

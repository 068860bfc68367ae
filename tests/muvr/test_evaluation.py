"""`muvr evaluate`: which files a run writes."""

import json
from pathlib import Path

import pytest

from muvr.door import Door
from muvr.evaluation import command
from muvr.evaluation.recordings import Material
from muvr.terminal import Terminal
from schemas.config import Config
from schemas.errors import BadInput
from schemas.report import Figure


def protocol(name: str) -> command.Step:
    """A protocol of one figure."""

    def step(material: Material, results: command.Results) -> None:
        results.figures.append(Figure(name, 0.9, floor=0.8))

    return step


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Door:
    monkeypatch.setattr(command, "read_material", lambda *folders: Material((), (), (), ()))
    protocols = {"reps": [protocol("s5_gym")], "cost": [protocol("fit_ms")]}
    monkeypatch.setattr(command, "PROTOCOLS", protocols)
    config = Config()
    paths = config.paths.model_copy(update={"reports": tmp_path})
    config = config.model_copy(update={"paths": paths})
    return Door(config, tmp_path / "conf.yaml", Terminal(as_json=True))


def names_in(path: Path) -> list[str]:
    return [figure["name"] for figure in json.loads(path.read_text())["figures"]]


def test_one_family_leaves_the_report_of_all_as_it_is(door: Door) -> None:
    reports = door.config.paths.reports
    assert command.run(door, "all")
    whole = (reports / "evaluate.json").read_bytes(), (reports / "evaluate.html").read_bytes()
    assert names_in(reports / "evaluate.json") == ["s5_gym", "fit_ms"]
    assert command.run(door, "reps")
    assert names_in(reports / "evaluate-reps.json") == ["s5_gym"]
    assert "s5_gym" in (reports / "evaluate-reps.html").read_text()
    found = (reports / "evaluate.json").read_bytes(), (reports / "evaluate.html").read_bytes()
    assert found == whole


def test_an_unknown_family_is_named_beside_the_known(door: Door) -> None:
    with pytest.raises(BadInput, match="squats has no protocol; there are reps, cost, all"):
        command.run(door, "squats")

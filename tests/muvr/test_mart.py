"""`muvr mart show`: what the analysts' tables, and the view of their freshness, mean."""

import json
from pathlib import Path

import pytest

from muvr.mart import show
from schemas.errors import BadInput
from schemas.mart import SHOWN
from tests.store.made_mart import ONE, made


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """Settings that name a made mart."""
    made(tmp_path / "mart", ONE, 2)
    path = tmp_path / "conf.yaml"
    path.write_text(f"paths: {{mart: {tmp_path / 'mart'}}}\n")
    return path


def test_view_of_freshness_is_shown_without_a_row_count(
    conf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    show("mart", conf=conf)
    assert "mart: a view. How fresh the tables are" in capsys.readouterr().out
    show("mart", conf=conf, as_json=True)
    view = json.loads(capsys.readouterr().out)["tables"]["mart"]
    assert (view["rows"], view["columns"][0]["name"]) == (None, "as_of")


def test_all_that_queries_may_read_is_shown(conf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show(conf=conf, as_json=True)
    assert json.loads(capsys.readouterr().out)["tables"].keys() == SHOWN.keys()
    with pytest.raises(BadInput, match="it has mart, sessions, "):
        show("setss", conf=conf)

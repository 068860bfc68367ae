"""`muvr sql`: progress while a query runs, and where its server answers."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from muvr.sql import sql
from store.mart import QueryResult


def test_progress_is_shown_while_spark_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The start takes half a minute, the query itself less than a second."""
    answer = QueryResult(("n",), [(1,)], more=False, as_of=datetime(2026, 11, 21, tzinfo=UTC))
    monkeypatch.setattr("pipelines.mart.query.query_mart", lambda *_: answer)
    conf = tmp_path / "conf.yaml"
    conf.write_text("{}\n")
    sql("SELECT 1 AS n", engine="spark", conf=conf)
    said = capsys.readouterr()
    assert said.err == "asking Spark ...\nasking Spark: done\n"
    assert "1 row" in said.out


def test_server_answers_its_address_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipelines.mart.server.serve_mart", lambda _, ready, __: ready())
    conf = tmp_path / "conf.yaml"
    conf.write_text("sql: {port: 10001}\n")
    sql("serve", conf=conf, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"url": "jdbc:hive2://127.0.0.1:10001/default"}
    sql("serve", conf=conf)
    assert "jdbc:hive2://127.0.0.1:10001/default answers" in capsys.readouterr().out

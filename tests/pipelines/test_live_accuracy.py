"""How the guide of analysts counts what live guesses got right."""

from datetime import UTC, datetime, timedelta

import duckdb

from tests.pipelines.analyst_guide import questions


def test_live_accuracy_compares_a_prediction_with_its_set_if_the_model_is_older():
    (question,) = [question for question in questions() if "right_share" in question]
    at = datetime(2026, 1, 1, tzinfo=UTC)
    off = timedelta(seconds=0.5)
    with duckdb.connect() as mart:
        mart.execute(
            "CREATE TABLE sets (user TEXT, session TEXT, started_at TIMESTAMPTZ, "
            "ended_at TIMESTAMPTZ, exercise TEXT, label_source TEXT, revised_at TIMESTAMPTZ);"
            "CREATE TABLE predictions (user TEXT, session TEXT, started_at TIMESTAMPTZ, "
            "ended_at TIMESTAMPTZ, exercise TEXT, level TEXT, probability DOUBLE, "
            "abstained BOOLEAN, family TEXT, version TEXT);"
            "CREATE TABLE models (owner TEXT, family TEXT, version TEXT, created_at TIMESTAMPTZ)"
        )
        mart.executemany(
            "INSERT INTO models VALUES (?, 'exercise', ?, ?)",
            [("u", "old", at), ("u", "new", at + timedelta(days=1)), ("another", "old", at)],
        )
        learned = ("press", "typed", "new")  # by a model that may have learned the set
        sets = (
            ("row", "typed", "old"),
            ("squat", "corrected", "old"),
            ("curl", "accepted_guess", "old"),
            learned,
        )
        for n, (name, source, version) in enumerate(sets):
            start, end = at + n * timedelta(seconds=30), at + (n + 1) * timedelta(seconds=30)
            mart.execute(
                "INSERT INTO sets VALUES ('u', 's', ?, ?, ?, ?, ?)",
                [start, end, name, source, at + timedelta(hours=1)],
            )
            mart.execute(
                "INSERT INTO predictions VALUES "
                "('u', 's', ?, ?, ?, 'user', 0.5, false, 'exercise', ?)",
                [start + off, end + off, name, version],
            )
        assert mart.execute(question).fetchall() == [("user", 2, 0.5, 1.0)]

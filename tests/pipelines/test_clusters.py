"""Rows of cluster summaries, as they travel from the executors to the driver."""

from models.clusters.features import summarise
from models.history import DAY_S, DoneSet, SetLog
from pipelines.clusters import SUMMARY, summary_of, summary_row


def test_summary_is_the_same_after_its_row():
    log = SetLog.of(
        [
            DoneSet("a", 0.0, "squat", 5, 100.0, None),
            DoneSet("b", 30 * DAY_S, "squat", 5, 110.0, None),
            DoneSet("b", 30 * DAY_S, "plank", 40, None, None),
        ]
    )
    (row,) = summary_row(log, until_s=40 * DAY_S)
    assert {"user_id", *row} == set(SUMMARY.names)
    assert summary_of(row) == summarise(log, 40 * DAY_S)

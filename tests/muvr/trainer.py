"""A trainer for tests, which records what it is asked to train, and runs as it leaves them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from muvr.context import CommandContext
from pipelines.lifecycle.runs import RunReport, run_id_at
from store.jobs import JobRun

MONDAY = datetime(2026, 11, 16, 9, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass
class Trainer:
    """A fake for the jobs: records calls and fails when told to."""

    now: datetime = MONDAY
    asked: list[tuple[str, Any]] = field(default_factory=list)
    fails: dict[str, Exception] = field(default_factory=dict)

    def run_job(self, context: CommandContext, family: str, users: Any, *more: Any) -> RunReport:
        self.asked.append((family, users, *more))
        if family in self.fails:
            raise self.fails[family]
        return RunReport(family, run_id_at(self.now), "nothing-to-do", {}, {}, {}, {})


def a_run(status: str, started_at: datetime, family: str = "rank", **inputs: object) -> JobRun:
    return JobRun(family, uuid4(), status, started_at, None, None, inputs, {}, {}, {})

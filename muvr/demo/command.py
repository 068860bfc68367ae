"""`muvr demo`: the pipeline, the figures with their floors, and the next steps."""

import shlex
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cbor2
import numpy as np

from models.exercise.evaluate import Scores
from muvr.context import CommandContext
from muvr.demo.classifying import ServicePredictions, bodies, classify_all, score_unseen_people
from muvr.demo.people import DemoSession, demo_sessions
from muvr.demo.sample_counts import SampleCounts, read_by_spark, stored_and_read_back, user_ids
from muvr.demo.sending import connect_people, demo_password, send_all, username
from muvr.reports import show_figures, write_report
from muvr.up import Started, start_all, stop_all
from pipelines.exercise.job import train_exercise
from pipelines.lifecycle.runs import RunReport
from schemas.report import Figure
from store.java import quick_java

DATA = "SPAR-10: 10 people, 140 Apple Watch recordings, acceleration and rotation at 50 Hz"
SPLIT = "labelled: first 70 % of each recording; asked: last 30 %"
MAX_MODEL_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class DemoOutcome:
    """Everything the demo measured."""

    counts: SampleCounts
    run: RunReport
    predictions: Mapping[str, ServicePredictions]
    unseen: Mapping[str, Scores]
    seconds: float


def run(context: CommandContext) -> bool:
    """Run the demo, write and show the report; whether every floor holds."""
    began = time.monotonic()
    with quick_java():
        started = Started()
        try:
            start_all(context, started)
            outcome = run_pipeline(context, began)
        finally:
            stop_all(context, started)
    figures = figures_of(outcome)
    report = write_report("demo", outcome.seconds, figures, context.config.paths.reports)
    _show(context, outcome, figures)
    context.terminal.answer(report.as_json())
    return report.holds


def run_pipeline(context: CommandContext, began: float) -> DemoOutcome:
    """Recordings → HTTP → Cassandra → Spark → models → answers.

    Raises:
        ServiceFailed: the service does not answer, or refuses something.
        NameTaken: the demo's people have another password than the demo.
    """
    people = demo_sessions(context.config.paths.datasets)
    service = context.service
    with service.checked_url() as url, context.terminal as terminal:
        clients = connect_people(url, list(people), demo_password(context.config.paths.secrets))
        users = context.run_async(lambda database: user_ids(database, list(people)))
        sent = send_all(clients, people, users, terminal)
        stored, read_back = context.run_async(
            lambda database: stored_and_read_back(database, sent, terminal)
        )
        run = train_exercise(context.config, users="all", progress=terminal)
        spark_samples = read_by_spark(context.config, sent)
        predictions = classify_all(clients, people, terminal)
        unseen = score_unseen_people(people, terminal)
    _write_example(context.config.paths.reports, people)
    for client in clients.values():
        client.close()
    recordings = sum(map(len, people.values()))
    counts = SampleCounts(
        recordings=recordings,
        chunks=len(sent.bodies),
        sent=sent.samples_sent,
        acknowledged=sent.samples_acknowledged,
        stored=stored,
        read_back=read_back,
        read_by_spark=spark_samples,
    )
    return DemoOutcome(counts, run, predictions, unseen, time.monotonic() - began)


def figures_of(outcome: DemoOutcome) -> list[Figure]:
    """The figures of build/demo.json."""
    counts, users = outcome.counts, outcome.predictions.values()
    latencies = [ms for user in users for ms in user.milliseconds]
    equal = "equal to samples_sent"
    own_windows = sum(user.windows_right for user in users) / sum(user.windows for user in users)
    own_sets = sum(user.sets_right for user in users) / sum(user.sets for user in users)
    windows, sets = _unseen(outcome.unseen.values())
    unseen_protocol = f"leave one person out; {SPLIT}"
    return [
        Figure("recordings", counts.recordings, data=DATA),
        Figure("chunks", counts.chunks, data=DATA),
        Figure("samples_sent", counts.sent, data=DATA),
        *(
            Figure(f"samples_{name}", count, peer="sent", peer_value=counts.sent,
                   floor=counts.sent, data=DATA, protocol=equal)
            for name, count in (
                ("acknowledged", counts.acknowledged),
                ("stored", counts.stored),
                ("read_back", counts.read_back),
                ("read_by_spark", counts.read_by_spark),
            )
        ),
        Figure("hops_differing", 0 if counts.are_equal else 1, floor=0, ceiling=True, data=DATA),
        Figure("own_windows", own_windows, floor=0.98, peer="unseen", peer_value=windows,
               data=DATA, protocol=SPLIT),
        Figure("own_sets", own_sets, peer="unseen", peer_value=sets,
               data=DATA, protocol=SPLIT),
        Figure("unseen_windows", windows, floor=0.87, data=DATA, protocol=unseen_protocol),
        Figure("unseen_sets", sets, floor=0.91, data=DATA, protocol=unseen_protocol),
        Figure("answers_differing_offline", sum(user.differing for user in users), floor=0,
               ceiling=True, data=DATA, protocol="service beside the downloaded model, per window"),
        Figure("model_bytes_max", max(user.model_bytes for user in users), "B",
               floor=MAX_MODEL_BYTES, ceiling=True, data=DATA),
        Figure("training_s", sum(outcome.run.seconds.values()), "s", data=DATA),
        Figure("classify_p50_ms", float(np.percentile(latencies, 50)), "ms", data=DATA),
        Figure("classify_p99_ms", float(np.percentile(latencies, 99)), "ms", data=DATA),
    ]  # fmt: skip


def _unseen(people: Iterable[Scores]) -> tuple[float, float]:
    """Share of all windows and of all sets, over people."""
    scores = list(people)
    windows = sum(score.window_accuracy * score.windows for score in scores)
    sets = sum(score.set_accuracy * score.sets for score in scores)
    all_windows, all_sets = sum(s.windows for s in scores), sum(s.sets for s in scores)
    return windows / all_windows, sets / all_sets


def _write_example(folder: Path, people: Mapping[str, Sequence[DemoSession]]) -> None:
    """A body for `classify`, for the curl lines."""
    session = next(iter(people.values()))[0]
    streams = {name: cbor2.loads(body) for name, body in bodies(session.held_out).items()}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "movement.cbor").write_bytes(cbor2.dumps({"streams": streams, "side": session.side}))


def _show(context: CommandContext, outcome: DemoOutcome, figures: Sequence[Figure]) -> None:
    terminal = context.terminal
    rows = [
        (
            person,
            predictions.windows,
            f"{predictions.windows_right / predictions.windows:.1%}",
            f"{predictions.sets_right}/{predictions.sets}",
            f"{outcome.unseen[person].window_accuracy:.1%}",
            f"{outcome.unseen[person].set_accuracy:.0%}",
            f"{predictions.model_bytes:,}",
            f"{np.median(predictions.milliseconds):.1f}",
        )
        for person, predictions in outcome.predictions.items()
    ]
    head = ("person", "windows", "own windows", "own sets", "unseen windows", "unseen sets")
    terminal.table(
        "The last 30 % of each recording, own model and the model of the nine others",
        (*head, "model bytes", "p50 ms"),
        rows,
    )
    show_figures(terminal, "demo", figures)
    for line in _next_steps(context):
        terminal.say(line)


def _next_steps(context: CommandContext) -> list[str]:
    url = context.service.url
    folder = context.config.paths.reports
    password = demo_password(context.config.paths.secrets)
    movement, sessions = f"@{folder / 'movement.cbor'}", f"{url}/v1/sessions?limit=1"
    return [
        "",
        "Try next, after `make up`:",
        f"  TOKEN=$(curl -s {url}/v1/auth/token -d username={username('01')} "
        f'-d password={password} | sed \'s/.*"access_token":"\\([^"]*\\).*/\\1/\')',
        f'  curl -s {url}/v1/classify -H "Authorization: Bearer $TOKEN" '
        f"-H 'Content-Type: application/cbor' --data-binary {shlex.quote(movement)}",
        f'  curl -s {shlex.quote(sessions)} -H "Authorization: Bearer $TOKEN"',
        f"The page is at {url}/ and the documentation at {url}/docs. `make down` stops both.",
        f"The figures are in {folder / 'demo.json'}.",
    ]

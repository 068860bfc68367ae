"""`muvr simulate` on a real Cassandra, and the score table of `muvr train all`."""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from typer.testing import CliRunner

from muvr import simulating_crowd
from muvr.cli import command_line
from muvr.context import CommandContext
from muvr.scoreboard import score_rows
from muvr.simulating import count_rows, first_day
from muvr.simulating_crowd import SimulatedWorld, register_all, send_crowd, send_portion
from muvr.simulating_truth import (
    clusters_against_truth,
    keep_truth,
    known_world,
    temperaments,
    truth_path,
)
from muvr.terminal import Terminal
from pipelines.lifecycle.runs import RunReport
from schemas.config import Config, Limits, Paths
from schemas.errors import BadInput, NameTaken
from schemas.inputs import LAYOUTS
from store.database import Statement
from store.follows import Follows
from store.live_runs import LiveRuns
from store.processes import is_running
from store.records import records_in
from tests.cassandra_node import CHECKOUT
from tests.waiting import answer_when

START = (datetime.now(UTC) - timedelta(weeks=6)).replace(hour=0, minute=0, second=0, microsecond=0)
WORLD = SimulatedWorld(users=4, weeks=3, seed=uuid4().int % 10**9, start_s=START.timestamp())


def send(database, people=range(4)):
    return send_portion(database, Config(), WORLD, people)


def test_simulated_data_is_stored_completely_and_idempotently(database):
    records = records_in(database, Config().limits)

    async def kept(person):
        return (
            await records.sets.of_user(person.user_id),
            await records.sessions.page(person.user_id, None, 1000),
            await records.plans.of_user(person.user_id),
            {follow.followee for follow in await Follows(database).of_user(person.user_id)},
        )

    asyncio.run(register_all(database, WORLD, ""))
    sent = send(database)
    people = [WORLD.person(index) for index in range(4)]
    assert sent["people"] == 4
    assert sent["sets"] == sum(len(person.sets()) for person in people) > 0
    for person in people:
        sets, sessions, plans, follows = asyncio.run(kept(person))
        assert {set_.set_id for set_ in sets} == {set_.set_id for set_ in person.sets()}
        assert {session.session_id for session in sessions} == {
            s.session_id for s in person.sessions
        }
        assert {plan.plan_id for plan in plans} == {session.plan_id for session in person.sessions}
        assert follows == {people[number].user_id for number in person.follows}
        done = {set_.set_id: set_ for set_ in person.sets()}
        for set_ in sets:
            true = done[set_.set_id]
            assert (set_.exercise, set_.reps, set_.weight_kg, set_.intensity) == (
                true.exercise, true.reps, true.weight_kg, true.intensity
            )  # fmt: skip
    before = [asyncio.run(kept(person)) for person in people]
    asyncio.run(register_all(database, WORLD, ""))
    send(database)
    assert [asyncio.run(kept(person)) for person in people] == before


def send_in_threads(patch, database):
    """Let `muvr simulate` send from this process: a separate one takes seconds to start."""

    def threads(workers, **_):
        return ThreadPoolExecutor(workers)

    patch.setattr(simulating_crowd, "ProcessPoolExecutor", threads)
    patch.setattr(simulating_crowd, "_connection", lambda *_: database)


def test_the_counts_of_a_week_without_training_are_zeros(monkeypatch, tmp_path):
    counts = Counter(people=1, sessions=0, sets=0, follows=0)

    async def resting(*_):
        return counts

    monkeypatch.setattr(simulating_crowd, "send_person", resting)
    send_in_threads(monkeypatch, None)
    context = CommandContext(Config(), tmp_path / "conf.yaml", Terminal(as_json=True))
    assert send_crowd(context, replace(WORLD, users=1), processes=1) == counts
    assert count_rows(counts, 1.0)[2] == ("sets", "0")


def test_usernames_taken_by_another_simulation_are_refused(database):
    later = SimulatedWorld(WORLD.users, WORLD.weeks, WORLD.seed, WORLD.start_s + 86_400)
    asyncio.run(register_all(database, WORLD, ""))
    with pytest.raises(NameTaken, match="--seed"):
        asyncio.run(register_all(database, later, ""))


def test_the_simulation_truth_is_read_back(tmp_path):
    path = keep_truth(tmp_path, WORLD)
    assert known_world(tmp_path, WORLD.seed) == WORLD
    assert known_world(tmp_path, WORLD.seed + 1) is None
    assert json.loads(path.read_text())["simulated"] is True
    expected = {person.user_id: person.truth.temperament for person in WORLD.people()}
    assert temperaments(tmp_path) == expected


def test_the_truth_covers_everybody_who_was_ever_sent(tmp_path):
    keep_truth(tmp_path, replace(WORLD, users=4, weeks=2))
    keep_truth(tmp_path, replace(WORLD, users=2, weeks=3))
    assert known_world(tmp_path, WORLD.seed) == WORLD
    assert set(temperaments(tmp_path)) == {person.user_id for person in WORLD.people()}
    elsewhere = replace(WORLD, users=2, start_s=WORLD.start_s - 86_400)
    keep_truth(tmp_path, elsewhere)
    assert known_world(tmp_path, WORLD.seed) == elsewhere


def test_people_whom_an_earlier_release_drew_are_not_added_to(tmp_path):
    path = truth_path(tmp_path, 7)
    path.write_text(json.dumps({"users": 1, "weeks": 1, "seed": 7, "start_s": 0.0, "people": []}))
    with pytest.raises(BadInput, match="seed 7 .* take another --seed"):
        known_world(tmp_path, 7)


@pytest.mark.parametrize("past_days", [400, 90])
def test_the_first_day_leaves_room_for_a_longer_history(tmp_path, past_days):
    paths = Paths(reports=tmp_path)
    config = Config(paths=paths, limits=Limits(clock_past_days=past_days))
    context = CommandContext(config, tmp_path / "conf.yaml", Terminal(as_json=True))
    longest = min(26, (past_days - 7) // 7)
    first = first_day(context, 1, 7, None)
    assert first.weekday() == 0
    assert first == first_day(context, longest, 7, None)
    assert first + timedelta(weeks=longest) <= datetime.now(UTC)
    assert first_day(context, longest + 1, 7, None) == first - timedelta(weeks=1)
    old = datetime.now(UTC) - timedelta(days=past_days)
    keep_truth(tmp_path, SimulatedWorld(1, 1, 7, old.timestamp()))
    with pytest.raises(BadInput, match=f"{past_days} days of limits.clock_past_days"):
        first_day(context, 1, 7, None)


def test_runs_of_one_seed_add_up_in_any_order(database, conf, monkeypatch):
    """After each run everybody has the weeks that were asked for; a smaller run changes nothing."""
    reports = conf.parent / "reports"
    conf.write_text(conf.read_text() + f"paths: {{reports: {reports}}}\n")
    seed, records = uuid4().int % 10**9, records_in(database, Config().limits)

    def simulated(users, weeks):
        """Run the command; the ids of each person's stored sets."""
        words = f"simulate --users {users} --weeks {weeks} --seed {seed} --processes 1".split()
        done = CliRunner().invoke(
            command_line(["muvr.simulating"]), [*words, "--config", str(conf)]
        )
        assert done.exit_code == 0, done.output
        world = known_world(reports, seed)
        of_user = records.sets.of_user
        return [
            {set_.set_id for set_ in asyncio.run(of_user(person.user_id))}
            for person in world.people()
        ]

    def expected(weeks):
        """The ids of each person's sets after so many weeks."""
        longest = known_world(reports, seed)
        assert longest.users == len(weeks)
        people = [replace(longest, weeks=number).person(n) for n, number in enumerate(weeks)]
        return [{set_.set_id for set_ in person.sets()} for person in people]

    assert simulated(2, 2) == expected([2, 2])  # sent from another process, as users do
    send_in_threads(monkeypatch, database)
    assert simulated(3, 4) == expected([4, 4, 4])
    assert simulated(1, 3) == expected([4, 4, 4])
    assert simulated(4, 1) == expected([4, 4, 4, 1])


def test_live_clusters_are_compared_with_the_simulated_truth(database):
    """True clusters score 1; frequency alone, which is uninformative here, scores 0 or less."""
    run, truth = uuid4(), {uuid4(): name for name in ("athlete", "occasional") for _ in range(8)}
    rows = [
        (run, user, int(name == "athlete"), name, json.dumps({"frequency": float(n % 2)}))
        for n, (user, name) in enumerate(truth.items())
    ]
    cql = "INSERT INTO clusters (run_id, user_id, cluster, name, features) VALUES (?, ?, ?, ?, ?)"

    async def work():
        await database.run_all([Statement(cql, row) for row in rows])
        live = LiveRuns(database)
        before = await live.read("clusters")
        expected = before.run_id if before else None
        assert await live.go_live("clusters", run, START, {}, expected)
        return await clusters_against_truth(database, truth)

    scores = asyncio.run(work())
    assert (scores["people"], scores["clusters"]) == (16, 1.0)
    assert scores["frequency_alone"] <= 0


def report(family, metrics, **counts):
    return RunReport(family, UUID(int=0), "done", counts, metrics, {}, {"learn": 1.5, "write": 1})


def test_the_score_table_has_rows_for_each_family():
    shares = {name: {"ndcg": 0.5, "recall": 0.4} for name in ("model", "popularity", "repeat_last")}
    metrics = {"f1": {"own": 0.9, "rhythm": 0.7}, "outcome": "promoted"}
    rows = score_rows(
        [
            report(
                "load", {"later_sets": 9, "error": 0.1, "last_error": 0.2}, promoted=3, failed=1
            ),
            report("clusters", {"reseed": 0.99}, rows=5),
            report("recommend", shares, rows=5),
            report("form", {}),
            report("activity", {LAYOUTS[0]: metrics, LAYOUTS[1]: metrics | {"outcome": "refused"}}),
        ],
        {"people": 9, "clusters": 0.7, "frequency_alone": 0.3},
    )
    assert rows[0] == ("load", "done", 3, 1, "error later", "0.1", "0.2 as last time", 2.5)
    assert rows[1][4:] == ("Rand, reseeded", "0.99", "", 2.5)
    assert rows[2][4:] == ("Rand, simulated", "0.7", "0.3 frequency alone", "")
    assert [row[4] for row in rows[3:7]] == ["ndcg@10", "ndcg@10", "recall@10", "recall@10"]
    assert rows[7] == ("form", "done", 0, 0, "", "", "", 2.5)
    assert rows[8] == ("activity", "done", 1, 1, "F1 of seconds", "0.9", "0.7 rhythm", 2.5)


def test_an_activity_model_stands_beside_the_serving_one_on_the_days_that_both_are_judged_on():
    """On all days it finds .9, on those after the serving model's training .6, as that one .8."""
    f1 = {"own": 0.9, "rhythm": 0.7, "own_later": 0.6, "incumbent": 0.8}
    rows = score_rows([report("activity", {LAYOUTS[0]: {"f1": f1, "outcome": "promoted"}})], None)
    assert [row[4:7] for row in rows] == [
        ("F1 of seconds", "0.9", "0.7 rhythm"),
        ("F1 of later seconds", "0.6", "0.8 incumbent"),
    ]


def test_exercise_models_stand_beside_each_rung_on_the_sets_on_which_both_were_asked():
    """The global model names all of their ten sets right, and four of ten that are new to them."""
    compared = {
        "everybody": {"sets": 10, "own_right": 0.9, "right": 1.0},
        "incumbent": {"sets": 4, "own_right": 1.0, "right": 0.75},
    }
    rungs = {
        "own": {"sets": 10, "sets_right": 0.9},
        "everybody": {"sets": 20, "sets_right": 0.7},
        "incumbent": {"sets": 4, "sets_right": 0.75},
    }
    rows = score_rows([report("exercise", {"rungs": rungs, "compared": compared})], None)
    assert [row[4:7] for row in rows] == [
        ("right later", "1", "0.75 incumbent"),
        ("right later", "0.9", "1 everybody"),
    ]


SENDING = """
import os, sys, time
from types import SimpleNamespace
from muvr.simulating_crowd import send_crowd
from muvr.terminal import Terminal

class World:
    users = 1

    def __reduce__(self):  # what the worker does with what it is sent
        return wait, ()

def wait():
    print(os.getpid(), flush=True)
    time.sleep(60)

if __name__ == "__main__":
    send_crowd(SimpleNamespace(terminal=Terminal(), config=None), World(), 1)
"""


def test_workers_end_with_a_command_that_was_killed(tmp_path: Path):
    (tmp_path / "sending.py").write_text(SENDING)
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, str(tmp_path / "sending.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env, text=True) as sending:
        assert sending.stdout is not None
        worker = int(sending.stdout.readline())
        sending.kill()
    assert not answer_when(lambda running: not running, lambda: is_running(worker), 10.0)

"""People whose rows a mart holds, and what jobs have learned of them."""

from datetime import UTC, datetime, timedelta

from schemas.config import Limits
from store.champions import Champions
from store.database import Database, Statement
from store.dead_letters import DeadLetter, DeadLetters
from store.live_runs import LiveRuns
from store.records import records_in
from tests.ingest.gym import START, Gym, one_of_each
from tests.ingest.histories import new_id

NOW = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)
LEARNED = START - timedelta(days=1)
FIVE_YEARS_BEHIND = START.replace(year=START.year - 5)
RUN, OLD, RETIRING = new_id(), new_id(), new_id()


async def people(database: Database) -> list[Gym]:
    """Three people with sessions, and the results of jobs for them; the first has a wrong clock."""
    starts = (FIVE_YEARS_BEHIND, START, START)
    gyms = [Gym(records_in(database, Limits()), start) for start in starts]
    for gym in gyms:
        await one_of_each(gym)
    await gyms[1].recorder.delete_set(gyms[1].user, gyms[1].session, gyms[1].sets["third"][0])
    letter = DeadLetter(RUN, gyms[0].user, "chunk", f"of session {gyms[0].session}", b"x", NOW)
    await DeadLetters(database).put(letter, NOW)
    await database.run_all([one for gym in gyms for one in _learned(gym)])
    await Champions(database).withdraw(RETIRING, "it retired too many", NOW)
    await LiveRuns(database).go_live("clusters", RUN, NOW, {}, None)
    return gyms


def _learned(gym: Gym) -> list[Statement]:
    """What jobs would write of a person."""
    owner, month, at = f"u:{gym.user}", "2026-11", NOW
    third = gym.start + timedelta(minutes=50)
    features = '{"frequency": 3, "improvement": 0.1, "performance": 0.5}'
    return [
        *(
            Statement(
                "INSERT INTO clusters (run_id, user_id, cluster, name, features) "
                "VALUES (?, ?, 2, 'often', ?)",
                (run, gym.user, features),
            )
            for run in (RUN, OLD)
        ),
        *(
            Statement(
                "INSERT INTO champions (owner, model_id, family, version, run_id, promoted_at) "
                "VALUES (?, 'wrist-acc3', ?, ?, ?, ?)",
                (owner, family, version, RUN, at),
            )
            for family, version in (("exercise", "v1"), ("form", ""))  # the second was retired
        ),
        *(
            Statement(
                "INSERT INTO champions (owner, model_id, family, version, run_id, "
                "previous_version, previous_run_id, earlier, promoted_at) "
                "VALUES (?, 'wrist-acc3', ?, '', ?, ?, ?, ?, ?)",
                (owner, family, RETIRING, previous, run, earlier, at),
            )
            for family, previous, run, earlier in (  # the newest promotion of each was withdrawn
                ("activity", "v0", OLD, None),
                ("intensity", None, None, [("", RETIRING), ("v2", RUN)]),
                ("load", "v3", RETIRING, [("", OLD), ("v1", RUN)]),
            )
        ),
        Statement(
            "INSERT INTO models (owner, model_id, family, version, manifest, run_id, created_at) "
            "VALUES (?, 'wrist-acc3', 'exercise', 'v1', '{\"metrics\": {\"asked\": 2}}', ?, ?)",
            (owner, RUN, LEARNED),
        ),
        *(
            Statement(
                "INSERT INTO job_runs (family, run_id, status, started_at, finished_at, metrics, "
                "reasons) "
                "VALUES ('clusters', ?, 'done', ?, ?, '{\"model\": {\"score\": 0.5}}', ?)",
                (run, at, at + timedelta(seconds=90), f'{{"user {gym.user} has no sets": 1}}'),
            )
            for run in (RUN, OLD)
        ),
        Statement(
            "INSERT INTO predictions (user_id, month, session_id, set_id, started_at, ended_at, "
            "exercise, probability, abstained, reps, family, level, version, predicted_at) VALUES "
            "(?, ?, ?, ?, ?, ?, 'row', 0.75, false, 9, 'exercise', 'user', 'v1', ?)",
            (gym.user, month, gym.session, RUN, third, third + timedelta(seconds=20), at),
        ),
    ]

"""Models a second, from raw sets in Cassandra to models in Cassandra, beside what others write.

1,000 users with 42 sets of 20 s. `MUVR_BENCH_USERS` makes it smaller, for a first look. Every rate
is of a warm run on sets that nobody has looked at yet; the first run of each kind is printed too.
"""

from functools import partial

from bench.training_data import DATA
from bench.training_keyspaces import TENTH, USERS, load_keyspaces
from bench.training_runs import (
    LearningTimes,
    OurRuns,
    PeerRates,
    count_equal,
    kept_bytes,
    run_ours,
    run_peers,
    time_learning,
)
from muvr.context import CommandContext
from muvr.deployment import node_only
from pipelines.lifecycle.runs import RunReport
from schemas.report import Figure

PANDAS = "applyInPandas + scikit-learn"
BESIDE_HEAP_MB = 512  # that a JVM takes besides
FIGURE = partial(Figure, data=f"{DATA}; {USERS} users x 42 sets")


def run(context: CommandContext) -> list[Figure]:
    """Load, train, compare."""
    with node_only(context) as (config, node):
        keyspaces = load_keyspaces(context, config, node)
        context.terminal.step(
            "users loaded", sum(keyspace.users.size for keyspace in keyspaces.values())
        )
        ours = run_ours(keyspaces)
        others = run_peers(keyspaces)
        learning = time_learning(keyspaces["small"])
        equal = count_equal(keyspaces["large"])
        kept = kept_bytes(keyspaces["large"])
    return [
        *_speed(ours, others),
        *_learning(learning),
        *_incremental(ours, equal),
        *_growth(ours, config.spark.driver_memory_mb),
        _poisoned(ours),
        FIGURE("kept_bytes", kept, "B", protocol="windows that 42 sets of a user keep"),
    ]


def rate(report: RunReport, users: int) -> float:
    """Models a second from the first read to the last write; pointers move afterwards."""
    return users / (report.seconds["global"] + report.seconds["users"])


def _speed(ours: OurRuns, others: PeerRates) -> list[Figure]:
    """Figures of training from raw sets to stored models, beside those of the peers."""
    warm = rate(ours.large, USERS)
    return [
        FIGURE(
            "models_per_s",
            warm,
            "1/s",
            PANDAS,
            others.pandas,
            3.5 * others.pandas,
            protocol=f"warm, raw sets to stored models, same windows for all; scikit-learn's "
            f"{others.solver} discriminant; the peer on a fifth of the users",
        ),
        FIGURE(
            "models_per_s_again",
            rate(ours.again, USERS),
            "1/s",
            PANDAS,
            others.pandas,
            protocol="all users a second time, as every training but the first: windows are kept "
            "where sets are as they were; the peer keeps none",
        ),
        FIGURE(
            "models_per_s_cold",
            TENTH / ours.cold_s,
            "1/s",
            PANDAS,
            others.pandas_cold,
            protocol="first run of the process, a tenth of the users; ours starts Spark as well, "
            "the peer finds it running",
        ),
        FIGURE(
            "joblib_ratio",
            warm / others.joblib,
            "",
            floor=1.2,
            protocol=f"the very same functions in joblib's processes on the same cores: "
            f"{others.joblib:.1f} models/s warm, {others.joblib_cold:.1f} cold; the global model "
            "is given to them",
        ),
    ]


def _learning(took: LearningTimes) -> list[Figure]:
    """The learning step alone: ours, and scikit-learn's fastest."""
    peer = f"StandardScaler and LinearDiscriminantAnalysis with shrinkage {1e3 * took.scikit_s:.1f}"
    return [
        FIGURE(
            "learning_ratio",
            took.scikit_s / took.kept_s,
            "",
            floor=15,
            protocol="windows of a user, each side's as it keeps them, to a model, CPU: "
            f"ours {1e3 * took.kept_s:.2f} ms, {peer}",
        ),
        FIGURE(
            "learning_ratio_unpacked",
            took.scikit_s / took.floats_s,
            "",
            protocol="the same from floats, which ours packs into four bits once for each set: "
            f"ours {1e3 * took.floats_s:.2f} ms, {peer}",
        ),
    ]


def _incremental(ours: OurRuns, equal: tuple[int, int]) -> list[Figure]:
    """A tenth of the users with new sets: what it costs, and that it comes to the same."""
    first, whole, part = (_busy_s(run) for run in (ours.large, ours.again, ours.changed))
    tenth = f"{part:.1f} s for a tenth of the users with seven new sets each"
    return [
        FIGURE(
            "incremental_ratio",
            whole / part,
            "",
            floor=6,
            protocol=f"{whole:.1f} s for all a second time, their windows kept, and the global "
            f"model; {tenth}; both warm, start-up of the engine apart",
        ),
        FIGURE(
            "incremental_ratio_first",
            first / part,
            "",
            protocol=f"{first:.1f} s for all the first time, no windows kept; {tenth}",
        ),
        FIGURE(
            "incremental_equal",
            equal[0] / equal[1],
            "",
            floor=1,
            protocol=f"{equal[1]} changed users, byte for byte against a first training",
        ),
    ]


def _growth(ours: OurRuns, heap_mb: int) -> list[Figure]:
    """Ten times the users: seconds, and memory of driver, with a heap of that size, and workers."""
    small, whole = _busy_s(ours.small), _busy_s(ours.large)
    figure = partial(FIGURE, peer=f"{TENTH} users", ceiling=True)
    (driver, worker), (small_driver, small_worker) = ours.large_mb, ours.small_mb
    return [
        FIGURE(
            "growth_x10",
            whole / small,
            "",
            floor=11 * USERS / (10 * TENTH),
            ceiling=True,
            protocol=f"{TENTH} users {small:.1f} s, {USERS} users {whole:.1f} s",
        ),
        figure(
            "driver_mb",
            driver,
            "MB",
            peer_value=small_driver,
            floor=heap_mb + BESIDE_HEAP_MB,
            protocol="largest resident size of Spark's JVM",
        ),
        figure(
            "worker_mb",
            worker,
            "MB",
            peer_value=small_worker,
            floor=1.3 * small_worker,
            protocol="largest Python worker",
        ),
    ]


def _poisoned(ours: OurRuns) -> Figure:
    """One user whose samples are junk, among all the others."""
    counts = dict(ours.large.counts)
    promoted, failed = counts.get("promoted", 0), counts.get("failed", 0)
    return FIGURE(
        "promoted_beside_poisoned",
        promoted if failed == 1 else 0,
        "users",
        floor=USERS - 1,
        protocol=f"one of {USERS} users has a set that does not decode: {promoted} promoted, "
        f"{failed} reported: {'; '.join(ours.large.reasons)}",
    )


def _busy_s(report: RunReport) -> float:
    """Seconds of a run's steps, without starting Spark."""
    return sum(seconds for step, seconds in report.seconds.items() if step != "engine")

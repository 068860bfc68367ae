"""The training runs behind the figures: ours and those of the peers."""

import asyncio
import hashlib
import statistics as st
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import joblib
import numpy as np

from bench.memory import MemorySampler
from bench.training_data import LAYOUT
from bench.training_keyspaces import TENTH, TrainedKeyspace, changing, train_again
from bench.training_peers import joblib_seconds, pandas_seconds, scikit_model
from models.exercise.examples import SetWindows, set_windows
from models.exercise.fit import PooledPrior, fit_framed_user
from models.exercise.quantised import quantise
from models.exercise.quantised_statistics import ExerciseWindows, framed_statistics
from models.signal.pieces import unpack_pieces
from models.signal.wrist import wrist_signals
from pipelines.exercise.global_models import read_global_models
from pipelines.exercise.job import train_exercise
from pipelines.exercise.labelled import labelled_sets
from pipelines.exercise.learner import learn_user
from pipelines.exercise.passes import read_training_sets
from pipelines.exercise.recipes import named_recipe, recipe_of
from pipelines.exercise.rows import FitContext
from pipelines.lifecycle.runs import RunReport
from pipelines.spark.session import spark_session
from store.champions import Champions
from store.labelled_sets import LabelledSets
from store.models import ModelKey

WARMED = 40  # users that are read by key before anything of it is measured
COMPARED = 8  # users for the learning step and for bytes
SOLVERS = ("lsqr", "eigen")  # of scikit-learn's, those that know shrinkage


@dataclass(frozen=True, slots=True)
class OurRuns:
    """Runs of our job, in their order."""

    cold: RunReport
    small: RunReport
    large: RunReport
    again: RunReport
    changed: RunReport
    cold_s: float
    small_mb: tuple[float, float]
    large_mb: tuple[float, float]


def run_ours(keyspaces: dict[str, TrainedKeyspace]) -> OurRuns:
    """Our job: first run, a tenth of the users, all of them twice, a tenth that changed.

    Some users are trained by name before that, so that reading by key is as warm as a scan is.
    """
    began = time.perf_counter()
    cold = train_exercise(keyspaces["cold"].config)
    cold_s = time.perf_counter() - began
    with MemorySampler() as small_memory:
        small = train_exercise(keyspaces["small"].config)
    named = [keyspaces["small"].users.user_id(n) for n in range(min(WARMED, TENTH))]
    train_exercise(keyspaces["small"].config, users=named)
    with MemorySampler() as large_memory:
        large = train_exercise(keyspaces["large"].config)
    again = train_exercise(keyspaces["large"].config)  # finds its windows kept, as `changed` will
    train_again(keyspaces["large"])
    changed = train_exercise(keyspaces["large"].config, users="changed")
    return OurRuns(
        cold, small, large, again, changed, cold_s, small_memory.peak_mb, large_memory.peak_mb
    )


@dataclass(frozen=True, slots=True)
class PeerRates:
    """Models a second of the peers, and the solver that scikit-learn is fastest with."""

    joblib_cold: float
    joblib: float
    pandas_cold: float
    pandas: float
    solver: str


def run_peers(keyspaces: dict[str, TrainedKeyspace]) -> PeerRates:
    """The rates of the peers, measured on a fifth of the users."""
    context_path = _fit_context_file(keyspaces["small"], keyspaces["small"].config.paths.run)
    cores = keyspaces["small"].config.spark.cores
    rates: dict[str, float] = {}
    for name in ("peer_cold", "peer"):
        keyspace = keyspaces[name]
        keys = keyspace.ask(lambda database: LabelledSets(database).keys())
        seconds = joblib_seconds(keyspace.config.cassandra, keys, context_path, cores)
        rates[f"joblib {name}"] = keyspace.users.size / seconds
    solver = min(
        SOLVERS, key=lambda solver: _scikit_s(_user_windows(keyspaces["small"], 0), solver)
    )
    for name in ("peer_cold", "peer"):
        keyspace = keyspaces[name]
        recipe = recipe_of(keyspace.config)
        seconds = pandas_seconds(
            spark_session(keyspace.config),
            keyspace.config.cassandra.keyspace,
            recipe.windows.settings,
            recipe.cutoff_share,
            solver,
        )
        rates[f"pandas {name}"] = keyspace.users.size / seconds
    return PeerRates(
        rates["joblib peer_cold"],
        rates["joblib peer"],
        rates["pandas peer_cold"],
        rates["pandas peer"],
        solver,
    )


def _fit_context_file(keyspace: TrainedKeyspace, folder: Path) -> Path:
    """The `FitContext` that tasks of our job carry, as a file for joblib's processes."""
    with keyspace.database() as database:
        global_models = read_global_models(database)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "context.joblib"
    joblib.dump(
        FitContext(named_recipe(recipe_of(keyspace.config), global_models), global_models, {}), path
    )
    return path


NamedSetWindows = tuple[str, SetWindows]  # exercise, windows of a set


def _user_windows(keyspace: TrainedKeyspace, number: int) -> list[NamedSetWindows]:
    """A user's windows, as they were computed."""
    settings = recipe_of(keyspace.config).windows.settings
    return [
        (
            row.exercise,
            set_windows(
                wrist_signals(unpack_pieces(row.samples)),
                seed=row.set_id.int % 2**63,
                settings=settings,
            ),
        )
        for row in keyspace.users.sets(number)
    ]


@dataclass(frozen=True, slots=True)
class LearningTimes:
    """CPU seconds from a user's windows to a model, medians over users.

    Attributes:
        kept_s: ours, from windows as training finds them.
        floats_s: ours, from windows that are still to be packed.
        scikit_s: scikit-learn's fastest solver, from floats.
    """

    kept_s: float
    floats_s: float
    scikit_s: float


def time_learning(keyspace: TrainedKeyspace) -> LearningTimes:
    """The learning step alone, for a few users."""
    with keyspace.database() as database:
        global_model = read_global_models(database)[LAYOUT]
    prior = global_model.learned.prior
    users = range(min(COMPARED, keyspace.users.size))
    timings = [_time_user_learning(_user_windows(keyspace, number), prior) for number in users]
    return LearningTimes(
        *(st.median(several) for several in zip(*map(astuple, timings), strict=True))
    )


def _time_user_learning(parts: Sequence[NamedSetWindows], prior: PooledPrior) -> LearningTimes:
    kept = _packed(parts)
    return LearningTimes(
        min(_seconds(lambda: _learn_own(kept, prior)) for _ in range(5)),
        min(_seconds(lambda: _learn_own(_packed(parts), prior)) for _ in range(5)),
        min(_scikit_s(parts, solver) for solver in SOLVERS),
    )


def _packed(parts: Sequence[NamedSetWindows]) -> list[ExerciseWindows]:
    return [(exercise, quantise(windows)) for exercise, windows in parts]


def _learn_own(named: Sequence[ExerciseWindows], prior: PooledPrior) -> None:
    fit_framed_user(framed_statistics(named, prior.frame), prior.frame, prior)


def _scikit_s(parts: Sequence[NamedSetWindows], solver: str) -> float:
    x = np.concatenate([windows.x for _, windows in parts])
    labels = [exercise for exercise, windows in parts for _ in range(len(windows.x))]
    return min(_seconds(lambda: scikit_model(solver).fit(x, labels)) for _ in range(2))


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def count_equal(keyspace: TrainedKeyspace) -> tuple[int, int]:
    """(changed users whose champion has the bytes that a first training gives, users compared)."""
    numbers = changing(keyspace.users.size)[:COMPARED]
    equal = 0
    with keyspace.database() as database:
        global_models = read_global_models(database)
        recipe = named_recipe(recipe_of(keyspace.config), global_models)
        for number in numbers:
            key = keyspace.users.user_id(number), LAYOUT
            sets = labelled_sets(read_training_sets(database, key))
            raw = [replace(row, features=None) for row in sets]
            learned = learn_user(raw, LAYOUT, recipe, global_models[LAYOUT].learned)
            sha256 = hashlib.sha256(learned.content).digest()
            pointer = asyncio.run(Champions(database).read(ModelKey.of_user(*key, "exercise")))
            equal += pointer is not None and bytes(pointer.sha256) == sha256
    return equal, len(numbers)


def kept_bytes(keyspace: TrainedKeyspace) -> float:
    """Bytes of windows that a user's sets keep."""
    key = keyspace.users.user_id(0), LAYOUT
    rows = keyspace.ask(lambda database: LabelledSets(database).training_sets(*key))
    return float(sum(len(row.features or b"") for row in rows))

"""The runs behind the figures: ours, those of the peers, and what is compared with them."""

import asyncio
import statistics as st
import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import joblib
import numpy as np

from bench.resident import Resident
from bench.training_data import LAYOUT
from bench.training_peers import joblib_seconds, pandas_seconds, scikit_model
from bench.training_worlds import TENTH, TrainedKeyspace, changing, train_again
from models.exercise.examples import SetWindows, windows_of_sets
from models.exercise.fit import PooledPrior, fit_framed_user
from models.exercise.quantised import quantise
from models.exercise.quantised_statistics import ExerciseWindows, framed_statistics
from models.signal.pieces import unpack_pieces
from models.signal.wrist import wrist_signals
from pipelines.exercise.global_models import read_everybody
from pipelines.exercise.job import recipe_of, train_exercise
from pipelines.exercise.labelled import labelled_sets
from pipelines.exercise.learner import learn_user
from pipelines.exercise.passes import partition_of
from pipelines.exercise.rows import FitContext
from pipelines.exercise.users import named_recipe
from pipelines.lifecycle.runs import RunReport
from pipelines.spark.session import spark_session
from schemas.layout import owner_of
from store.champions import Champions
from store.training import TrainingKeys, TrainingSets

WARMED = 40  # users that are read by key before anything of it is measured
COMPARED = 8  # users for the learning step and for bytes
SOLVERS = ("lsqr", "eigen")  # of scikit-learn's, those that know shrinkage


@dataclass(frozen=True, slots=True)
class Ours:
    """Runs of our job, in their order."""

    cold: RunReport
    small: RunReport
    large: RunReport
    again: RunReport
    changed: RunReport
    cold_s: float
    small_mb: tuple[float, float]
    large_mb: tuple[float, float]


def ours_of(worlds: dict[str, TrainedKeyspace]) -> Ours:
    """Our job: first run, a tenth of the users, all of them twice, a tenth that changed.

    Some users are trained by name before that, so that reading by key is as warm as a scan is.
    """
    began = time.perf_counter()
    cold = train_exercise(worlds["cold"].config)
    cold_s = time.perf_counter() - began
    with Resident() as small_memory:
        small = train_exercise(worlds["small"].config)
    named = [worlds["small"].crowd.user_id(n) for n in range(min(WARMED, TENTH))]
    train_exercise(worlds["small"].config, users=named)
    with Resident() as large_memory:
        large = train_exercise(worlds["large"].config)
    again = train_exercise(worlds["large"].config)  # finds its windows kept, as `changed` will
    train_again(worlds["large"])
    changed = train_exercise(worlds["large"].config, users="changed")
    return Ours(
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


def others_of(worlds: dict[str, TrainedKeyspace]) -> PeerRates:
    """The peers, on a fifth of the users: a rate is a rate."""
    lesson = _lesson_file(worlds["small"], worlds["small"].config.paths.run)
    cores = worlds["small"].config.spark.cores
    rates: dict[str, float] = {}
    for name in ("peer_cold", "peer"):
        world = worlds[name]
        keys = world.ask(lambda database: TrainingKeys(database).all())
        seconds = joblib_seconds(world.config.cassandra, keys, lesson, cores)
        rates[f"joblib {name}"] = world.crowd.size / seconds
    solver = min(SOLVERS, key=lambda one: _scikit_s(_user_windows(worlds["small"], 0), one))
    for name in ("peer_cold", "peer"):
        world = worlds[name]
        recipe = recipe_of(world.config)
        seconds = pandas_seconds(
            spark_session(world.config),
            world.config.cassandra.keyspace,
            recipe.windows.settings,
            recipe.cutoff_share,
            solver,
        )
        rates[f"pandas {name}"] = world.crowd.size / seconds
    return PeerRates(
        rates["joblib peer_cold"],
        rates["joblib peer"],
        rates["pandas peer_cold"],
        rates["pandas peer"],
        solver,
    )


def _lesson_file(world: TrainedKeyspace, folder: Path) -> Path:
    """What a task of our job carries, for joblib's processes: read once by each."""
    database = world.database()
    everybody = read_everybody(database)
    database.close()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "lesson.joblib"
    joblib.dump(FitContext(named_recipe(recipe_of(world.config), everybody), everybody, {}), path)
    return path


NamedSetWindows = tuple[str, SetWindows]  # exercise, windows of a set


def _user_windows(world: TrainedKeyspace, number: int) -> list[NamedSetWindows]:
    """A user's windows, as they were computed."""
    sets = world.crowd.sets(number)
    found = windows_of_sets(
        [(wrist_signals(unpack_pieces(one.samples)), one.set_id.int % 2**63) for one in sets],
        recipe_of(world.config).windows.settings,
    )
    return [(one.exercise, windows) for one, windows in zip(sets, found, strict=True)]


@dataclass(frozen=True, slots=True)
class Learning:
    """CPU seconds from a user's windows to a model, medians over users.

    Attributes:
        kept_s: ours, from windows as training finds them.
        floats_s: ours, from windows that are still to be packed.
        scikit_s: scikit-learn's fastest solver, from floats.
    """

    kept_s: float
    floats_s: float
    scikit_s: float


def learning_of(world: TrainedKeyspace) -> Learning:
    """The learning step alone, for a few users."""
    database = world.database()
    everybody = read_everybody(database)[LAYOUT]
    database.close()
    prior = everybody.learned.prior
    users = range(min(COMPARED, world.crowd.size))
    found = [_learning_of_user(_user_windows(world, number), prior) for number in users]
    return Learning(*(st.median(several) for several in zip(*map(astuple, found), strict=True)))


def _learning_of_user(parts: Sequence[NamedSetWindows], prior: PooledPrior) -> Learning:
    kept = _packed(parts)
    return Learning(
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


def equal_of(world: TrainedKeyspace) -> tuple[int, int]:
    """Changed users whose champion is, byte for byte, what a first training would make."""
    database = world.database()
    everybody = read_everybody(database)
    recipe = named_recipe(recipe_of(world.config), everybody)
    numbers = changing(world.crowd.size)[:COMPARED]
    equal = 0
    for number in numbers:
        key = world.crowd.user_id(number), LAYOUT
        partition = partition_of(asyncio.run(TrainingSets(database).read(*key)), key)
        raw = [replace(one, features=None) for one in labelled_sets(partition)]
        learned = learn_user(raw, LAYOUT, recipe, everybody[LAYOUT].learned)
        pointer = asyncio.run(Champions(database).read(owner_of(key[0]), LAYOUT, "exercise"))
        equal += pointer is not None and bytes(pointer.sha256) == learned.sha256
    database.close()
    return equal, len(numbers)


def kept_bytes(world: TrainedKeyspace) -> float:
    """Bytes of windows that a user's sets keep."""
    database = world.database()
    key = world.crowd.user_id(0), LAYOUT
    rows = asyncio.run(TrainingSets(database).read(*key))
    database.close()
    return float(sum(len(row.features or b"") for row in rows))

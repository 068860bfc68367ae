"""The repositories that `ingest` works on."""

from dataclasses import dataclass

from schemas.config import Limits
from store.changes import Changes
from store.database import Database
from store.dead_letters import DeadLetters
from store.deviations import Deviations
from store.journal import Journal
from store.labelled_sets import LabelledSets
from store.plans import Plans
from store.predictions import Predictions
from store.samples import Samples
from store.sessions import Sessions
from store.sets import Sets
from store.stretches import Stretches


@dataclass(frozen=True, slots=True)
class Records:
    """The repositories of recorded data; `tests.store.memory` has them without Cassandra."""

    samples: Samples
    sessions: Sessions
    changes: Changes
    journal: Journal
    sets: Sets
    labelled: LabelledSets
    stretches: Stretches
    dead_letters: DeadLetters
    plans: Plans
    deviations: Deviations
    predictions: Predictions


def records_in(database: Database, limits: Limits) -> Records:
    """The repositories of a keyspace."""
    return Records(
        samples=Samples(database),
        sessions=Sessions(database),
        changes=Changes(database),
        journal=Journal(database),
        sets=Sets(database),
        labelled=LabelledSets(database),
        stretches=Stretches(database),
        dead_letters=DeadLetters(database, limits.dead_letters_per_user),
        plans=Plans(database),
        deviations=Deviations(database),
        predictions=Predictions(database),
    )

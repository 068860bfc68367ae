"""What becomes of global models in a run: new ones are judged and promoted, some must go."""

import asyncio
from collections.abc import Mapping, Sequence, Set
from datetime import datetime

from pipelines.exercise.global_fit import GlobalModels
from pipelines.exercise.global_gate import judge_global
from pipelines.exercise.global_models import STATISTICS, Provenance, store_global
from pipelines.exercise.promotion import ModelCandidate
from pipelines.lifecycle.full_runs import global_models_move
from pipelines.lifecycle.global_retirement import NO_SUCCESSOR, comparable, retire_global
from pipelines.lifecycle.incumbents import IncumbentBytes
from pipelines.lifecycle.job import Job
from pipelines.lifecycle.pointers import MoveOutcome, read_global_incumbents
from schemas.families import EXERCISE
from schemas.inputs import InputLayout
from store.models import ModelKey

GLOBAL_FAMILIES = (EXERCISE, STATISTICS)


def judge_and_store(
    job: Job,
    models: GlobalModels,
    candidates: Sequence[ModelCandidate],
    served: Mapping[ModelKey, str],
    going: Set[InputLayout],
    learned_until: datetime,
) -> dict[InputLayout, MoveOutcome]:
    """Judge, store and promote the new global models; the outcome of each layout.

    Args:
        job: the job.
        models: by layout, learned by this run.
        candidates: models of users, evaluated beside the global ones.
        served: what served when the run began, of `served_versions`.
        going: layouts whose global model must go.
        learned_until: when the members' sets had been read.
    """
    settings, outcomes = job.config.training, dict[InputLayout, MoveOutcome]()
    verdicts = {
        layout: judge_global(layout, model, candidates, settings.gate_margin)
        for layout, model in models.items()
    }
    if going or not all(verdict.reason for verdict in verdicts.values()):
        global_models_move(job.database, job.run)
    for layout, model in models.items():
        outcomes[layout] = store_global(
            job.database,
            layout,
            model,
            verdicts[layout],
            Provenance(job.run.run_id, settings.seed, learned_until, job.run.clock()),
            served=served,
            must_replace=layout in going,
        )
    return outcomes


def retire_global_models(
    job: Job, outcomes: Mapping[InputLayout, MoveOutcome], going: Set[InputLayout]
) -> dict[str, str]:
    """Retire global models that must go and have no successor; the outcome of each layout."""
    retired = retire_global(job, GLOBAL_FAMILIES, going)
    said = {layout: outcome.reason or outcome.status for layout, outcome in outcomes.items()}
    return {
        **said,
        **{layout: f"{said.get(layout, 'not learned')}; {NO_SUCCESSOR}" for layout in retired},
    }


def former_global_models(job: Job, going: Set[InputLayout]) -> dict[InputLayout, IncumbentBytes]:
    """The global models that a full run's are compared with."""
    serving = asyncio.run(read_global_incumbents(job.database, EXERCISE))
    return comparable(job, serving, going)

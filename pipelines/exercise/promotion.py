"""Promotes learned exercise models: gate, vetoes, pointers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from pipelines.exercise.evaluation import Hits, Rungs
from pipelines.exercise.gate import Verdict, insufficient_evidence, judge, stratum_of, veto
from pipelines.exercise.trials import UserTrial, common_shares
from pipelines.lifecycle.job import Job
from pipelines.lifecycle.pointers import move_pointers
from pipelines.lifecycle.runs import Run
from schemas.inputs import ACC3, ACC6
from schemas.statuses import UserStatus
from store.database import Database
from store.jobs import UserOutcome
from store.models import ModelKey
from store.pointers import Challenger


@dataclass(frozen=True, slots=True)
class ModelCandidate:
    """A learned model that may be promoted: its row without its bytes.

    Attributes:
        rungs: each rung's hits on late sets.
        held_out: scores of late sets, for calibration.
        note: added to the reason of the outcome.
        expected_version: the user's own version that served during the evaluation; "" for none.
        missing_sets: which sets the user lacks for an evaluation, "" where none.
    """

    user_id: UUID
    model_id: str
    version: str
    sha256: bytes
    labelled_sets: int
    rungs: Rungs
    held_out: bytes = b""
    note: str = ""
    expected_version: str = ""
    missing_sets: str = ""

    @property
    def trial(self) -> UserTrial:
        """The gate's input. The serving model is the incumbent, else the global model."""
        rungs = self.rungs
        serving = rungs.incumbent.sets or rungs.everybody.sets
        own, majority = rungs.own.sets, rungs.majority.sets
        trial = own, serving, majority, rungs.exercises
        return UserTrial(str(self.user_id), self.labelled_sets, *trial)

    def challenger(self, run: Run) -> Challenger:
        """The model as it is promoted by the run that learned it."""
        key = ModelKey.of_user(self.user_id, self.model_id, run.family)
        return Challenger(*key, self.version, self.sha256, run.run_id)


def judge_and_promote(job: Job, candidates: Sequence[ModelCandidate]) -> None:
    """Judge the recipe per stratum, apply users' vetoes, move the pointers."""
    run = job.run
    verdicts = verdicts_of(candidates, job.config.training.gate_margin)
    outcomes = promote(job.database, candidates, verdicts, run)
    run.add_outcomes(outcomes)
    # the layout with rotation, if any user has it
    best = ACC6 if any(c.model_id == ACC6 for c in candidates) else ACC3
    for suffix, of_layout in (
        ("", [c for c in candidates if c.model_id == best]),
        ("_alone", [c for c in candidates if c.model_id != best]),
    ):
        run.metrics[f"rungs{suffix}"] = rung_shares(of_layout)
        run.metrics[f"compared{suffix}"] = compared_shares(of_layout)
    run.metrics["strata"] = {name: asdict(verdict) for name, verdict in verdicts.items()}
    refused = any(outcome.status == "refused" for outcome in outcomes)
    judged = [verdict for verdict in verdicts.values() if verdict.sets]
    if refused and judged and not any(verdict.passes for verdict in judged):
        run.status = "refused"


def promote(
    database: Database,
    candidates: Sequence[ModelCandidate],
    verdicts: Mapping[str, Verdict],
    run: Run,
) -> list[UserOutcome]:
    """Move the pointers of all candidates that pass the gate.

    Their stratum must pass, with enough evidence for them, and they must not be vetoed. Candidates
    whose user is served by another model than during the evaluation, because the pointer moved or a
    run was withdrawn, are overtaken: the next run judges again.
    """
    judged = [(candidate, _refusal(candidate, verdicts)) for candidate in candidates]
    moves = [
        (candidate.challenger(run), candidate.expected_version)
        for candidate, refusal in judged
        if refusal is None
    ]
    moved = iter(move_pointers(database, moves))
    return [_outcome(candidate, *(refusal or next(moved))) for candidate, refusal in judged]


def _refusal(
    candidate: ModelCandidate, verdicts: Mapping[str, Verdict]
) -> tuple[UserStatus, str] | None:
    """The status and reason of a candidate that must not serve; None where it passes the gate.

    What serves already passes: it is not worse than itself, also where no set is late enough to
    tell.
    """
    if candidate.version == candidate.expected_version:
        return None
    verdict = verdicts[f"{candidate.model_id} {stratum_of(candidate.labelled_sets)}"]
    if refusal := verdict.reason or insufficient_evidence(candidate.trial, verdict):
        parts = (f"{verdict.stratum} sets: {refusal}", candidate.missing_sets)
        return "refused", "; ".join(part for part in parts if part)
    if reason := veto(candidate.trial):
        return "vetoed", reason
    return None


def verdicts_of(candidates: Sequence[ModelCandidate], margin: float) -> dict[str, Verdict]:
    """The gate's verdict on every stratum of every layout, by "layout stratum".

    Layouts are judged apart: a user whose watch records rotation has a model in each, of the same
    sets.
    """
    verdicts: dict[str, Verdict] = {}
    for layout in sorted({candidate.model_id for candidate in candidates}):
        trials = [candidate.trial for candidate in candidates if candidate.model_id == layout]
        strata = judge(trials, margin=margin)
        verdicts |= {f"{layout} {stratum}": verdict for stratum, verdict in strata.items()}
    return verdicts


def rung_shares(candidates: Sequence[ModelCandidate]) -> dict[str, dict[str, float | int]]:
    """For each rung the numbers of late sets and windows, and the shares named right.

    Each rung is asked about other sets (`Rungs`): `compared_shares` compares them.
    """
    shares: dict[str, dict[str, float | int]] = {}
    for rung in ("own", "everybody", "incumbent", "majority"):
        of_users: list[Hits] = [getattr(candidate.rungs, rung) for candidate in candidates]
        sets = [right for hits in of_users for right in hits.sets.values()]
        windows = sum(hits.windows for hits in of_users)
        right = sum(hits.right_windows for hits in of_users)
        if sets:
            shares[rung] = {
                "sets": len(sets),
                "sets_right": round(sum(sets) / len(sets), 4),
                "windows": windows,
                "windows_right": round(right / max(windows, 1), 4),
            }
    return shares


def compared_shares(candidates: Sequence[ModelCandidate]) -> dict[str, dict[str, float | int]]:
    """The users' own models beside each other rung, on the late sets on which both were asked."""
    shares: dict[str, dict[str, float | int]] = {}
    for rung in ("incumbent", "everybody", "majority"):
        pairs = ((c.rungs.own.sets, getattr(c.rungs, rung).sets) for c in candidates)
        if common := common_shares(pairs):
            shares[rung] = {
                "sets": common.sets,
                "own_right": round(common.challenger, 4),
                "right": round(common.other, 4),
            }
    return shares


def _outcome(candidate: ModelCandidate, status: UserStatus, reason: str) -> UserOutcome:
    metrics = {
        rung: [hits.windows, hits.right_windows]
        for rung, hits in candidate.rungs.hits.items()
        if hits.windows
    }
    return UserOutcome(
        candidate.user_id,
        candidate.model_id,
        status,
        "; ".join(part for part in (reason, candidate.note) if part),
        candidate.version,
        json.dumps(metrics, sort_keys=True),
    )

"""From learned exercise models to champions: judge, hear vetoes, move pointers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pipelines.exercise.gate import Trial, Verdict, judge, stratum_of, unasked, veto
from pipelines.lifecycle.pointers import Move, move_pointers
from store.database import Database
from store.jobs import UserOutcome


@dataclass(frozen=True, slots=True)
class ModelCandidate:
    """A learned model that asks to serve: its row without its bytes.

    Attributes:
        hits: rung to set id to right or wrong; rungs are own, everybody, incumbent, majority.
        windows: rung to (asked, right).
        held: answers to late sets, for calibration.
        note: what the outcome says besides the reason for which it was kept back.
        instead_of: the version of the user's own that served when it was judged; "" for none.
        lacking: which of the user's sets are missing to judge it by, "" where none are.
    """

    user_id: UUID
    model_id: str
    version: str
    sha256: bytes
    labelled_sets: int
    hits: Mapping[str, Mapping[str, bool]]
    windows: Mapping[str, tuple[int, int]]
    held: bytes = b""
    note: str = ""
    instead_of: str = ""
    lacking: str = ""

    @property
    def trial(self) -> Trial:
        """What the gate wants to know. The incumbent serves now, else the global model."""
        serving = self.hits["incumbent"] or self.hits["everybody"]
        own, majority = self.hits["own"], self.hits["majority"]
        return Trial(str(self.user_id), self.labelled_sets, own, serving, majority)


def promote(
    database: Database,
    candidates: Sequence[ModelCandidate],
    verdicts: Mapping[str, Verdict],
    *,
    family: str,
    run_id: UUID,
    at: datetime,
) -> list[UserOutcome]:
    """Move the pointers of everybody whose stratum passes and speaks for them, and without a veto.

    Users who are served by another model than when theirs was judged, because somebody moved the
    pointer or took a run back, are overtaken: the next run judges again.
    """
    outcomes: dict[int, UserOutcome] = {}
    moving: list[int] = []
    for number, one in enumerate(candidates):
        verdict = verdicts[f"{one.model_id} {stratum_of(one.labelled_sets)}"]
        if against := verdict.reason or unasked(one.trial, verdict):
            said = (f"{verdict.stratum} sets: {against}", one.lacking)
            reason = "; ".join(part for part in said if part)
            outcomes[number] = _outcome(one, "refused", reason)
        elif reason := veto(one.trial):
            outcomes[number] = _outcome(one, "vetoed", reason)
        else:
            moving.append(number)
    pointers = [
        Move(one.user_id, one.model_id, one.version, one.sha256, one.instead_of)
        for one in (candidates[number] for number in moving)
    ]
    moved = move_pointers(database, pointers, family=family, run_id=run_id, at=at)
    for number, (status, reason) in zip(moving, moved, strict=True):
        outcomes[number] = _outcome(candidates[number], status, reason)
    return [outcomes[number] for number in range(len(candidates))]


def verdicts_of(challengers: Sequence[ModelCandidate], margin: float) -> dict[str, Verdict]:
    """The gate's word on every stratum of every layout, by "layout stratum".

    Layouts are judged apart: a person with rotation has a model of each, of the same sets.
    """
    found: dict[str, Verdict] = {}
    for layout in sorted({one.model_id for one in challengers}):
        trials = [one.trial for one in challengers if one.model_id == layout]
        verdicts = judge(trials, margin=margin)
        found |= {f"{layout} {stratum}": verdict for stratum, verdict in verdicts.items()}
    return found


def rung_shares(challengers: Sequence[ModelCandidate]) -> dict[str, dict[str, float | int]]:
    """For each rung the late sets and windows that it was asked, and the shares named right."""
    shares: dict[str, dict[str, float | int]] = {}
    for rung in ("own", "everybody", "incumbent", "majority"):
        sets = [hit for one in challengers for hit in one.hits[rung].values()]
        asked = sum(one.windows[rung][0] for one in challengers)
        right = sum(one.windows[rung][1] for one in challengers)
        if sets:
            shares[rung] = {
                "sets": len(sets),
                "sets_right": round(sum(sets) / len(sets), 4),
                "windows": asked,
                "windows_right": round(right / max(asked, 1), 4),
            }
    return shares


def _outcome(challenger: ModelCandidate, status: str, reason: str) -> UserOutcome:
    metrics = {rung: list(counts) for rung, counts in challenger.windows.items() if counts[0]}
    return UserOutcome(
        challenger.user_id,
        challenger.model_id,
        status,
        "; ".join(said for said in (reason, challenger.note) if said),
        challenger.version,
        json.dumps(metrics, sort_keys=True),
    )
